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
