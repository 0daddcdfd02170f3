"""Examples of what is said about pay-outs."""

from __future__ import annotations

from schemas.payouts import (
    ApprovePayout,
    DropPayout,
    OfferedInvoice,
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RecordPayoutFailure,
    RecordRefundLink,
    RefundInvoiceOffered,
    RefundLinkMade,
    WantPayout,
    link_refund_id_of,
    refund_id_of,
)
from tools.example_values import AT_S, GOODS, ORDER, RUMOR

INVOICE = OfferedInvoice(
    text="lnbc4u1qqqqqqqqqqqq", amount_msat=400_000, payment_hash="d4" * 32, expires_at=AT_S + 3_600
)
REFUND_ID = refund_id_of(ORDER, INVOICE.payment_hash)
LINK_REFUND_ID = link_refund_id_of(ORDER, "operator 8")

PAYOUT_COMMANDS = (
    WantPayout(order=ORDER, amount_msat=400_000, cause="operator 5"),
    ApprovePayout(order=ORDER, amount_msat=400_000, approver="anna", cause="operator 6"),
    DropPayout(order=ORDER, cause="operator 7"),
    RecordPayoutFailure(order=ORDER, refund_id=REFUND_ID, reason="no route"),
    RecordRefundLink(order=ORDER, refund_id=LINK_REFUND_ID, sealed=GOODS),
)
PAYOUT_EVENTS = (
    RefundInvoiceOffered(order=ORDER, invoice=INVOICE, rumor_id=RUMOR),
    PayoutWanted(order=ORDER, refund_id=REFUND_ID, amount_msat=400_000, invoice=INVOICE, cause="operator 5"),
    PayoutApproved(
        order=ORDER,
        refund_id=REFUND_ID,
        amount_msat=400_000,
        invoice=INVOICE,
        intent_id="e5" * 32,
        approver="anna",
        cause="operator 6",
    ),
    PayoutDropped(order=ORDER, refund_id=REFUND_ID, cause="operator 7"),
    PayoutFailed(order=ORDER, refund_id=REFUND_ID, amount_msat=400_000, reason="no route"),
    RefundLinkMade(order=ORDER, refund_id=LINK_REFUND_ID, amount_msat=400_000, sealed=GOODS),
)

BY_LINK_COMMANDS = (WantPayout(order=ORDER, amount_msat=400_000, by_link=True, cause="operator 8"),)
BY_LINK_EVENTS = (
    PayoutWanted(order=ORDER, refund_id=LINK_REFUND_ID, amount_msat=400_000, cause="operator 8"),
    PayoutApproved(
        order=ORDER,
        refund_id=LINK_REFUND_ID,
        amount_msat=400_000,
        intent_id="e5" * 32,
        approver="anna",
        cause="operator 9",
    ),
)
