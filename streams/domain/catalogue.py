"""The catalogue: newest versions win, deletions hold, and our own re-publishing follows the stock."""

from __future__ import annotations

from collections.abc import Mapping

from schemas import limits
from schemas.catalogue import (
    Collection,
    CollectionRecorded,
    DeletionNoted,
    Listing,
    ListingRecorded,
    ListingRevised,
    RecordCollection,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
    ShippingOption,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.market.listing import with_stock
from schemas.preferences import Preference
from schemas.reviews import ReviewWithdrawn
from schemas.stock import StockSet
from streams.domain import stocktaking
from streams.domain.decision import Decision
from streams.domain.shop import Shop

Offer = Listing | ShippingOption | Collection | Preference


def newer(created_at: int, event_id: str, current: Offer | None) -> bool:
    """Whether a version replaces the current one: later, or as late with the lower id (EVT-02)."""
    if current is None:
        return True
    return (created_at, current.event_id) > (current.created_at, event_id)


def is_news(decision: Decision, offer: Offer, known: Offer | None) -> bool:
    """Whether a version is the one that counts from now on, whatever came before it and in whatever order.

    One that was deleted by its id before it came takes with it what it replaced, as if the two had come in turn.
    A version we have is news again where newer rules have read it (`READER`).
    """
    shop, coordinate = decision.shop, offer.coordinate
    if known is not None and offer.event_id == known.event_id and offer.created_at == known.created_at:
        return offer.reader > known.reader
    if not newer(offer.created_at, offer.event_id, known) or not _outlives(shop, offer):
        return False
    if offer.event_id in shop.deleted_ids and author_of(coordinate) == shop.merchant:
        decision.emit(Withdrawn(coordinate=coordinate, deleted_at=offer.created_at, event_id=offer.event_id))
        return False
    return True


def _outlives(shop: Shop, offer: Offer) -> bool:
    """Whether no deletion reaches this version: neither up to a time, nor of a version that wins over it."""
    if offer.created_at <= shop.withdrawn.get(offer.coordinate, -1):
        return False
    deleted_at, event_id = shop.retired.get(offer.coordinate, (-1, ""))
    return (offer.created_at, event_id) > (deleted_at, offer.event_id)


def record_listing(decision: Decision, command: RecordListing) -> None:
    """A version by the merchant sets the listing, and its stock the new base (INV-05); our own echo is no news.

    The stock it names is none where it only repeats what an older version said (see `repeats_stock`).
    """
    shop, listing = decision.shop, command.listing
    known = shop.listings.get(listing.coordinate)
    if not is_news(decision, listing, known):
        return
    decision.emit(ListingRecorded(listing=listing))
    stock = shop.stock.get(listing.coordinate)
    if stocktaking.is_mastered(shop, listing.coordinate):
        return
    if stock is None or (stock.on_hand != listing.stock and not repeats_stock(shop, known, listing)):
        decision.emit(StockSet(coordinate=listing.coordinate, on_hand=listing.stock, cause=listing.event_id))


def repeats_stock(shop: Shop, known: Listing | None, listing: Listing) -> bool:
    """Whether an edit names a stock only because its client did not know of sales yet (CAT-09, INV-03).

    The number of the version it replaces is no news; an older one is none either where the edit changed
    something else. An older number in an otherwise unchanged listing is what a merchant writes who restocked.
    """
    if known is None or known.stock is None or listing.stock is None:
        return False
    if listing.stock == known.stock:
        return True
    old, new = known.template, listing.template
    edited = _without_stock(old.tags) != _without_stock(new.tags) or old.content != new.content
    return edited and listing.stock in shop.said_stock.get(listing.coordinate, ())


def _without_stock(tags: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    return [tag for tag in tags if tag[0] not in ("stock", "quantity")]


def record_option(decision: Decision, command: RecordShippingOption) -> None:
    """A newer version is quoted from now on; quotes already made keep theirs (SHP-12)."""
    shop, option = decision.shop, command.option
    if not is_news(decision, option, shop.options.get(option.coordinate)):
        return
    if author_of(option.coordinate) != shop.merchant:
        if not _has_room(shop, option.coordinate):
            return
        option = option.model_copy(update={"template": None})
    decision.emit(ShippingOptionRecorded(option=option))


def record_collection(decision: Decision, command: RecordCollection) -> None:
    """A newer version is what listings inherit from, where they point at it. Of somebody else's, little is kept."""
    shop, collection = decision.shop, command.collection
    if not is_news(decision, collection, shop.collections.get(collection.coordinate)):
        return
    if author_of(collection.coordinate) != shop.merchant:
        if not _has_room(shop, collection.coordinate):
            return
        own = tuple(member for member in collection.members if author_of(member) == shop.merchant)
        collection = collection.model_copy(update={"template": None, "members": own})
    decision.emit(CollectionRecorded(collection=collection))


def _has_room(shop: Shop, coordinate: str) -> bool:
    """Whether something of somebody else's is kept: what is pointed at always, the rest up to a figure.

    It may come before the listing that points at it; and a relay may bring what nobody asked for.
    """
    if coordinate in shop.options or coordinate in shop.collections:
        return True
    used = pointed_at(shop)
    kept = [one for table in (shop.options, shop.collections) for one in table if author_of(one) != shop.merchant]
    return coordinate in used or sum(one not in used for one in kept) < limits.FOREIGN_OFFERS.most


def pointed_at(shop: Shop) -> set[str]:
    """Every address that a listing points at, or a collection that one points at."""
    used: set[str] = set()
    for listing in shop.listings.values():
        used.update(reference.coordinate for reference in listing.shipping)
        used.update(filter(None, (listing.location_of, listing.geohash_of)))
    for name in [name for name in used if name in shop.collections]:
        used.update(shop.collections[name].shipping)
    return used


def record_deletion(decision: Decision, command: RecordDeletion) -> None:
    """Only the author's own: by address every version up to the deletion, by id that version (REL-16).

    One that a newer version outlived says nothing: older versions would not win anyway.
    """
    shop = decision.shop
    for coordinate in _deleted(shop, command):
        known = _known(shop, coordinate)
        outlived = known is not None and known.created_at > command.created_at
        if command.created_at > shop.withdrawn.get(coordinate, -1) and not outlived:
            decision.emit(Withdrawn(coordinate=coordinate, deleted_at=command.created_at))
    for known in _deleted_versions(shop, command):
        coordinate, deleted_at = known.coordinate, known.created_at
        decision.emit(Withdrawn(coordinate=coordinate, deleted_at=deleted_at, event_id=known.event_id))
    if command.author == shop.merchant and (new := _new_ids(shop, command)):
        decision.emit(DeletionNoted(event_ids=new))
    for product, deleted_at in _deleted_reviews(shop, command).items():
        review = shop.reviews.get((command.author, product))
        outlived = review is not None and review.created_at > deleted_at
        if deleted_at > shop.review_deletions.get((command.author, product), -1) and not outlived:
            decision.emit(ReviewWithdrawn(author=command.author, product=product, deleted_at=deleted_at))


def _deleted(shop: Shop, command: RecordDeletion) -> list[str]:
    """The author's own addresses a deletion names.

    A stranger's are kept only where the shop uses them, as it may a carrier's option (SHP-12).
    """
    own = [coordinate for coordinate in command.coordinates if author_of(coordinate) == command.author]
    if command.author == shop.merchant or not own:
        return own
    used = pointed_at(shop)
    tables = (shop.options, shop.collections, shop.preferences)
    return [one for one in own if one in used or any(one in table for table in tables)]


def _deleted_versions(shop: Shop, command: RecordDeletion) -> list[Offer]:
    """The author's versions that a deletion names by their id and that its addresses do not reach."""
    ids = set(command.event_ids)
    known: tuple[Offer, ...] = tuple(one for table in _tables(shop) for one in table.values()) if ids else ()
    return [
        one
        for one in known
        if one.event_id in ids
        and author_of(one.coordinate) == command.author
        and not (one.coordinate in command.coordinates and one.created_at <= command.created_at)
    ]


def _known(shop: Shop, coordinate: str) -> Offer | None:
    return next((table[coordinate] for table in _tables(shop) if coordinate in table), None)


def _tables(shop: Shop) -> tuple[Mapping[str, Offer], ...]:
    """Everything that is kept by address and can be deleted."""
    return shop.listings, shop.options, shop.collections, shop.preferences


def _new_ids(shop: Shop, command: RecordDeletion) -> tuple[str, ...]:
    """Ids the merchant deleted and that are not remembered yet, as many as a shop remembers.

    Those of versions known here are among them, for such a version must not come back; others' events are not.
    """
    ids = command.event_ids[: limits.DELETED_IDS.most]
    others = {review.event_id for review in shop.reviews.values()} if ids else set()
    for table in _tables(shop)[1:] if ids else ():
        others |= {one.event_id for one in table.values() if author_of(one.coordinate) != shop.merchant}
    return tuple(name for name in ids if name not in shop.deleted_ids and name not in others)


def _deleted_reviews(shop: Shop, command: RecordDeletion) -> dict[str, int]:
    """The author's reviews of this shop's products a deletion reaches, known yet or not, with the newest version."""
    prefix = f"31555:{command.author}:a:"
    deleted = {
        product: command.created_at
        for product in (c.removeprefix(prefix) for c in command.coordinates if c.startswith(prefix))
        if author_of(product) == shop.merchant or (command.author, product) in shop.reviews
    }
    ids = set(command.event_ids)
    for (author, product), review in shop.reviews.items() if ids else ():
        if author == command.author and review.event_id in ids:
            deleted[product] = max(review.created_at, deleted.get(product, -1))
    return deleted


def author_of(coordinate: str) -> str:
    """The key in an address, or nothing."""
    return next(iter(coordinate.split(":", 2)[1:2]), "")


def revise_listing(decision: Decision, command: ReviseListing) -> None:
    """Make the version that says what is on hand; none where the published number is right or tracking ended."""
    shop = decision.shop
    listing, wanted = shop.listings.get(command.coordinate), stocktaking.should_say(shop, command.coordinate)
    if listing is None or wanted is None or (listing.stock, listing.visibility) == wanted:
        return
    created_at = max(decision.at_ms // 1_000, listing.created_at + 1)
    on_hand, visibility = wanted
    revised = with_stock(listing, shop.merchant, on_hand, created_at, visibility)
    decision.emit(ListingRevised(listing=revised))
