"""Shipping options, kind 30406 (market spec §3)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from schemas import limits
from schemas.catalogue import DistancePrice, ShippingOption, Sides, Template, UnitPrice, VolumePrice
from schemas.market.countries import country_code
from schemas.market.reading import (
    READER,
    MarketFault,
    MarketRefused,
    TagReader,
    cell,
    currency_code,
    cut,
    exact_decimal,
    identifier,
    place,
    time,
    title,
    whole_number,
)
from schemas.market.units import CUBIC_CENTIMETRES, GRAMS, METRES, in_unit, measured, sides
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.values import Price

_HOURS = {"H": 1, "D": 24, "W": 7 * 24, "M": 30 * 24}
"""Hours in a duration's unit; a month, which some clients write, is thirty days (T406-06)."""
_DURATION_MAX = 10_000


def read_shipping_option(event: Event) -> ShippingOption:
    """A verified event as an option. Raises `MarketRefused` (`no_d`, `no_title`, `no_price`, `foreign_shape`)."""
    tags = TagReader(event)
    d = identifier(tags)
    price = tags.first("price")
    if tags.text("title", "name") is None and price is None:
        raise MarketRefused(MarketFault.FOREIGN_SHAPE, "neither a title nor a price")
    name = title(tags, "name")
    amount = exact_decimal(price[1].strip()) if price else None
    currency = currency_code(price[2]) if price and len(price) > 2 else None
    if amount is None or currency is None:
        raise MarketRefused(MarketFault.NO_PRICE)
    service = tags.text("service")
    if service is None:
        tags.warn("service_assumed_standard")
    countries = _countries(tags)
    carrier = tags.text("carrier")
    least_h, most_h = _duration(tags)
    rules = _Rules(tags, currency)
    return ShippingOption(
        coordinate=str(Coordinate(Kind.SHIPPING_OPTION, event.pubkey, d)),
        event_id=event.id,
        created_at=event.created_at,
        title=name,
        base=Price(amount=amount, currency=currency),
        countries=countries,
        regions=_regions(tags, countries),
        service=cut(tags, "service", service, limits.CARRIER) if service else "standard",
        location=place(tags),
        geohash=cell(tags),
        carrier=cut(tags, "carrier", carrier, limits.CARRIER) if carrier else None,
        duration_min_h=least_h,
        duration_max_h=most_h,
        weight_min_g=rules.weight("weight-min"),
        weight_max_g=rules.weight("weight-max"),
        sides_min_cm=rules.sides("dim-min"),
        sides_max_cm=rules.sides("dim-max"),
        per_weight=rules.per_weight(),
        per_volume=rules.per_volume(),
        per_distance=rules.per_distance(),
        expires_at=time(tags, "expiration"),
        unsupported=tuple(rules.unsupported),
        warnings=tuple(tags.warnings),
        template=Template(kind=event.kind, created_at=event.created_at, tags=event.tags, content=event.content),
        reader=READER,
    )


def _countries(tags: TagReader) -> tuple[str, ...]:
    """The union of all `country` tags (alias `zone`); none at all means world-wide (T406-03)."""
    codes: dict[str, None] = {}
    present = False
    for tag in tags.all("country", "zone"):
        for text in tag[1:]:
            if not text.strip():
                continue
            present = True
            code = country_code(text)
            if code is None:
                tags.warn("unknown_country")
                code = text.strip().upper()
            elif len(text.strip()) != 2:
                tags.warn("country_mapped")
            codes[code] = None
    if not present:
        tags.warn("no_country_world_wide")
    return tuple(codes)


def _regions(tags: TagReader, countries: tuple[str, ...]) -> tuple[str, ...]:
    """The regions as written; one outside the listed countries narrows nothing and is warned of (T406-04)."""
    regions = tuple(code.strip().upper() for tag in tags.all("region") for code in tag[1:] if code.strip())
    if any("-" not in code or (countries and code.split("-")[0] not in countries) for code in regions):
        tags.warn("region_outside_countries")
    return regions


def _duration(tags: TagReader) -> tuple[int | None, int | None]:
    """`duration [min, max, unit]` in hours, which are also meant where no unit is given (T406-06, A-09)."""
    tag = tags.first("duration")
    if tag is None:
        return None, None
    unit = _HOURS.get((tag[3].strip().upper() if len(tag) > 3 else "") or "H")
    least, most = (whole_number(text.strip(), _DURATION_MAX) for text in (*tag[1:3], "")[:2])
    if unit is None or least is None or most is None or least > most:
        tags.warn("bad_duration")
        return None, None
    return least * unit, most * unit


class _Rules:
    """The bounds and the prices by measure; one that is there and cannot be applied is named (SHP-06)."""

    def __init__(self, tags: TagReader, currency: str) -> None:
        self._tags = tags
        self._currency = currency
        self.unsupported: list[str] = []

    def weight(self, name: str) -> Decimal | None:
        """A bound in grams; nought is a bound too, though no weight."""
        tag = self._tags.first(name)
        return self._known(name, tag, measured(tag, GRAMS, or_nought=True))

    def sides(self, name: str) -> Sides | None:
        """A bound of size."""
        tag = self._tags.first(name)
        return self._known(name, tag, sides(tag))

    def per_weight(self) -> UnitPrice | None:
        """`price-weight`."""
        price = self._price("price-weight", GRAMS)
        return price and UnitPrice(amount=price[0], currency=price[1], unit_g=price[2])

    def per_volume(self) -> VolumePrice | None:
        """`price-volume`."""
        price = self._price("price-volume", CUBIC_CENTIMETRES)
        return price and VolumePrice(amount=price[0], currency=price[1], unit_cm3=price[2])

    def per_distance(self) -> DistancePrice | None:
        """`price-distance`."""
        price = self._price("price-distance", METRES)
        return price and DistancePrice(amount=price[0], currency=price[1], unit_m=price[2])

    def _price(self, name: str, table: Mapping[str, Decimal]) -> tuple[Decimal, str, Decimal] | None:
        """`[price, unit]` in the option's currency, or `[price, currency, unit]` (T406-10, A-08)."""
        tag = self._tags.first(name)
        if tag is None:
            return None
        amount = exact_decimal(tag[1].strip())
        currency = currency_code(tag[2]) if len(tag) > 3 else self._currency
        unit = in_unit(tag[3] if len(tag) > 3 else tag[2], table) if len(tag) > 2 else None
        known = None if amount is None or currency is None or unit is None else (amount, currency, unit)
        return self._known(name, tag, known)

    def _known[V](self, name: str, tag: tuple[str, ...] | None, value: V | None) -> V | None:
        if tag is not None and value is None:
            self.unsupported.append(name)
        return value
