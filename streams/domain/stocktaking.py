"""Stock beyond orders: who keeps the count, what a sold-out listing says, and when the merchant hears of it."""

from __future__ import annotations

from schemas.catalogue import Visibility
from schemas.stock import (
    SetStock,
    StockCommitted,
    StockMastered,
    StockRanLow,
    StockRefusal,
    StockRefused,
    StockSet,
)
from streams.domain.decision import Decision
from streams.domain.shop import Master, Shop


def set_stock(decision: Decision, command: SetStock) -> None:
    """A count by a system of the merchant's (INV-11): the first to speak is master until it gives the count back.

    Open holds stay and are subtracted, as after an edit of the listing (INV-05).
    """
    shop, coordinate, version = decision.shop, command.coordinate, command.version
    master = shop.masters.get(coordinate, Master(None, -1))
    if version == master.version and master.source in (None, command.source):
        return
    if coordinate not in shop.listings:
        _refuse(decision, command, "unknown_item", "there is no such listing")
    elif master.source not in (None, command.source):
        _refuse(decision, command, "other_source", f"{master.source} keeps the count")
    elif version < master.version:
        _refuse(decision, command, "stale_version", f"version {master.version} was there before")
    elif command.on_hand is None:
        decision.emit(StockMastered(coordinate=coordinate, source=None, version=version))
    else:
        decision.emit(StockMastered(coordinate=coordinate, source=command.source, version=version))
        if shop.on_hand(coordinate) != command.on_hand:
            cause = f"{command.source} {version}"
            decision.emit(StockSet(coordinate=coordinate, on_hand=command.on_hand, cause=cause))


def _refuse(decision: Decision, command: SetStock, reason: StockRefusal, detail: str) -> None:
    if command.cause not in decision.shop.stock_refusals:
        decision.emit(
            StockRefused(
                coordinate=command.coordinate,
                source=command.source,
                version=command.version,
                reason=reason,
                detail=detail,
                cause=command.cause,
            )
        )


def is_mastered(shop: Shop, coordinate: str) -> bool:
    """Whether a system keeps the count, so that a listing's own number is none."""
    master = shop.masters.get(coordinate)
    return master is not None and master.source is not None


def should_say(shop: Shop, coordinate: str) -> tuple[int, Visibility] | None:
    """The stock and visibility a published listing ought to name; None where nothing is counted or listed.

    Where the merchant wants it, what is sold out is hidden, and shown again once there is some (INV-09).
    What may be ordered before it is there stays to be seen.
    """
    listing, on_hand = shop.listings.get(coordinate), shop.on_hand(coordinate)
    if listing is None or on_hand is None:
        return None
    if shop.settings.hide_sold_out and on_hand == 0 and listing.visibility is Visibility.ON_SALE:
        return on_hand, Visibility.HIDDEN
    if coordinate in shop.hidden and (on_hand > 0 or not shop.settings.hide_sold_out):
        return on_hand, Visibility.ON_SALE
    return on_hand, listing.visibility


def notice_low(decision: Decision) -> None:
    """Add a notice for each listing that the decision brings down to the merchant's mark, or to nothing (INV-09)."""
    shop = decision.shop
    now: dict[str, int | None] = {}
    for event in decision.events:
        match event:
            case StockSet():
                now[event.coordinate] = event.on_hand
            case StockCommitted():
                for line in event.lines:
                    on_hand = now.get(line.coordinate, shop.on_hand(line.coordinate))
                    now[line.coordinate] = None if on_hand is None else max(0, on_hand - line.quantity)
    for coordinate, left in now.items():
        before = shop.on_hand(coordinate)
        if before is None or left is None or left >= before:
            continue
        if left == 0 or left <= shop.settings.low_stock < before:
            decision.emit(StockRanLow(coordinate=coordinate, left=left))
