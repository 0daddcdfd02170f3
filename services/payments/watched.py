"""What the payments role watches: one request that is wanted, whether it may be shown, and until when it is watched."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.payments import PaymentWanted
from services.payments.port import BackendRef, Intent, PaymentBackend, PaymentRequest, RequestRefused, check_request

LATE_WATCH_S = 3_600
"""How long after its expiry a request that was not paid is still watched."""


@dataclass(slots=True)
class Open:
    """One request that is wanted or watched."""

    wanted: PaymentWanted
    partition: int
    offset: int
    merchant: str
    requested: bool = False
    dropped: bool = False
    ref: BackendRef | None = None
    gone: bool = False
    """The back-end says that it has no such request, or that it does not tell how one stands."""
    payable_until: int = 0
    """When the request's own text ends, unix seconds; a back-end that sets it itself may set it late."""
    seen_s: float = 0.0
    """When a look-up was answered last, unix seconds."""

    @property
    def intent_id(self) -> str:
        return self.wanted.intent_id


def faults_of(intent: Intent, request: PaymentRequest, backend: PaymentBackend, now_s: int) -> RequestRefused | None:
    """Why nobody may be shown a back-end's request (PAY-08); None for a good one."""
    checked = check_request(
        intent,
        request.text,
        now_s,
        backend.network,
        None,
        request.payment_hash,
        custom_expiry=backend.capabilities.custom_expiry,
    )
    return checked if isinstance(checked, RequestRefused) else None


def is_over(entry: Open, now_s: float) -> bool:
    """Whether watching a request can end: its time is over, and what a buyer was shown was looked up after that.

    One that the journal still wants may yet be shown, whatever our clock says.
    """
    ends_s = max(entry.wanted.expires_at, entry.payable_until) + LATE_WATCH_S
    return ends_s < now_s and (entry.gone or entry.seen_s > ends_s if entry.requested else entry.dropped)
