"""Checks what a merchant's own rules add to a price: taxes, coupons, thresholds, extra costs (C-08, C-09, C-10)."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.catalogue import Listing, RecordDeletion
from schemas.orders import OrderRejected, PlaceOrder, Quote
from schemas.shops import OpenShop, ShopSettings
from tests.support.builders import MERCHANT, NOW_S, a_listing, a_rate, an_option, an_order, post, product
from tests.support.offers import quoted, recorded, refusals, shop, waits
from tests.support.steps import paid, requested
from tests.support.story import Story

A, B = post("a"), post("b")
VAT = {"percent": "19"}
ADDED = {"percent": "10", "is_included": False}
EURO = {**a_rate("EUR", "1000"), **a_rate("USD", "800")}


def by(price: str = "110", currency: str = "EUR", **rules: Any) -> Story:
    """A shop with these rules that sells a song, and a vase with the post for 5 euro, at one price."""
    song, vase = a_listing("song", price, currency), a_listing("vase", price, currency, shipping=((A, "0"),))
    return shop(song, vase, an_option("a", "5", "EUR"), rates=EURO, rules=ShopSettings.model_validate(rules))


def terms(quote: Quote) -> list[str]:
    """The breakdown, a line each."""
    return [f"{charge.label}: {charge.amount.normalize():f} {charge.currency}" for charge in quote.charges]


def song(*lines: tuple[str, int], **more: Any) -> PlaceOrder:
    """An order, for a song if nothing is said."""
    return an_order(*(lines or (("song", 1),)), **more)


# Taxes


@pytest.mark.req("C-09")
def test_included_tax_changes_no_price_and_is_told() -> None:
    """Ten per cent in 110 are 10: net and tax are the price."""
    story = by(taxes=[{"percent": "10"}])
    quote = quoted(story, song())

    assert quote.total_msat == 110_000_000
    (tax,) = quote.taxes
    assert (tax.net, tax.tax, tax.currency, tax.is_included) == (Decimal(100), Decimal(10), "EUR", True)
    assert "This includes 10 EUR of VAT." in story.when(requested(110_000)).reply().text


@pytest.mark.req("C-09")
@pytest.mark.parametrize("price", ["9.99", "0.01", "10000", "33.333"])
def test_net_and_included_tax_are_the_price_to_the_last_digit(price: str) -> None:
    """Though nineteen per cent of what was before tax have no end."""
    (tax,) = quoted(by(price, taxes=[VAT]), song()).taxes

    assert tax.net + tax.tax == Decimal(price)
    assert tax.tax.as_tuple().exponent == -2
    assert abs(tax.tax - Decimal(price) * 19 / 119) <= Decimal("0.005")


@pytest.mark.req("C-08")
@pytest.mark.req("C-09")
@pytest.mark.parametrize(("currency", "places"), [("JPY", 0), ("KWD", 3), ("EUR", 2), ("BTC", 8), ("SATS", 0)])
def test_included_tax_is_told_in_the_smallest_unit_of_its_currency(currency: str, places: int) -> None:
    """Yen have no cents, dinars have thousandths."""
    rules = ShopSettings.model_validate({"taxes": [VAT], "order_sats_max": 10**12})
    story = shop(a_listing("song", "77", currency), rates={**a_rate("JPY"), **a_rate("KWD"), **EURO}, rules=rules)
    (tax,) = quoted(story, song()).taxes

    assert -int(tax.tax.as_tuple().exponent) == places
    assert tax.net + tax.tax == 77


@pytest.mark.req("C-09")
def test_tax_that_is_added_is_a_charge_of_its_own() -> None:
    """On goods and on the post."""
    quote = quoted(by(taxes=[ADDED]), song(("vase", 2), country="DE"))

    assert terms(quote) == ["2 × Vase: 220 EUR", "A: 5 EUR", "VAT 10 %: 22.5 EUR"]
    assert [(tax.net, tax.tax) for tax in quote.taxes] == [(Decimal(225), Decimal("22.5"))]
    assert quote.total_msat == 247_500_000


@pytest.mark.req("C-09")
@pytest.mark.parametrize(
    ("country", "region", "percent"),
    [("DE", None, "19"), ("US", "US-FL", "6"), ("US", "US-CA", "1"), ("CH", None, "1"), (None, None, "1")],
)
def test_the_first_rule_that_fits_the_place_counts(country: str | None, region: str | None, percent: str) -> None:
    """A country, a region of one, and one for whatever is left: an unknown country too."""
    rules = [
        {"percent": "19", "countries": ["DE", "AT"]},
        {"percent": "6", "countries": ["US"], "regions": ["US-FL"]},
        {"percent": "1"},
    ]

    (tax,) = quoted(by(taxes=rules), song(country=country, region=region)).taxes
    assert tax.percent == Decimal(percent)


@pytest.mark.req("C-09")
def test_regions_alone_are_all_that_a_rule_fits() -> None:
    """Florida, and nothing else in the world."""
    rules = [{"percent": "6", "regions": ["US-FL"]}]

    assert quoted(by(taxes=rules), song(country="US", region="US-FL")).taxes
    assert not quoted(by(taxes=rules), song(country="US", region="US-GA")).taxes
    assert not quoted(by(taxes=rules), song(country="DE")).taxes


@pytest.mark.req("C-09")
def test_digital_and_physical_goods_may_be_taxed_apart_and_the_post_as_physical() -> None:
    """Each rule has its own line in the breakdown."""
    rules = [
        {"name": "Sales tax", "percent": "10", "is_included": False, "format": "physical"},
        {"name": "Song tax", "percent": "20", "is_included": False, "format": "digital"},
    ]
    quote = quoted(by("100", taxes=rules), song(("song", 1), ("vase", 1), country="DE"))

    assert terms(quote)[3:] == ["Song tax 20 %: 20 EUR", "Sales tax 10 %: 10.5 EUR"]


@pytest.mark.req("C-09")
def test_a_rule_may_leave_the_post_to_the_next_one() -> None:
    """Or to nobody."""
    first = {**ADDED, "on_shipping": False}
    assert terms(quoted(by("100", taxes=[first]), song(("vase", 1), country="DE")))[2:] == ["VAT 10 %: 10 EUR"]

    second = {"name": "Post tax", "percent": "50", "is_included": False}
    both = quoted(by("100", taxes=[first, second]), song(("vase", 1), country="DE"))
    assert terms(both)[2:] == ["VAT 10 %: 10 EUR", "Post tax 50 %: 2.5 EUR"]


def test_without_rules_nothing_is_added() -> None:
    """As the market spec has it."""
    quote = quoted(by(), song(country="DE"))

    assert (terms(quote), quote.taxes) == (["1 × Song: 110 EUR"], ())


# Coupons


@pytest.mark.req("C-10")
def test_a_percentage_is_taken_off_the_goods_and_before_tax() -> None:
    """Not off the post; the letter case of the code does not matter."""
    story = by("100", taxes=[ADDED], coupons=[{"code": "SPRING", "percent": "25"}])

    quote = quoted(story, song(("vase", 2), country="DE", coupon="Spring"))

    assert terms(quote) == [
        "2 × Vase: 200 EUR",
        "Coupon SPRING, 25 %: -50 EUR",
        "A: 5 EUR",
        "VAT 10 %: 15.5 EUR",
    ]
    assert (quote.coupon, quote.coupon_counts) == ("Spring", True)


@pytest.mark.req("C-10")
def test_a_sum_is_taken_off_after_tax_and_never_more_than_there_is() -> None:
    """The post is paid for in any case."""
    coupon = {"code": "GIFT", "sum": {"amount": "150", "currency": "EUR"}}
    story = by("100", taxes=[ADDED], coupons=[coupon])
    dear = quoted(story, song(("vase", 2), country="DE", coupon="GIFT"))
    assert terms(dear)[2:] == ["VAT 10 %: 20.5 EUR", "Coupon GIFT: -150 EUR"]

    cheap = quoted(by("100", taxes=[ADDED], coupons=[coupon]), song(("vase", 1), country="DE", coupon="GIFT"))
    assert terms(cheap)[2:] == ["VAT 10 %: 10.5 EUR", "Coupon GIFT: -110 EUR"]
    assert cheap.total_msat == 5_500_000


@pytest.mark.req("C-10")
def test_a_sum_in_another_currency_is_held_against_the_goods_by_the_quotes_own_rates() -> None:
    """Which the quote then keeps."""
    coupon = {"code": "GIFT", "sum": {"amount": "50", "currency": "USD"}}

    quote = quoted(by("41", coupons=[coupon]), song(coupon="GIFT"))
    assert terms(quote)[1:] == ["Coupon GIFT: -50 USD"]
    assert quote.total_msat == 1_000_000
    all_of_it = quoted(by("39", coupons=[coupon]), song(coupon="GIFT"))
    assert terms(all_of_it)[1:] == ["Coupon GIFT: -39 EUR"]
    assert [rate.currency for rate in all_of_it.rates] == ["EUR", "USD"]
    assert all_of_it.total_msat == 0


@pytest.mark.req("C-10")
@pytest.mark.parametrize(
    "coupon",
    [
        {"code": "OTHER", "percent": "50"},
        {"code": "GIFT", "percent": "50", "expires_at": NOW_S},
        {"code": "GIFT", "percent": "50", "goods_min": {"amount": "110.01", "currency": "EUR"}},
    ],
)
def test_a_coupon_that_does_not_count_is_tolerated_and_said_to_be_none(coupon: dict[str, Any]) -> None:
    """Unknown, over, or for more goods: the price is the full one."""
    story = by(coupons=[coupon])

    quote = quoted(story, song(coupon="GIFT"))
    assert (quote.total_msat, quote.coupon, quote.coupon_counts) == (110_000_000, "GIFT", False)
    assert "The coupon GIFT is not valid for this." in story.when(requested(110_000)).reply().text


@pytest.mark.req("C-10")
def test_a_coupon_for_everything_confirms_at_once() -> None:
    """Nothing is to be paid, so nothing is asked for."""
    story = by(coupons=[{"code": "ALL", "percent": "100"}])

    assert quoted(story, song(coupon="ALL")).total_msat == 0
    assert story.order().status == "confirmed"


# Thresholds


@pytest.mark.req("C-10")
@pytest.mark.parametrize(("price", "post_costs"), [("49.99", True), ("50", False), ("50.01", False)])
def test_shipping_is_free_from_a_sum_on(price: str, post_costs: bool) -> None:
    """49.99 pays, 50 does not."""
    quote = quoted(by(price, free_shipping_from="50 EUR"), song(("vase", 1), country="DE"))

    assert quote.total_msat == int((Decimal(price) + (5 if post_costs else 0)) * 1_000_000)
    assert ("A, free from 50 EUR on" in quote.charges[-1].label) is not post_costs


@pytest.mark.req("C-10")
@pytest.mark.parametrize(("price", "taken"), [("19.99", False), ("20", True)])
def test_an_order_below_the_minimum_is_turned_down_naming_it(price: str, taken: bool) -> None:
    """The goods count, not the post."""
    story, order = by(price, order_min="20 EUR"), song(("vase", 1), country="DE")

    if taken:
        quoted(story, order)
        return
    assert refusals(story, order) == ["below_minimum"]
    assert "from 20 EUR on" in story.told()[1]
    assert story.one(OrderRejected).findings[0].subject == "20 EUR"


@pytest.mark.req("C-10")
@pytest.mark.parametrize(("price", "taken"), [("24.99", False), ("25", True)])
def test_a_threshold_in_another_currency_is_compared_at_the_quotes_rates(price: str, taken: bool) -> None:
    """20 EUR are 25 USD here; without a fresh rate nothing is guessed."""
    story = by(price, "USD", order_min="20 EUR")
    assert bool(story.when(song()).none(OrderRejected)) is taken

    stale = shop(
        a_listing("song", price, "USD"), rates=a_rate(), rules=ShopSettings.model_validate({"order_min": "20 EUR"})
    )
    assert waits(stale, song()) == ("no_rate", "EUR")


# Extra costs


@pytest.mark.req("SHP-03")
@pytest.mark.parametrize(("mode", "extra"), [("per_unit", ["6", "10"]), ("per_line", ["2", "5"]), ("max_once", ["5"])])
def test_an_extra_cost_counts_as_often_as_the_shop_says(mode: str, extra: list[str]) -> None:
    """Three vases at 2 EUR and two bowls at 5 EUR more: by the piece, by the line, or the highest once."""
    goods: list[Listing] = [
        a_listing("vase", "0", "EUR", shipping=((A, "2"),)),
        a_listing("bowl", "0", "EUR", shipping=((A, "5"),)),
    ]
    story = shop(
        *goods, an_option("a", "5", "USD"), rates=EURO, rules=ShopSettings.model_validate({"extra_cost": mode})
    )

    quote = quoted(story, song(("vase", 3), ("bowl", 2), country="DE"))

    assert [f"{charge.amount:f}" for charge in quote.charges[3:]] == extra


@pytest.mark.req("SHP-03")
def test_the_highest_of_several_extra_costs_is_found_across_currencies() -> None:
    """2 EUR are dearer than 2.40 USD, at 0.8."""
    goods = [a_listing("vase", "0", "EUR", shipping=((A, "2"),)), a_listing("bowl", "0", "USD", shipping=((A, "2.4"),))]
    story = shop(*goods, an_option("a", "0"), rates=EURO, rules=ShopSettings.model_validate({"extra_cost": "max_once"}))

    quote = quoted(story, song(("vase", 1), ("bowl", 1), country="DE"))
    assert terms(quote)[-1] == "A, extra for Vase: 2 EUR"


# Settings


def test_the_rules_in_the_documentation_are_rules() -> None:
    """Each example as it stands there."""
    text = (Path(__file__).parents[3] / "docs" / "market-spec.md").read_text()
    rules = text.partition("Rules of the merchant")[2].partition("\n## ")[0]
    examples = dict(re.findall(r"^\| `([a-z_]+)` \| `(.+?)` \|", rules, re.M))

    assert len(examples) == 6
    for name, value in examples.items():
        ShopSettings.model_validate({name: value})


def test_rules_may_be_typed_by_a_person() -> None:
    """Sums in words, sizes with an x, lists in JSON; nothing and `none` take a rule away."""
    rules = ShopSettings.model_validate(
        {
            "order_min": "20 eur",
            "free_shipping_from": "none",
            "default_sides_cm": "20x10x5",
            "taxes": '[{"percent": "19", "countries": ["DE"]}]',
            "coupons": "",
        }
    )

    assert rules.order_min is not None
    assert (rules.order_min.amount, rules.order_min.currency) == (Decimal(20), "EUR")
    assert (rules.free_shipping_from, rules.coupons) == (None, ())
    assert rules.default_sides_cm == (5, 10, 20)
    assert rules.taxes[0].percent == 19


@pytest.mark.parametrize(
    "rule",
    [
        {"order_min": "twenty"},
        {"order_min": "-1 EUR"},
        {"free_shipping_from": {"amount": "-1", "currency": "EUR"}},
        {"taxes": "[{"},
        {"taxes": [{"percent": "101"}]},
        {"taxes": [{"percent": "-1"}]},
        {"taxes": [{"percent": "10", "countries": ["Germany"]}]},
        {"coupons": [{"code": "A B", "percent": "10"}]},
        {"coupons": [{"percent": "10"}]},
        {"default_sides_cm": "20x10"},
        {"default_weight_g": "-1"},
        {"extra_cost": "twice"},
        {"handling_h": -1},
    ],
)
def test_a_rule_that_is_none_is_refused(rule: dict[str, Any]) -> None:
    """Nothing becomes a rule by mistake."""
    with pytest.raises(ValidationError):
        ShopSettings.model_validate(rule)


@pytest.mark.req("CAT-11")
def test_nothing_that_changes_after_the_quote_changes_the_quote() -> None:
    """Neither the rules nor the coupon, nor a listing and an option that cost more, and then are gone."""
    story = by("90", coupons=[{"code": "HALF", "percent": "50"}])
    before = quoted(story, song(("vase", 1), country="DE", coupon="HALF"))

    story.when(
        OpenShop(settings=ShopSettings.model_validate({"taxes": [ADDED], "order_min": "500 EUR"})),
        recorded(a_listing("vase", "9000", "EUR", shipping=((A, "50"),), created_at=NOW_S)),
        recorded(an_option("a", "500", "EUR", created_at=NOW_S)),
        RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(product("vase"), A)),
    )
    story.when(requested(50_000))

    assert story.order().quote == before
    assert story.when(paid(50_000)).order().status == "confirmed"
