"""What a merchant offers: listings (30402), collections (30405), shipping options (30406); values, commands, events."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from schemas.values import EventId, Price, PublicKey, Value


class Structure(StrEnum):
    """A listing's place among its variants (market spec §3)."""

    SIMPLE = "simple"
    VARIABLE = "variable"
    VARIATION = "variation"


class Format(StrEnum):
    """Whether a listing needs shipping."""

    DIGITAL = "digital"
    PHYSICAL = "physical"


class Visibility(StrEnum):
    """Whether a listing may be ordered: hidden may not, pre-order may beyond stock."""

    HIDDEN = "hidden"
    ON_SALE = "on-sale"
    PRE_ORDER = "pre-order"


Sides = tuple[Decimal, Decimal, Decimal]
"""A box's three sides in centimetres, the shortest first."""


class Template(Value):
    """The public part of an event as its author wrote it, kept so that a re-publish changes one tag only (EVT-01)."""

    kind: int
    created_at: int
    tags: tuple[tuple[str, ...], ...]
    content: str


class ShippingReference(Value):
    """A listing's pointer at a shipping option, or at all options of a collection (30405), with their extra cost.

    The extra cost is in the listing's currency, and by the shop's rule for each unit, line or order.
    """

    coordinate: str
    extra: Decimal = Decimal(0)


class Listing(Value):
    """A product as the newest version of its event says it. `stock` None means untracked (INV-04).

    `parent` is the variable product of a variation. `collections` are those it claims to be in, which says nothing
    of its price (T402-14). A place is written out, or is a collection's (`location_of`, `geohash_of`; T402-11).
    `volume_cm3` stands only where the listing names one, beside its sides. Pictures, summary, specifications and
    categories stay in the template and are read by `schemas.market.display`.
    `reader` is the version of the reading rules: a newer one's reading of the same event replaces an older one's.
    """

    coordinate: str
    event_id: EventId
    title: str
    price: Price
    structure: Structure = Structure.SIMPLE
    format: Format = Format.DIGITAL
    visibility: Visibility = Visibility.ON_SALE
    sold: bool = False
    stock: int | None = None
    weight_g: Decimal | None = None
    sides_cm: Sides | None = None
    volume_cm3: Decimal | None = None
    expires_at: int | None = None
    parent: str | None = None
    collections: tuple[str, ...] = ()
    location: str | None = None
    geohash: str | None = None
    location_of: str | None = None
    geohash_of: str | None = None
    shipping: tuple[ShippingReference, ...] = ()
    warnings: tuple[str, ...] = ()
    template: Template
    reader: int = 1

    @property
    def created_at(self) -> int:
        """When this version was made, unix seconds."""
        return self.template.created_at


class UnitPrice(Value):
    """A price per unit of weight; the unit is kept in grams, so that the division happens last (SHP-14)."""

    amount: Decimal
    currency: str
    unit_g: Decimal


class VolumePrice(Value):
    """A price per unit of volume, the unit in cubic centimetres."""

    amount: Decimal
    currency: str
    unit_cm3: Decimal


class DistancePrice(Value):
    """A price per unit of distance, the unit in metres."""

    amount: Decimal
    currency: str
    unit_m: Decimal


class Collection(Value):
    """A list of listings with a place and shipping options, which a listing has only where it points here (CAT-01).

    Anybody may make one. `members` are listings of any author, in their order; a shop keeps its own of them.
    """

    coordinate: str
    event_id: EventId
    created_at: int
    title: str
    members: tuple[str, ...] = ()
    shipping: tuple[str, ...] = ()
    location: str | None = None
    geohash: str | None = None
    expires_at: int | None = None
    warnings: tuple[str, ...] = ()
    template: Template | None = None
    reader: int = 1


class ShippingOption(Value):
    """A way to send goods. `countries` empty means world-wide; `regions` narrow only their own country (T406-04).

    Weight bounds are on all of an order, bounds of size on each piece (A-14).
    `unsupported` are rules that are there and cannot be applied; such an option is never used silently (SHP-06).
    """

    coordinate: str
    event_id: EventId
    created_at: int
    title: str
    base: Price
    countries: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    service: str = "standard"
    location: str | None = None
    geohash: str | None = None
    carrier: str | None = None
    duration_min_h: int | None = None
    duration_max_h: int | None = None
    weight_min_g: Decimal | None = None
    weight_max_g: Decimal | None = None
    sides_min_cm: Sides | None = None
    sides_max_cm: Sides | None = None
    per_weight: UnitPrice | None = None
    per_volume: VolumePrice | None = None
    per_distance: DistancePrice | None = None
    expires_at: int | None = None
    unsupported: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    template: Template | None = None
    reader: int = 1

    @property
    def is_pickup(self) -> bool:
        """Whether the buyer comes for the goods: no address and no country are needed (SHP-11)."""
        return self.service == "pickup"


class RecordListing(Value):
    """The merchant published a version of a listing, here or with another client."""

    type: Literal["RecordListing"] = "RecordListing"
    listing: Listing


class RecordShippingOption(Value):
    """A version of a shipping option was seen."""

    type: Literal["RecordShippingOption"] = "RecordShippingOption"
    option: ShippingOption


class RecordCollection(Value):
    """A version of a collection was seen, the merchant's or one of somebody else that a listing may point at."""

    type: Literal["RecordCollection"] = "RecordCollection"
    collection: Collection


class RecordDeletion(Value):
    """`author` asked to delete events by id or addresses up to `created_at` (NIP-09)."""

    type: Literal["RecordDeletion"] = "RecordDeletion"
    author: PublicKey
    created_at: int
    event_ids: tuple[EventId, ...] = ()
    coordinates: tuple[str, ...] = ()


class ReviseListing(Value):
    """Bring the published stock of a listing up to date; sent by the decider, at most once a second a listing."""

    type: Literal["ReviseListing"] = "ReviseListing"
    coordinate: str


class DeletionNoted(Value):
    """The merchant deleted events by id that were not seen yet; should they come, they are gone (REL-16).

    Nothing else follows. The shop remembers a bounded number of ids, the newest.
    """

    type: Literal["DeletionNoted"] = "DeletionNoted"
    event_ids: tuple[EventId, ...]


class ListingRecorded(Value):
    """A newer version of a listing is now the one that sells; orders quoted before keep theirs (CAT-11)."""

    type: Literal["ListingRecorded"] = "ListingRecorded"
    listing: Listing


class ListingRevised(Value):
    """The coordinator made a new version with the new stock; the publisher signs and publishes it (INV-03).

    Called again, the publisher makes the same bytes: the event is fixed by its template.
    """

    type: Literal["ListingRevised"] = "ListingRevised"
    listing: Listing


class ShippingOptionRecorded(Value):
    """A newer version of a shipping option is now the one that is quoted."""

    type: Literal["ShippingOptionRecorded"] = "ShippingOptionRecorded"
    option: ShippingOption


class CollectionRecorded(Value):
    """A newer version of a collection is now the one that listings inherit from."""

    type: Literal["CollectionRecorded"] = "CollectionRecorded"
    collection: Collection


class Withdrawn(Value):
    """Versions of `coordinate` up to `deleted_at` are gone; a newer one may bring it back (REL-16).

    Where the deletion named an event, `event_id` is it: what wins over that very version stays.
    """

    type: Literal["Withdrawn"] = "Withdrawn"
    coordinate: str
    deleted_at: int
    event_id: EventId | None = None
