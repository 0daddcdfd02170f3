"""Product listings, kind 30402 (market spec §3, NIP-99): read from an event, re-published with a new stock."""

from __future__ import annotations

from decimal import Decimal

from schemas import limits
from schemas.catalogue import Format, Listing, ShippingReference, Structure, Template, Visibility
from schemas.market.display import read_display
from schemas.market.reading import (
    READER,
    MarketFault,
    MarketRefused,
    TagReader,
    cell,
    coordinate,
    currency_code,
    exact_decimal,
    identifier,
    place,
    time,
    title,
    whole_number,
)
from schemas.market.units import CUBIC_CENTIMETRES, GRAMS, measured, sides
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, event_id
from schemas.values import Price

STOCK_MAX = limits.STOCK.most
FREQUENCIES = {
    word: code
    for code, words in {
        "H": ("h", "hour", "hourly", "pt1h"),
        "D": ("d", "day", "daily"),
        "W": ("w", "week", "weekly"),
        "M": ("m", "month", "monthly"),
        "Y": ("y", "year", "yearly"),
    }.items()
    for word in words
}
"""How often a price recurs, as listings write it: the market spec's letters, ISO 8601 durations, nouns (A-43)."""
_PHYSICAL_EVIDENCE = frozenset({"weight", "dim", "shipping_option", "shipping"})


def read_listing(event: Event) -> Listing:
    """A verified event as a listing. Raises `MarketRefused` (`no_d`, `no_title`, `no_price`, `bad_parent`)."""
    tags = TagReader(event)
    own = Coordinate(Kind.PRODUCT, event.pubkey, identifier(tags))
    name = title(tags)
    price = _price(tags)
    structure, format_ = _type(tags)
    for warning in read_display(event).warnings:
        tags.warn(warning)
    return Listing(
        coordinate=str(own),
        event_id=event.id,
        title=name,
        price=price,
        structure=structure,
        format=format_,
        visibility=_visibility(tags),
        sold=tags.text("status") == "sold",
        stock=_stock(tags),
        weight_g=_usable(tags, "weight", measured(tags.first("weight"), GRAMS)),
        sides_cm=_usable(tags, "dim", sides(tags.first("dim"))),
        volume_cm3=_usable(tags, "volume", measured(tags.first("volume"), CUBIC_CENTIMETRES)),
        expires_at=time(tags, "expiration"),
        parent=_parent(tags, own) if structure is Structure.VARIATION else None,
        collections=_collections(tags),
        location_of=_inherited(tags, "location"),
        geohash_of=_inherited(tags, "g"),
        location=None if _inherited(tags, "location") else place(tags),
        geohash=None if _inherited(tags, "g") else cell(tags),
        shipping=_shipping(tags, event.pubkey),
        warnings=tuple(tags.warnings),
        template=Template(kind=event.kind, created_at=event.created_at, tags=event.tags, content=event.content),
        reader=READER,
    )


def with_stock(
    listing: Listing, merchant: str, on_hand: int, created_at: int, visibility: Visibility | None = None
) -> Listing:
    """The same listing with only its `stock` and, where it changes, its `visibility` tag changed.

    Unknown tags and the order of all of them stay (EVT-01, INV-03).
    """
    old = listing.template
    name = next((word for word in ("stock", "quantity") if any(tag[0] == word for tag in old.tags)), None)
    tags = tuple((name, str(on_hand), *tag[2:]) if tag[0] == name else tag for tag in old.tags)
    if name is None:
        tags = (*tags, ("stock", str(on_hand)))
    visibility = visibility or listing.visibility
    if visibility is not listing.visibility:
        tags = (*(tag for tag in tags if tag[0] != "visibility"), ("visibility", visibility.value))
    template = Template(kind=old.kind, created_at=created_at, tags=tags, content=old.content)
    new_id = event_id(merchant, created_at, old.kind, tags, old.content)
    return listing.model_copy(
        update={"event_id": new_id, "stock": on_hand, "visibility": visibility, "template": template}
    )


def _price(tags: TagReader) -> Price:
    """The first `price [amount, currency, frequency?]`; more than one is warned of (T402-04)."""
    found = list(tags.all("price"))
    if len(found) > 1:
        tags.warn("several_prices")
    if not found or len(found[0]) < 3:
        raise MarketRefused(MarketFault.NO_PRICE)
    amount, currency = exact_decimal(found[0][1].strip()), currency_code(found[0][2])
    if amount is None or currency is None:
        raise MarketRefused(MarketFault.NO_PRICE, "not an exact decimal and a currency code")
    frequency = found[0][3].strip() if len(found[0]) > 3 else ""
    known = FREQUENCIES.get(frequency.lower().removeprefix("p1"))
    if frequency and known is None:
        tags.warn("unknown_frequency")
    return Price(amount=amount, currency=currency, frequency=known or frequency or None)


def _type(tags: TagReader) -> tuple[Structure, Format]:
    """`type [structure, format]`, each with its default; physical evidence beats a missing format (A-05)."""
    tag = tags.first("type") or ("type",)
    structure = tag[1].strip().lower() if len(tag) > 1 else Structure.SIMPLE
    if structure not in Structure:
        tags.warn("unknown_type")
        structure = Structure.SIMPLE
    format_ = tag[2].strip().lower() if len(tag) > 2 else ""
    if format_ in Format:
        return Structure(structure), Format(format_)
    if any(t[0] in _PHYSICAL_EVIDENCE and t[1:2] != ("N/A",) for t in tags.event.tags):
        tags.warn("format_assumed_physical")
        return Structure(structure), Format.PHYSICAL
    return Structure(structure), Format.DIGITAL


def _visibility(tags: TagReader) -> Visibility:
    """One of three; anything else hides the listing rather than selling it by mistake (T402-06)."""
    text = tags.text("visibility")
    if text is None:
        return Visibility.ON_SALE
    if text in Visibility:
        return Visibility(text)
    tags.warn("unknown_visibility")
    return Visibility.HIDDEN


def _stock(tags: TagReader) -> int | None:
    """Units on hand; none tracked where absent; a number that is none sells nothing (T402-07, T402-16)."""
    text = tags.text("stock")
    if text is None:
        text = tags.text("quantity")
        if text is None:
            return None
        tags.warn("stock_from_quantity")
    stock = whole_number(text, STOCK_MAX)
    if stock is None:
        tags.warn("bad_stock")
        return 0
    return stock


def _usable[V](tags: TagReader, name: str, value: V | None) -> V | None:
    """A measure that was read; one that is there and cannot be used is warned of."""
    if value is None and tags.first(name) is not None:
        tags.warn(f"bad_{name}")
    return value


def _parent(tags: TagReader, own: Coordinate) -> str:
    """The one variable product that a variation belongs to, of the same author (T402-13)."""
    found = {parent for tag in tags.all("a") if (parent := coordinate(tag[1], Kind.PRODUCT))}
    if len(found) != 1:
        raise MarketRefused(MarketFault.BAD_PARENT, f"{len(found)} parents")
    (parent,) = found
    if Coordinate.parse(parent).pubkey != own.pubkey or parent == str(own):
        raise MarketRefused(MarketFault.BAD_PARENT, "another author's, or itself")
    return parent


def _collections(tags: TagReader) -> tuple[str, ...]:
    """The collections it says it belongs to, each once (T402-14)."""
    return tuple(dict.fromkeys(found for tag in tags.all("a") if (found := coordinate(tag[1], Kind.COLLECTION))))


def _inherited(tags: TagReader, name: str) -> str | None:
    """The collection whose place is this listing's, where it names one instead of a place (T402-11)."""
    return next((found for tag in tags.all(name) if (found := coordinate(tag[1], Kind.COLLECTION))), None)


def _shipping(tags: TagReader, author: str) -> tuple[ShippingReference, ...]:
    """`shipping_option` references with their extra cost; a bare id means the author's own option (T402-15).

    Shopstr writes its own price under the old name, in exactly four elements; that is no reference.
    """
    references: dict[str, ShippingReference] = {}
    for tag in tags.all("shipping_option", "shipping"):
        if _is_inline_price(tag):
            tags.warn("inline_shipping")
            continue
        bare = f"{int(Kind.SHIPPING_OPTION)}:{author}:{tag[1]}"
        target = coordinate(bare if ":" not in tag[1] else tag[1], Kind.SHIPPING_OPTION, Kind.COLLECTION)
        if target is None:
            tags.warn("bad_shipping_option")
            continue
        extra = Decimal(0)
        if len(tag) > 2 and tag[2].strip():
            amount = exact_decimal(tag[2].strip())
            if amount is None:
                tags.warn("bad_extra_cost")
                continue
            extra = amount
        references.setdefault(target, ShippingReference(coordinate=target, extra=extra))
    return tuple(references.values())


def _is_inline_price(tag: tuple[str, ...]) -> bool:
    return tag[0] == "shipping" and len(tag) == 4 and currency_code(tag[3]) is not None
