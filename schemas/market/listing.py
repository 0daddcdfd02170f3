"""Product listings, kind 30402 (market spec §3, NIP-99): read from an event, re-published with a new stock."""

from __future__ import annotations

from decimal import Decimal

from schemas import limits
from schemas.catalogue import Format, Listing, ShippingReference, Structure, Template, Visibility
from schemas.market.reading import (
    MarketFault,
    MarketRefused,
    TagReader,
    currency_code,
    exact_decimal,
    unix_seconds,
    whole_number,
)
from schemas.market.units import grams
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, event_id
from schemas.values import Price

STOCK_MAX = limits.STOCK.most
_FREQUENCIES = {
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
    """A verified event as a listing. Raises `MarketRefused` (`no_d`, `no_title`, `no_price`)."""
    tags = TagReader(event)
    d = next((tag[1] for tag in tags.all("d")), "")
    if not d:
        raise MarketRefused(MarketFault.NO_D)
    title = tags.text("title")
    if title is None:
        raise MarketRefused(MarketFault.NO_TITLE)
    if len(title) > limits.TITLE.most:
        tags.warn("title_cut")
    price = _price(tags)
    structure, format_ = _type(tags)
    return Listing(
        coordinate=str(Coordinate(Kind.PRODUCT, event.pubkey, d)),
        event_id=event.id,
        title=title[: limits.TITLE.most],
        price=price,
        structure=structure,
        format=format_,
        visibility=_visibility(tags),
        sold=tags.text("status") == "sold",
        stock=_stock(tags),
        weight_g=_weight(tags),
        expires_at=_time(tags, "expiration"),
        shipping=_shipping(tags, event.pubkey),
        warnings=tuple(tags.warnings),
        template=Template(kind=event.kind, created_at=event.created_at, tags=event.tags, content=event.content),
    )


def with_stock(listing: Listing, merchant: str, on_hand: int, created_at: int) -> Listing:
    """The same listing with only its `stock` tag changed: unknown tags and their order stay (EVT-01, INV-03)."""
    old = listing.template
    name = "stock" if any(tag[0] == "stock" for tag in old.tags) else "quantity"
    tags = tuple((name, str(on_hand), *tag[2:]) if tag[0] == name else tag for tag in old.tags)
    template = Template(kind=old.kind, created_at=created_at, tags=tags, content=old.content)
    new_id = event_id(merchant, created_at, old.kind, tags, old.content)
    return listing.model_copy(update={"event_id": new_id, "stock": on_hand, "template": template})


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
    known = _FREQUENCIES.get(frequency.lower().removeprefix("p1"))
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
    if any(t[0] in _PHYSICAL_EVIDENCE for t in tags.event.tags):
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


def _weight(tags: TagReader) -> Decimal | None:
    """The weight in grams; one that cannot be used is warned of."""
    tag = tags.first("weight")
    weight = grams(tag)
    if tag is not None and weight is None:
        tags.warn("bad_weight")
    return weight


def _time(tags: TagReader, name: str) -> int | None:
    """A time tag in unix seconds; another shape is dropped with a warning (EVT-06)."""
    text = tags.text(name)
    if text is None:
        return None
    time = unix_seconds(text)
    if time is None:
        tags.warn(f"bad_{name}")
    return time


def _shipping(tags: TagReader, author: str) -> tuple[ShippingReference, ...]:
    """`shipping_option` references with their extra cost; a bare id means the author's own option (T402-15)."""
    references: dict[str, ShippingReference] = {}
    for tag in tags.all("shipping_option", "shipping"):
        try:
            coordinate = str(Coordinate.parse(tag[1]))
        except ValueError:
            if ":" in tag[1]:
                tags.warn("bad_shipping_option")
                continue
            coordinate = str(Coordinate(Kind.SHIPPING_OPTION, author, tag[1]))
        extra = Decimal(0)
        if len(tag) > 2 and tag[2].strip():
            amount = exact_decimal(tag[2].strip())
            if amount is None:
                tags.warn("bad_extra_cost")
                continue
            extra = amount
        references.setdefault(coordinate, ShippingReference(coordinate=coordinate, extra=extra))
    return tuple(references.values())
