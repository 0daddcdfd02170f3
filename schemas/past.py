"""Orders from before the shop came here: listed as far as relays tell of them, and never acted upon (REL-11)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.orders import MoveOrder, MoveShipping, OrderLine, OrderStatus, PlaceOrder, ShippingStatus
from schemas.payments import ReportPayment
from schemas.values import OrderKey, Value

Said = Annotated[PlaceOrder | MoveOrder | MoveShipping | ReportPayment, Field(discriminator="type")]
"""What was said in the past: an order, a move of one of its axes, a receipt."""


class PastOrder(Value):
    """What relays have told of a past order so far; whatever comes first, the sum of it is the same (I10).

    `said_at` (unix seconds) and `rumor_id` are those of the order's newest version, 0 and empty while none was seen.
    `buyer_cancelled` and `buyer_completed` are the buyer's own words, which move nothing by themselves.
    `unanswered` is the order itself where it came shortly before the shop did: if the merchant's own copies do not
    show an answer until `answer_at_ms`, it is answered like any other.
    """

    order: OrderKey
    dialect: str = ""
    lines: tuple[OrderLine, ...] = ()
    country: str | None = None
    said_at: int = 0
    rumor_id: str = ""
    status: OrderStatus = OrderStatus.WAITING
    shipping: ShippingStatus = ShippingStatus.NONE
    is_reported: bool = False
    buyer_cancelled: bool = False
    buyer_completed: bool = False
    unanswered: PlaceOrder | None = None
    answer_at_ms: int | None = None


class RecordPast(Value):
    """Something about an order was said at `said_at` (unix seconds), before the shop came here.

    `is_recent` where it is not too old to be answered yet.
    """

    type: Literal["RecordPast"] = "RecordPast"
    order: OrderKey
    said: Said
    said_at: int
    is_recent: bool = False


class AnswerPast(Value):
    """The merchant's own copies had time to show that the order was answered; sent by the decider when it is due."""

    type: Literal["AnswerPast"] = "AnswerPast"
    order: OrderKey


class PastOrderRecorded(Value):
    """More is known of a past order; this is all of it."""

    type: Literal["PastOrderRecorded"] = "PastOrderRecorded"
    past: PastOrder

    @property
    def order(self) -> OrderKey:
        """Whose order it is."""
        return self.past.order
