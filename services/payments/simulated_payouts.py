"""Pays refunds out of a simulated wallet: play money leaves an account, once for each refund and payment hash."""

from __future__ import annotations

import sqlite3

from schemas.bolt11 import Invoice, Network
from services.payments.payout_checks import OUR_OWN, SPENT, destination_of, refuse_ended
from services.payments.port import Refund, Refunded, RefundState, Rejected
from services.payments.simulated_file import WalletFile

BALANCE = (
    "SELECT (SELECT coalesce(sum(coalesce(received_msat, amount_msat)), 0) FROM invoices"
    " WHERE merchant = :merchant AND settle_index > 0 AND reversed_at IS NULL)"
    " - (SELECT coalesce(sum(amount_msat), 0) FROM payouts WHERE merchant = :merchant)"
)


async def pay_out(
    file: WalletFile, merchant: str, wish: Refund, network: Network, now: int, timeout_s: float
) -> Refunded:
    """Pay the wish's invoice unless it was paid, in one transaction; whose it is does not matter, if it is not ours."""
    invoice = destination_of(wish, network)
    await file.write(lambda database: _pay_once(database, merchant, wish, invoice, now), timeout_s)
    return Refunded(
        refund_id=wish.refund_id,
        state=RefundState.SENT,
        amount_msat=wish.amount_msat,
        evidence=f"bolt11:{invoice.payment_hash}",
    )


def balance_msat(database: sqlite3.Connection, merchant: str) -> int:
    """What a merchant was paid, less what was taken back and paid out."""
    return int(database.execute(BALANCE, {"merchant": merchant}).fetchone()[0])


def _pay_once(database: sqlite3.Connection, merchant: str, wish: Refund, invoice: Invoice, now: int) -> None:
    payment_hash = invoice.payment_hash
    paid = database.execute(
        "SELECT refund_id, merchant, payment_hash, amount_msat FROM payouts WHERE refund_id = ? OR payment_hash = ?",
        (wish.refund_id, payment_hash),
    ).fetchone()
    if paid == (wish.refund_id, merchant, payment_hash, wish.amount_msat):
        return
    if paid is not None:
        raise Rejected(SPENT)
    if database.execute("SELECT 1 FROM invoices WHERE payment_hash = ?", (payment_hash,)).fetchone():
        raise Rejected(OUR_OWN)
    refuse_ended(invoice, now)
    if balance_msat(database, merchant) < wish.amount_msat:
        raise Rejected(f"there are less than {wish.amount_msat} msat in this wallet")
    database.execute(
        "INSERT INTO payouts VALUES (?, ?, ?, ?, ?)", (wish.refund_id, merchant, payment_hash, wish.amount_msat, now)
    )
