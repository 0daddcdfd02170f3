"""What facts about listings and stock do to the shop; `evolve` says which fact does what."""

from __future__ import annotations

from schemas.catalogue import (
    Listing,
    ListingRecorded,
    ListingRevised,
    Visibility,
    Withdrawn,
)
from schemas.stock import StockLine
from streams.domain.shop import (
    CAUSES_MAX,
    Shop,
    Stock,
)
from streams.domain.stocktaking import should_say


def move_stock(shop: Shop, lines: tuple[StockLine, ...], held: int, on_hand: int = 0) -> None:
    """Change what is held, and what is on hand where that is tracked."""
    for line in lines:
        stock = shop.stock.get(line.coordinate, Stock())
        left = None if stock.on_hand is None else stock.on_hand + on_hand * line.quantity
        set_stock(shop, line.coordinate, Stock(left, stock.held + held * line.quantity))


def set_stock(shop: Shop, coordinate: str, stock: Stock) -> None:
    """The units of one listing, and whether its published number still says so."""
    shop.stock[coordinate] = stock
    note_stale(shop, coordinate)


def note_stale(shop: Shop, coordinate: str) -> None:
    """Keep the set of listings that do not say what they ought to."""
    listing, wanted = shop.listings.get(coordinate), should_say(shop, coordinate)
    if listing and wanted and (listing.stock, listing.visibility) != wanted:
        shop.stale.add(coordinate)
    else:
        shop.stale.discard(coordinate)


def note_hidden(shop: Shop, event: ListingRecorded | ListingRevised) -> None:
    """A listing is hidden by us from the version in which we hid it, until a version shows it again."""
    coordinate, before = event.listing.coordinate, shop.listings.get(event.listing.coordinate)
    if event.listing.visibility is not Visibility.HIDDEN:
        shop.hidden.pop(coordinate, None)
    elif isinstance(event, ListingRevised) and before and before.visibility is not Visibility.HIDDEN:
        shop.hidden[coordinate] = None


def note_said_stock(shop: Shop, listing: Listing) -> None:
    """The numbers our versions named, the newest last; so many as a client may reasonably have kept."""
    if listing.stock is not None:
        said = shop.said_stock.get(listing.coordinate, ())
        shop.said_stock[listing.coordinate] = (*said, listing.stock)[-CAUSES_MAX:]


def withdraw(shop: Shop, event: Withdrawn) -> None:
    """Forget what does not win over a deletion: of everything up to a time, or of one version."""
    if event.event_id is None:
        shop.withdrawn[event.coordinate] = event.deleted_at
    else:
        shop.retired[event.coordinate] = (event.deleted_at, event.event_id)
    for table in (shop.listings, shop.options, shop.collections, shop.preferences, shop.drafts):
        known = table.get(event.coordinate)
        if known is not None and is_reached(event, known.created_at, known.event_id):
            del table[event.coordinate]
    note_stale(shop, event.coordinate)


def is_reached(deletion: Withdrawn, created_at: int, event_id: str) -> bool:
    """Whether a deletion takes this version: up to its time, or the very version it names and what that replaced."""
    if created_at != deletion.deleted_at or deletion.event_id is None:
        return created_at <= deletion.deleted_at
    return event_id >= deletion.event_id
