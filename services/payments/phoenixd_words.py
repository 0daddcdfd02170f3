"""Reads what phoenixd says of incoming payments.

phoenixd says the preimage of an invoice before it is paid; nothing here keeps it.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from schemas.bolt11 import Network
from schemas.payments import BackendState
from services.payments.node_words import NodeInvoice, our_reference
from services.payments.notices import json_in
from services.payments.port import BackendRef, Hint, Reference, Unknown
from services.payments.time_cursor import NAME_CHARS

NETWORKS: Final = {
    "mainnet": Network.BITCOIN,
    "testnet": Network.TESTNET,
    "testnet3": Network.TESTNET,
    "testnet4": Network.TESTNET,
    "signet": Network.SIGNET,
    "regtest": Network.REGTEST,
}
PAYMENT_RECEIVED: Final = "payment_received"
DESCRIPTION_UNITS_MAX: Final = 128
"""What phoenixd takes, in UTF-16 units: its language counts so."""


class Incoming(BaseModel):
    """An incoming payment (`ApiType.IncomingPayment`), times in unix milliseconds, `fees` in msat."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    payment_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    external_id: str | None = None
    invoice: str | None = None
    is_paid: bool
    requested_sat: int | None = None
    received_sat: int
    fees: int
    completed_at: int | None = None
    created_at: int

    @property
    def completed_ms(self) -> int:
        """When it was paid; 0 for one that was not."""
        return self.completed_at or 0

    @property
    def name(self) -> str:
        """What a cursor remembers of it."""
        return self.payment_hash[:NAME_CHARS]

    @property
    def reference(self) -> Reference | None:
        """Ours, or none: one without an invoice was paid to an offer."""
        return our_reference(self.external_id) if self.invoice else None


class Generated(BaseModel):
    """A new invoice (`ApiType.GeneratedInvoice`)."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    amount_sat: int
    payment_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    serialized: str


def read_incoming(said: Any) -> Incoming:
    """One incoming payment. Raises `Unknown`."""
    try:
        return Incoming.model_validate(said)
    except ValidationError:
        raise Unknown("phoenixd tells of a payment in words that cannot be read") from None


def told_invoice(row: Incoming) -> NodeInvoice:
    """What an incoming payment means.

    The fee is exact and what is left is cut to whole sats, so what the payer paid is known but for part of a sat;
    phoenixd takes no payment of less than was asked for.
    """
    requested_msat = (row.requested_sat or 0) * 1_000
    return NodeInvoice(
        payment_hash=row.payment_hash,
        text=row.invoice or "",
        amount_msat=requested_msat,
        state=BackendState.SETTLED if row.is_paid else BackendState.OPEN,
        reference=row.reference,
        got_msat=max(requested_msat, row.received_sat * 1_000 + row.fees) if row.is_paid else 0,
        fee_msat=row.fees if row.is_paid else 0,
        settled_at=row.completed_ms // 1_000 if row.is_paid else None,
    )


def made_invoice(said: Any, ref: Reference) -> NodeInvoice:
    """A new invoice, made under a reference. Raises `Unknown`."""
    try:
        made = Generated.model_validate(said)
    except ValidationError:
        raise Unknown("phoenixd answers a new invoice in words that cannot be read") from None
    return NodeInvoice(made.payment_hash, made.serialized, made.amount_sat * 1_000, BackendState.OPEN, ref)


def cut_description(memo: str) -> str:
    """As much of a memo as phoenixd takes, cut between two characters; never empty."""
    return memo.encode("utf-16-le")[: DESCRIPTION_UNITS_MAX * 2].decode("utf-16-le", errors="ignore") or "Payment"


def hint_in(message: str, now_s: int) -> Hint | None:
    """What a message on the socket is a reason to look up; None for what we never asked for."""
    return next((hint for hint in noticed(message.encode(), now_s) if hint.backend_ref is not None), None)


def noticed(raw: bytes, now_s: int) -> tuple[Hint, ...]:
    """What a webhook's body is a reason to look up: a payment of ours, nothing for another's, else everything."""
    said = json_in(raw)
    if not isinstance(said, dict) or "type" not in said:
        return (Hint(None, at=now_s),)
    ref = our_reference(said.get("externalId"))
    return () if ref is None or said["type"] != PAYMENT_RECEIVED else (Hint(BackendRef(ref), at=now_s),)
