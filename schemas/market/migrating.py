"""A shop that was kept elsewhere as documents: stalls and products of NIP-15, and rows of a table (C-42).

What cannot be said as a document is named with the reason; nothing is guessed, and nothing is dropped in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from schemas.catalogue import Format
from schemas.market.countries import country_code
from schemas.market.describing import MODELS
from schemas.market.documents import wrongs
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, tag_values

EVERYWHERE: Final = frozenset({"worldwide", "world", "all", "everywhere", "international", "flat rate"})
NOWHERE: Final = frozenset({"free (digital)", "digital", "online"})
"""Zones for what is not sent at all."""
STALLS: Final = "stalls (30017)"
ZONES: Final = "shipping zones"
PRODUCTS: Final = "products (30018)"
ROWS: Final = "rows"
LIST_SEPARATOR: Final = "|"
COLUMNS: Final = {
    "id": "id",
    "sku": "id",
    "title": "title",
    "name": "title",
    "price": "price",
    "currency": "currency",
    "description": "description",
    "summary": "summary",
    "stock": "stock",
    "quantity": "stock",
    "weight": "weight",
    "size": "size",
    "images": "images",
    "categories": "categories",
    "shipping": "shipping",
    "collections": "collections",
    "location": "location",
    "visibility": "visibility",
    "format": "format",
}
"""Columns of a table of products, by the field each is for; `currency` may also stand behind the price."""
_LISTS: Final = frozenset({"images", "categories", "shipping", "collections"})


@dataclass(frozen=True, slots=True)
class Moved:
    """One thing of the source as a document: of `what` it is one, and in `left_out` what the document does not say."""

    what: str
    source: str
    kind: Kind
    fields: dict[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id it has, here and there."""
        return str(self.fields["id"])


@dataclass(frozen=True, slots=True)
class NotMoved:
    """One thing of the source that cannot be moved, and why."""

    what: str
    source: str
    why: str


@dataclass(slots=True)
class _Stall:
    """A stall as far as its products need it."""

    d: str
    currency: str
    options: dict[str, str] = field(default_factory=dict)
    """By zone, the id of its shipping option."""
    is_sent: bool = False
    """Whether it has any zone that something is sent to, moved or not."""
    members: list[str] = field(default_factory=list)


def from_stalls(stalls: Sequence[UnsignedEvent], products: Sequence[UnsignedEvent]) -> list[Moved | NotMoved]:
    """Stalls (30017) as collections and their zones as options, products (30018) as listings; same `d` throughout.

    What is pointed at comes first.
    """
    options: dict[str, Moved] = {}
    known: dict[str, _Stall] = {}
    found: list[Moved | NotMoved] = []
    contents: dict[str, dict[str, Any]] = {}
    for event in stalls:
        d, content = _d(event), _content(event)
        if not d or content is None:
            found.append(NotMoved(STALLS, f"stall {d or event.kind}", "its content is no JSON object with an id"))
            continue
        contents[d] = content
        known[d] = _Stall(d, str(content.get("currency") or "sat"))
        found += _zones(known[d], content, options)
    listings = [_product(event, known) for event in products]
    collections = [_collection(stall, contents[d]) for d, stall in known.items()]
    return [*options.values(), *found, *collections, *listings]


def from_rows(rows: Iterable[Mapping[str, str]]) -> Iterator[Moved | NotMoved]:
    """Rows of a table of products, by their column names, numbered from 1."""
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        where = f"row {number}"
        fields: dict[str, Any] = {}
        for name, text in row.items():
            target, value = COLUMNS[name.strip().lower()], text.strip()
            if value:
                fields[target] = [one.strip() for one in value.split(LIST_SEPARATOR)] if target in _LISTS else value
        if not fields:
            continue
        currency = fields.pop("currency", "")
        if currency and "price" in fields and " " not in fields["price"]:
            fields["price"] = f"{fields['price']} {currency}"
        moved = _checked(ROWS, where, Kind.PRODUCT, fields)
        if isinstance(moved, Moved) and moved.id in seen:
            yield NotMoved(ROWS, where, f"the id {moved.id} is there twice")
            continue
        if isinstance(moved, Moved):
            seen.add(moved.id)
        yield moved


def unknown_columns(names: Iterable[str]) -> list[str]:
    """Columns that no field is for."""
    return [name for name in names if name.strip().lower() not in COLUMNS]


def _zones(stall: _Stall, content: Mapping[str, Any], options: dict[str, Moved]) -> Iterator[NotMoved]:
    """A stall's zones as options. Stalls may share a zone; one of the same id that says otherwise gets its own."""
    for zone in _objects(content.get("shipping")):
        zone_id, regions = str(zone.get("id") or ""), [str(one) for one in _list(zone.get("regions"))]
        source = f"zone {zone_id or '?'} of stall {stall.d}"
        words = {region.strip().lower() for region in regions}
        if words and words <= NOWHERE:
            continue
        stall.is_sent = True
        codes = tuple(dict.fromkeys(code for region in regions if (code := country_code(region))))
        lost = [one for one in regions if not country_code(one) and one.strip().lower() not in EVERYWHERE | NOWHERE]
        if lost and not codes and not words & EVERYWHERE:
            yield NotMoved(ZONES, source, f"none of its regions is a country: {', '.join(lost)[:200]}")
            continue
        fields: dict[str, Any] = {
            "id": zone_id,
            "title": str(zone.get("name") or "") or ", ".join(regions)[:100] or zone_id,
            "price": _price(zone.get("cost", 0), stall.currency),
        }
        if codes and not words & EVERYWHERE:
            fields["countries"] = list(codes)
        left_out = (f"regions that are no countries: {', '.join(lost)[:200]}",) if lost else ()
        known = options.get(zone_id)
        if known is not None and {**known.fields, "id": ""} != {**fields, "id": ""}:
            fields["id"] = f"{stall.d}-{zone_id}"
        moved = _checked(ZONES, source, Kind.SHIPPING_OPTION, fields, left_out)
        if isinstance(moved, NotMoved):
            yield moved
            continue
        options.setdefault(moved.id, moved)
        stall.options[zone_id] = moved.id


def _product(event: UnsignedEvent, stalls: Mapping[str, _Stall]) -> Moved | NotMoved:
    d, content = _d(event), _content(event)
    if not d or content is None:
        return NotMoved(PRODUCTS, f"product {d or event.kind}", "its content is no JSON object with an id")
    stall = stalls.get(str(content.get("stall_id") or ""))
    left_out: list[str] = []
    images = [str(one) for one in _list(content.get("images"))]
    shown = [one for one in images if one.startswith(("https://", "http://"))]
    if len(shown) < len(images):
        left_out.append("images that have no address")
    fields: dict[str, Any] = {
        "id": d,
        "title": str(content.get("name") or ""),
        "description": str(content.get("description") or ""),
        "price": _price(content.get("price"), str(content.get("currency") or (stall.currency if stall else "sat"))),
        "images": shown,
        "specs": [{str(one[0]): str(one[1])} for one in _list(content.get("specs")) if _is_pair(one)],
        "categories": [tag for tag in dict.fromkeys(tag_values(event, "t")) if tag.strip()],
    }
    if content.get("quantity") is not None:
        fields["stock"] = str(content["quantity"])
    if stall is None or stall.is_sent:  # without shipping it has to wait, and not be sold as if nothing were sent
        fields["format"] = Format.PHYSICAL.value
    if stall is None:
        left_out.append("shipping: its stall is not there")
    elif stall.is_sent and not stall.options:
        left_out.append("shipping: no zone of its stall could be moved")
    elif stall.options:
        extras = {str(one.get("id")): one.get("cost") for one in _objects(content.get("shipping"))}
        fields["shipping"] = [_wish(option, extras.get(zone)) for zone, option in stall.options.items()]
    if stall is not None:
        fields["collections"] = [stall.d]
    said = {name: value for name, value in fields.items() if value not in ("", [])}
    moved = _checked(PRODUCTS, f"product {d}", Kind.PRODUCT, said, tuple(left_out))
    if stall is not None and isinstance(moved, Moved):
        stall.members.append(d)
    return moved


def _collection(stall: _Stall, content: Mapping[str, Any]) -> Moved | NotMoved:
    fields = {
        "id": stall.d,
        "title": str(content.get("name") or stall.d),
        "description": str(content.get("description") or ""),
        "members": list(stall.members),
        "shipping": list(stall.options.values()),
    }
    return _checked(STALLS, f"stall {stall.d}", Kind.COLLECTION, fields)


def _checked(
    what: str, source: str, kind: Kind, fields: dict[str, Any], left_out: tuple[str, ...] = ()
) -> Moved | NotMoved:
    try:
        MODELS[kind].model_validate(fields)
    except ValidationError as error:
        where, wrong = wrongs(error)[0]
        return NotMoved(what, source, f"{'.'.join(map(str, where))}: {wrong}")
    return Moved(what, source, kind, fields, left_out)


def _wish(option: str, extra: Any) -> Any:
    """An option, with what this product costs more where it says so."""
    amount = _amount(extra)
    return {"option": option, "extra": amount} if amount and amount.strip("0.") else option


def _price(value: Any, currency: str) -> str:
    """A price as a document has it; what is none is told by the document's own check."""
    return f"{_amount(value) or '?'} {currency.strip().upper()}"


def _amount(value: Any) -> str:
    """An exact decimal as the content writes it; "" where it is no number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value).strip()


def _d(event: UnsignedEvent) -> str:
    return next(iter(tag_values(event, "d")), "").strip()


def _content(event: UnsignedEvent) -> dict[str, Any] | None:
    """The object in a content, its numbers exact."""
    try:
        content = json.loads(event.content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _list(value) if isinstance(one, dict))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(str(one).strip() for one in value)
