"""Paying a refund out, to the buyer's own invoice or by a link: who asks, who approves, and what came of it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas import limits
from schemas.ecash import HexName
from schemas.values import EventId, OrderKey, SealedDetails, Value

ApproverName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
"""Who approves, as the operator named them."""
INVOICE_CHARS_MAX = 2_000
"""Real invoices are shorter; a longer one is only a letter."""
LIGHTNING = "lightning"
"""The rail of what was paid to an invoice."""
BTCPAY = "btcpay"
"""The rail of what was claimed by a link."""


class OfferedInvoice(Value):
    """A BOLT-11 invoice that a buyer's message shows, as its own signature proves it; `expires_at` is unix seconds."""

    text: str = Field(max_length=INVOICE_CHARS_MAX)
    amount_msat: int = Field(ge=1)
    payment_hash: HexName
    expires_at: int


def refund_id_of(order: OrderKey, payment_hash: str) -> str:
    """The name of the one refund that an order's buyer gets by this invoice: 64 hex digits."""
    return hashlib.sha256(f"refund:{order.ref}:{payment_hash}".encode()).hexdigest()


def link_refund_id_of(order: OrderKey, cause: str) -> str:
    """The name of the refund that an order's buyer claims by a link, by the word that asked for it: 64 hex digits."""
    return hashlib.sha256(f"refund by link:{order.ref}:{cause}".encode()).hexdigest()


# Commands


class WantPayout(Value):
    """The merchant wants money paid back to the order's buyer; None: all that is owed, or else all that is left.

    `by_link`: the shop's wallet gives out a link to claim it by, so no invoice of the buyer's is needed.
    """

    type: Literal["WantPayout"] = "WantPayout"
    order: OrderKey
    amount_msat: int | None = Field(default=None, ge=1)
    by_link: bool = False
    cause: str = Field(max_length=128)


class ApprovePayout(Value):
    """Another person approves what was asked for, and says how much that is."""

    type: Literal["ApprovePayout"] = "ApprovePayout"
    order: OrderKey
    amount_msat: int = Field(ge=1)
    approver: ApproverName
    cause: str = Field(max_length=128)


class DropPayout(Value):
    """What was asked for and not approved yet is not to be paid."""

    type: Literal["DropPayout"] = "DropPayout"
    order: OrderKey
    cause: str = Field(max_length=128)


class RecordRefundLink(Value):
    """The wallet made the link of an approved pay-out. Whoever has it has the money, so it stands in the box alone."""

    type: Literal["RecordRefundLink"] = "RecordRefundLink"
    order: OrderKey
    refund_id: HexName
    sealed: SealedDetails


class RecordPayoutFailure(Value):
    """The wallet did not pay, for good: nothing was sent, and nothing will be for this refund."""

    type: Literal["RecordPayoutFailure"] = "RecordPayoutFailure"
    order: OrderKey
    refund_id: HexName
    reason: str = Field(max_length=limits.REFUND_REASON.most)


# Events


class RefundInvoiceOffered(Value):
    """The buyer says where the order's money may go back to (F13). Only the newest one counts; nothing else follows."""

    type: Literal["RefundInvoiceOffered"] = "RefundInvoiceOffered"
    order: OrderKey
    invoice: OfferedInvoice
    rumor_id: EventId


class PayoutWanted(Value):
    """So much is to go to this invoice, or by a link where there is none, once another person approves.

    Until then nobody acts on it.
    """

    type: Literal["PayoutWanted"] = "PayoutWanted"
    order: OrderKey
    refund_id: HexName
    amount_msat: int
    invoice: OfferedInvoice | None = None
    cause: str


class PayoutApproved(Value):
    """The payments role pays the invoice, once, and says by `RecordRefund` or `RecordPayoutFailure` what came of it.

    Without an invoice it has the wallet make a link, once, and says that first (`RecordRefundLink`).
    `intent_id` is the request that the order's money came for.
    """

    type: Literal["PayoutApproved"] = "PayoutApproved"
    order: OrderKey
    refund_id: HexName
    amount_msat: int
    invoice: OfferedInvoice | None = None
    intent_id: HexName | None = None
    approver: str
    cause: str


class RefundLinkMade(Value):
    """The buyer can claim the money: the reply in the same record has the same box, which is opened where it is sent.

    The payments role goes on asking the wallet whether it was claimed; from here on the pay-out cannot fail.
    """

    type: Literal["RefundLinkMade"] = "RefundLinkMade"
    order: OrderKey
    refund_id: HexName
    amount_msat: int
    sealed: SealedDetails


class PayoutDropped(Value):
    """It was not approved, and is not asked for any more."""

    type: Literal["PayoutDropped"] = "PayoutDropped"
    order: OrderKey
    refund_id: HexName
    cause: str


class PayoutFailed(Value):
    """It was approved and not paid; its invoice is never tried again. The payments role forgets it."""

    type: Literal["PayoutFailed"] = "PayoutFailed"
    order: OrderKey
    refund_id: HexName
    amount_msat: int
    reason: str
