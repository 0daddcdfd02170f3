"""The catalogue: newest versions win, deletions hold, and our own re-publishing follows the stock."""

from __future__ import annotations

from schemas.catalogue import (
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
    """A version by the merchant sets the listing, and its stock the new base (INV-05); our own echo is no news."""
    shop, listing = decision.shop, command.listing
    if not newer(listing.created_at, listing.event_id, shop.listings.get(listing.coordinate)):
        return
    if listing.created_at <= shop.withdrawn.get(listing.coordinate, -1):
        return
    decision.emit(ListingRecorded(listing=listing))
    stock = shop.stock.get(listing.coordinate)
    if stock is None or stock.on_hand != listing.stock:
        decision.emit(StockSet(coordinate=listing.coordinate, on_hand=listing.stock, cause=listing.event_id))


def record_option(decision: Decision, command: RecordShippingOption) -> None:
    """A newer version is quoted from now on; quotes already made keep theirs (SHP-12)."""
    shop, option = decision.shop, command.option
    if not newer(option.created_at, option.event_id, shop.options.get(option.coordinate)):
        return
    if option.created_at > shop.withdrawn.get(option.coordinate, -1):
        decision.emit(ShippingOptionRecorded(option=option))


def record_deletion(decision: Decision, command: RecordDeletion) -> None:
    """Only the author's own: by address every version up to the deletion, by id that version (REL-16)."""
    shop = decision.shop
    if command.author == shop.merchant:
        for coordinate, deleted_at in _deleted(shop, command).items():
            if deleted_at > shop.withdrawn.get(coordinate, -1):
                decision.emit(Withdrawn(coordinate=coordinate, deleted_at=deleted_at))
    for (author, product), review in shop.reviews.items():
        by_address = f"31555:{author}:a:{product}" in command.coordinates
        by_id = review.event_id in command.event_ids
        if author == command.author and (by_id or (by_address and review.created_at <= command.created_at)):
            deleted_at = command.created_at if by_address else review.created_at
            decision.emit(ReviewWithdrawn(author=author, product=product, deleted_at=deleted_at))


def _deleted(shop: Shop, command: RecordDeletion) -> dict[str, int]:
    """The merchant's own addresses a deletion reaches, with the newest version it reaches."""
    deleted = {
        coordinate: command.created_at
        for coordinate in command.coordinates
        if coordinate.split(":", 2)[1:2] == [command.author]
    }
    ids = set(command.event_ids)
    known_versions: tuple[Listing | ShippingOption, ...] = (*shop.listings.values(), *shop.options.values())
    for known in known_versions:
        if known.event_id in ids:
            deleted[known.coordinate] = max(known.created_at, deleted.get(known.coordinate, -1))
    return deleted


def revise_listing(decision: Decision, command: ReviseListing) -> None:
    """Make the version that says what is on hand; none where the published number is right or tracking ended."""
    shop = decision.shop
    listing, stock = shop.listings.get(command.coordinate), shop.stock.get(command.coordinate)
    if listing is None or stock is None or stock.on_hand is None or listing.stock == stock.on_hand:
        return
    created_at = max(decision.at_ms // 1_000, listing.created_at + 1)
    revised = with_stock(listing, shop.merchant, stock.on_hand, created_at)
    decision.emit(ListingRevised(listing=revised))
