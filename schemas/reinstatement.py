"""Reinstating: an order that ended takes the money that came for it too late, and goes on (TR-15, C-04)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.orders import Quote
from schemas.values import Actor, OrderKey, Value


class ReinstateOrder(Value):
    """The merchant takes the late money of an order that expired, failed or was cancelled, and sends the goods.

    Refused where it is short of the order's price, or its goods are not there any more.
    """

    type: Literal["ReinstateOrder"] = "ReinstateOrder"
    order: OrderKey
    cause: str = Field(max_length=128)


class OrderReinstated(Value):
    """An order that ended is paid after all: `credit_msat` of late money count for the price of its `quote`.

    What of that money was owed to the buyer is so no more; a surplus is owed by a fact of its own. The stock is held
    and sold, the order confirmed and the buyer told in the same record, so nobody acts on this one.
    """

    type: Literal["OrderReinstated"] = "OrderReinstated"
    order: OrderKey
    actor: Actor
    quote: Quote
    credit_msat: int
    cause: str
