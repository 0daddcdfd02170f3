"""`payment` tags that buyers write: where a payment goes, and what is shown as its proof (market spec §4).

What could be spent or used again (tokens, preimages) never leaves here: only names and digests do.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from schemas import limits
from schemas.bolt11 import InvoiceRefused
from schemas.bolt11 import decode as read_invoice
from schemas.dialects.shown_tokens import looks_like_money
from schemas.market.mints import mint_url
from schemas.payments import NamedPayment, PaymentForm, request_digest

MEDIUM_MAX: Final = 32
_LIGHTNING = "lightning"
_PREIMAGE = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


def named(tag: tuple[str, ...]) -> NamedPayment:
    """Where `["payment", medium, where, …]` goes; for ecash a fourth element may be the key it is locked to."""
    medium = tag[1].strip().lower()[:MEDIUM_MAX]
    where = tag[2].strip().removeprefix("lightning:") if len(tag) > 2 else ""
    digest = request_digest(where)
    if payment_hash := invoice_hash(where):
        return NamedPayment(medium=medium, form=PaymentForm.INVOICE, name=payment_hash, digest=digest)
    if medium == _LIGHTNING and ("@" in where or where.lower().startswith("lnurl1")):
        address = where.lower()[: limits.LNURL.most]
        return NamedPayment(medium=medium, form=PaymentForm.ADDRESS, name=address, digest=digest)
    if mint := mint_url(where):
        key = tag[3].strip().lower() if len(tag) > 3 else ""
        lock_key = None if looks_like_money(key) else key[:66] or None
        return NamedPayment(medium=medium, form=PaymentForm.MINT, name=mint, digest=digest, lock_key=lock_key)
    return NamedPayment(medium=medium, form=PaymentForm.OTHER, name=digest, digest=digest)


def invoice_hash(text: str) -> str | None:
    """The payment hash of a BOLT-11 invoice, which is proven whole; None where the text is none."""
    if not text.lower().startswith("ln"):
        return None
    try:
        return read_invoice(text).payment_hash
    except InvoiceRefused:
        return None


def preimage_hash(tag: tuple[str, ...]) -> str | None:
    """sha256 of the preimage that `["payment", "lightning", invoice, preimage]` shows, in hex; None without one."""
    if len(tag) < 4 or tag[1].strip().lower() != _LIGHTNING or not _PREIMAGE.fullmatch(tag[3].strip()):
        return None
    return hashlib.sha256(bytes.fromhex(tag[3].strip())).hexdigest()
