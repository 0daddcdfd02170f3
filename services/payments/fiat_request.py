"""Holds a request that is paid over a bank, by card or in cash against the intent, before anybody sees it (PAY-08)."""

from __future__ import annotations

from typing import Final

from services.payments.port import Intent, PaymentRequest, RequestFault, RequestRefused

TEXT_MAX: Final = 2_000


def fiat_faults_of(intent: Intent, request: PaymentRequest) -> RequestRefused | None:
    """What is wrong with it: another amount or currency, or no text that a buyer could read; None where nothing is."""
    if (request.amount_msat, request.fiat) != (intent.amount_msat, intent.fiat):
        offered = f"{request.amount_msat} msat" if request.fiat is None else str(request.fiat)
        return RequestRefused(RequestFault.AMOUNT, f"the request asks for {offered}")
    if not request.text.strip() or len(request.text) > TEXT_MAX:
        return RequestRefused(RequestFault.UNREADABLE, f"the request has no text of 1 to {TEXT_MAX} characters")
    return None
