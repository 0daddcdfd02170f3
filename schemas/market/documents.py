"""Listings, collections and shipping options as a merchant writes them: documents with plain words for fields (CAT-08).

Each text is checked as strictly as it is written (market spec §3); what is wrong is said in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from schemas import limits
from schemas.catalogue import Format, Structure, Visibility
from schemas.market.countries import country_code
from schemas.market.geohash import geohash_of
from schemas.market.listing import FREQUENCIES, STOCK_MAX
from schemas.market.reading import currency_code, exact_decimal
from schemas.market.units import CUBIC_CENTIMETRES, GRAMS, METRES, in_unit, measured, sides
from schemas.nostr.nip01 import writable

FREQUENCY_WORDS = {"H": "hour", "D": "day", "W": "week", "M": "month", "Y": "year"}
_PRICE = re.compile(r"([0-9.]+)\s+([A-Za-z]{3,5})(?:\s*/\s*([A-Za-z0-9]+))?")
_MEASURE = re.compile(r"([0-9.]+)\s*([A-Za-z]{1,3})")
_SIZE = re.compile(r"([0-9.]+\s*x\s*[0-9.]+\s*x\s*[0-9.]+)\s*([A-Za-z]{1,3})", re.IGNORECASE)
_UNIT_PRICE = re.compile(r"([0-9.]+)(?:\s+([A-Za-z]{3,5}))?\s*/\s*([A-Za-z0-9³]{1,4})")
_DURATION = re.compile(r"([0-9]{1,5})\s*-\s*([0-9]{1,5})\s*([HDWhdw])")
_PIXELS = re.compile(r"[1-9][0-9]{0,5}x[1-9][0-9]{0,5}")
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")


def _text(text: str) -> str:
    if writable(text) != text or (not text.isprintable() and any("\ud800" <= one <= "\udfff" for one in text)):
        raise ValueError("has characters in it that no two clients read alike")
    return text


def _line(text: str) -> str:
    if not _text(text).strip():
        raise ValueError("is blank")
    return text.strip()


def _title(text: str) -> str:
    if len(line := _line(text)) > limits.TITLE.most:
        raise ValueError(f"has more than {limits.TITLE.most} characters")
    return line


def _place(text: str) -> str:
    if len(line := _line(text)) > limits.PLACE.most:
        raise ValueError(f"has more than {limits.PLACE.most} characters")
    if re.match(r"30405:", line):
        raise ValueError("is written out here: a collection's place is inherited with location_of")
    return line


def _price(text: str) -> str:
    found = _PRICE.fullmatch(text.strip())
    amount = exact_decimal(found[1]) if found else None
    if found is None or amount is None:
        raise ValueError("is an amount and a currency, like '10.99 EUR', and perhaps how often: '5 USD/month'")
    if not found[3]:
        return f"{found[1]} {found[2].upper()}"
    frequency = FREQUENCIES.get(found[3].lower().removeprefix("p1"))
    if frequency is None:
        raise ValueError("recurs every hour, day, week, month or year")
    return f"{found[1]} {found[2].upper()}/{FREQUENCY_WORDS[frequency]}"


def _amount(text: str) -> str:
    if exact_decimal(text.strip()) is None:
        raise ValueError("is an amount like 2.50, in the listing's currency")
    return text.strip()


def _weight(text: str) -> str:
    found = _MEASURE.fullmatch(text.strip())
    if found is None or measured(("", found[1], found[2]), GRAMS) is None:
        raise ValueError(f"is a number and one of {', '.join(GRAMS)}, like '400 g'")
    return f"{found[1]} {found[2].lower()}"


def _size(text: str) -> str:
    found = _SIZE.fullmatch(text.strip())
    if found is None or sides(("", found[1], found[2])) is None:
        raise ValueError("is length x width x height and mm, cm, m, in or ft, like '10x20x5 cm'")
    return f"{re.sub(r'\s', '', found[1]).lower()} {found[2].lower()}"


def _geohash(text: str) -> str:
    if (cell := geohash_of(text)) is None:
        raise ValueError("is a geohash: 1 to 12 letters and digits without a, i, l and o")
    return cell


def _country(text: str) -> str:
    if (code := country_code(text)) is None:
        raise ValueError("is a country's two letters (ISO 3166-1), like DE")
    return code


def _region(text: str) -> str:
    if not _REGION.fullmatch(code := text.strip().upper()):
        raise ValueError("is a region's code (ISO 3166-2), like US-FL")
    return code


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://\S+", url := text.strip()):
        raise ValueError("is an address that begins with https:// or http://")
    return url


def _pixels(text: str) -> str:
    if not _PIXELS.fullmatch(text.strip()):
        raise ValueError("is width x height in pixels, like 800x600")
    return text.strip()


def _duration(text: str) -> str:
    found = _DURATION.fullmatch(text.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError("is from-to and h, d or w (hours, days, weeks), like '2-4 d'")
    return f"{int(found[1])}-{int(found[2])} {found[3].lower()}"


def _unit_price(text: str, table: Mapping[str, Decimal]) -> str:
    found = _UNIT_PRICE.fullmatch(text.strip())
    if found is None or exact_decimal(found[1]) is None or in_unit(found[3], table) is None:
        raise ValueError(
            f"is a price for a unit, like '0.75/{next(iter(table))}', and the unit one of: {', '.join(table)}"
        )
    currency = f" {found[2].upper()}" if found[2] and currency_code(found[2]) else ""
    return f"{found[1]}{currency}/{found[3].lower()}"


def _instant(value: datetime) -> datetime:
    instant = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    if instant.timestamp() < 0:
        raise ValueError("lies before 1970")
    return instant


Text = Annotated[str, AfterValidator(_text)]
Line = Annotated[str, AfterValidator(_line)]
Title = Annotated[str, AfterValidator(_title)]
Place = Annotated[str, AfterValidator(_place)]
Geohash = Annotated[str, AfterValidator(_geohash)]
PriceText = Annotated[str, AfterValidator(_price)]
Amount = Annotated[str, AfterValidator(_amount)]
Weight = Annotated[str, AfterValidator(_weight)]
Size = Annotated[str, AfterValidator(_size)]
Url = Annotated[str, AfterValidator(_url)]
Instant = Annotated[datetime, AfterValidator(_instant)]
Reference = Line
"""The id of one of the merchant's own, or a whole address (`30406:<key>:<id>`)."""


def wrongs(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """Where in a document something is wrong, and what; never what stood there."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [(one["loc"], one["msg"].removeprefix("Value error, ")) for one in found]


class Document(BaseModel):
    """What all three have. A field that is left out is what the market spec says it then is."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)

    id: Annotated[Line, Field(max_length=256)]
    title: Title
    description: Text = ""
    location: Place | None = None
    geohash: Geohash | None = None
    expires: Instant | None = None


class ImageWish(BaseModel):
    """A picture with its size and sorting number."""

    model_config = Document.model_config

    url: Url
    size: Annotated[str, AfterValidator(_pixels)] | None = None
    order: int | None = None


class ShippingWish(BaseModel):
    """An option, or all of a collection's, with what it costs more for this listing."""

    model_config = Document.model_config

    option: Reference | None = None
    collection: Reference | None = None
    extra: Amount | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.option is None) is (self.collection is None):
            raise ValueError("names either an option or a collection")
        return self


def _image_wish(value: object) -> object:
    return {"url": value} if isinstance(value, str) else value


def _shipping_wish(value: object) -> object:
    return {"option": value} if isinstance(value, str) else value


class ListingDocument(Document):
    """A listing, kind 30402. `specs` are key and value, each in a mapping of its own, so that keys may repeat."""

    price: PriceText
    summary: Line | None = None
    structure: Structure = Structure.SIMPLE
    format: Format | None = None
    """Left out: physical where it has a weight, a size or shipping, else digital."""
    visibility: Visibility = Visibility.ON_SALE
    sold: bool = False
    stock: Annotated[int, Field(ge=0, le=STOCK_MAX)] | None = None
    images: tuple[Annotated[ImageWish, BeforeValidator(_image_wish)], ...] = ()
    specs: tuple[dict[Line, Line], ...] = ()
    weight: Weight | None = None
    size: Size | None = None
    location_of: Reference | None = None
    geohash_of: Reference | None = None
    categories: tuple[Line, ...] = ()
    parent: Reference | None = None
    collections: tuple[Reference, ...] = ()
    shipping: tuple[Annotated[ShippingWish, BeforeValidator(_shipping_wish)], ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.parent is not None) is not (self.structure is Structure.VARIATION):
            raise ValueError("a variation, and nothing else, has a parent")
        if (self.location and self.location_of) or (self.geohash and self.geohash_of):
            raise ValueError("a place is written out or a collection's, not both")
        return self


class CollectionDocument(Document):
    """A collection, kind 30405."""

    summary: Line | None = None
    image: Url | None = None
    members: tuple[Reference, ...] = ()
    shipping: tuple[Reference, ...] = ()


class PickupPlace(BaseModel):
    """One place of several where the goods can be fetched; it becomes an option of its own (SHP-13)."""

    model_config = Document.model_config

    id: Line
    title: Title | None = None
    location: Place | None = None
    geohash: Geohash | None = None


class ShippingDocument(Document):
    """A shipping option, kind 30406. No country means world-wide."""

    price: PriceText
    service: Literal["standard", "express", "overnight", "pickup"] = "standard"
    countries: tuple[Annotated[str, AfterValidator(_country)], ...] = ()
    regions: tuple[Annotated[str, AfterValidator(_region)], ...] = ()
    carrier: Annotated[Line, Field(max_length=limits.CARRIER.most)] | None = None
    duration: Annotated[str, AfterValidator(_duration)] | None = None
    weight_min: Weight | None = None
    weight_max: Weight | None = None
    size_min: Size | None = None
    size_max: Size | None = None
    price_weight: Annotated[str, AfterValidator(lambda text: _unit_price(text, GRAMS))] | None = None
    price_volume: Annotated[str, AfterValidator(lambda text: _unit_price(text, CUBIC_CENTIMETRES))] | None = None
    price_distance: Annotated[str, AfterValidator(lambda text: _unit_price(text, METRES))] | None = None
    places: tuple[PickupPlace, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "/" in self.price:
            raise ValueError("a shipping price does not recur")
        if self.service == "pickup" and not (self.location or self.geohash or self.places):
            raise ValueError("a pickup needs a location or a geohash")
        if any(not (place.location or place.geohash) for place in self.places):
            raise ValueError("each of the places needs a location or a geohash")
        if self.places and self.service != "pickup":
            raise ValueError("only a pickup has places")
        return self
