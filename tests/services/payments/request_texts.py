"""Reads what a payment request's own text says, whichever method it is to be paid over."""

from __future__ import annotations

from schemas import bip21
from schemas.bolt11 import Invoice, decode
from schemas.payments import Method
from schemas.values import MSAT_PER_SAT
from services.payments.invoice_request import check_request
from services.payments.port import BackendRef, Intent, PaymentRequest, Probe, Refund, RequestRefused

A_REFUND = Refund("ab" * 32, BackendRef("x"), 1_000, "lnbcrt1", 0)


def amount_in(request: PaymentRequest) -> int | None:
    """What a request asks for, in msat; one in fiat in the smallest units that stand for them in the contract."""
    if request.method is Method.FIAT:
        return None if request.fiat is None else request.fiat.minor_units
    if request.method is not Method.BITCOIN:
        return decode(request.text).amount_msat
    return (bip21.read(request.text).amount_sats or 0) * MSAT_PER_SAT


def memo_in(request: PaymentRequest) -> str | None:
    """What its own text says to the payer."""
    if request.method is Method.FIAT:
        return request.text.partition(", ")[2].partition("\n")[0]
    return bip21.read(request.text).label if request.method is Method.BITCOIN else decode(request.text).description


def forged(now_s: int) -> dict[str, str]:
    """The headers of a notice that nobody signed, in each vendor's way."""
    nobodys = "00" * 32
    headers = {"X-Phoenix-Signature": nobodys, "BTCPay-Sig": f"sha256={nobodys}"}
    return {**headers, "Stripe-Signature": f"t={now_s},v1={nobodys}"}


def held_against(intent: Intent, request: PaymentRequest, probe: Probe, now_s: int) -> Invoice | RequestRefused:
    """An invoice, held against what was asked for and against what the back-end says of itself."""
    assert probe.network is not None
    custom_expiry = probe.capabilities.custom_expiry
    text, payment_hash = request.text, request.payment_hash
    return check_request(intent, text, now_s, probe.network, probe.payee, payment_hash, custom_expiry=custom_expiry)
