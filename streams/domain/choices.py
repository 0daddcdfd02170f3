"""Shipping options as they are listed to a buyer: by service and place, the nearest first, each with its full cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from schemas import limits
from schemas.catalogue import ShippingOption
from schemas.orders import Charge
from schemas.values import Destination
from streams.domain.geo import distance_m
from streams.domain.money import plus
from streams.domain.wording import plain

_SERVICES = ("standard", "express", "overnight", "pickup")

Offer = tuple[ShippingOption, tuple[Charge, ...]]


def listed(offers: Sequence[Offer], destination: Destination) -> str:
    """What can be chosen from (SHP-15). The service is named where there are several."""
    by_service: dict[str, list[Offer]] = {}
    for offer in sorted(offers, key=lambda offer: _place_in_list(offer[0])):
        by_service.setdefault(offer[0].service, []).append(offer)
    groups = {name: ", ".join(map(_shown, _nearest_first(group, destination))) for name, group in by_service.items()}
    one = next(iter(groups.values())) if len(groups) == 1 else None
    text = "; ".join(f"{name}: {group}" for name, group in groups.items()) if one is None else one
    return text[: limits.REPLY_TEXT.most]  # a message takes no more, and a shop may have thousands


def _place_in_list(option: ShippingOption) -> int:
    return _SERVICES.index(option.service) if option.service in _SERVICES else len(_SERVICES)


def _nearest_first(group: list[Offer], destination: Destination) -> list[Offer]:
    """Pickups by how far they are from the buyer, where both geohashes are known; the rest as the listing has them."""
    here = destination.geohash

    def way(offer: Offer) -> tuple[bool, Decimal]:
        there = offer[0].geohash if offer[0].is_pickup else None
        way_m = distance_m(there, here) if there and here else None
        return way_m is None, way_m or Decimal(0)

    return sorted(group, key=way)


def _shown(offer: Offer) -> str:
    option, charges = offer
    costs: dict[str, Decimal] = {}
    for charge in charges:
        costs[charge.currency] = plus(costs.get(charge.currency, Decimal(0)), charge.amount)
    cost = " + ".join(f"{_spoken(amount)} {currency}" for currency, amount in costs.items())
    place = f", {option.location or option.geohash}" if option.is_pickup else ""
    return f"{option.title} ({cost}{place})"


def _spoken(amount: Decimal) -> str:
    """As it was listed, `7.50`, unless it has more places than anybody reads."""
    return f"{amount:f}" if int(amount.as_tuple().exponent) >= -8 else plain(amount)


def delivery_h(option: ShippingOption | None, handling_h: int) -> tuple[int | None, int | None]:
    """Within how many hours of its confirmation an order arrives, where the option says (SHP-16)."""
    if option is None or option.duration_min_h is None or option.duration_max_h is None:
        return None, None
    return option.duration_min_h + handling_h, option.duration_max_h + handling_h
