"""Holds a payer's invoice against the refund that is to be paid with it, before any money moves (F13)."""

from __future__ import annotations

from schemas.bolt11 import Invoice, InvoiceRefused, Network, decode
from services.payments.port import Refund, Rejected, Unsupported

OUR_OWN = "the buyer's invoice is one of this very wallet"
SPENT = "this wallet paid the buyer's invoice before, for something else"


def destination_of(wish: Refund, network: Network) -> Invoice:
    """The invoice that a refund goes to: of this network, and over exactly the sum. Raises `Rejected`.

    That it has ended is for `refuse_ended`, since what was paid before then is looked up all the same.
    """
    if wish.destination is None:
        raise Unsupported("this wallet pays an invoice back, and there is none")
    try:
        invoice = decode(wish.destination)
    except InvoiceRefused as refused:
        raise Rejected(f"what the buyer offered is no invoice: {refused.reason.value}") from None
    if invoice.network is not network:
        raise Rejected(f"the buyer's invoice is for {invoice.network}, and the wallet's money is {network}")
    if invoice.amount_msat != wish.amount_msat or wish.amount_msat <= 0:
        raise Rejected(f"the buyer's invoice is over another sum than {wish.amount_msat} msat")
    return invoice


def refuse_ended(invoice: Invoice, now_s: float) -> None:
    """Raise `Rejected` for an invoice whose time is over."""
    if invoice.expires_at <= now_s:
        raise Rejected("the buyer's invoice has ended")
