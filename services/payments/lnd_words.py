"""Calls an LND over REST, and reads what it says of invoices (`lnrpc/lightning.proto`).

Numbers of 64 bits come as text, bytes as base64. LND says the preimage of an invoice; nothing here keeps it.
"""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from schemas.bolt11 import InvoiceRefused, decode
from schemas.payments import BackendState
from services.payments.http_calls import HttpCalls
from services.payments.node_words import NodeInvoice
from services.payments.port import BackendError, Rejected, Retry, Unauthorized, Unknown

WHOM: Final = "LND"
STATES: Final = {
    "OPEN": BackendState.OPEN,
    "ACCEPTED": BackendState.PENDING,
    "SETTLED": BackendState.SETTLED,
    "CANCELED": BackendState.CANCELLED,
}
"""LND cancels by itself what nobody paid in time."""

# LND gives nearly every error of its own the same code, so its words are all there is to go by.
_NO_INVOICE: Final = ("unable to locate invoice", "no existing invoices")
_NO_RIGHT: Final = ("permission denied", "verification failed", "macaroon", "caveat")
_NOT_YET: Final = ("wallet locked", "wallet not created", "starting up", "waiting to start")
_NEVER: Final = ("too large", "greater than max expiry", "negative value", "must be 32", "already settled")
_FORBIDDEN, _UNAUTHENTICATED, _UNAVAILABLE = 7, 16, 14


class NotThere(Rejected):
    """LND has no invoice of this payment hash."""


def lnd_calls(
    url: str, macaroon: SecretStr, certificate: str | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> HttpCalls:
    """The calls of one LND with one macaroon (hex). Raises `BadCertificate`."""
    headers = {"Grpc-Metadata-macaroon": macaroon.get_secret_value()}
    return HttpCalls(WHOM, url, macaroon, headers, judge, certificate=certificate, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What an LND answer that is none means, by its gRPC code and its words."""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]  # how a stream says it
    words = str(body.get("message", "")).lower() if isinstance(body, dict) else ""
    grpc = body.get("code") if isinstance(body, dict) else None
    if any(word in words for word in _NO_INVOICE):
        return NotThere(f"{said}: it has no such invoice")
    if code in {401, 403} or grpc in {_FORBIDDEN, _UNAUTHENTICATED} or any(word in words for word in _NO_RIGHT):
        return Unauthorized(f"{said}: it does not know this macaroon, or the macaroon does not allow the call")
    if any(word in words for word in _NOT_YET) or grpc == _UNAVAILABLE:
        return Retry(f"{said}: it is locked or still starting")
    if code in {404, 405, 501}:
        return Unauthorized(f"{said}: there is no LND REST API at this address")
    if 300 <= code < 400:
        return Retry(f"{said}: its address is another one")
    if 400 <= code < 500 or any(word in words for word in _NEVER):
        return Rejected(f"{said}: it refuses the call")
    return Unknown(said)


class LndInvoice(BaseModel):
    """An invoice (`lnrpc.Invoice`); a field that has its default may be left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    r_hash: str
    payment_request: str
    value_msat: int
    state: str = "OPEN"
    amt_paid_msat: int = 0
    settle_date: int = 0
    settle_index: int = 0


class Added(BaseModel):
    """A new invoice (`lnrpc.AddInvoiceResponse`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    r_hash: str
    payment_request: str


def read_invoice(said: Any) -> tuple[int, NodeInvoice]:
    """One invoice and its place among those settled, 0 for none. Raises `Unknown`."""
    try:
        read = LndInvoice.model_validate(said)
        payment_hash, state = _hex(read.r_hash), STATES[read.state]
    except (ValidationError, KeyError, Base64Error, ValueError):
        raise Unknown("LND tells of an invoice in words that cannot be read") from None
    is_paid = state is BackendState.SETTLED
    return read.settle_index, NodeInvoice(
        payment_hash=payment_hash,
        text=read.payment_request,
        amount_msat=read.value_msat,
        state=state,
        got_msat=read.amt_paid_msat if is_paid else 0,
        settled_at=read.settle_date if is_paid else None,
    )


def read_added(said: Any) -> NodeInvoice:
    """A new invoice, with the amount that its text asks for. Raises `Unknown`."""
    try:
        read = Added.model_validate(said)
        payment_hash, text = _hex(read.r_hash), read.payment_request
    except (ValidationError, Base64Error, ValueError):
        raise Unknown("LND answers a new invoice in words that cannot be read") from None
    try:
        amount_msat = decode(text).amount_msat or 0
    except InvoiceRefused:
        amount_msat = 0
    return NodeInvoice(payment_hash, text, amount_msat, BackendState.OPEN)


def read_line(line: str) -> tuple[int, NodeInvoice]:
    """One invoice of a stream. Raises `Unknown`, or what an error in the stream means."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise Unknown("LND's stream says what cannot be read") from None
    if isinstance(said, dict) and "error" in said:
        raise judge("LND ends the stream", 500, said)
    return read_invoice(said.get("result") if isinstance(said, dict) else None)


def _hex(base64: str) -> str:
    raw = b64decode(base64, validate=True)
    if len(raw) != 32:
        raise ValueError("a payment hash has 32 bytes")
    return raw.hex()
