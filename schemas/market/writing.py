"""Documents as tags, written to the letter of the market spec; and new tags laid over those of the newest version.

What is written here is read back by `schemas.market.listing`, `collection` and `shipping_option` as the same thing,
without a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from schemas.catalogue import Format
from schemas.market.documents import (
    FREQUENCY_WORDS,
    CollectionDocument,
    Document,
    ListingDocument,
    ShippingDocument,
)
from schemas.nostr.kinds import Kind
from schemas.publishing import EVERY_TAG, Tags, address

_CODES = {word: code for code, word in FREQUENCY_WORDS.items()}
_ALIASES: dict[int, dict[str, str]] = {
    Kind.PRODUCT: {"quantity": "stock", "shipping": "shipping_option"},
    Kind.COLLECTION: {"name": "title", "shipping": "shipping_option"},
    Kind.SHIPPING_OPTION: {"name": "title", "zone": "country"},
}
FIELDS: dict[int, dict[str, tuple[str, ...]]] = {
    Kind.PRODUCT: {
        "title": ("title",),
        "price": ("price",),
        "structure": ("type", "a:30402"),
        "format": ("type",),
        "visibility": ("visibility",),
        "sold": ("status",),
        "stock": ("stock",),
        "summary": ("summary",),
        "images": ("image",),
        "specs": ("spec",),
        "weight": ("weight",),
        "size": ("dim",),
        "location": ("location",),
        "location_of": ("location",),
        "geohash": ("g",),
        "geohash_of": ("g",),
        "categories": ("t",),
        "parent": ("a:30402", "type"),
        "collections": ("a:30405",),
        "shipping": ("shipping_option",),
        "expires": ("expiration",),
    },
    Kind.COLLECTION: {
        "title": ("title",),
        "summary": ("summary",),
        "image": ("image",),
        "location": ("location",),
        "geohash": ("g",),
        "members": ("a:30402",),
        "shipping": ("shipping_option",),
        "expires": ("expiration",),
    },
    Kind.SHIPPING_OPTION: {
        "title": ("title",),
        "price": ("price",),
        "service": ("service",),
        "countries": ("country",),
        "regions": ("region",),
        "carrier": ("carrier",),
        "duration": ("duration",),
        "location": ("location",),
        "geohash": ("g",),
        "weight_min": ("weight-min",),
        "weight_max": ("weight-max",),
        "size_min": ("dim-min",),
        "size_max": ("dim-max",),
        "price_weight": ("price-weight",),
        "price_volume": ("price-volume",),
        "price_distance": ("price-distance",),
        "expires": ("expiration",),
    },
}
"""By kind, the tag groups that each field of a document rules; `id` names the event, `description` is its content."""


def groups_of(kind: int, fields: Iterable[str] | None = None) -> tuple[str, ...]:
    """The tag groups that these fields rule, or all of them."""
    known = FIELDS[kind]
    names = known if fields is None else fields
    return tuple(dict.fromkeys(group for name in names for group in known.get(name, ())))


def kind_of(document: Document) -> Kind:
    """The kind a document is written as."""
    match document:
        case ListingDocument():
            return Kind.PRODUCT
        case CollectionDocument():
            return Kind.COLLECTION
        case _:
            return Kind.SHIPPING_OPTION


def tags_of(document: Document, merchant: str) -> Tags:
    """Every tag of a document but its `d`; one with several places is divided first (`separate_places`)."""
    match document:
        case ListingDocument():
            found = _listing(document, merchant)
        case CollectionDocument():
            found = _collection(document, merchant)
        case ShippingDocument():
            found = _option(document)
        case _:
            raise TypeError(f"a {type(document).__name__} is no document that is published")
    expires = () if document.expires is None else (("expiration", str(int(document.expires.timestamp()))),)
    return (*found, *expires)


def separate_places(document: ShippingDocument) -> tuple[ShippingDocument, ...]:
    """An option for each pickup place, since one option names one (SHP-13); the document itself where it has none."""
    return tuple(
        document.model_copy(
            update={
                "id": place.id,
                "title": place.title or f"{document.title}: {place.location or place.id}",
                "location": place.location,
                "geohash": place.geohash,
                "places": (),
            }
        )
        for place in document.places
    ) or (document,)


def rebase(kind: int, old: Tags, known: Tags | None, wanted: Tags, rules: Collection[str]) -> Tags:
    """The tags of the newest version with what is ruled changed, in their order; all others stay (EVT-01, CAT-09).

    `known` is what we would have written for the newest version: a group that says the same stays as its author
    wrote it. None where that is not known, and then every ruled group is written anew.
    """
    if EVERY_TAG in rules:
        return wanted
    changed = {group for group in rules if known is None or _in(kind, known, group) != _in(kind, wanted, group)}
    new = {group: list(_in(kind, wanted, group)) for group in changed}
    last = {group_of(kind, tag): at for at, tag in enumerate(old)}
    merged: list[tuple[str, ...]] = []
    for at, tag in enumerate(old):
        group = group_of(kind, tag)
        if group not in changed:
            merged.append(tag)
            continue
        left = new[group]
        merged += left if at == last[group] else left[:1]
        new[group] = [] if at == last[group] else left[1:]
    rest = [tag for tag in wanted if new.get(group_of(kind, tag))]
    return (*merged, *rest)


def group_of(kind: int, tag: tuple[str, ...]) -> str:
    """What a tag is one of: its name, or the name it is another word for; `a` tags by the kind they point at."""
    name = _ALIASES.get(kind, {}).get(tag[0], tag[0])
    return f"a:{tag[1].split(':', 1)[0]}" if name == "a" and len(tag) > 1 else name


def _in(kind: int, tags: Tags, group: str) -> Tags:
    return tuple(tag for tag in tags if group_of(kind, tag) == group)


def _listing(document: ListingDocument, merchant: str) -> Iterator[tuple[str, ...]]:
    yield "title", document.title
    yield _price(document.price)
    is_physical = bool(document.weight or document.size or document.shipping)
    format_ = document.format or (Format.PHYSICAL if is_physical else Format.DIGITAL)
    yield "type", document.structure.value, format_.value
    yield "visibility", document.visibility.value
    if document.sold:
        yield "status", "sold"
    if document.stock is not None:
        yield "stock", str(document.stock)
    if document.summary:
        yield "summary", document.summary
    for image in document.images:
        if image.order is not None:
            yield "image", image.url, image.size or "", str(image.order)
        else:
            yield ("image", image.url, image.size) if image.size else ("image", image.url)
    for spec in document.specs:
        for key, value in spec.items():
            yield "spec", key, value
    if document.weight:
        yield "weight", *document.weight.split(" ")
    if document.size:
        yield "dim", *document.size.split(" ")
    if location := document.location or _whole(document.location_of, Kind.COLLECTION, merchant):
        yield "location", location
    if geohash := document.geohash or _whole(document.geohash_of, Kind.COLLECTION, merchant):
        yield "g", geohash
    for category in document.categories:
        yield "t", category
    if parent := _whole(document.parent, Kind.PRODUCT, merchant):
        yield "a", parent
    for collection in document.collections:
        yield "a", _whole(collection, Kind.COLLECTION, merchant)
    for wish in document.shipping:
        target = _whole(wish.option, Kind.SHIPPING_OPTION, merchant) or _whole(
            wish.collection, Kind.COLLECTION, merchant
        )
        costs_more = wish.extra and wish.extra.strip("0.")
        yield ("shipping_option", target, wish.extra or "") if costs_more else ("shipping_option", target)


def _collection(document: CollectionDocument, merchant: str) -> Iterator[tuple[str, ...]]:
    yield "title", document.title
    if document.summary:
        yield "summary", document.summary
    if document.image:
        yield "image", document.image
    if document.location:
        yield "location", document.location
    if document.geohash:
        yield "g", document.geohash
    for member in document.members:
        yield "a", _whole(member, Kind.PRODUCT, merchant)
    for option in document.shipping:
        yield "shipping_option", _whole(option, Kind.SHIPPING_OPTION, merchant)


def _option(document: ShippingDocument) -> Iterator[tuple[str, ...]]:
    yield "title", document.title
    yield _price(document.price)
    if document.countries:
        yield "country", *document.countries
    yield "service", document.service
    if document.carrier:
        yield "carrier", document.carrier
    if document.regions:
        yield "region", *document.regions
    if document.duration:
        window, unit = document.duration.split(" ")
        yield "duration", *window.split("-"), unit.upper()
    if document.location:
        yield "location", document.location
    if document.geohash:
        yield "g", document.geohash
    for name in ("weight_min", "weight_max", "size_min", "size_max"):
        if measure := getattr(document, name):
            yield name.replace("_", "-").replace("size", "dim"), *measure.split(" ")
    currency = document.price.split(" ")[1]
    for name in ("price_weight", "price_volume", "price_distance"):
        if price := getattr(document, name):
            yield name.replace("_", "-"), *_unit_price(price, currency)


def _price(text: str) -> tuple[str, ...]:
    amount, unit = text.split(" ")
    currency, _, frequency = unit.partition("/")
    return ("price", amount, currency, _CODES[frequency]) if frequency else ("price", amount, currency)


def _unit_price(text: str, currency: str) -> tuple[str, ...]:
    """Two values in the option's own currency; three only where it is another one (T406-10)."""
    price, unit = text.split("/")
    amount, _, own = price.partition(" ")
    return (amount, own, unit) if own and own != currency else (amount, unit)


def _whole(reference: str | None, kind: Kind, merchant: str) -> str:
    """The address meant: the merchant's own where only an id is written. An id never has the form of an address."""
    if not reference:
        return ""
    return reference if _is_address(reference) else address(kind, merchant, reference)


def _is_address(reference: str) -> bool:
    parts = reference.split(":", 2)
    return len(parts) == 3 and parts[0].isdigit() and len(parts[1]) == 64
