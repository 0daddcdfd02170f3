"""Checks how an order may be sent, and why it may not (market spec §3, requirements §6)."""

import pytest

from schemas.catalogue import Format
from schemas.orders import OrderRejected
from schemas.values import Waiting
from tests.support.builders import a_listing, an_option, an_order, post, product
from tests.support.offers import quoted, refusals, shop, waits
from tests.support.steps import paid, requested

A, B, C = post("a"), post("b"), post("c")


@pytest.mark.req("CAT-04")
def test_digital_lines_skip_every_shipping_rule() -> None:
    """No address is needed, and only physical lines weigh."""
    song = a_listing("song", "1", weight_g="9000000")
    vase = a_listing("vase", "1", weight_g="400", shipping=((A, "0"),))
    story = shop(song, vase, an_option("a", "0", per_kg="1000", weight_max_g="500"))

    assert quoted(story, an_order(("song", 1))).shipping is None
    mixed = quoted(story, an_order(("song", 1), ("vase", 1), rumor="mixed", shipping=A, country="DE"))
    assert mixed.charges[-1].amount == 400


@pytest.mark.req("T16A-05")
def test_a_digital_cart_ignores_a_shipping_wish() -> None:
    """Even one that nobody offers."""
    assert quoted(shop(a_listing()), an_order(shipping=A)).shipping is None


@pytest.mark.req("SHP-08")
def test_an_order_to_a_country_that_is_not_served_is_turned_down() -> None:
    """A German address on an American option."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", countries=("US",)))

    assert refusals(story, an_order(("vase", 1), shipping=A, country="DE")) == ["country_not_served"]


@pytest.mark.req("SHP-08")
def test_an_unreadable_address_is_held_not_guessed() -> None:
    """Neither turned down nor sent somewhere."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", countries=("US",)))

    assert waits(story, an_order(("vase", 1), shipping=A))[0] == "address"


@pytest.mark.req("T406-04")
@pytest.mark.parametrize(
    ("country", "region", "served"),
    [("US", "US-FL", True), ("US", "US-CA", False), ("CA", None, True), ("CA", "CA-ON", True)],
)
def test_a_region_narrows_only_its_own_country(country: str, region: str | None, served: bool) -> None:
    """US and CA with US-FL: California is out, all of Canada is in."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", countries=("US", "CA"), regions=("US-FL",)))
    order = an_order(("vase", 1), shipping=A, country=country, region=region)

    if served:
        quoted(story, order)
    else:
        assert refusals(story, order) == ["country_not_served"]


@pytest.mark.req("SHP-08")
def test_an_unknown_region_is_held_where_regions_are_listed() -> None:
    """An address that names Florida in a way we cannot read is not turned down for good."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", countries=("US",), regions=("US-FL",)))

    assert waits(story, an_order(("vase", 1), shipping=A, country="US")) == (
        "address",
        "the region to ship to",
    )


def test_a_world_wide_option_still_needs_a_country() -> None:
    """A parcel without an address goes nowhere."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a"))

    assert waits(story, an_order(("vase", 1), shipping=A))[0] == "address"
    quoted(story, an_order(("vase", 1), rumor="2", shipping=A, country="NZ"))


@pytest.mark.req("SHP-07")
@pytest.mark.req("T406-08")
@pytest.mark.parametrize(("grams", "fits"), [("30000", True), ("30000.001", False), ("1000", True), ("999", False)])
def test_weight_bounds_are_inclusive_and_count_the_whole_order(grams: str, fits: bool) -> None:
    """1 to 30 kg; beyond, the option is named in the refusal."""
    vase = a_listing("vase", weight_g=grams, shipping=((A, "0"),))
    story = shop(vase, an_option("a", weight_min_g="1000", weight_max_g="30000"))
    order = an_order(("vase", 1), shipping=A, country="DE")

    if fits:
        quoted(story, order)
    else:
        assert refusals(story, order) == ["weight_under_min" if grams == "999" else "weight_over_max"]
        finding = story.one(OrderRejected).findings[0]
        assert (finding.option, finding.lines) == (A, (product("vase"),))
        assert "A takes" in story.told()[1]
        assert "Vase" in story.told()[1]


@pytest.mark.parametrize("bound", ["weight_min_g", "weight_max_g"])
def test_a_weight_nobody_knows_passes_no_bounds(bound: str) -> None:
    """The option is not used silently: the order is held for the merchant to say."""
    option = an_option("a", weight_max_g="1000") if bound == "weight_max_g" else an_option("a", weight_min_g="1000")
    story = shop(a_listing("vase", shipping=((A, "0"),)), option)

    assert waits(story, an_order(("vase", 1), shipping=A, country="DE")) == (
        "needs_pricing",
        "A: the weight of Vase is missing",
    )


@pytest.mark.req("SHP-10")
def test_an_option_whose_bounds_cannot_be_checked_leaves_the_other_to_be_picked() -> None:
    """Exactly one is priceable."""
    b = post("b")
    vase = a_listing("vase", shipping=((A, "0"), (b, "0")))
    story = shop(vase, an_option("a", weight_max_g="1000"), an_option("b", "3"))

    assert quoted(story, an_order(("vase", 1), country="DE")).shipping == b


def test_a_weight_is_summed_exactly_however_long_it_is() -> None:
    """One hundredth of a microgram too much is too much."""
    heavy = "29999999999999999999"
    things = [a_listing("vase", weight_g=heavy, shipping=((A, "0"),))]
    things.append(a_listing("tea", weight_g="1.00000001", shipping=((A, "0"),)))
    story = shop(*things, an_option("a", weight_max_g="30000000000000000000"))

    order = an_order(("vase", 1), ("tea", 1), shipping=A, country="DE")
    assert refusals(story, order) == ["weight_over_max"]


def test_two_light_things_may_be_too_heavy_together() -> None:
    """A-14: the order's weight counts, not the item's."""
    story = shop(a_listing("vase", weight_g="20000", shipping=((A, "0"),)), an_option("a", weight_max_g="30000"))

    assert refusals(story, an_order(("vase", 2), shipping=A, country="DE")) == ["weight_over_max"]


@pytest.mark.req("SHP-09")
def test_the_option_must_serve_every_physical_line() -> None:
    """Lines with {A, B} and {B, C}: B serves, A is turned down naming the line it leaves behind."""
    tea = a_listing("tea", shipping=((A, "0"), (B, "0")))
    vase = a_listing("vase", shipping=((B, "0"), (C, "0")))
    cart = (("tea", 1), ("vase", 1))
    offers = (tea, vase, an_option("a"), an_option("b"), an_option("c"))

    assert quoted(shop(*offers), an_order(*cart, shipping=B, country="DE")).shipping == B
    story = shop(*offers)
    assert refusals(story, an_order(*cart, shipping=A, country="DE")) == ["option_not_for_all"]
    assert "A: Vase" in story.one(OrderRejected).findings[0].subject


def test_an_option_the_shop_never_saw_is_refused() -> None:
    """Referenced by the listing, published by nobody."""
    assert refusals(shop(a_listing("vase", shipping=((A, "0"),))), an_order(("vase", 1), shipping=A)) == [
        "unknown_shipping"
    ]


@pytest.mark.req("SHP-10")
def test_without_a_wish_the_only_option_is_taken() -> None:
    """Of three, one serves the country, one is not for sale there, one is unknown."""
    vase = a_listing("vase", shipping=((A, "0"), (B, "0"), (C, "0")))
    story = shop(vase, an_option("a", countries=("DE",)), an_option("b", countries=("US",)))

    assert quoted(story, an_order(("vase", 1), country="DE")).shipping == A


@pytest.mark.req("SHP-10")
def test_without_a_wish_several_options_are_listed_with_their_prices() -> None:
    """The buyer chooses; nothing is held meanwhile."""
    story = shop(a_listing("vase", shipping=((A, "0"), (B, "0"))), an_option("a", "5"), an_option("b", "7.50", "EUR"))

    assert waits(story, an_order(("vase", 1), country="DE")) == (
        "shipping_choice",
        "A (5 SATS), B (7.50 EUR)",
    )
    status, text = story.told()
    assert status == "pending"
    assert "A (5 SATS), B (7.50 EUR)" in text


@pytest.mark.req("SHP-10")
def test_only_priceable_options_count_when_one_is_picked() -> None:
    """An option whose rules cannot be applied yet is not a second choice."""
    story = shop(
        a_listing("vase", shipping=((A, "0"), (B, "0"))),
        an_option("a"),
        an_option("b", unsupported=("dim-max",)),
    )

    assert quoted(story, an_order(("vase", 1), country="DE")).shipping == A


def test_a_pickup_is_not_picked_for_a_buyer_whose_address_could_not_be_read() -> None:
    """With the country known there may be two to choose from, so the order waits for it."""
    story = shop(
        a_listing("vase", shipping=((A, "0"), (B, "0"))),
        an_option("a", countries=("DE",)),
        an_option("b", service="pickup", location="Main St"),
    )

    assert waits(story, an_order(("vase", 1)))[0] == "address"


@pytest.mark.parametrize("unsupported", [("price-distance",), ("dim-max", "price-volume")])
@pytest.mark.req("SHP-06")
def test_an_option_with_rules_that_cannot_be_applied_holds_the_order(unsupported: tuple[str, ...]) -> None:
    """Volume, distance and size wait for a person rather than being left out of the price."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", unsupported=unsupported))

    reason, detail = waits(story, an_order(("vase", 1), shipping=A, country="DE"))
    assert reason == Waiting.PRICING
    assert all(name in detail for name in unsupported)


@pytest.mark.req("SHP-06")
def test_a_price_by_weight_without_a_weight_holds_the_order() -> None:
    """needs_pricing, not shipping for nothing."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", per_kg="1"))

    assert waits(story, an_order(("vase", 1), shipping=A, country="DE"))[0] == "needs_pricing"


@pytest.mark.req("SHP-11")
def test_a_pickup_needs_no_address_and_its_place_is_told_on_confirmation() -> None:
    """No country test, and the confirmed message says where to go."""
    vase = a_listing("vase", "10", shipping=((A, "0"),))
    story = shop(vase, an_option("a", "0", countries=("US",), service="pickup", location="123 Main St"))
    story.when(an_order(("vase", 1), shipping=A), requested(10))

    status, text = story.when(paid(10)).told()
    assert status == "confirmed"
    assert "123 Main St" in text


@pytest.mark.req("T406-07")
def test_a_pickup_without_a_place_is_not_offered() -> None:
    """Neither when it is asked for nor when one is picked."""
    nowhere = an_option("b", service="pickup")
    vase = a_listing("vase", shipping=((A, "0"), (B, "0")))

    assert quoted(shop(vase, nowhere, an_option("a")), an_order(("vase", 1), country="DE")).shipping == A
    assert refusals(shop(vase, nowhere), an_order(("vase", 1), shipping=B)) == ["unknown_shipping"]


def test_a_physical_thing_that_points_at_no_option_waits_for_one() -> None:
    """The merchant has to say how it travels; nothing is held for it."""
    story = shop(a_listing("vase", format_=Format.PHYSICAL, stock=1))

    assert waits(story, an_order(("vase", 1), country="DE"))[0] == "shipping_choice"
    assert story.shop.stock[product("vase")].held == 0
