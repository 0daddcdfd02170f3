"""What listings, collections and options mean to each other, asked anew each time: whatever order they came in.

A listing is the source of truth: nothing flows from a collection or a parent that it does not point at (CAT-01).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from schemas.catalogue import Collection, Listing, ShippingOption, Structure, Visibility
from streams.domain.shop import Shop


class Orphanhood(StrEnum):
    """Why a variation's parent does not stand by it (CAT-03)."""

    MISSING = "is not there"
    NOT_VARIABLE = "has no variations"
    NOT_FOR_SALE = "is not for sale"


@dataclass(frozen=True, slots=True)
class Membership:
    """One listing and one collection: whether each says so of the other (CAT-07)."""

    collection: str
    claimed: bool
    listed: bool


class MemberState(StrEnum):
    """What a collection's member is to this shop (T405-02)."""

    LIVE = "live"
    DANGLING = "dangling"
    FOREIGN = "foreign"


def is_expired(what: Listing | Collection | ShippingOption, now_s: int) -> bool:
    """Whether its own time is over (NIP-40): from that second on it is gone (REL-17)."""
    return what.expires_at is not None and what.expires_at <= now_s


def is_for_sale(listing: Listing, now_s: int) -> bool:
    """Whether the listing by itself may be sold: neither hidden nor sold nor over."""
    return not (listing.sold or listing.visibility is Visibility.HIDDEN or is_expired(listing, now_s))


def offered(shop: Shop, listing: Listing, now_s: int) -> dict[str, Decimal]:
    """The options a listing points at, and all of the collections it points at, each with its extra cost (SHP-01).

    Reached twice, an option is there once: with the listing's own extra cost, else with the largest (SHP-02).
    """
    collections = shop.collections
    direct: dict[str, Decimal] = {}
    through: dict[str, Decimal] = {}
    for reference in listing.shipping:
        collection = collections.get(reference.coordinate)
        if collection is None:
            direct[reference.coordinate] = reference.extra
        elif not is_expired(collection, now_s):
            for option in collection.shipping:
                through[option] = max(reference.extra, through.get(option, reference.extra))
    return {**direct, **{option: extra for option, extra in through.items() if option not in direct}}


def families(shop: Shop) -> dict[str, list[Listing]]:
    """Every variation by its parent's address, for sale or not; each family in the order of its addresses."""
    families: dict[str, list[Listing]] = {}
    for one in shop.listings.values():
        if one.structure is Structure.VARIATION and (parent := parent_of(one)):
            families.setdefault(parent, []).append(one)
    for family in families.values():
        family.sort(key=lambda one: one.coordinate)
    return families


def parent_of(listing: Listing) -> str | None:
    """A variation's variable product; of one that was read before parents were, what its event says."""
    if listing.parent is not None or listing.structure is not Structure.VARIATION:
        return listing.parent
    named = (tag[1] for tag in listing.template.tags if tag[0] == "a" and len(tag) > 1)
    return next((address for address in named if address.startswith("30402:")), None)


def orphanhood(shop: Shop, listing: Listing, now_s: int) -> Orphanhood | None:
    """Why a variation cannot be sold for want of its parent; None where it can, and for what is none (CAT-03)."""
    parent_address = parent_of(listing)
    if listing.structure is not Structure.VARIATION or parent_address is None:
        return None
    parent = shop.listings.get(parent_address)
    if parent is None:
        return Orphanhood.MISSING
    if parent.structure is not Structure.VARIABLE:
        return Orphanhood.NOT_VARIABLE
    hidden = parent.visibility is Visibility.HIDDEN and parent_address not in shop.hidden  # else for want of its stock
    return Orphanhood.NOT_FOR_SALE if hidden or parent.sold or is_expired(parent, now_s) else None


def location_of(shop: Shop, listing: Listing) -> str | None:
    """Where a listing is, in words: its own, or what the collection it points at says now (T402-11)."""
    if listing.location_of is None:
        return listing.location
    collection = shop.collections.get(listing.location_of)
    return collection.location if collection else None


def geohash_of(shop: Shop, listing: Listing) -> str | None:
    """The same as a geohash; each of the two is inherited by itself."""
    if listing.geohash_of is None:
        return listing.geohash
    collection = shop.collections.get(listing.geohash_of)
    return collection.geohash if collection else None


def unresolved(shop: Shop, listing: Listing) -> tuple[str, ...]:
    """Whatever a listing points at and nobody has seen: options, collections, its parent."""
    pointed = (
        *(reference.coordinate for reference in listing.shipping),
        *listing.collections,
        *filter(None, (listing.location_of, listing.geohash_of, listing.parent)),
    )
    known = (shop.options, shop.collections, shop.listings)
    return tuple(dict.fromkeys(one for one in pointed if not any(one in table for table in known)))


def memberships(shop: Shop, coordinate: str) -> tuple[Membership, ...]:
    """Every collection a listing claims, or that lists it; two relations that need not agree (CAT-07)."""
    listing = shop.listings.get(coordinate)
    claimed = listing.collections if listing else ()
    listed = [name for name, collection in shop.collections.items() if coordinate in collection.members]
    return tuple(Membership(name, name in claimed, name in listed) for name in sorted({*claimed, *listed}))


def members(shop: Shop, collection: Collection) -> tuple[tuple[str, MemberState], ...]:
    """A collection's members in its own order, each with what it is here; none of them is fatal (T405-02)."""

    def state(member: str) -> MemberState:
        if member.split(":", 2)[1] != shop.merchant:
            return MemberState.FOREIGN
        return MemberState.LIVE if member in shop.listings else MemberState.DANGLING

    return tuple((member, state(member)) for member in collection.members)
