"""The BOLT-11 invoice that a buyer's words show: where a refund may go. It is signed, so nothing is believed (F13)."""

from __future__ import annotations

import re
from typing import Final

from schemas.bolt11 import InvoiceRefused, decode
from schemas.payouts import INVOICE_CHARS_MAX, OfferedInvoice

_INVOICE: Final = re.compile(
    r"(?<![a-z0-9])ln(?:bcrt|bc|tbs|tb)[0-9]{1,18}[munp]?1[02-9ac-hj-np-z]{100,}", re.IGNORECASE
)


def invoice_in_text(text: str) -> OfferedInvoice | None:
    """The one invoice with an amount that a text holds, be it said twice; None where there is none, or two."""
    shown = {found.lower() for found in _INVOICE.findall(text)}
    if len(shown) != 1:
        return None
    (said,) = shown
    if len(said) > INVOICE_CHARS_MAX:
        return None
    try:
        invoice = decode(said)
    except InvoiceRefused:
        return None
    if not invoice.amount_msat:
        return None
    return OfferedInvoice(
        text=said, amount_msat=invoice.amount_msat, payment_hash=invoice.payment_hash, expires_at=invoice.expires_at
    )
