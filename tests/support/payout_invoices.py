"""Invoices of a buyer's own wallet, and the wishes to pay them."""

from __future__ import annotations

import hashlib
import time

from schemas.bolt11 import Network, decode, encode
from schemas.payouts import OfferedInvoice, PayoutApproved, refund_id_of
from services.payments.port import BackendRef, Refund
from tests.support.builders import a_key

BUYERS_NODE = b"\x0b" * 32


def a_text(
    amount_msat: int = 5_000, name: str = "refund", network: Network = Network.REGTEST, life_s: int = 3_600
) -> str:
    """A signed BOLT-11 text."""
    return encode(
        network=network,
        amount_msat=amount_msat,
        timestamp=int(time.time()) - 60,
        payment_hash=hashlib.sha256(name.encode()).hexdigest(),
        payment_secret="11" * 32,
        secret=BUYERS_NODE,
        description="my money back",
        expiry_s=life_s + 60,
        min_final_cltv=18,
    )


def wish_of(text: str, refund_id: str = "ab" * 32, amount_msat: int = 5_000, max_fee_msat: int = 10_000) -> Refund:
    """What a back-end is asked."""
    return Refund(refund_id, BackendRef("order"), amount_msat, text, max_fee_msat)


def approval_of(text: str, merchant: str) -> PayoutApproved:
    """The record that it is to be paid."""
    invoice = decode(text)
    order = a_key(merchant=merchant)
    offered = OfferedInvoice(
        text=text,
        amount_msat=invoice.amount_msat or 0,
        payment_hash=invoice.payment_hash,
        expires_at=invoice.expires_at,
    )
    return PayoutApproved(
        order=order,
        refund_id=refund_id_of(order, invoice.payment_hash),
        amount_msat=offered.amount_msat,
        invoice=offered,
        approver="anna",
        cause="operator 1",
    )
