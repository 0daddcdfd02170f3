"""Shipping options, kind 30406 (market spec §3)."""

from __future__ import annotations

from decimal import Decimal

from schemas import limits
from schemas.catalogue import ShippingOption, UnitPrice
from schemas.market.countries import country_code
from schemas.market.reading import (
    MarketFault,
    MarketRefused,
    TagReader,
    currency_code,
    exact_decimal,
)
from schemas.market.units import grams, unit_in_grams
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.values import Price

_NOT_PRICED_YET = ("price-volume", "price-distance", "dim-min", "dim-max")


def read_shipping_option(event: Event) -> ShippingOption:
    """A verified event as an option. Raises `MarketRefused` (`no_d`, `no_title`, `no_price`, `foreign_shape`)."""
    tags = TagReader(event)
    d = tags.text("d")
    if d is None:
        raise MarketRefused(MarketFault.NO_D)
    title, price = tags.text("title", "name"), tags.first("price")
    if title is None and price is None:
        raise MarketRefused(MarketFault.FOREIGN_SHAPE, "neither a title nor a price")
    if title is None:
        raise MarketRefused(MarketFault.NO_TITLE)
    if len(title) > limits.TITLE.most:
        tags.warn("title_cut")
    amount = exact_decimal(price[1].strip()) if price else None
    currency = currency_code(price[2]) if price and len(price) > 2 else None
    if amount is None or currency is None:
        raise MarketRefused(MarketFault.NO_PRICE)
    service = tags.text("service")
    if service is None:
        tags.warn("service_assumed_standard")
    countries = _countries(tags)
    return ShippingOption(
        coordinate=str(Coordinate(Kind.SHIPPING_OPTION, event.pubkey, d)),
        event_id=event.id,
        created_at=event.created_at,
        title=title[: limits.TITLE.most],
        base=Price(amount=amount, currency=currency),
        countries=countries,
        regions=_regions(tags, countries),
        service=service or "standard",
        location=tags.text("location"),
        geohash=tags.text("g"),
        weight_min_g=_bound(tags, "weight-min"),
        weight_max_g=_bound(tags, "weight-max"),
        per_weight=_per_weight(tags, currency),
        unsupported=_unsupported(tags),
        warnings=tuple(tags.warnings),
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


def _bound(tags: TagReader, name: str) -> Decimal | None:
    """A weight bound in grams; nought is a bound too, though no weight."""
    tag = tags.first(name)
    is_nought = tag is not None and len(tag) > 2 and exact_decimal(tag[1].strip()) == 0
    return Decimal(0) if tag and is_nought and unit_in_grams(tag[2]) else grams(tag)


def _per_weight(tags: TagReader, currency: str) -> UnitPrice | None:
    """`price-weight [price, unit]` or `[price, currency, unit]` (T406-10); a broken one is None."""
    tag = tags.first("price-weight")
    if tag is None or len(tag) < 3:
        return None
    own = currency_code(tag[2]) if len(tag) > 3 else currency
    price = exact_decimal(tag[1].strip())
    unit_g = unit_in_grams(tag[2] if len(tag) == 3 else tag[3])
    if price is None or unit_g is None or own is None:
        return None
    return UnitPrice(amount=price, currency=own, unit_g=unit_g)


def _unsupported(tags: TagReader) -> tuple[str, ...]:
    """Price and size rules that are present but cannot be applied; such an option is not used silently (SHP-06)."""
    names = [name for name in _NOT_PRICED_YET if tags.first(name) is not None]
    for name in ("weight-min", "weight-max"):
        if tags.first(name) is not None and _bound(tags, name) is None:
            names.append(name)
    if tags.first("price-weight") is not None and _per_weight(tags, "SAT") is None:
        names.append("price-weight")
    return tuple(names)
