"""Calls a Core Lightning over clnrest, and reads what it says of invoices (`doc/schemas`).

Every call is a POST of its method's name, and is answered by 201. It says the preimage of a paid invoice; nothing
here keeps it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from schemas.bolt11 import InvoiceRefused, decode
from schemas.payments import BackendState
from services.payments.asking import cut_memo
from services.payments.http_calls import HttpCalls
from services.payments.node_words import NodeInvoice, our_reference
from services.payments.port import BackendError, Reference, Rejected, Retry, Unauthorized, Unknown

WHOM: Final = "Core Lightning"
STATES: Final = {
    "unpaid": BackendState.OPEN,
    "paid": BackendState.SETTLED,
    "expired": BackendState.EXPIRED,
}

_LABEL_IN_USE, _PREIMAGE_IN_USE, _NOTHING_YET = 900, 901, 904
_BAD_PARAMETER, _NO_METHOD = -32602, -32601
_RUNE: Final = frozenset({1501, 1502, 1503})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class NothingYet(Rejected):
    """No invoice was paid after the one that was named."""


def cln_calls(
    url: str, rune: SecretStr, certificate: str | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> HttpCalls:
    """The calls of one Core Lightning with one rune. Raises `BadCertificate`."""
    headers = {"Rune": rune.get_secret_value()}
    return HttpCalls(WHOM, url, rune, headers, judge, certificate=certificate, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What an answer that is none means, by lightningd's own code where there is one."""
    inner = body.get("code") if isinstance(body, dict) else None
    if inner == _NOTHING_YET:
        return NothingYet(f"{said}: nothing was paid since")
    if inner in {_LABEL_IN_USE, _PREIMAGE_IN_USE}:
        return Unknown(f"{said}: the invoice was made before")
    if code in {401, 403} or inner in _RUNE:
        return Unauthorized(f"{said}: it does not know this rune, or the rune does not allow the call")
    if code in {404, 405} or inner == _NO_METHOD:
        return Unauthorized(f"{said}: there is no clnrest at this address")
    if 300 <= code < 400:
        return Retry(f"{said}: its address is another one")
    if 400 <= code < 500 or inner == _BAD_PARAMETER:
        return Rejected(f"{said}: it refuses the call")
    return Unknown(said)


def _msat(said: Any) -> Any:
    """An amount, which older versions write as a text that ends in `msat`."""
    return said.removesuffix("msat") if isinstance(said, str) else said


Msat = Annotated[int, BeforeValidator(_msat)]


class ClnInvoice(BaseModel):
    """An invoice (`listinvoices`, `waitanyinvoice`), times in unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    label: str
    payment_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    bolt11: str = ""
    status: str
    amount_msat: Msat = 0
    amount_received_msat: Msat = 0
    paid_at: int | None = None
    pay_index: int = 0


class Made(BaseModel):
    """A new invoice (`invoice`)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bolt11: str
    payment_hash: str = Field(pattern=r"^[0-9a-f]{64}$")


def read_invoice(said: Any) -> tuple[int, NodeInvoice]:
    """One invoice and its place among those paid, 0 for none. Raises `Unknown`."""
    try:
        read = ClnInvoice.model_validate(said)
        state = STATES[read.status]
    except (ValidationError, KeyError):
        raise Unknown("Core Lightning tells of an invoice in words that cannot be read") from None
    is_paid = state is BackendState.SETTLED
    return read.pay_index, NodeInvoice(
        payment_hash=read.payment_hash,
        text=read.bolt11,
        amount_msat=read.amount_msat,
        state=state,
        reference=our_reference(read.label),
        got_msat=read.amount_received_msat if is_paid else 0,
        settled_at=read.paid_at if is_paid else None,
    )


def read_made(said: Any, ref: Reference) -> NodeInvoice:
    """A new invoice of a label, with the amount that its text asks for. Raises `Unknown`."""
    try:
        read = Made.model_validate(said)
    except ValidationError:
        raise Unknown("Core Lightning answers a new invoice in words that cannot be read") from None
    try:
        amount_msat = decode(read.bolt11).amount_msat or 0
    except InvoiceRefused:
        amount_msat = 0
    return NodeInvoice(read.payment_hash, read.bolt11, amount_msat, BackendState.OPEN, ref)


def plain_memo(memo: str) -> str:
    """As much of a memo as lightningd takes: it refuses what JSON has to write as a `\\u` escape."""
    return cut_memo(_CONTROL.sub(" ", memo))
