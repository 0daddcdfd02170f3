"""States what every Lightning node tells of an invoice, and what that means for a request.

A node knows the preimage from the beginning and tells it; nothing here has a place for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

from schemas.bolt11 import InvoiceRefused, decode
from schemas.payments import BackendState
from services.payments.port import BackendRef, Observation, Reference

_REFERENCE: Final = re.compile(r"[a-z2-7]{24}", re.ASCII)
_UNPAID: Final = frozenset({BackendState.OPEN, BackendState.CANCELLED})


@dataclass(frozen=True, slots=True)
class NodeInvoice:
    """One invoice; `state` as the node has it, where a node that buries what expired may say cancelled.

    `got_msat` is what the payer paid, `fee_msat` what was kept of it, `settled_at` unix seconds.
    """

    payment_hash: str
    text: str
    amount_msat: int
    state: BackendState
    reference: Reference | None = None
    got_msat: int = 0
    fee_msat: int = 0
    settled_at: int | None = None


def our_reference(said: object) -> Reference | None:
    """A label or an external id, where it is one of ours: a node may have other users."""
    return Reference(said) if isinstance(said, str) and _REFERENCE.fullmatch(said) else None


def text_ends_at(text: str) -> int:
    """When an invoice's own text says that it ends; 0 for a text that is none, which the check refuses later."""
    try:
        return decode(text).expires_at
    except InvoiceRefused:
        return 0


def observed(ref: BackendRef, invoices: Sequence[NodeInvoice], now_s: float) -> Observation:
    """How a request stands: paid if any of its invoices is, with all that was paid; else as its first one stands."""
    if not invoices:
        return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
    paid = [one for one in invoices if one.state is BackendState.SETTLED]
    told = paid or list(invoices)
    ends_at = text_ends_at(told[0].text)
    state = told[0].state
    if state in _UNPAID and now_s >= ends_at:
        state = BackendState.EXPIRED
    return Observation(
        backend_ref=ref,
        reference=told[0].reference,
        state=state,
        gross_msat=sum(one.got_msat for one in paid),
        fee_msat=sum(one.fee_msat for one in paid),
        settled_at=min(one.settled_at or 0 for one in paid) if paid else None,
        expires_at=ends_at,
        evidence=f"bolt11:{told[0].payment_hash}" if paid else "",
        raw_digest=hashlib.sha256(repr([astuple(one) for one in told]).encode()).hexdigest(),
    )
