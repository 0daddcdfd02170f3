"""Reads what LNbits says of payments, and what it means for a request.

LNbits says the preimage of an invoice before it is paid; nothing here keeps it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from schemas.payments import BackendState
from services.payments.asking import bolt11_request, refuse_another
from services.payments.node_words import our_reference, text_ends_at
from services.payments.notices import json_in
from services.payments.port import (
    BackendRef,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Reference,
    Unknown,
)
from services.payments.time_cursor import NAME_CHARS

SCAN_OVERLAP_US: Final = 5_000_000
"""How far behind its cursor a scan looks again: a settlement becomes visible later than its time says."""


def _utc(moment: datetime) -> datetime:
    """LNbits leaves the zone out where it has just made an invoice; it means UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]


class Invoice(BaseModel):
    """A payment as LNbits tells it, without the preimage."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    payment_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    bolt11: str
    amount: int
    """In msat; what came in is positive."""
    fee: int = 0
    status: str
    external_id: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    created_at: Moment
    updated_at: Moment
    digest: str = ""

    @property
    def updated_us(self) -> int:
        """When it last changed; for a settled one, when it was settled."""
        return round(self.updated_at.timestamp() * 1_000_000)

    @property
    def name(self) -> str:
        """What a cursor remembers of it."""
        return self.payment_hash[:NAME_CHARS]


def read_invoice(said: Any) -> Invoice:
    """One payment; its digest is of all that LNbits said but the preimage. Raises `Unknown`."""
    try:
        words = {name: value for name, value in said.items() if name != "preimage"}
        digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
        return Invoice.model_validate({**words, "digest": digest})
    except (AttributeError, TypeError, ValidationError):
        raise Unknown("LNbits tells of a payment in words that cannot be read") from None


def request_for(intent: Intent, first: Invoice) -> PaymentRequest:
    """The request for an intent; whether its text asks for what was asked is for the check to say (PAY-08)."""
    refuse_another(intent, str(first.extra.get("ncc_intent")), _whole(first.extra.get("ncc_asked_msat")))
    ends_at = text_ends_at(first.bolt11) or intent.expires_at
    made = bolt11_request(intent, first.payment_hash, first.bolt11, ends_at, BackendRef(intent.reference))
    return replace(made, amount_msat=first.amount)


def observed(ref: BackendRef, invoices: Sequence[Invoice], now_s: float) -> Observation:
    """How a request stands: paid if any of its invoices is, with all that was paid; else as its first one stands.

    One that LNbits calls failed before its time was forgotten by the node, and is gone.
    """
    if not invoices:
        return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
    paid = [one for one in invoices if one.status == "success"]
    told = paid or list(invoices)
    ends_at = text_ends_at(told[0].bolt11)
    if paid:
        state = BackendState.SETTLED
    elif now_s >= ends_at:
        state = BackendState.EXPIRED
    else:
        state = BackendState.OPEN if any(one.status == "pending" for one in told) else BackendState.GONE
    return Observation(
        backend_ref=ref,
        reference=Reference(ref),
        state=state,
        gross_msat=sum(one.amount for one in paid),
        fee_msat=sum(abs(one.fee) for one in paid),
        settled_at=min(one.updated_us for one in paid) // 1_000_000 if paid else None,
        expires_at=ends_at,
        evidence=f"bolt11:{told[0].payment_hash}" if paid else "",
        raw_digest=hashlib.sha256("".join(one.digest for one in told).encode()).hexdigest(),
    )


def _whole(said: Any) -> int:
    return said if isinstance(said, int) else 0


def is_ours(invoice: Invoice) -> bool:
    return our_reference(invoice.external_id) is not None


def noticed(raw: bytes, now_s: int) -> tuple[Hint, ...]:
    """What a webhook's body is a reason to look up: a payment of ours, nothing for another's, else everything."""
    said = json_in(raw)
    if not isinstance(said, dict) or "payment_hash" not in said:
        return (Hint(None, at=now_s),)
    ref = our_reference(said.get("external_id"))
    return () if ref is None else (Hint(BackendRef(ref), at=now_s),)


def hint_in(message: str, now_s: int) -> Hint | None:
    """What a message on the socket is a reason to look up; None for what we never asked for."""
    try:
        payment = json.loads(message)["payment"]
        ref, amount = payment["external_id"], payment["amount"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_ours = our_reference(ref) is not None and isinstance(amount, int) and amount > 0
    return Hint(BackendRef(ref), at=now_s) if is_ours else None
