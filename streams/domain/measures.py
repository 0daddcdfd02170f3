"""What an order weighs and measures, and how far it goes: in all, or what is missing to say so (SHP-05, SHP-06)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from schemas.catalogue import Listing, ShippingOption, Sides
from schemas.market.units import volume_cm3
from schemas.shops import ShopSettings
from schemas.values import Destination
from streams.domain.geo import distance_m
from streams.domain.money import plus, times
from streams.domain.offers import geohash_of
from streams.domain.shop import Shop
from streams.domain.wanted import Wanted


class Missing(Exception):
    """A measure nobody knows; says which, and of what."""


def weight_g(listing: Listing, settings: ShopSettings) -> Decimal | None:
    """A listing's weight, or what the shop says things weigh that do not say."""
    return settings.default_weight_g if listing.weight_g is None else listing.weight_g


def sides_cm(listing: Listing, settings: ShopSettings) -> Sides | None:
    """The same for its size."""
    return settings.default_sides_cm if listing.sides_cm is None else listing.sides_cm


def total_weight_g(physical: Iterable[Wanted], settings: ShopSettings) -> Decimal:
    """The exact weight of all physical lines. Raises `Missing`."""
    return _total(physical, "weight", lambda listing: weight_g(listing, settings))


def total_volume_cm3(physical: Iterable[Wanted], settings: ShopSettings) -> Decimal:
    """Their exact volume: what a listing names as its own, else that of its sides. Raises `Missing`."""

    def volume(listing: Listing) -> Decimal | None:
        if listing.volume_cm3 is not None:
            return listing.volume_cm3
        sides = sides_cm(listing, settings)
        return None if sides is None else volume_cm3(sides)

    return _total(physical, "size", volume)


def _total(physical: Iterable[Wanted], what: str, of: Callable[[Listing], Decimal | None]) -> Decimal:
    total = Decimal(0)
    missing: list[str] = []
    for line in physical:
        measure = of(line.listing)
        if measure is None:
            missing.append(line.listing.title)
        else:
            total = plus(total, times(measure, line.quantity))
    if missing:
        raise Missing(f"the {what} of {', '.join(missing)} is missing")
    return total


def way_m(shop: Shop, physical: Iterable[Wanted], option: ShippingOption, destination: Destination) -> Decimal:
    """How far the order goes: from the option's own place, else from the farthest of its listings' (A-13).

    Raises `Missing`.
    """
    if destination.geohash is None:
        raise Missing("a geohash of where it goes is missing")
    if option.geohash is not None:
        starts = {option.title: option.geohash}
    else:
        places = {line.listing.title: geohash_of(shop, line.listing) for line in physical}
        if missing := [title for title, place in places.items() if place is None]:
            raise Missing(f"the place of {', '.join(missing)} is missing")
        starts = {title: place for title, place in places.items() if place is not None}
    ways = {title: distance_m(place, destination.geohash) for title, place in starts.items()}
    if unknown := [title for title, way in ways.items() if way is None]:
        raise Missing(f"the place of {', '.join(unknown)} is no geohash")
    return max(way for way in ways.values() if way is not None)
