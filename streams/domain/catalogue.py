"""The catalogue: newest versions win, deletions hold, and our own re-publishing follows the stock."""

from __future__ import annotations

from schemas import limits
from schemas.catalogue import (
    DeletionNoted,
    Listing,
    ListingRecorded,
    ListingRevised,
    RecordDeletion,
    RecordListing,
    RecordShippingOption,
    ReviseListing,
    ShippingOption,
    ShippingOptionRecorded,
    Withdrawn,
)
from schemas.market.listing import with_stock
from schemas.reviews import ReviewWithdrawn
from schemas.stock import StockSet
from streams.domain.decision import Decision
from streams.domain.shop import Shop


def newer(created_at: int, event_id: str, current: Listing | ShippingOption | None) -> bool:
    """Whether a version replaces the current one: later, or as late with the lower id (EVT-02)."""
    if current is None:
        return True
    return (created_at, current.event_id) > (current.created_at, event_id)


def record_listing(decision: Decision, command: RecordListing) -> None:
    """A version by the merchant sets the listing, and its stock the new base (INV-05); our own echo is no news.

    The stock it names is none where it only repeats what an older version said (see `repeats_stock`).
    """
    shop, listing = decision.shop, command.listing
    known = shop.listings.get(listing.coordinate)
    if not newer(listing.created_at, listing.event_id, known) or listing.event_id in shop.deleted_ids:
        return
    if listing.created_at <= shop.withdrawn.get(listing.coordinate, -1):
        return
    decision.emit(ListingRecorded(listing=listing))
    stock = shop.stock.get(listing.coordinate)
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
    if not newer(option.created_at, option.event_id, shop.options.get(option.coordinate)):
        return
    if option.event_id in shop.deleted_ids and _author(option.coordinate) == shop.merchant:
        return
    if option.created_at > shop.withdrawn.get(option.coordinate, -1):
        decision.emit(ShippingOptionRecorded(option=option))


def record_deletion(decision: Decision, command: RecordDeletion) -> None:
    """Only the author's own: by address every version up to the deletion, by id that version (REL-16).

    One that a newer version outlived says nothing: older versions would not win anyway.
    """
    shop = decision.shop
    for coordinate, deleted_at in _deleted(shop, command).items():
        known = shop.listings.get(coordinate) or shop.options.get(coordinate)
        outlived = known is not None and known.created_at > deleted_at
        if deleted_at > shop.withdrawn.get(coordinate, -1) and not outlived:
            decision.emit(Withdrawn(coordinate=coordinate, deleted_at=deleted_at))
    if command.author == shop.merchant and (new := _new_ids(shop, command)):
        decision.emit(DeletionNoted(event_ids=new))
    for product, deleted_at in _deleted_reviews(shop, command).items():
        review = shop.reviews.get((command.author, product))
        outlived = review is not None and review.created_at > deleted_at
        if deleted_at > shop.review_deletions.get((command.author, product), -1) and not outlived:
            decision.emit(ReviewWithdrawn(author=command.author, product=product, deleted_at=deleted_at))


def _deleted(shop: Shop, command: RecordDeletion) -> dict[str, int]:
    """The author's own addresses a deletion reaches, with the newest version it reaches.

    A stranger's are kept only where the shop uses them, as it may a carrier's option (SHP-12).
    """
    deleted = {
        coordinate: command.created_at
        for coordinate in command.coordinates
        if _author(coordinate) == command.author and (command.author == shop.merchant or _is_used(shop, coordinate))
    }
    ids = set(command.event_ids)
    known_versions: tuple[Listing | ShippingOption, ...] = (*shop.listings.values(), *shop.options.values())
    for known in known_versions if ids else ():
        if known.event_id in ids and _author(known.coordinate) == command.author:
            deleted[known.coordinate] = max(known.created_at, deleted.get(known.coordinate, -1))
    return deleted


def _new_ids(shop: Shop, command: RecordDeletion) -> tuple[str, ...]:
    """Ids the merchant deleted and that are not remembered yet, as many as a shop remembers.

    Those of versions known here are among them, for such a version must not come back; others' events are not.
    """
    ids = command.event_ids[: limits.DELETED_IDS.most]
    others = {review.event_id for review in shop.reviews.values()} if ids else set()
    others |= {o.event_id for o in shop.options.values() if _author(o.coordinate) != shop.merchant} if ids else set()
    return tuple(name for name in ids if name not in shop.deleted_ids and name not in others)


def _deleted_reviews(shop: Shop, command: RecordDeletion) -> dict[str, int]:
    """The author's reviews of this shop's products a deletion reaches, known yet or not, with the newest version."""
    prefix = f"31555:{command.author}:a:"
    deleted = {
        product: command.created_at
        for product in (c.removeprefix(prefix) for c in command.coordinates if c.startswith(prefix))
        if _author(product) == shop.merchant or (command.author, product) in shop.reviews
    }
    ids = set(command.event_ids)
    for (author, product), review in shop.reviews.items() if ids else ():
        if author == command.author and review.event_id in ids:
            deleted[product] = max(review.created_at, deleted.get(product, -1))
    return deleted


def _author(coordinate: str) -> str:
    """The key in an address, or nothing."""
    return next(iter(coordinate.split(":", 2)[1:2]), "")


def _is_used(shop: Shop, coordinate: str) -> bool:
    """Whether the shop knows the option, or a listing points at it."""
    listings = shop.listings.values()
    return coordinate in shop.options or any(
        coordinate == ref.coordinate for listing in listings for ref in listing.shipping
    )


def revise_listing(decision: Decision, command: ReviseListing) -> None:
    """Make the version that says what is on hand; none where the published number is right or tracking ended."""
    shop = decision.shop
    listing, stock = shop.listings.get(command.coordinate), shop.stock.get(command.coordinate)
    if listing is None or stock is None or stock.on_hand is None or listing.stock == stock.on_hand:
        return
    created_at = max(decision.at_ms // 1_000, listing.created_at + 1)
    revised = with_stock(listing, shop.merchant, stock.on_hand, created_at)
    decision.emit(ListingRevised(listing=revised))
