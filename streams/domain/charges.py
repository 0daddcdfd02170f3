"""The exact terms of a total: goods, coupon, shipping, tax, each in its own currency (requirements §6, C-09, C-10)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from schemas.catalogue import Format, ShippingOption
from schemas.orders import Charge, Finding, Tax
from schemas.price_rules import Coupon, ExtraCost, TaxRule
from schemas.values import Destination, Price, Refusal, Waiting
from streams.domain.measures import Missing, total_volume_cm3, total_weight_g, way_m
from streams.domain.money import charge_of, exact, in_smallest_units, plus, share_charge, times
from streams.domain.rating import Rates
from streams.domain.shop import Order, Shop
from streams.domain.wanted import Rejected, Wait, Wanted
from streams.domain.wording import plain

_HUNDRED = 100


class Bill(NamedTuple):
    """All terms, and what is told beside them."""

    charges: tuple[Charge, ...]
    taxes: tuple[Tax, ...] = ()
    coupon: Coupon | None = None


def bill(
    shop: Shop, order: Order, wanted: tuple[Wanted, ...], option: ShippingOption | None, rates: Rates, now_s: int
) -> Bill | Rejected | Wait:
    """What an order costs, term by term. Raises `NoRate` where a rule of the shop compares two currencies.

    Goods and shipping are the market spec's own; whatever else there is, the merchant's rules add.
    """
    settings = shop.settings
    goods = [goods_charge(line) for line in wanted]
    if settings.order_min is not None and not rates.reaches(goods, settings.order_min):
        return Rejected((Finding(refusal=Refusal.BELOW_MINIMUM, subject=_sum(settings.order_min)),))
    shipping: tuple[Charge, ...] = ()
    if option is not None:
        charged = shipping_charges(shop, [line for line in wanted if line.physical], option, order.destination, rates)
        if isinstance(charged, Wait):
            return charged
        shipping = charged
        if settings.free_shipping_from is not None and rates.reaches(goods, settings.free_shipping_from):
            label = f"{option.title}, free from {_sum(settings.free_shipping_from)} on"
            shipping = (Charge(label=label, amount=Decimal(0), currency=option.base.currency),)
    coupon = _coupon(shop, order, goods, rates, now_s)
    if coupon is None and not settings.taxes:
        return Bill((*goods, *shipping))
    return _with_rules(shop, order.destination, list(zip(wanted, goods, strict=True)), shipping, coupon, rates)


def goods_charge(line: Wanted) -> Charge:
    """A line at its listed price; one that recurs is billed for its first period (CAT-12)."""
    price = line.listing.price
    period = f", first period ({price.frequency})" if price.frequency else ""
    return Charge(
        label=f"{line.quantity} × {line.listing.title}{period}",
        amount=times(price.amount, line.quantity),
        currency=price.currency,
    )


def shipping_charges(
    shop: Shop, physical: list[Wanted], option: ShippingOption, destination: Destination, rates: Rates
) -> tuple[Charge, ...] | Wait:
    """An option's base, the extra costs, and its prices by weight, volume and distance, each proportional (A-12)."""
    if option.unsupported:
        return Wait(Waiting.PRICING, f"{option.title}: {', '.join(option.unsupported)}")
    title = option.title
    charges = [Charge(label=title, amount=option.base.amount, currency=option.base.currency)]
    charges.extend(_extras(physical, option, shop.settings.extra_cost, rates))
    try:
        if by := option.per_weight:
            part = total_weight_g(physical, shop.settings)
            charges.append(share_charge(f"{title}, by weight", by.amount, by.currency, part, by.unit_g))
        if volume := option.per_volume:
            part = total_volume_cm3(physical, shop.settings)
            charges.append(share_charge(f"{title}, by volume", volume.amount, volume.currency, part, volume.unit_cm3))
        if way := option.per_distance:
            part = way_m(shop, physical, option, destination)
            charges.append(share_charge(f"{title}, by distance", way.amount, way.currency, part, way.unit_m))
    except Missing as missing:
        return Wait(Waiting.PRICING, f"{title}: {missing}")
    return tuple(charges)


def _extras(physical: list[Wanted], option: ShippingOption, mode: ExtraCost, rates: Rates) -> list[Charge]:
    """Each listing's own extra cost in its own currency, as often as the shop says (SHP-03)."""
    extras = [
        Charge(
            label=f"{option.title}, extra for {line.listing.title}",
            amount=times(extra, line.quantity) if mode is ExtraCost.PER_UNIT else extra,
            currency=line.listing.price.currency,
        )
        for line in physical
        if (extra := line.offers[option.coordinate])
    ]
    return [rates.dearest(extras)] if mode is ExtraCost.MAX_ONCE and len(extras) > 1 else extras


def _coupon(shop: Shop, order: Order, goods: Iterable[Charge], rates: Rates, now_s: int) -> Coupon | None:
    """The shop's coupon that the order names, where it counts for these goods today."""
    if order.coupon is None:
        return None
    code = order.coupon.lower()
    coupon = next((one for one in shop.settings.coupons if one.code.lower() == code), None)
    if coupon is None or (coupon.expires_at is not None and coupon.expires_at <= now_s):
        return None
    return coupon if coupon.goods_min is None or rates.reaches(goods, coupon.goods_min) else None


Amounts = dict[tuple[int, str], Fraction]
"""By the number of a tax rule and a currency, what it is a tax on."""


def _with_rules(
    shop: Shop,
    destination: Destination,
    lines: list[tuple[Wanted, Charge]],
    shipping: tuple[Charge, ...],
    coupon: Coupon | None,
    rates: Rates,
) -> Bill:
    """The coupon's part off each line, then tax on what is left and on shipping, then the coupon's sum off goods."""
    goods = [charge for _, charge in lines]
    left = 1 - Fraction(coupon.percent) / _HUNDRED if coupon else Fraction(1)
    charges = [*goods, *(_less(coupon, goods) if coupon else ())]
    rules = shop.settings.taxes
    on_goods: Amounts = {}
    for line, charge in lines:
        _tax(on_goods, _rule(rules, line.listing.format, destination), charge, left)
    on_shipping: Amounts = {}
    rule = _rule(tuple(rule if rule.on_shipping else None for rule in rules), Format.PHYSICAL, destination)
    for charge in shipping:
        _tax(on_shipping, rule, charge, Fraction(1))
    charges.extend(shipping)
    both = {key: on_goods.get(key, Fraction()) + on_shipping.get(key, Fraction()) for key in (*on_goods, *on_shipping)}
    charges.extend(_added(rules, both))
    if coupon is not None and coupon.sum is not None:
        cheaper = [*goods, *_less(coupon, goods), *_added(rules, on_goods)]
        charges.extend(_taken_off(coupon, coupon.sum, cheaper, rates))
    return Bill(tuple(charges), tuple(_told(rules[n], base, currency) for (n, currency), base in both.items()), coupon)


def _rule(rules: tuple[TaxRule | None, ...], format_: Format, destination: Destination) -> int | None:
    """The first rule for such goods in such a place."""
    return next((n for n, rule in enumerate(rules) if rule is not None and _fits(rule, format_, destination)), None)


def _fits(rule: TaxRule, format_: Format, destination: Destination) -> bool:
    if rule.format is not None and rule.format is not format_:
        return False
    country = destination.country
    if rule.countries and country not in rule.countries:
        return False
    regions = [region for region in rule.regions if country and region.startswith(f"{country}-")]
    return destination.region in regions if regions else rule.countries != () or not rule.regions


def _tax(amounts: Amounts, rule: int | None, charge: Charge, left: Fraction) -> None:
    if rule is not None:
        key = (rule, charge.currency)
        amounts[key] = amounts.get(key, Fraction()) + exact(charge) * left


def _less(coupon: Coupon, goods: Iterable[Charge]) -> list[Charge]:
    """The coupon's percentage, off what the goods come to in each currency."""
    if not coupon.percent:
        return []
    label = f"Coupon {coupon.code}, {plain(coupon.percent)} %"
    return [
        charge_of(label, -total * Fraction(coupon.percent) / _HUNDRED, currency)
        for currency, total in _by_currency(goods).items()
    ]


def _taken_off(coupon: Coupon, off: Price, goods: list[Charge], rates: Rates) -> list[Charge]:
    """The coupon's sum, or all that goods and their tax come to where that is less."""
    label = f"Coupon {coupon.code}"
    if rates.reaches(goods, off):
        return [charge_of(label, -Fraction(off.amount), off.currency)]
    return [charge_of(label, -total, currency) for currency, total in _by_currency(goods).items() if total]


def _by_currency(charges: Iterable[Charge]) -> dict[str, Fraction]:
    totals: dict[str, Fraction] = {}
    for charge in charges:
        totals[charge.currency] = totals.get(charge.currency, Fraction()) + exact(charge)
    return totals


def _added(rules: tuple[TaxRule, ...], amounts: Amounts) -> list[Charge]:
    """Tax that is not in the prices yet."""
    return [
        charge_of(_named(rules[n]), base * Fraction(rules[n].percent) / _HUNDRED, currency)
        for (n, currency), base in amounts.items()
        if not rules[n].is_included and base
    ]


def _told(rule: TaxRule, base: Fraction, currency: str) -> Tax:
    """How much tax is in it; what is included already is told in the smallest unit of the currency."""
    percent = Fraction(rule.percent)
    if rule.is_included:
        gross = charge_of("", base, currency).amount
        tax = in_smallest_units(base * percent / (_HUNDRED + percent), currency)
        net = plus(gross, tax.copy_negate())
    else:
        net = charge_of("", base, currency).amount
        tax = charge_of("", base * percent / _HUNDRED, currency).amount
    return Tax(name=rule.name, percent=rule.percent, net=net, tax=tax, currency=currency, is_included=rule.is_included)


def _named(rule: TaxRule) -> str:
    return f"{rule.name} {plain(rule.percent)} %"


def _sum(price: Price) -> str:
    return f"{plain(price.amount)} {price.currency}"
