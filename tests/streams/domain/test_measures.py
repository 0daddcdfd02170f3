"""Checks bounds and prices by weight, size, volume and distance, and the lists options are shown in (SHP-05…SHP-16)."""

from decimal import Decimal

import pytest

from schemas.catalogue import DistancePrice, Listing, ShippingOption, VolumePrice
from schemas.market.listing import read_listing
from schemas.market.shipping_option import read_shipping_option
from schemas.orders import OrderRejected, ShippingStatus
from schemas.replies import ShippingReply
from schemas.shops import ShopSettings
from streams.domain.geo import distance_m
from streams.domain.money import share_charge
from tests.support.builders import (
    NOW_S,
    a_collection,
    a_listing,
    an_event,
    an_option,
    an_order,
    collection,
    post,
    product,
)
from tests.support.offers import quoted, refusals, shop, waits
from tests.support.steps import paid, parcel, requested

A, B = post("a"), post("b")
BERLIN, POTSDAM, PARIS = "u33dc", "u3372", "u09tv"
BERLIN_TO_POTSDAM, PARIS_TO_POTSDAM = (distance_m(one, POTSDAM) or Decimal(-1) for one in (BERLIN, PARIS))


def vase(**more: object) -> Listing:
    """A physical thing for nothing, sent by A."""
    return a_listing("vase", "0", shipping=((A, "0"),)).model_copy(update=more)


def option(**more: object) -> ShippingOption:
    """A, whose base costs nothing."""
    return an_option("a", "0").model_copy(update=more)


def sides(*lengths: str) -> tuple[Decimal, ...]:
    """A size in centimetres."""
    return tuple(sorted(map(Decimal, lengths)))


# Volume


@pytest.mark.req("SHP-05")
def test_two_boxes_at_two_dollars_a_litre_are_four_dollars() -> None:
    """2 × 10×20×5 cm are two litres."""
    by_litre = VolumePrice(amount=Decimal(2), currency="USD", unit_cm3=Decimal(1000))
    story = shop(vase(sides_cm=sides("10", "20", "5")), option(per_volume=by_litre))

    quote = quoted(story, an_order(("vase", 2), shipping=A, country="DE"))

    charge = quote.charges[-1]
    assert (charge.label, charge.amount, charge.currency) == ("A, by volume", Decimal("4.00"), "USD")
    assert quote.total_msat == 4_000_000


@pytest.mark.req("SHP-05")
def test_a_volume_of_its_own_goes_before_the_sides() -> None:
    """A soft thing is smaller than its box."""
    by_litre = VolumePrice(amount=Decimal(2), currency="SATS", unit_cm3=Decimal(1000))
    soft = vase(sides_cm=sides("10", "20", "5"), volume_cm3=Decimal(500))

    assert quoted(shop(soft, option(per_volume=by_litre)), an_order(("vase", 2), country="DE")).total_msat == 2_000


# Distance


@pytest.mark.req("SHP-05")
def test_twelve_and_a_half_kilometres_at_forty_cents_are_five_dollars() -> None:
    """Strictly proportional."""
    charge = share_charge("by distance", Decimal("0.4"), "USD", Decimal(12_500), Decimal(1_000))

    assert (charge.amount, charge.ratio) == (Decimal("5.00"), None)


@pytest.mark.req("SHP-05")
@pytest.mark.parametrize(
    ("one", "other", "metres", "within"),
    [
        (BERLIN, BERLIN, 0, 0),
        (BERLIN, PARIS, 878_000, 6_000),
        ("9q8yy", "dr5ru", 4_129_000, 6_000),
        ("zzzzz", "00000", 20_015_000, 6_000),
    ],
)
def test_the_distance_is_along_the_great_circle(one: str, other: str, metres: int, within: int) -> None:
    """Berlin to Paris, San Francisco to New York, pole to pole; the same both ways."""
    assert abs((distance_m(one, other) or 0) - metres) <= within
    assert distance_m(one, other) == distance_m(other, one)


BY_KM = DistancePrice(amount=Decimal("0.4"), currency="USD", unit_m=Decimal(1000))


@pytest.mark.req("SHP-05")
def test_the_way_starts_at_the_options_own_place() -> None:
    """And ends where the order says."""
    story = shop(vase(geohash=PARIS), option(per_distance=BY_KM, geohash=BERLIN))

    quote = quoted(story, an_order(("vase", 3), shipping=A, country="DE", geohash=POTSDAM))

    assert quote.charges[-1].amount == BERLIN_TO_POTSDAM * Decimal("0.0004")
    assert 5 < quote.charges[-1].amount < 20, "Potsdam lies some thirty kilometres from Berlin, and three are one way"


@pytest.mark.req("SHP-05")
@pytest.mark.req("T402-11")
def test_without_a_place_of_the_option_the_way_starts_at_the_farthest_listing() -> None:
    """Its own place, or its collection's as that stands now."""
    bowl = a_listing("bowl", "0", shipping=((A, "0"),)).model_copy(update={"geohash_of": collection()})
    story = shop(vase(geohash=BERLIN), bowl, a_collection(geohash=PARIS), option(per_distance=BY_KM))

    order = an_order(("vase", 1), ("bowl", 1), shipping=A, country="DE", geohash=POTSDAM)
    assert quoted(story, order).charges[-1].amount == PARIS_TO_POTSDAM * Decimal("0.0004")


@pytest.mark.req("SHP-06")
@pytest.mark.parametrize(
    ("listing", "more", "order", "detail"),
    [
        (vase(), {"per_distance": BY_KM, "geohash": BERLIN}, None, "A: a geohash of where it goes is missing"),
        (vase(), {"per_distance": BY_KM}, POTSDAM, "A: the place of Vase is missing"),
        (vase(geohash_of=collection()), {"per_distance": BY_KM}, POTSDAM, "A: the place of Vase is missing"),
        (
            vase(),
            {"per_volume": VolumePrice(amount=Decimal(1), currency="USD", unit_cm3=Decimal(1))},
            None,
            "A: the size of Vase is missing",
        ),
        (vase(), {"sides_max_cm": sides("1", "1", "1")}, None, "A: the size of Vase is missing"),
    ],
)
def test_a_missing_measure_or_place_holds_the_order_and_is_named(
    listing: Listing, more: dict[str, object], order: str | None, detail: str
) -> None:
    """Never priced as nought, with the option and the line."""
    story = shop(listing, option(**more))

    assert waits(story, an_order(("vase", 1), shipping=A, country="DE", geohash=order)) == ("needs_pricing", detail)


@pytest.mark.req("SHP-06")
def test_a_place_that_is_no_geohash_is_none() -> None:
    """Options of former days kept whatever text stood there; a list of pickups is made all the same."""
    order = an_order(("vase", 1), shipping=A, country="DE", geohash=POTSDAM)
    story = shop(vase(), option(per_distance=BY_KM, geohash="near the station"))
    assert waits(story, order) == ("needs_pricing", "A: the place of A is no geohash")

    pickups = [an_option(d, "0", service="pickup").model_copy(update={"geohash": f"place {d}"}) for d in ("a", "b")]
    story = shop(a_listing("vase", shipping=((A, "0"), (B, "0"))), *pickups)
    wish = an_order(("vase", 1), geohash=POTSDAM)
    assert waits(story, wish) == ("shipping_choice", "A (0 SATS, place a), B (0 SATS, place b)")


@pytest.mark.req("SHP-06")
def test_the_shops_default_weight_and_size_stand_in() -> None:
    """Where the listing says nothing, and only there."""
    rules = ShopSettings.model_validate({"default_weight_g": "500", "default_sides_cm": "20x10x5"})
    by_litre = VolumePrice(amount=Decimal(10), currency="SATS", unit_cm3=Decimal(1000))
    weighed = an_option("a", "0", per_kg="100").model_copy(update={"per_volume": by_litre})
    bowl = a_listing("bowl", "0", weight_g="1000", shipping=((A, "0"),)).model_copy(
        update={"sides_cm": sides("10", "10", "10")}
    )

    quote = quoted(shop(vase(), bowl, weighed, rules=rules), an_order(("vase", 1), ("bowl", 1), country="DE"))

    assert [charge.amount for charge in quote.charges[-2:]] == [Decimal(150), Decimal(20)]


# Size


@pytest.mark.req("SHP-07")
@pytest.mark.req("T406-09")
@pytest.mark.parametrize(
    ("size", "refusal"),
    [
        (("60", "120", "50"), None),
        (("120", "60", "60"), None),
        (("61", "61", "61"), "size_over_max"),
        (("120.001", "60", "60"), "size_over_max"),
        (("10", "10", "1"), None),
        (("10", "10", "0.9"), "size_under_min"),
    ],
)
def test_each_piece_has_to_fit_whichever_way_it_is_turned(size: tuple[str, str, str], refusal: str | None) -> None:
    """Between 10x10x1 and 120x60x60 cm, inclusive; two of them are still two pieces."""
    bounds = {"sides_min_cm": sides("10", "1", "10"), "sides_max_cm": sides("120", "60", "60")}
    story = shop(vase(sides_cm=sides(*size)), option(**bounds))
    order = an_order(("vase", 2), shipping=A, country="DE")

    if refusal is None:
        quoted(story, order)
        return
    assert refusals(story, order) == [refusal]
    finding = story.one(OrderRejected).findings[0]
    assert (finding.option, finding.lines) == (A, (product("vase"),))
    assert "A takes" in finding.subject
    assert "Vase" in finding.subject


@pytest.mark.req("SHP-07")
def test_thirty_one_kilograms_are_too_many_for_thirty() -> None:
    """The option and the line are named."""
    story = shop(vase(weight_g=Decimal(31_000)), option(weight_max_g=Decimal(30_000)))

    assert refusals(story, an_order(("vase", 1), shipping=A, country="DE")) == ["weight_over_max"]
    assert "A takes 30000 g at most, and this is 31000 g: Vase" in story.told()[1]


# Lists, estimates, pre-orders


@pytest.mark.req("SHP-15")
def test_options_are_listed_by_service_and_pickups_by_their_distance() -> None:
    """Three pickups: the nearest first, with their places; full costs, not base prices."""
    places = {"p1": PARIS, "p2": BERLIN, "p3": POTSDAM}
    pickups = [
        an_option(d, "0", service="pickup", location=f"Shop {d}").model_copy(update={"geohash": cell})
        for d, cell in places.items()
    ]
    references = tuple((post(d), "0") for d in places)
    story = shop(
        a_listing("vase", "1", "EUR", shipping=((A, "2"), *references, (B, "0"))),
        *pickups,
        an_option("a", "5", "USD", service="express"),
        an_option("b", "7.50", "EUR"),
    )

    assert waits(story, an_order(("vase", 2), country="DE", geohash=POTSDAM)) == (
        "shipping_choice",
        "standard: B (7.50 EUR); express: A (5 USD + 4 EUR); "
        "pickup: P3 (0 SATS, Shop p3), P2 (0 SATS, Shop p2), P1 (0 SATS, Shop p1)",
    )


@pytest.mark.req("SHP-16")
def test_the_confirmation_says_when_and_the_parcel_has_that_for_its_eta() -> None:
    """24 to 72 hours, confirmed now: in three days at the latest."""
    story = shop(a_listing("vase", "10", shipping=((A, "0"),)), option(duration_min_h=24, duration_max_h=72))
    story.when(an_order(("vase", 1), shipping=A, country="DE"), requested(10))

    assert "within 1 to 3 days" in story.when(paid(10)).told()[1]
    reply = story.when(parcel(ShippingStatus.SHIPPED)).reply()
    assert isinstance(reply, ShippingReply)
    assert reply.eta == NOW_S + 72 * 3_600


@pytest.mark.req("SHP-16")
def test_handling_takes_its_time_and_a_date_that_is_past_is_not_promised() -> None:
    """Five hours more; and a parcel that leaves late has none rather than a wrong one."""
    rules = ShopSettings(handling_h=5)
    story = shop(a_listing("vase", "10", shipping=((A, "0"),)), option(duration_min_h=1, duration_max_h=2), rules=rules)
    story.when(an_order(("vase", 1), shipping=A, country="DE"), requested(10))
    assert "within 6 to 7 hours" in story.when(paid(10)).told()[1]

    late = story.when(parcel(ShippingStatus.SHIPPED), at_ms=(NOW_S + 7 * 3_600) * 1_000).reply()
    assert isinstance(late, ShippingReply)
    assert late.eta is None


@pytest.mark.req("CAT-05")
def test_a_pre_order_is_said_to_be_one() -> None:
    """With no stock: pending, the text says so, and the stock stays at none."""
    tags = (("d", "tea"), ("title", "Tea"), ("price", "10", "SATS"), ("stock", "0"), ("visibility", "pre-order"))
    story = shop(read_listing(an_event(30402, *tags)))

    quote = quoted(story, an_order(("tea", 2)))
    assert quote.lines[0].pre_order
    assert story.order().status == "pending"
    assert "Pre-order, sent as soon as it is there: Tea." in story.when(requested(20)).reply().text
    assert "Pre-order" in story.when(paid(20)).told()[1]
    assert story.shop.stock[product()].on_hand == 0


@pytest.mark.req("CAT-05")
@pytest.mark.parametrize(("visibility", "refusal"), [("hidden", "not_for_sale"), ("on-sale", "insufficient_stock")])
def test_what_is_hidden_or_sold_out_is_not_ordered(visibility: str, refusal: str) -> None:
    """Only a pre-order goes beyond the stock."""
    tags = (("d", "tea"), ("title", "Tea"), ("price", "10", "SATS"), ("stock", "0"), ("visibility", visibility))

    assert refusals(shop(read_listing(an_event(30402, *tags))), an_order()) == [refusal]


@pytest.mark.req("SHP-04")
@pytest.mark.req("T406-10")
def test_the_specs_own_option_prices_the_worked_order_from_its_events() -> None:
    """30.57 USD, read from tags as the market spec prints them."""
    option_tags = (
        ("d", "a"),
        ("title", "Standard Shipping"),
        ("price", "5.99", "USD"),
        ("country", "US"),
        ("region", "US-FL"),
        ("service", "standard"),
        ("duration", "24", "72", "H"),
        ("weight-max", "30", "kg"),
        ("dim-max", "120x60x60", "cm"),
        ("price-weight", "0.75", "USD", "kg"),
    )
    listing_tags = (
        ("d", "vase"),
        ("title", "Vase"),
        ("price", "10.99", "USD"),
        ("type", "simple", "physical"),
        ("weight", "0.4", "kg"),
        ("dim", "60x120x50", "cm"),
        ("shipping_option", A, "1.00"),
    )
    story = shop(read_listing(an_event(30402, *listing_tags)), read_shipping_option(an_event(30406, *option_tags)))

    quote = quoted(story, an_order(("vase", 2), shipping=A, country="US", region="US-FL"))

    assert [str(charge.amount) for charge in quote.charges] == ["21.98", "5.99", "2.00", "0.600"]
    assert quote.total_msat == 30_570_000


@pytest.mark.req("C-08")
def test_a_price_a_pound_is_rounded_once_and_never_by_its_digits() -> None:
    """A third of a price a pound and two thirds of it are one: no digit is lost between them."""
    thirds = [share_charge("x", Decimal(1), "SATS", Decimal(part), Decimal("453.59237")) for part in (1, 2)]

    assert all(charge.ratio is not None for charge in thirds)
    by_pound = option().model_copy(
        update={
            "per_weight": an_option("a", per_kg="1").per_weight.model_copy(update={"unit_g": Decimal("453.59237")}),  # type: ignore[union-attr]
            "per_volume": VolumePrice(amount=Decimal(1), currency="SATS", unit_cm3=Decimal("453.59237")),
        }
    )
    thing = vase(weight_g=Decimal("453.00000"), volume_cm3=Decimal("0.59237"))

    assert quoted(shop(thing, by_pound), an_order(("vase", 1), country="DE")).total_msat == 1_000
