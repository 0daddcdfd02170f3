"""Published events as documents, so that a merchant reads and edits what was written with any client.

What a document cannot say is left out of it and stays in the event: see `schemas.market.writing.rebase`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from schemas.catalogue import Collection, Listing, ShippingOption, Structure, Template, Visibility
from schemas.market.collection import read_collection
from schemas.market.display import read_display
from schemas.market.documents import (
    FREQUENCY_WORDS,
    CollectionDocument,
    Document,
    ListingDocument,
    Place,
    ShippingDocument,
    Size,
    Weight,
    wrongs,
)
from schemas.market.listing import read_listing
from schemas.market.reading import TagReader
from schemas.market.shipping_option import read_shipping_option
from schemas.market.writing import tags_of
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.publishing import Tags

Offer = Listing | ShippingOption | Collection
MODELS: dict[int, type[Document]] = {
    Kind.PRODUCT: ListingDocument,
    Kind.COLLECTION: CollectionDocument,
    Kind.SHIPPING_OPTION: ShippingDocument,
}
"""By kind, what its documents have to be."""

READERS: dict[int, Callable[[Event], Offer]] = {
    Kind.PRODUCT: read_listing,
    Kind.COLLECTION: read_collection,
    Kind.SHIPPING_OPTION: read_shipping_option,
}
"""By kind, who reads its events. Each raises `MarketRefused`."""

_WEIGHT, _SIZE, _PLACE = TypeAdapter[str](Weight), TypeAdapter[str](Size), TypeAdapter[str](Place)


def describe(offer: Offer) -> dict[str, Any]:
    """An offer of the merchant's own as a document's fields; those that say nothing are left out."""
    assert offer.template is not None, "of somebody else's offers no template is kept"
    match offer:
        case Listing():
            found = dict(_listing(offer))
        case ShippingOption():
            found = dict(_option(offer, offer.template))
        case Collection():
            found = dict(_collection(offer, offer.template))
    if offer.expires_at is not None:
        found["expires"] = datetime.fromtimestamp(offer.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found["description"] = offer.template.content
    own = Coordinate.parse(offer.coordinate)
    said = {name: value for name, value in found.items() if value or (value == 0 and value is not False)}
    return _sayable(MODELS[own.kind], {"id": own.d, **said})


def _sayable(model: type[Document], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that a document can say. One that is left out here and there counts as unchanged."""
    for _ in range(len(fields)):
        try:
            model.model_validate(fields)
        except ValidationError as error:
            wrong = {str(path[0]) for path, _ in wrongs(error) if path} or {"service"}
            fields = {name: value for name, value in fields.items() if name not in wrong - {"id", "title", "price"}}
        else:
            break
    return fields


def written(offer: Offer) -> Tags | None:
    """The tags we would write for an offer as it stands; None where a document cannot say it."""
    own = Coordinate.parse(offer.coordinate)
    try:
        return tags_of(MODELS[own.kind].model_validate(describe(offer)), own.pubkey)
    except ValidationError:
        return None


def _listing(listing: Listing) -> Iterator[tuple[str, Any]]:
    tags, display = TagReader(listing.template), read_display(listing.template)
    merchant = Coordinate.parse(listing.coordinate).pubkey
    frequency = FREQUENCY_WORDS.get(listing.price.frequency or "")
    yield "title", listing.title
    yield "price", f"{listing.price.amount:f} {listing.price.currency}" + (f"/{frequency}" if frequency else "")
    yield "summary", display.summary
    if listing.structure is not Structure.SIMPLE:
        yield "structure", listing.structure.value
    yield "format", listing.format.value
    if listing.visibility is not Visibility.ON_SALE:
        yield "visibility", listing.visibility.value
    yield "sold", listing.sold
    if listing.stock is not None:
        yield "stock", listing.stock
    yield "images", [_image(image.url, image.width, image.height, image.order) for image in display.images]
    yield "specs", [{key: value} for key, value in display.specs if key.strip() and value.strip()]
    if listing.weight_g is not None:
        yield "weight", _valid(_WEIGHT, " ".join((tags.first("weight") or ())[1:3]))
    if listing.sides_cm is not None:
        yield "size", _size(tags, "dim")
    yield "location", _valid(_PLACE, listing.location)
    yield "geohash", listing.geohash
    yield "location_of", _short(listing.location_of, merchant)
    yield "geohash_of", _short(listing.geohash_of, merchant)
    yield "categories", list(display.categories)
    yield "parent", _short(listing.parent, merchant)
    yield "collections", [_short(one, merchant) for one in listing.collections]
    yield "shipping", [_shipping(one.coordinate, f"{one.extra:f}", merchant) for one in listing.shipping]


def _collection(collection: Collection, template: Template) -> Iterator[tuple[str, Any]]:
    merchant, display = Coordinate.parse(collection.coordinate).pubkey, read_display(template)
    yield "title", collection.title
    yield "summary", display.summary
    yield "image", display.images[0].url if display.images else None
    yield "location", _valid(_PLACE, collection.location)
    yield "geohash", collection.geohash
    yield "members", [_short(one, merchant) for one in collection.members]
    yield "shipping", [_short(one, merchant) for one in collection.shipping]


def _option(option: ShippingOption, template: Template) -> Iterator[tuple[str, Any]]:
    tags = TagReader(template)
    yield "title", option.title
    yield "price", f"{option.base.amount:f} {option.base.currency}"
    yield "service", option.service
    yield "countries", list(option.countries)
    yield "regions", list(option.regions)
    yield "carrier", option.carrier
    if option.duration_min_h is not None and option.duration_max_h is not None:
        least, most, unit = (*(tags.first("duration") or ())[1:4], "H", "H", "H")[:3]
        yield "duration", f"{least.strip()}-{most.strip()} {unit.strip().lower() or 'h'}"
    yield "location", _valid(_PLACE, option.location)
    yield "geohash", option.geohash
    for name in ("weight-min", "weight-max"):
        yield name.replace("-", "_"), _valid(_WEIGHT, " ".join((tags.first(name) or ())[1:3]))
    for name in ("dim-min", "dim-max"):
        yield name.replace("dim-", "size_"), _size(tags, name)
    for name, price in (
        ("price-weight", option.per_weight),
        ("price-volume", option.per_volume),
        ("price-distance", option.per_distance),
    ):
        if price is not None:
            currency = "" if price.currency == option.base.currency else f" {price.currency}"
            unit = (tags.first(name) or ("",))[-1].strip() if len(tags.first(name) or ()) <= 4 else ""
            yield name.replace("-", "_"), f"{price.amount:f}{currency}/{unit}"


def _image(url: str, width: int | None, height: int | None, order: int | None) -> Any:
    size = f"{width}x{height}" if width and height else None
    if size is None and order is None:
        return url
    return {"url": url, **({"size": size} if size else {}), **({"order": order} if order is not None else {})}


def _shipping(coordinate: str, extra: str, merchant: str) -> Any:
    target = Coordinate.parse(coordinate)
    is_collection, name = target.kind == Kind.COLLECTION, _short(coordinate, merchant)
    if extra == "0" and not is_collection:
        return name
    return {"collection" if is_collection else "option": name, **({} if extra == "0" else {"extra": extra})}


def _size(tags: TagReader, name: str) -> str | None:
    """Of both ways to write a size, the one with its sides in one text."""
    tag = tags.first(name) or ()
    return _valid(_SIZE, f"{'x'.join(tag[1:4])} {tag[4]}" if len(tag) >= 5 else " ".join(tag[1:3]))


def _valid(adapter: TypeAdapter[str], text: str | None) -> str | None:
    """The text as a document has it; None where it cannot say it."""
    try:
        return (
            adapter.validate_python(re.sub(r"[×*]", "x", text))
            if text and adapter is _SIZE
            else (adapter.validate_python(text) if text else None)
        )
    except ValidationError:
        return None


def _short(coordinate: str | None, merchant: str) -> str | None:
    """The id alone where it is the merchant's own and cannot be taken for an address."""
    if coordinate is None:
        return None
    target = Coordinate.parse(coordinate)
    return (
        target.d if target.pubkey == merchant and target.d.strip() == target.d and ":" not in target.d else coordinate
    )
