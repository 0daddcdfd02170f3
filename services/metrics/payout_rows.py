"""What a fact about a pay-out says in the table of events; invoices, which may name people, and boxes are left out."""

from __future__ import annotations

from typing import Any

from schemas.payouts import (
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RefundInvoiceOffered,
    RefundLinkMade,
)
from services.metrics.ranges import int64, short


def payout_columns(
    event: RefundInvoiceOffered | PayoutWanted | PayoutApproved | RefundLinkMade | PayoutDropped | PayoutFailed,
) -> dict[str, Any]:
    """Its columns: the refund's id, how much, who approved, and why it failed."""
    match event:
        case RefundInvoiceOffered():
            return {"amount_msat": int64(event.invoice.amount_msat)}
        case PayoutDropped():
            return {"subject": event.refund_id}
        case PayoutWanted() | RefundLinkMade():
            return {"subject": event.refund_id, "amount_msat": int64(event.amount_msat)}
        case PayoutApproved():
            return {
                "subject": event.refund_id,
                "amount_msat": int64(event.amount_msat),
                "reason": short(event.approver),
            }
        case PayoutFailed():
            return {"subject": event.refund_id, "amount_msat": int64(event.amount_msat), "reason": short(event.reason)}
