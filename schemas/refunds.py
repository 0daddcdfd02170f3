"""Refunds: money the merchant gave back, as the merchant says, or as the wallet that paid it out does (TR-14, C-01)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas import limits
from schemas.values import OrderKey, Value


class OwedFor(StrEnum):
    """Why the shop holds money that is the buyer's."""

    OVER = "over"
    DOUBLE = "double"
    UNFINISHED = "unfinished"


class RefundOwed(Value):
    """The shop holds so much more than the order costs (C-03, C-05), or than an order that ended took (C-02).

    Nobody acts on it: the merchant gives it back and says so, has it paid out, or keeps it with the buyer's leave.
    """

    type: Literal["RefundOwed"] = "RefundOwed"
    order: OrderKey
    amount_msat: int
    reason: OwedFor


class RecordRefund(Value):
    """The merchant gave back `amount_msat` over `rail`; `reference` finds it there. Never more than came in.

    What was paid out here has its refund's id as the cause; `fee_msat` is what sending it cost the merchant.
    """

    type: Literal["RecordRefund"] = "RecordRefund"
    order: OrderKey
    amount_msat: int = Field(ge=1)
    rail: str = Field(min_length=1, max_length=limits.REFUND_RAIL.most)
    reference: str = Field(default="", max_length=limits.REFUND_REFERENCE.most)
    reason: str = Field(default="", max_length=limits.REFUND_REASON.most)
    cause: str = Field(max_length=128)
    fee_msat: int = Field(default=0, ge=0)


class RefundRecorded(Value):
    """So much was given back. The buyer is told, and an order that got all of it back is over, in the same record.

    Nobody acts on it: the money has moved already.
    """

    type: Literal["RefundRecorded"] = "RefundRecorded"
    order: OrderKey
    amount_msat: int
    rail: str
    reference: str = ""
    reason: str = ""
    cause: str
    fee_msat: int = 0
