"""Stock movements: every change of what is on hand or held, each with its cause (INV-08)."""

from __future__ import annotations

from typing import Literal

from schemas.values import OrderKey, Value


class StockLine(Value):
    """So many units of one listing."""

    coordinate: str
    quantity: int


class StockSet(Value):
    """The merchant said how much is on hand; None ends tracking. Open holds stay and are subtracted (INV-05)."""

    type: Literal["StockSet"] = "StockSet"
    coordinate: str
    on_hand: int | None
    cause: str


class StockHeld(Value):
    """Units are promised to an order that is not paid yet. They count against what is available, not on hand."""

    type: Literal["StockHeld"] = "StockHeld"
    order: OrderKey
    lines: tuple[StockLine, ...]


class StockReleased(Value):
    """An order gave its held units back: cancelled, expired, refused or amended."""

    type: Literal["StockReleased"] = "StockReleased"
    order: OrderKey
    lines: tuple[StockLine, ...]


class StockCommitted(Value):
    """An order was paid: its held units are sold and leave what is on hand."""

    type: Literal["StockCommitted"] = "StockCommitted"
    order: OrderKey
    lines: tuple[StockLine, ...]


class SetStock(Value):
    """A system that keeps the count says how much is on hand; None gives the count back to the listings (INV-11).

    `version` is that system's own and only ever grows: a number that comes late is refused.
    """

    type: Literal["SetStock"] = "SetStock"
    coordinate: str
    on_hand: int | None
    source: str
    version: int
    cause: str


class StockMastered(Value):
    """From here on this system's count is the listing's stock, and edits of the listing change it no more.

    Without a source the listings are master again.
    """

    type: Literal["StockMastered"] = "StockMastered"
    coordinate: str
    source: str | None
    version: int


StockRefusal = Literal["unknown_item", "other_source", "stale_version"]


class StockRefused(Value):
    """A count was not taken: for an unknown listing, from another system than the master, or of an old version."""

    type: Literal["StockRefused"] = "StockRefused"
    coordinate: str
    source: str
    version: int
    reason: StockRefusal
    detail: str
    cause: str


class StockRanLow(Value):
    """What is on hand fell to what the merchant wants to be told of, or to nothing (INV-09)."""

    type: Literal["StockRanLow"] = "StockRanLow"
    coordinate: str
    left: int
