"""Holds a BOLT-11 invoice against the intent, before it is shown to anybody (PAY-08)."""

from __future__ import annotations

from typing import Final

from schemas.bolt11 import Invoice, InvoiceRefused, Network, decode
from services.payments.port import Intent, RequestFault, RequestRefused

EXPIRY_SLACK_S: Final = 60
"""How much longer than asked a request may live: the allowed difference between two clocks."""
OWN_EXPIRY_MAX_S: Final = 8 * 86_400
"""The same where a back-end sets the expiry itself: a node's default is a week at most, and a day is slack."""


def check_request(
    intent: Intent,
    request_text: str,
    now: int,
    network: Network,
    payee: str | None,
    payment_hash: str | None = None,
    *,
    custom_expiry: bool = True,
) -> Invoice | RequestRefused:
    """What a back-end's invoice is, or what is wrong with it.

    `payee` is the merchant's node (66 hex digits) when it is known, `payment_hash` what the back-end
    said the invoice's is; the preimage's hash, when the intent presets one, must be it as well.
    Without `custom_expiry` (see `Capabilities`) the back-end sets the expiry, and money may come late.
    """
    try:
        invoice = decode(request_text)
    except InvoiceRefused as refused:
        return RequestRefused(RequestFault.UNREADABLE, str(refused))
    hashes = {payment_hash, intent.preimage.payment_hash if intent.preimage else None} - {None}
    offered = "any amount" if invoice.amount_msat is None else f"{invoice.amount_msat} msat"
    outlives_s = invoice.expires_at - intent.expires_at
    outlives_max_s = EXPIRY_SLACK_S if custom_expiry else OWN_EXPIRY_MAX_S
    is_other = intent.description_hash not in {None, invoice.description_hash}
    faults = (
        (invoice.network != network, RequestFault.NETWORK, f"is for {invoice.network}, not {network}"),
        (invoice.amount_msat != intent.amount_msat, RequestFault.AMOUNT, f"asks for {offered}"),
        (payee not in {None, invoice.payee}, RequestFault.PAYEE, f"pays {invoice.payee}"),
        (not hashes <= {invoice.payment_hash}, RequestFault.PAYMENT_HASH, "has another payment hash"),
        (is_other, RequestFault.DESCRIPTION_HASH, "commits to another description"),
        (invoice.expires_at <= now, RequestFault.EXPIRED, f"expired at {invoice.expires_at}"),
        (outlives_s > outlives_max_s, RequestFault.LIVES_TOO_LONG, f"outlives the offer by {outlives_s} s"),
    )
    for is_wrong, reason, detail in faults:
        if is_wrong:
            return RequestRefused(reason, f"the invoice {detail}")
    return invoice
