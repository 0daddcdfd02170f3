"""What an order's row says of its pay-out."""

from __future__ import annotations

from typing import Any

from schemas.messages import Event
from schemas.payouts import PayoutApproved, PayoutDropped, PayoutFailed, PayoutWanted
from schemas.refunds import RefundRecorded
from schemas.rows import OrderRow


def payout_changes(row: OrderRow, event: Event) -> dict[str, Any]:
    """The columns that a fact changes: none where it is about something else."""
    match event:
        case PayoutWanted():
            return {"payout": "wanted", "payout_id": event.refund_id}
        case PayoutApproved():
            return {"payout": "approved"}
        case PayoutFailed():
            return {"payout": "failed", "payout_id": ""}
        case PayoutDropped():
            return {"payout": "", "payout_id": ""}
        case RefundRecorded() if row.payout == "failed" or event.cause == row.payout_id:
            return {"payout": "", "payout_id": ""}
        case _:
            return {}
