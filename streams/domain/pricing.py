"""From wanted lines to a quote: what may be ordered, how it may be sent, what it costs, or why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from schemas.catalogue import Format, Listing, ShippingOption, Structure, Visibility
from schemas.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    Charge,
    Finding,
    Quote,
    QuotedLine,
    Rate,
)
from schemas.stock import StockLine
from schemas.values import MSAT_PER_SAT, Destination, Refusal, Waiting
from streams.domain.buyers import units_left
from streams.domain.money import NoRate, plus, rates_for, share, times, total_msat
from streams.domain.shop import Order, Shop


@dataclass(frozen=True, slots=True)
class Rejected:
    """The order cannot be served as it is."""

    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """The order could be served if something more were known."""

    reason: Waiting
    detail: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line joined with the listing it names, as it stands now."""

    listing: Listing
    quantity: int
    tracked: bool

    @property
    def physical(self) -> bool:
        """Whether this line needs shipping (CAT-04)."""
        return self.listing.format is Format.PHYSICAL


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
    wanted = wanted_lines(shop, order, at_ms // 1_000, {r.coordinate: r.quantity for r in released})
    if isinstance(wanted, Rejected):
        return wanted
    option = choose_shipping(shop, wanted, order.shipping, order.destination)
    if isinstance(option, Rejected | Wait):
        return option
    charges = charges_of(wanted, option)
    if isinstance(charges, Wait):
        return charges
    try:
        used = rates_for((charge.currency for charge in charges), rates, at_ms, shop.settings.rate_age_max_s)
    except NoRate as missing:
        return Wait(Waiting.RATE, missing.currency)
    total = total_msat(charges, used)
    if total > shop.settings.order_sats_max * MSAT_PER_SAT:
        return Rejected((Finding(refusal=Refusal.TOO_EXPENSIVE, subject=f"{shop.settings.order_sats_max} sats"),))
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
            )
            for line in wanted
        ),
        shipping=option.coordinate if option else None,
        shipping_event_id=option.event_id if option else None,
        shipping_title=option.title if option else None,
        pickup_place=(option.location or option.geohash) if option and option.is_pickup else None,
        charges=charges,
        rates=used,
        total_msat=total,
        valid_until=at_ms // 1_000 + shop.settings.request_ttl_s,
    )


def wanted_lines(shop: Shop, order: Order, now_s: int, released: Mapping[str, int]) -> tuple[Wanted, ...] | Rejected:
    """Every line joined with its listing, repeats summed; or every fault found, lines before stock."""
    quantities: dict[str, int] = {}
    findings: list[Finding] = []
    for line in order.lines:
        if not 1 <= line.quantity <= QUANTITY_MAX:
            findings.append(Finding(refusal=Refusal.BAD_QUANTITY, subject=line.coordinate))
        quantities[line.coordinate] = quantities.get(line.coordinate, 0) + line.quantity
    if not 1 <= len(quantities) <= LINES_MAX or any(q > QUANTITY_MAX for q in quantities.values()):
        findings.append(Finding(refusal=Refusal.BAD_QUANTITY, subject="order"))
    wanted: list[Wanted] = []
    for coordinate, quantity in quantities.items():
        listing = shop.listings.get(coordinate)
        refusal = line_refusal(shop, coordinate, listing, now_s)
        if refusal or listing is None:
            findings.append(Finding(refusal=refusal or Refusal.UNKNOWN_ITEM, subject=coordinate))
            continue
        stock = shop.stock.get(coordinate)
        available = stock.available_with(released.get(coordinate, 0)) if stock else None
        enough = available is None or quantity <= available
        if not enough and listing.visibility is not Visibility.PRE_ORDER:
            findings.append(Finding(refusal=Refusal.INSUFFICIENT_STOCK, subject=listing.title))
        elif stock and stock.on_hand is not None and enough:
            left = units_left(shop, order.key.buyer, order.key.ref, coordinate, stock.on_hand)
            if quantity > left:
                findings.append(Finding(refusal=Refusal.STOCK_SHARE, subject=f"{listing.title} ({left} more)"))
        wanted.append(Wanted(listing, quantity, tracked=available is not None and enough))
    return in_precedence(findings) if findings else tuple(wanted)


def line_refusal(shop: Shop, coordinate: str, listing: Listing | None, now_s: int) -> Refusal | None:
    """Why this listing cannot be ordered from this shop at all, or None."""
    if coordinate.split(":", 2)[1:2] != [shop.merchant]:
        return Refusal.WRONG_MERCHANT
    if listing is None:
        return Refusal.UNKNOWN_ITEM
    expired = listing.expires_at is not None and listing.expires_at <= now_s
    hidden = listing.visibility is Visibility.HIDDEN or listing.structure is Structure.VARIABLE
    return Refusal.NOT_FOR_SALE if listing.sold or expired or hidden else None


def in_precedence(findings: list[Finding]) -> Rejected:
    """All findings, the one that counts first (ORD-04)."""
    rank = list(Refusal)
    return Rejected(tuple(sorted(findings, key=lambda finding: rank.index(finding.refusal))))


def choose_shipping(
    shop: Shop, wanted: tuple[Wanted, ...], asked: str | None, destination: Destination
) -> ShippingOption | Rejected | Wait | None:
    """The option that carries every physical line to the destination; None where nothing needs carrying.

    Without a wish, one is picked only when a single one can serve (SHP-10).
    """
    physical = [line for line in wanted if line.physical]
    if not physical:
        return None
    if asked is not None:
        return check_option(shop, physical, asked, destination)
    offered = [ref.coordinate for ref in physical[0].listing.shipping]
    served = [check_option(shop, physical, coordinate, destination) for coordinate in offered]
    usable = [option for option in served if isinstance(option, ShippingOption)]
    waits = [option for option in served if isinstance(option, Wait)]
    if addresses := [wait for wait in waits if wait.reason is Waiting.ADDRESS]:
        return addresses[0]  # picking what is left now would guess: the address may give more to choose from
    if not usable and waits:
        return waits[0]
    if not usable:
        rejections = [option for option in served if isinstance(option, Rejected)]
        return rejections[0] if rejections else Wait(Waiting.SHIPPING_CHOICE, "no option is offered yet")
    priceable = [option for option in usable if isinstance(charges_of(wanted, option), tuple)]
    if len(priceable) > 1:
        offers = (f"{o.title} ({o.base.amount:f} {o.base.currency})" for o in priceable)
        return Wait(Waiting.SHIPPING_CHOICE, ", ".join(offers))
    return priceable[0] if priceable else usable[0]


def check_option(
    shop: Shop, physical: list[Wanted], coordinate: str, destination: Destination
) -> ShippingOption | Rejected | Wait:
    """One option held against lines, destination and weight bounds (SHP-07, SHP-08, SHP-09, SHP-12)."""
    option = shop.options.get(coordinate)
    if option is None:
        return Rejected((Finding(refusal=Refusal.UNKNOWN_SHIPPING, subject=coordinate),))
    without = [
        line.listing.title for line in physical if coordinate not in {ref.coordinate for ref in line.listing.shipping}
    ]
    if without:
        subject = f"{option.title}: {', '.join(without)}"
        return Rejected((Finding(refusal=Refusal.OPTION_NOT_FOR_ALL, subject=subject),))
    if not option.is_pickup:
        if destination.country is None and (option.countries or option.service != "digital"):
            return Wait(Waiting.ADDRESS, "the country to ship to")
        if not serves(option, destination):
            subject = f"{option.title}: {destination.country}"
            return Rejected((Finding(refusal=Refusal.COUNTRY_NOT_SERVED, subject=subject),))
        if regions_of(option, destination) and destination.region is None:
            return Wait(Waiting.ADDRESS, "the region to ship to")
    elif not (option.location or option.geohash):
        return Rejected((Finding(refusal=Refusal.UNKNOWN_SHIPPING, subject=option.title),))
    weight = total_weight_g(physical)
    if weight is None and (option.weight_min_g is not None or option.weight_max_g is not None):
        return Wait(Waiting.PRICING, f"{option.title}: a weight is missing")
    if weight is not None and not within(option, weight):
        return Rejected((Finding(refusal=Refusal.WEIGHT_OVER_MAX, subject=option.title),))
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


def within(option: ShippingOption, weight_g: Decimal) -> bool:
    """Whether a total weight lies inside the option's inclusive bounds."""
    above = option.weight_min_g is None or weight_g >= option.weight_min_g
    return above and (option.weight_max_g is None or weight_g <= option.weight_max_g)


def total_weight_g(physical: list[Wanted]) -> Decimal | None:
    """The exact weight of all physical lines, or None where one is not known."""
    total = Decimal(0)
    for line in physical:
        if line.listing.weight_g is None:
            return None
        total = plus(total, times(line.listing.weight_g, line.quantity))
    return total


def charges_of(wanted: tuple[Wanted, ...], option: ShippingOption | None) -> tuple[Charge, ...] | Wait:
    """The exact terms of the total, each in its own currency (requirements §6)."""
    goods = [
        Charge(
            label=f"{line.quantity} × {line.listing.title}",
            amount=times(line.listing.price.amount, line.quantity),
            currency=line.listing.price.currency,
        )
        for line in wanted
    ]
    if option is None:
        return tuple(goods)
    if option.unsupported:
        return Wait(Waiting.PRICING, f"{option.title}: {', '.join(option.unsupported)}")
    physical = [line for line in wanted if line.physical]
    charges = [*goods, Charge(label=option.title, amount=option.base.amount, currency=option.base.currency)]
    for line in physical:
        extra = next(r.extra for r in line.listing.shipping if r.coordinate == option.coordinate)
        if extra:
            charges.append(
                Charge(
                    label=f"{option.title}, extra for {line.listing.title}",
                    amount=times(extra, line.quantity),
                    currency=line.listing.price.currency,
                )
            )
    if option.per_weight is not None:
        weight = total_weight_g(physical)
        if weight is None:
            return Wait(Waiting.PRICING, f"{option.title}: a weight is missing")
        charges.append(
            Charge(
                label=f"{option.title}, by weight",
                amount=share(option.per_weight.amount, weight, option.per_weight.unit_g),
                currency=option.per_weight.currency,
            )
        )
    return tuple(charges)
