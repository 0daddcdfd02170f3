"""Checks what an order costs and what may be ordered at all (market spec §3, requirements §6)."""

from decimal import Decimal

import pytest

from schemas.catalogue import Listing, RecordListing, RecordShippingOption, Structure, Visibility
from schemas.orders import OrderLine
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
from tests.support.offers import quoted, refusals, shop, waits
from tests.support.steps import requested

A, B, C = post("a"), post("b"), post("c")


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

    assert [(str(c.amount), c.currency) for c in quote.charges] == [("3", "EUR"), ("5", "USD"), ("6", "EUR")]
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


@pytest.mark.case("F15")
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
    assert waits(shop(a_listing("tea", "3", "USD"), rates=a_rate("USD", rate)), an_order()) == (
        "no_rate",
        "USD",
    )


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
        (a_listing("other"), "unknown_item"),
        (a_listing(stock=0), "insufficient_stock"),
    ],
)
def test_what_may_not_be_ordered(listing: Listing, refusal: str) -> None:
    """Hidden, sold, expired, unknown, or not there."""
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
