"""Checks what an order costs, how it may be sent, and why it may not (market spec §3, requirements §6)."""

from decimal import Decimal

import pytest

from schemas.catalogue import Format, RecordListing, RecordShippingOption, Structure, Visibility
from schemas.orders import Finding, OrderLine, OrderQuoted, OrderRejected, OrderWaiting, PlaceOrder, Quote
from schemas.values import Refusal, Waiting
from streams.domain.wording import rejected
from tests.support.builders import (
    CARRIER,
    NOW_MS,
    NOW_S,
    a_listing,
    a_rate,
    an_option,
    an_order,
    post,
    product,
)
from tests.support.steps import paid, requested
from tests.support.story import Story, given

A, B, C = post("a"), post("b"), post("c")


def shop(*things: object, rates: object = None) -> Story:
    """A shop that offers these listings and options."""
    story = Story(a_rate() if rates is None else rates)  # type: ignore[arg-type]
    for thing in things:
        is_option = hasattr(thing, "service")
        story.when(RecordShippingOption(option=thing) if is_option else RecordListing(listing=thing))  # type: ignore[arg-type]
    return story


def quoted(story: Story, order: PlaceOrder) -> Quote:
    """The quote this order gets."""
    return story.when(order).one(OrderQuoted).quote


def refusals(story: Story, order: PlaceOrder) -> list[str]:
    """Why this order is turned down."""
    return [finding.refusal.value for finding in story.when(order).one(OrderRejected).findings]


def waits(story: Story, order: PlaceOrder) -> tuple[str, str]:
    """What this order waits for."""
    event = story.when(order).one(OrderWaiting)
    return event.reason.value, event.detail


# The total


@pytest.mark.req("SHP-04")
def test_the_worked_order_costs_thirty_dollars_fifty_seven() -> None:
    """2 × 10.99, extra 1.00 each, option 5.99 + 0.75/kg on 0.8 kg: 21.98 + 8.59 = 30.57 USD = 30,570 sats."""
    vase = a_listing("vase", "10.99", "USD", weight_g="400", shipping=((A, "1.00"),))
    story = shop(vase, an_option("a", "5.99", "USD", countries=("US",), per_kg="0.75"))

    quote = quoted(story, an_order(("vase", 2), shipping=A, country="US"))

    assert [(c.label, c.amount, c.currency) for c in quote.charges] == [
        ("2 × Vase", Decimal("21.98"), "USD"),
        ("A", Decimal("5.99"), "USD"),
        ("A, extra for Vase", Decimal("2.00"), "USD"),
        ("A, by weight", Decimal("0.60"), "USD"),
    ]
    assert sum(c.amount for c in quote.charges[1:]) == Decimal("8.59")
    assert quote.total_msat == 30_570_000
    request = story.when(requested(30_570)).reply()
    assert "30570 sats" in request.text
    assert "21.98 USD" in request.text


@pytest.mark.req("SHP-03")
def test_the_extra_cost_is_in_the_products_currency_and_counts_for_each_unit() -> None:
    """Base 5 USD and 3 × 2 EUR, each converted from the same snapshot."""
    vase = a_listing("vase", "1", "EUR", shipping=((A, "2"),))
    story = shop(vase, an_option("a", "5", "USD"), rates={**a_rate("USD"), **a_rate("EUR", "1100")})

    quote = quoted(story, an_order(("vase", 3), shipping=A, country="DE"))

    assert [(c.amount, c.currency) for c in quote.charges] == [(3, "EUR"), (5, "USD"), (6, "EUR")]
    assert quote.total_msat == (9 * 1_100 + 5 * 1_000) * 1_000


@pytest.mark.req("SHP-14")
def test_a_price_a_kilogram_is_exact_in_pounds() -> None:
    """Ten pounds at 1 USD/kg are 4.5359237 USD before the one rounding."""
    ton = a_listing("vase", "0", "USD", weight_g="4535.9237", shipping=((A, "0"),))
    story = shop(ton, an_option("a", "0", "USD", per_kg="1"))

    quote = quoted(story, an_order(("vase", 1), shipping=A, country="US"))

    assert quote.charges[-1].amount == Decimal("4.5359237")
    assert quote.total_msat == 4_536_000


def test_the_sum_is_rounded_up_once_and_not_by_term() -> None:
    """Three terms of a third of a sat are one sat."""
    third = [a_listing(d, "0.333", "SATS") for d in ("x", "y", "z")]

    assert quoted(shop(*third), an_order(("x", 1), ("y", 1), ("z", 1))).total_msat == 1_000


def test_a_total_that_is_whole_is_not_rounded_at_all() -> None:
    """Exact decimals: 0.1 + 0.2 is three tenths."""
    listings = [a_listing("x", "0.1", "USD"), a_listing("y", "0.2", "USD")]

    assert quoted(shop(*listings), an_order(("x", 1), ("y", 1))).total_msat == 300_000


@pytest.mark.req("EVT-05")
@pytest.mark.parametrize(
    ("currency", "msat"),
    [("SAT", 1_000), ("SATS", 1_000), ("BTC", 100_000_000_000), ("MSAT", 1_000), ("USD", 1_000_000)],
)
def test_bitcoins_own_units_need_no_rate_and_others_do(currency: str, msat: int) -> None:
    """One unit of each; a single millisatoshi is rounded up to a sat."""
    assert quoted(shop(a_listing("tea", "1", currency)), an_order()).total_msat == msat


def test_a_listing_in_an_unknown_currency_is_kept_and_its_order_held() -> None:
    """No price is invented for `XYZ`."""
    story = shop(a_listing("tea", "1", "XYZ"))

    assert product() in story.shop.listings
    assert waits(story, an_order()) == ("no_rate", "XYZ")


@pytest.mark.req("PAY-06")
@pytest.mark.parametrize("claim", [None, 1, 30_570_000])
def test_what_the_buyer_claims_is_never_the_price(claim: int | None) -> None:
    """The request names the shop's own sum, and says that it differs."""
    story = shop(a_listing("tea", "3", "USD"))

    assert quoted(story, an_order(claimed_sats=claim)).total_msat == 3_000_000
    text = story.when(requested(3_000)).reply().text
    assert ("Your order named" in text) is (claim is not None)


@pytest.mark.req("PAY-07")
def test_a_quote_keeps_its_rate_with_source_and_time() -> None:
    """A dispute can be reckoned again from the journal alone."""
    quote = quoted(shop(a_listing("tea", "3", "USD")), an_order())

    (rate,) = quote.rates
    assert (rate.currency, rate.msat_per_unit, rate.source, rate.as_of_ms) == (
        "USD",
        Decimal(1_000_000),
        "test feed",
        NOW_MS,
    )
    assert quote.valid_until == NOW_S + 900


@pytest.mark.req("PAY-07")
def test_a_rate_fifteen_minutes_old_still_quotes_and_an_older_one_does_not() -> None:
    """Stale is held, not guessed; an order priced in sats flows on."""
    dollars, sats = a_listing("tea", "3", "USD"), a_listing("vase", "9", "SATS")

    assert quoted(shop(dollars, rates=a_rate(as_of_ms=NOW_MS - 900_000)), an_order()).total_msat == 3_000_000
    stale = a_rate(as_of_ms=NOW_MS - 900_001)
    assert waits(shop(dollars, rates=stale), an_order()) == ("no_rate", "USD")
    assert quoted(shop(sats, rates=stale), an_order(("vase", 1))).total_msat == 9_000


@pytest.mark.parametrize("rate", ["0", "-1000"])
def test_a_rate_that_is_no_price_is_no_rate(rate: str) -> None:
    """A broken feed neither gives goods away nor stops the decider."""
    assert waits(shop(a_listing("tea", "3", "USD"), rates=a_rate("USD", rate)), an_order()) == ("no_rate", "USD")


@pytest.mark.req("CAT-11")
def test_a_quote_keeps_the_versions_it_was_made_from() -> None:
    """Price and title edited afterwards: the order still settles at what was quoted."""
    vase = a_listing("vase", "10", shipping=((A, "0"),))
    story = shop(vase, an_option("a"))
    quote = quoted(story, an_order(("vase", 1), shipping=A, country="DE"))

    story.when(RecordListing(listing=a_listing("vase", "99", shipping=((A, "0"),), created_at=NOW_S)))
    story.when(requested(15))

    (line,) = quote.lines
    assert (line.listing_event_id, line.title, line.unit_price) == (vase.event_id, "Vase", vase.price)
    assert quote.shipping_event_id == an_option("a").event_id
    assert story.order().quote == quote


@pytest.mark.req("SHP-12")
def test_a_carriers_new_base_price_counts_for_new_quotes_only() -> None:
    """Options may be a third party's; the older quote is kept."""
    theirs = post("a", CARRIER)
    story = shop(a_listing("vase", "10", shipping=((theirs, "0"),)), an_option("a", "5", author=CARRIER))
    before = quoted(story, an_order(("vase", 1), shipping=theirs, country="DE"))

    dearer = an_option("a", "8", author=CARRIER, created_at=NOW_S)
    story.when(RecordShippingOption(option=dearer))
    after = quoted(story, an_order(("vase", 2), rumor="second", shipping=theirs, country="DE"))

    assert (before.total_msat, after.total_msat) == (15_000, 28_000)


# Lines


@pytest.mark.parametrize("quantity", [0, 10_001, 10**12])
def test_a_quantity_outside_one_to_ten_thousand_is_refused(quantity: int) -> None:
    """Nought stands for whatever was no whole number."""
    assert refusals(shop(a_listing()), an_order(("tea", quantity)))[0] == "bad_quantity"


def test_lines_of_the_same_listing_are_summed_before_the_stock_is_looked_at() -> None:
    """Two and two of three in stock are one too many."""
    assert refusals(shop(a_listing(stock=3)), an_order(("tea", 2), ("tea", 2))) == ["insufficient_stock"]
    quote = quoted(shop(a_listing(stock=4)), an_order(("tea", 2), ("tea", 2)))
    assert [line.quantity for line in quote.lines] == [4]


def test_repeated_lines_cannot_add_up_to_more_than_the_limit() -> None:
    """A limit that can be split is none."""
    assert refusals(shop(a_listing()), an_order(("tea", 6_000), ("tea", 6_000))) == ["bad_quantity"]


def test_an_order_without_lines_is_refused() -> None:
    """It would be free of charge."""
    empty = an_order().model_copy(update={"lines": ()})

    assert refusals(shop(a_listing()), empty) == ["bad_quantity"]


@pytest.mark.parametrize(
    ("listing", "refusal"),
    [
        (a_listing(visibility=Visibility.HIDDEN), "not_for_sale"),
        (a_listing(sold=True), "not_for_sale"),
        (a_listing(expires_at=NOW_S), "not_for_sale"),
        (a_listing(structure=Structure.VARIABLE), "not_for_sale"),
        (a_listing("other"), "unknown_item"),
        (a_listing(stock=0), "insufficient_stock"),
    ],
)
def test_what_may_not_be_ordered(listing: object, refusal: str) -> None:
    """Hidden, sold, expired, the root of variations, unknown, or not there."""
    assert refusals(shop(listing), an_order()) == [refusal]


@pytest.mark.req("INV-06")
def test_a_variation_sells_its_own_stock_at_its_own_price() -> None:
    """The root is a display piece."""
    root = a_listing("shirt", "1", stock=9, structure=Structure.VARIABLE)
    red = a_listing("red", "12", stock=2, structure=Structure.VARIATION)
    story = shop(root, red)

    assert quoted(story, an_order(("red", 2))).total_msat == 24_000
    assert story.shop.stock[product("red")].held == 2
    assert story.shop.stock[product("shirt")].held == 0


def test_a_listing_sells_until_the_second_it_expires() -> None:
    """NIP-40: from its expiration on it is gone."""
    quoted(shop(a_listing(expires_at=NOW_S + 1)), an_order())


@pytest.mark.req("CAT-05")
def test_a_pre_order_goes_beyond_the_stock_and_leaves_it_alone() -> None:
    """Nothing on hand, nothing held, and the order is pending."""
    story = shop(a_listing(stock=0, visibility=Visibility.PRE_ORDER))

    quote = quoted(story, an_order(("tea", 3)))

    assert quote.lines[0].tracked is False
    stock = story.shop.stock[product()]
    assert (stock.on_hand, stock.held) == (0, 0)


def test_a_merchants_address_in_another_spelling_is_not_that_merchant() -> None:
    """Addresses are compared as text, so nothing but the exact key passes."""
    order = an_order().model_copy(update={"lines": (OrderLine(coordinate="30402", quantity=1),)})

    assert refusals(shop(a_listing()), order) == ["wrong_merchant"]


# Shipping


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
    story = shop(
        a_listing("vase", shipping=((A, "0"),)), an_option("a", countries=("US", "CA"), regions=("US-FL",))
    )
    order = an_order(("vase", 1), shipping=A, country=country, region=region)

    if served:
        quoted(story, order)
    else:
        assert refusals(story, order) == ["country_not_served"]


@pytest.mark.req("SHP-08")
def test_an_unknown_region_is_held_where_regions_are_listed() -> None:
    """An address that names Florida in a way we cannot read is not turned down for good."""
    story = shop(a_listing("vase", shipping=((A, "0"),)), an_option("a", countries=("US",), regions=("US-FL",)))

    assert waits(story, an_order(("vase", 1), shipping=A, country="US")) == ("address", "the region to ship to")


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
        assert refusals(story, order) == ["weight_over_max"]
        assert "A" in story.told()[1]


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
    story = shop(
        a_listing("vase", shipping=((A, "0"), (B, "0"))), an_option("a", "5"), an_option("b", "7.50", "EUR")
    )

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
        a_listing("vase", shipping=((A, "0"), (B, "0"))), an_option("a"), an_option("b", unsupported=("dim-max",))
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


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_sentence(refusal: Refusal) -> None:
    """No reason reaches a buyer as a code."""
    text = rejected((Finding(refusal=refusal, subject="Tea {0} {subject}"),))

    assert text.startswith("Your order cannot be accepted: ")
    assert "_" not in text
