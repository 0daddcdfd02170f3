"""Reads what LNbits says of payments, and what it means for a request.

LNbits says the preimage of an invoice before it is paid; nothing here keeps it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from schemas.bolt11 import InvoiceRefused, decode
from schemas.payments import BackendState
from services.payments.asking import bolt11_request, refuse_another
from services.payments.port import (
    BackendRef,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Reference,
    Rejected,
    Unknown,
)

SCAN_OVERLAP_US: Final = 5_000_000
"""How far behind its cursor a scan looks again: a settlement becomes visible later than its time says."""

_REFERENCE: Final = re.compile(r"[a-z2-7]{24}", re.ASCII)
_CURSOR: Final = re.compile(r"(\d{0,18})((?:\.[0-9a-f]{16})*)", re.ASCII)


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
        return self.payment_hash[:16]


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor, read: everything up to `at_us` was given, but the last of it only as far as `names` tell."""

    at_us: int
    names: frozenset[str]


def read_invoice(said: Any) -> Invoice:
    """One payment; its digest is of all that LNbits said but the preimage. Raises `Unknown`."""
    try:
        words = {name: value for name, value in said.items() if name != "preimage"}
        digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
        return Invoice.model_validate({**words, "digest": digest})
    except (AttributeError, TypeError, ValidationError):
        raise Unknown("LNbits tells of a payment in words that cannot be read") from None


def request_for(intent: Intent, invoices: Sequence[Invoice]) -> PaymentRequest:
    """The request for an intent; whether its text asks for what was asked is for the check to say (PAY-08)."""
    first = invoices[0]
    refuse_another(intent, str(first.extra.get("ncc_intent")), _whole(first.extra.get("ncc_asked_msat")))
    made = bolt11_request(intent, first.payment_hash, first.bolt11, expires_at(first) or intent.expires_at)
    return replace(made, backend_ref=BackendRef(intent.reference), amount_msat=first.amount)


def observed(ref: BackendRef, invoices: Sequence[Invoice], now_s: float) -> Observation:
    """How a request stands: paid if any of its invoices is, with all that was paid; else as its first one stands.

    One that LNbits calls failed before its time was forgotten by the node, and is gone.
    """
    if not invoices:
        return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
    paid = [one for one in invoices if one.status == "success"]
    told = paid or list(invoices)
    ends_at = expires_at(told[0])
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


def expires_at(invoice: Invoice) -> int:
    """When an invoice's own text says that it ends; 0 for a text that is none, which the check refuses later."""
    try:
        return decode(invoice.bolt11).expires_at
    except InvoiceRefused:
        return 0


def _whole(said: Any) -> int:
    return said if isinstance(said, int) else 0


def is_ours(invoice: Invoice) -> bool:
    return _REFERENCE.fullmatch(invoice.external_id or "") is not None


def hint_in(message: str, now_s: int) -> Hint | None:
    """What a message on the socket is a reason to look up; None for what we never asked for."""
    try:
        payment = json.loads(message)["payment"]
        ref, amount = payment["external_id"], payment["amount"]
    except (ValueError, KeyError, TypeError):
        return None
    is_ours = isinstance(ref, str) and _REFERENCE.fullmatch(ref) and isinstance(amount, int) and amount > 0
    return Hint(BackendRef(ref), at=now_s) if is_ours else None


def place_of(cursor: Cursor) -> Place:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Rejected("this is no cursor of an LNbits wallet")
    return Place(int(found[1] or 0), frozenset(found[2].split(".")[1:]))


def cursor_after(seen: Sequence[Invoice]) -> Cursor:
    at_us = max(one.updated_us for one in seen)
    names = sorted({one.name for one in seen if one.updated_us >= at_us - SCAN_OVERLAP_US})
    return Cursor(".".join((str(at_us), *names)))
