"""Holds prices and refusals against an independent reckoning in fractions: random shops, ten thousand carts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from schemas.catalogue import RecordCollection, RecordListing, RecordShippingOption
from schemas.market.collection import read_collection
from schemas.market.listing import read_listing
from schemas.market.shipping_option import read_shipping_option
from schemas.messages import CommandBody
from schemas.orders import OrderLine, OrderQuoted, OrderRejected, OrderWaiting, PlaceOrder, Rate
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Destination
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.shop import Shop
from tests.support.builders import MERCHANT, NOW_MS, NOW_S, a_command, a_key, an_event, an_id
from tests.support.random_shops import cart as random_cart
from tests.support.random_shops import shop as random_shop
from tests.support.reference_prices import Answer, Cart, Published, Reference, Rules

SHOPS, CARTS = 500, 20
MSAT = {"EUR": "1100007.3331", "USD": "1017333.1", "KWD": "3300000"}
RATES = {
    currency: Rate(currency=currency, msat_per_unit=Decimal(msat), source="test", as_of_ms=NOW_MS)
    for currency, msat in MSAT.items()
}


def rules(dice: Random) -> tuple[ShopSettings, Rules]:
    """A merchant's rules, in the product's words and in the reference's."""
    taxes: list[dict[str, Any]] = [
        {
            "percent": dice.choice(("19", "7.7", "0", "8.875")),
            "is_included": dice.random() < 0.5,
            "countries": dice.choice(((), ("DE",), ("US", "CH"))),
            "format": dice.choice((None, None, "digital", "physical")),
            "on_shipping": dice.random() < 0.8,
        }
        for _ in range(dice.choice((0, 0, 1, 2)))
    ]
    order_min, free_from, sum_ = (
        dice.choice((None, None, (amount, currency)))
        for amount, currency in (("9.99", "EUR"), (f"{dice.randrange(20, 200)}", "USD"), ("12", "EUR"))
    )
    default_g = dice.choice((None, "333.3"))
    extra = dice.choice(("per_unit", "per_unit", "per_line", "max_once"))
    sums: dict[str, tuple[str, str] | None] = {"order_min": order_min, "free_shipping_from": free_from}
    settings = ShopSettings.model_validate(
        {
            "buyer_stock_percent_max": 100,
            "order_sats_max": 10**30,
            "taxes": taxes,
            "coupons": [{"code": "PART", "percent": "12.5"}, {"code": "Sum", "sum": _said(sum_)}],
            "default_weight_g": default_g,
            "extra_cost": extra,
            **{name: _said(value) for name, value in sums.items()},
        }
    )
    coupons = {"part": (Fraction(1, 8), None), "sum": (Fraction(), _exact(sum_))}
    default = None if default_g is None else Fraction(default_g)
    return settings, Rules(extra, default, _exact(order_min), _exact(free_from), tuple(taxes), coupons)


def _said(sum_: tuple[str, str] | None) -> str | None:
    return sum_ and f"{sum_[0]} {sum_[1]}"


def _exact(sum_: tuple[str, str] | None) -> tuple[Fraction, str] | None:
    return sum_ and (Fraction(sum_[0]), sum_[1])


def command_of(published: Published) -> CommandBody:
    """An event as intake would read it."""
    event = an_event(published.kind, *published.tags, author=published.author, at=NOW_S - 10)
    match published.kind:
        case 30402:
            return RecordListing(listing=read_listing(event))
        case 30405:
            return RecordCollection(collection=read_collection(event))
        case _:
            return RecordShippingOption(option=read_shipping_option(event))


def opened(events: list[Published], settings: ShopSettings) -> Shop:
    """The product's own shop of these events."""
    shop = Shop(MERCHANT)
    for body in (OpenShop(settings=settings), *map(command_of, events)):
        for event in decide(shop, a_command(body), RATES):
            evolve(shop, event, NOW_MS)
    return shop


def answer(shop: Shop, cart: Cart) -> tuple[int, str | None] | str:
    """What the product answers: sats and option, or the first code."""
    order = PlaceOrder(
        order=a_key(),
        dialect="gamma",
        rumor_id=an_id("rumor"),
        lines=tuple(OrderLine(coordinate=address, quantity=count) for address, count in cart.lines),
        shipping=cart.shipping,
        destination=Destination(country=cart.country, region=cart.region, geohash=cart.geohash),
        coupon=cart.coupon,
    )
    for event in decide(shop, a_command(order), RATES):
        match event:
            case OrderQuoted(quote=quote):
                return quote.total_msat // 1_000, quote.shipping
            case OrderRejected(findings=findings):
                return findings[0].refusal.value
            case OrderWaiting(reason=reason):
                return reason.value
    raise AssertionError("no answer")


def cases(seeds: range) -> Iterator[tuple[Random, list[Published], Shop, Reference]]:
    """A shop for each seed, twice."""
    for seed in seeds:
        dice = Random(seed)
        events, (settings, said) = random_shop(dice), rules(dice)
        exact = {currency: Fraction(msat) for currency, msat in MSAT.items()}
        yield dice, events, opened(events, settings), Reference(MERCHANT, events, said, exact)


@pytest.mark.req("SHP-04")
@pytest.mark.req("SHP-05")
@pytest.mark.req("C-08")
def test_ten_thousand_carts_cost_what_an_independent_reckoning_says() -> None:
    """To the sat; and where there is no price, for a reason that it gives as well."""
    met: Counter[str] = Counter()
    for dice, events, shop, reference in cases(range(SHOPS)):
        for _ in range(CARTS):
            cart = random_cart(dice, ("PART", "sum"))
            got = answer(shop, cart)
            try:
                expected: tuple[int, str | None] | set[str] = reference.price(cart)
            except Answer as none:
                expected = none.codes
            agrees = got in expected if isinstance(expected, set) else got == expected
            assert agrees, (got, expected, cart, events, reference.rules)
            met[got if isinstance(got, str) else "priced"] += 1

    assert met.total() == SHOPS * CARTS
    assert met["priced"] >= 2_000, met
    assert len(met) >= 16, met
