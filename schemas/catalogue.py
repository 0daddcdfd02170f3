"""What a merchant offers: listings (kind 30402) and shipping options (kind 30406), as values, commands, events."""

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


class Template(Value):
    """The public part of an event as its author wrote it, kept so that a re-publish changes one tag only (EVT-01)."""

    kind: int
    created_at: int
    tags: tuple[tuple[str, ...], ...]
    content: str


class ShippingReference(Value):
    """A listing's pointer at a shipping option, with its extra cost per unit in the listing's currency."""

    coordinate: str
    extra: Decimal = Decimal(0)


class Listing(Value):
    """A product as the newest version of its event says it. `stock` None means untracked (INV-04)."""

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
    expires_at: int | None = None
    shipping: tuple[ShippingReference, ...] = ()
    warnings: tuple[str, ...] = ()
    template: Template

    @property
    def created_at(self) -> int:
        """When this version was made, unix seconds."""
        return self.template.created_at


class UnitPrice(Value):
    """A price per unit of weight; the unit is kept in grams, so that the division happens last (SHP-14)."""

    amount: Decimal
    currency: str
    unit_g: Decimal


class ShippingOption(Value):
    """A way to send goods. `countries` empty means world-wide; `regions` narrow only their own country (T406-04)."""

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
    weight_min_g: Decimal | None = None
    weight_max_g: Decimal | None = None
    per_weight: UnitPrice | None = None
    unsupported: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

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


class Withdrawn(Value):
    """Versions of `coordinate` up to `deleted_at` are gone; a newer one may bring it back (REL-16)."""

    type: Literal["Withdrawn"] = "Withdrawn"
    coordinate: str
    deleted_at: int
