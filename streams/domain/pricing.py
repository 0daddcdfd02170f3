"""From wanted lines to a quote: how an order may be sent and what it costs, or why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.catalogue import ShippingOption, Sides
from schemas.orders import Finding, Quote, QuotedLine, Rate
from schemas.shops import ContactRule, ShopSettings
from schemas.stock import StockLine
from schemas.values import MSAT_PER_SAT, Destination, Refusal, Waiting
from streams.domain import choices
from streams.domain.charges import Bill, bill, shipping_charges
from streams.domain.measures import Missing, sides_cm, total_weight_g
from streams.domain.money import NoRate, rates_for, total_msat
from streams.domain.offers import is_expired
from streams.domain.rating import Rates
from streams.domain.shop import Order, Shop
from streams.domain.wanted import Rejected, Wait, Wanted, wanted_lines
from streams.domain.wording import plain


def quote(
    shop: Shop,
    order: Order,
    rates: Mapping[str, Rate],
    at_ms: int,
    released: tuple[StockLine, ...] = (),
) -> Quote | Rejected | Wait:
    """Price an order in the order of ORD-04: lines, stock, shipping and address, price.

    `released` counts as available: an amended order gives it back in the same decision.
    The buyer's own idea of the total is never looked at (PAY-06).
    """
    now_s = at_ms // 1_000
    wanted = wanted_lines(shop, order, now_s, {r.coordinate: r.quantity for r in released})
    if isinstance(wanted, Rejected):
        return wanted
    needs_contact = shop.settings.contact_required is ContactRule.ALWAYS and not order.has_contact
    snapshot = Rates(rates, at_ms, shop.settings.rate_age_max_s)
    try:
        option = choose_shipping(shop, wanted, order.shipping, order.destination, snapshot, now_s)
        if isinstance(option, Rejected):
            return option
        if needs_contact:
            return Wait(
                Waiting.CONTACT, option.detail if isinstance(option, Wait) and option.reason is Waiting.ADDRESS else ""
            )
        if isinstance(option, Wait):
            return option
        billed = bill(shop, order, wanted, option, snapshot, now_s)
        if isinstance(billed, Rejected | Wait):
            return billed
        currencies = {charge.currency for charge in billed.charges} | snapshot.asked
        used = rates_for(currencies, rates, at_ms, shop.settings.rate_age_max_s)
    except NoRate as missing:
        return Wait(Waiting.RATE, missing.currency)
    total = total_msat(billed.charges, used)
    if total > shop.settings.order_sats_max * MSAT_PER_SAT:
        return Rejected((Finding(refusal=Refusal.TOO_EXPENSIVE, subject=f"{shop.settings.order_sats_max} sats"),))
    return _quote(order, wanted, option, billed, used, total, now_s, shop.settings)


def _quote(
    order: Order,
    wanted: tuple[Wanted, ...],
    option: ShippingOption | None,
    billed: Bill,
    used: tuple[Rate, ...],
    total: int,
    now_s: int,
    settings: ShopSettings,
) -> Quote:
    """Everything the promise was made from, so that no later edit changes it (CAT-11)."""
    least_h, most_h = choices.delivery_h(option, settings.handling_h)
    return Quote(
        lines=tuple(
            QuotedLine(
                coordinate=line.listing.coordinate,
                listing_event_id=line.listing.event_id,
                title=line.listing.title,
                quantity=line.quantity,
                unit_price=line.listing.price,
                physical=line.physical,
                tracked=line.tracked,
                pre_order=line.is_pre_order,
            )
            for line in wanted
        ),
        shipping=option.coordinate if option else None,
        shipping_event_id=option.event_id if option else None,
        shipping_title=option.title if option else None,
        pickup_place=(option.location or option.geohash) if option and option.is_pickup else None,
        charges=billed.charges,
        rates=used,
        total_msat=total,
        valid_until=now_s + settings.request_ttl_s,
        taxes=billed.taxes,
        coupon=order.coupon,
        coupon_counts=billed.coupon is not None,
        delivery_min_h=least_h,
        delivery_max_h=most_h,
    )


def choose_shipping(
    shop: Shop, wanted: tuple[Wanted, ...], asked: str | None, destination: Destination, rates: Rates, now_s: int
) -> ShippingOption | Rejected | Wait | None:
    """The option that carries every physical line to the destination; None where nothing needs carrying.

    Without a wish, one is picked only when a single one can serve (SHP-10). Raises `NoRate`.
    """
    physical = [line for line in wanted if line.physical]
    if not physical:
        return None
    if asked is not None:
        return check_option(shop, physical, asked, destination, now_s)
    served = [check_option(shop, physical, coordinate, destination, now_s) for coordinate in physical[0].offers]
    usable = [option for option in served if isinstance(option, ShippingOption)]
    waits = [option for option in served if isinstance(option, Wait)]
    if addresses := [wait for wait in waits if wait.reason is Waiting.ADDRESS]:
        return addresses[0]  # picking what is left now would guess: the address may give more to choose from
    if not usable and waits:
        return waits[0]
    if not usable:
        rejections = [option for option in served if isinstance(option, Rejected)]
        nothing = f"no option is offered yet for {', '.join(line.listing.title for line in physical)}"
        return rejections[0] if rejections else Wait(Waiting.SHIPPING_CHOICE, nothing)
    if len(usable) == 1:
        return usable[0]
    costs = [(option, shipping_charges(shop, physical, option, destination, rates)) for option in usable]
    priceable = [(option, cost) for option, cost in costs if not isinstance(cost, Wait)]
    if len(priceable) > 1:
        return Wait(Waiting.SHIPPING_CHOICE, choices.listed(priceable, destination))
    return priceable[0][0] if priceable else usable[0]


def check_option(
    shop: Shop, physical: list[Wanted], coordinate: str, destination: Destination, now_s: int
) -> ShippingOption | Rejected | Wait:
    """One option held against lines, destination and bounds (SHP-07, SHP-08, SHP-09, SHP-12)."""
    option = shop.options.get(coordinate)
    if option is None or is_expired(option, now_s):
        return _refused(Refusal.UNKNOWN_SHIPPING, coordinate, physical, coordinate)
    without = [line for line in physical if coordinate not in line.offers]
    if without:
        return _refused(Refusal.OPTION_NOT_FOR_ALL, option.title, without, coordinate)
    if not option.is_pickup:
        if destination.country is None and (option.countries or option.service != "digital"):
            return Wait(Waiting.ADDRESS, "the country to ship to")
        if not serves(option, destination):
            where = destination.region or destination.country
            return _refused(Refusal.COUNTRY_NOT_SERVED, f"{option.title} to {where}", physical, coordinate)
        if regions_of(option, destination) and destination.region is None:
            return Wait(Waiting.ADDRESS, "the region to ship to")
    elif not (option.location or option.geohash):
        return _refused(Refusal.UNKNOWN_SHIPPING, option.title, physical, coordinate)
    return check_bounds(option, physical, shop.settings)


def check_bounds(
    option: ShippingOption, physical: list[Wanted], settings: ShopSettings
) -> ShippingOption | Rejected | Wait:
    """The weight of all against the option's bounds, and the size of each piece whichever way it is turned (A-14)."""
    least, most = option.weight_min_g, option.weight_max_g
    if least is not None or most is not None:
        try:
            weight = total_weight_g(physical, settings)
        except Missing as missing:
            return Wait(Waiting.PRICING, f"{option.title}: {missing}")
        if most is not None and weight > most:
            about = f"{option.title} takes {plain(most)} g at most, and this is {plain(weight)} g"
            return _refused(Refusal.WEIGHT_OVER_MAX, about, physical, option.coordinate)
        if least is not None and weight < least:
            about = f"{option.title} takes {plain(least)} g at least, and this is {plain(weight)} g"
            return _refused(Refusal.WEIGHT_UNDER_MIN, about, physical, option.coordinate)
    smallest, largest = option.sides_min_cm, option.sides_max_cm
    if smallest is None and largest is None:
        return option
    sizes = [(line, sides_cm(line.listing, settings)) for line in physical]
    if unknown := [line.listing.title for line, size in sizes if size is None]:
        return Wait(Waiting.PRICING, f"{option.title}: the size of {', '.join(unknown)} is missing")
    over = [line for line, size in sizes if size and largest and not _fits(size, largest)]
    if largest and over:
        about = f"{option.title} takes {_box(largest)} at most"
        return _refused(Refusal.SIZE_OVER_MAX, about, over, option.coordinate)
    under = [line for line, size in sizes if size and smallest and not _fits(smallest, size)]
    if smallest and under:
        about = f"{option.title} takes {_box(smallest)} at least"
        return _refused(Refusal.SIZE_UNDER_MIN, about, under, option.coordinate)
    return option


def serves(option: ShippingOption, destination: Destination) -> bool:
    """Whether the option may go there: its countries, and its regions where that country has any listed."""
    if option.countries and destination.country not in option.countries:
        return False
    regions = regions_of(option, destination)
    return not regions or destination.region is None or destination.region in regions


def regions_of(option: ShippingOption, destination: Destination) -> list[str]:
    """The option's regions in the destination's country; none means all of it (T406-04)."""
    return [r for r in option.regions if destination.country and r.startswith(f"{destination.country}-")]


def _fits(inner: Sides, outer: Sides) -> bool:
    """Whether each side is no longer than its counterpart, both from the shortest to the longest."""
    return all(short <= long for short, long in zip(inner, outer, strict=True))


def _box(sides: Sides) -> str:
    return f"{'x'.join(plain(side) for side in sides)} cm"


def _refused(refusal: Refusal, about: str, lines: Iterable[Wanted], option: str) -> Rejected:
    """A refusal that names the option and the lines it is about."""
    lines = tuple(lines)
    subject = f"{about}: {', '.join(line.listing.title for line in lines)}"
    coordinates = tuple(line.listing.coordinate for line in lines)
    return Rejected((Finding(refusal=refusal, subject=subject, lines=coordinates, option=option),))
