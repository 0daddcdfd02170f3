"""Checks what a merchant is told to mend in the catalogue (CAT-13)."""

from decimal import Decimal

from schemas.catalogue import DistancePrice, Structure, Visibility
from schemas.market.listing import read_listing
from schemas.shops import ShopSettings
from streams.domain.lint import Flaw, LintFinding, lint
from tests.support.builders import NOW_S, a_collection, a_listing, an_event, an_option, collection, post, product
from tests.support.offers import Offer, shop

A, B = post("a"), post("b")


def told(*things: Offer, rules: ShopSettings | None = None) -> list[tuple[str, Flaw, str]]:
    """What is wrong with a shop of these: by the end of its address."""
    found = lint(shop(*things, rules=rules).shop, NOW_S, {"USD", "EUR"})
    return [(one.coordinate.rpartition(":")[2], one.flaw, one.detail) for one in found]


def test_a_shop_without_flaws_has_no_findings() -> None:
    """A thing with an option, a song, a collection that is there."""
    vase = a_listing("vase", "1", "USD", weight_g="400", shipping=((A, "0"), (collection(), "0")))

    assert told(vase, a_listing("song", "1", "EUR"), an_option("a", per_kg="1"), a_collection()) == []


def test_six_faulty_things_are_six_findings() -> None:
    """Each with its own."""
    findings = told(
        a_listing("coin", "1", "XYZ"),
        a_listing("red", structure=Structure.VARIATION).model_copy(update={"collections": (collection("gone"),)}),
        a_listing("vase", shipping=((B, "0"),)).model_copy(update={"shipping": ()}),
        a_listing("bowl", shipping=((A, "0"),)),
        an_option("a", per_kg="1"),
        an_option("nowhere", service="pickup"),
        an_option("odd", unsupported=("dim-max", "price-volume")),
    )

    assert findings == [
        ("bowl", Flaw.MEASURE_MISSING, "weight, for A"),
        ("coin", Flaw.UNPRICEABLE_CURRENCY, "XYZ"),
        ("red", Flaw.DANGLING_REFERENCE, collection("gone")),
        ("vase", Flaw.PHYSICAL_WITHOUT_SHIPPING, ""),
        ("nowhere", Flaw.PICKUP_WITHOUT_PLACE, ""),
        ("odd", Flaw.RULE_UNREADABLE, "dim-max, price-volume"),
    ]


def test_sizes_places_and_parents_are_missed_too() -> None:
    """By the options that need them; the shop's defaults stand in."""
    far = DistancePrice(amount=Decimal(1), currency="USD", unit_m=Decimal(1000))
    most = (Decimal(1), Decimal(2), Decimal(3))
    option = an_option("a").model_copy(update={"per_distance": far, "sides_max_cm": most})
    vase = a_listing("vase", shipping=((A, "0"),))
    red = a_listing("red", structure=Structure.VARIATION).model_copy(update={"parent": product("vase")})

    assert told(vase, option, red) == [
        ("red", Flaw.ORPHAN_VARIATION, "its main listing has no variations"),
        ("vase", Flaw.MEASURE_MISSING, "place, for A"),
        ("vase", Flaw.MEASURE_MISSING, "size, for A"),
    ]
    rules = ShopSettings.model_validate({"default_sides_cm": "1x1x1"})
    assert [flaw for _, _, flaw in told(vase, option, rules=rules)] == ["place, for A"]


def test_whatever_was_odd_when_it_was_read_is_said_again() -> None:
    """A warning is nobody's until somebody sees it; what is not for sale anyway is left alone."""
    tags = (("d", "tea"), ("title", "Tea"), ("price", "1", "USD"), ("visibility", "on-sale"), ("weight", "heavy"))
    odd = read_listing(an_event(30402, *tags, ("type", "simple", "digital")))

    assert told(odd) == [("tea", Flaw.READ_WITH_WARNINGS, "bad_weight")]
    assert told(odd.model_copy(update={"visibility": Visibility.HIDDEN})) == []
    assert isinstance(lint(shop(odd).shop, NOW_S, ())[0], LintFinding)
