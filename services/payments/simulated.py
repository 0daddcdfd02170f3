"""Plays a Lightning wallet that many merchants are paid into, for demonstrations, tests and rehearsals.

Everything but the money is real: invoices are signed BOLT-11 texts on `bcrt` by the wallet's own node key,
amounts are exact, a payment happens once, and what was answered survives any kill.
One file serves many merchants (an account for each public key) and many processes at once;
how it is kept, and what a call costs the event loop, stands in `services.payments.simulated_file`.
"""

import hashlib
import hmac
import re
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from schemas.bolt11 import InvoiceRefused, Network, decode, encode
from schemas.nostr.secp256k1 import recover, sign_recoverable
from schemas.payments import BackendState, Method
from schemas.values import MSAT_PER_SAT
from services.payments.asking import bolt11_request, refuse_another, refuse_expired
from services.payments.counted_cursor import count_of
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Proof,
    Push,
    Reference,
    Refund,
    Refunded,
    RefundWay,
    Rejected,
    Retry,
    Scan,
    Unsupported,
)
from services.payments.preimages import Preimage
from services.payments.receiving import OnlyReceives
from services.payments.simulated_file import Row, WalletFile, insert, last_settle_index, select
from services.payments.simulated_payouts import balance_msat, pay_out

NETWORK: Final = Network.REGTEST
MIN_FINAL_CLTV: Final = 18
SCAN_ROWS_MAX: Final = 1000
PAY_TIMEOUT_S: Final = 5.0
LISTEN_TIMEOUT_S: Final = 5.0


class PayFault(StrEnum):
    """Why the wallet did not pay; the words are stable."""

    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ALREADY_PAID = "already_paid"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    NOT_PAID = "not_paid"


class PaymentRefused(Exception):
    """The simulated payer did not pay; the message is a sentence for a person."""

    def __init__(self, reason: PayFault, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


def _clock() -> int:
    return int(time.time())


class SimulatedWallet:
    """One wallet file as one process has it open; each merchant's account in it is a `PaymentBackend`.

    `late_settle` lets an expired invoice be paid, as many real back-ends do.
    Belongs to one event loop. Whoever opens it closes it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = _clock, late_settle: bool = False) -> None:
        """Open the file, or create it with a new node key; raise `Retry` if it stays locked for long."""
        self.clock = clock
        self.late_settle = late_settle
        self.file = WalletFile(path)
        self.payee = _public_key(self.file.node_secret)

    def close(self) -> None:
        """Let go of the file; those who still listen come to an end."""
        self.file.close()

    def account(self, merchant: str) -> "SimulatedAccount":
        """Give the account of a merchant (64 lower-case hex digits); naming it is enough to have it."""
        if not re.fullmatch(r"[0-9a-f]{64}", merchant, re.ASCII):
            raise ValueError("a merchant is named by 64 lower-case hex digits")
        return SimulatedAccount(self, merchant)

    async def pay(self, invoice_text: str, now: int | None = None, *, timeout_s: float = PAY_TIMEOUT_S) -> bytes:
        """Pay an invoice of this wallet in full, or its rest, as its buyer, and give the 32-byte preimage.

        Of several payers exactly one wins; the rest, and whoever pays an expired, cancelled or foreign
        invoice, get `PaymentRefused`. `now` is unix seconds, the wallet's clock unless given.
        """
        payment_hash, paid_at = _hash_of(invoice_text), self.clock() if now is None else now
        preimage = await self.file.write(lambda database: self._pay(database, payment_hash, paid_at, None), timeout_s)
        assert preimage is not None, "all of it was paid"
        return preimage

    async def pay_sats(self, invoice_text: str, sats: int, *, timeout_s: float = PAY_TIMEOUT_S) -> bytes | None:
        """Pay so much, be it less than is asked, or more; give the preimage once all of it is there, else None.

        What an on-chain address or a mint lets happen, and no real Lightning wallet.
        """
        payment_hash, paid_at = _hash_of(invoice_text), self.clock()
        paid_msat = sats * MSAT_PER_SAT
        return await self.file.write(lambda database: self._pay(database, payment_hash, paid_at, paid_msat), timeout_s)

    async def reverse(self, invoice_text: str, *, timeout_s: float = PAY_TIMEOUT_S) -> None:
        """Take back what was paid on an invoice, as a reorganised chain or a chargeback does; it stays so."""
        payment_hash, now = _hash_of(invoice_text), self.clock()
        await self.file.write(lambda database: self._reverse(database, payment_hash, now), timeout_s)

    def _reverse(self, database: sqlite3.Connection, payment_hash: str, now: int) -> None:
        rows = select(database, "WHERE payment_hash = ?", payment_hash)
        if not any(row.reversed_at is None and _received(row) for row in rows):
            raise PaymentRefused(PayFault.NOT_PAID, "Nothing was paid on this invoice that could be taken back.")
        database.execute(
            "UPDATE invoices SET reversed_at = ?, settle_index = ? WHERE payment_hash = ?",
            (now, last_settle_index(database) + 1, payment_hash),
        )

    def _pay(
        self, database: sqlite3.Connection, payment_hash: str, paid_at: int, paid_msat: int | None
    ) -> bytes | None:
        found = database.execute(
            "SELECT state, expires_at, preimage, amount_msat, received_msat, reversed_at"
            " FROM invoices WHERE payment_hash = ?",
            (payment_hash,),
        ).fetchone()
        if found is None:
            raise PaymentRefused(PayFault.UNKNOWN, "This wallet did not issue the invoice, so it cannot pay it.")
        state, expires_at, preimage, amount_msat, received_msat, reversed_at = found
        if reversed_at is not None:
            raise PaymentRefused(PayFault.REVERSED, "What was paid on the invoice was taken back; ask for a new one.")
        if state == BackendState.SETTLED:
            raise PaymentRefused(PayFault.ALREADY_PAID, "The invoice has been paid already.")
        if state == BackendState.CANCELLED:
            raise PaymentRefused(PayFault.CANCELLED, "The invoice was cancelled by its merchant.")
        if paid_at >= expires_at and not self.late_settle:
            raise PaymentRefused(PayFault.EXPIRED, "The invoice has expired; ask the merchant for a new one.")
        in_all_msat = amount_msat if paid_msat is None else (received_msat or 0) + paid_msat
        is_whole = in_all_msat >= amount_msat
        # Writers take turns, so one more than the last index leaves no gap and becomes visible in order.
        database.execute(
            "UPDATE invoices SET state = ?, settled_at = ?, received_msat = ?, settle_index = ? WHERE payment_hash = ?",
            (
                BackendState.SETTLED.value if is_whole else BackendState.OPEN.value,
                paid_at if is_whole else None,
                None if received_msat is None and paid_msat is None else in_all_msat,
                last_settle_index(database) + 1,
                payment_hash,
            ),
        )
        return bytes(preimage) if is_whole else None

    def derive(self, purpose: str, name: str) -> bytes:
        """Derive 32 bytes from the node key, so that nothing in an invoice is left to chance."""
        return hmac.digest(self.file.node_secret, f"ncc/simulated/{purpose}/{name}".encode(), "sha256")

    def issue(self, intent: Intent, payment_hash: str, now: int) -> str:
        """Write and sign the invoice for an intent; raise `Rejected` if there can be none."""
        refuse_expired(intent, now)
        try:
            return encode(
                network=NETWORK,
                amount_msat=intent.amount_msat,
                timestamp=now,
                payment_hash=payment_hash,
                payment_secret=self.derive("payment_secret", payment_hash).hex(),
                secret=self.file.node_secret,
                description=intent.memo if intent.description_hash is None else None,
                description_hash=intent.description_hash,
                expiry_s=intent.expires_at - now,
                min_final_cltv=MIN_FINAL_CLTV,
            )
        except ValueError as error:
            raise Rejected(f"request {intent.reference} cannot be written: {error}") from error


class SimulatedAccount(OnlyReceives):
    """A merchant's account in a simulated wallet: a `PaymentBackend` with preset preimages."""

    no_notices = "the simulated wallet sends no notices"

    network = NETWORK

    def __init__(self, wallet: SimulatedWallet, merchant: str) -> None:
        self._wallet = wallet
        self._merchant = merchant

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the one invoice for this intent, made at the first call and only repeated afterwards."""
        if intent.method is not Method.BOLT11:
            raise Unsupported(f"the simulated wallet cannot be paid by {intent.method}")
        wallet = self._wallet
        found = await wallet.file.read(lambda database: self._by_reference(database, intent.reference), timeout_s)
        if found is None:
            # Signed before the transaction, so that other processes do not wait for the signature.
            preimage = intent.preimage or Preimage(wallet.derive("preimage", f"{self._merchant}/{intent.reference}"))
            text = wallet.issue(intent, preimage.payment_hash, wallet.clock())
            found = await wallet.file.write(
                lambda database: self._insert_or_find(database, intent, preimage, text), timeout_s
            )
        refuse_another(intent, found.intent_id, found.amount_msat)
        return bolt11_request(intent, found.payment_hash, found.text, found.expires_at)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how an invoice stands; another merchant's is as unknown as one that never was."""
        rows = await self._wallet.file.read(
            lambda database: select(database, "WHERE payment_hash = ? AND merchant = ?", ref, self._merchant),
            timeout_s,
        )
        if not rows:
            return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        return _observed(rows[0], self._wallet.clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 1,000 changes of money after the cursor, which is a settle index, in their order."""
        rows = await self._settled_after(count_of(cursor, "the simulated wallet"), timeout_s)
        now = self._wallet.clock()
        observations = tuple(_observed(row, now) for row in rows)
        return Scan(observations, Cursor(str(rows[-1].settle_index)) if rows else cursor)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at each settlement after the cursor, by whichever process, until the wallet is closed."""
        after = count_of(cursor, "the simulated wallet")
        watch = self._wallet.file.watch
        with watch.bell(self._merchant) as bell:
            while not watch.is_closed:
                if watch.failure is not None:
                    raise Retry("the wallet file cannot be watched") from watch.failure
                bell.clear()
                rows = await self._settled_after(after, LISTEN_TIMEOUT_S)
                for row in rows:
                    after = row.settle_index or after
                    yield Hint(BackendRef(row.payment_hash), at=row.settled_at or 0)
                if not rows:
                    await bell.wait()

    async def cancel(self, ref: BackendRef, *, timeout_s: float) -> None:
        """Make an open invoice unpayable; one that is settled, cancelled or unknown stays as it is."""
        await self._wallet.file.write(
            lambda database: database.execute(
                "UPDATE invoices SET state = 'cancelled' WHERE payment_hash = ? AND merchant = ? AND state = 'open'",
                (ref, self._merchant),
            ),
            timeout_s,
        )

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        """Pay an invoice of somebody else's in play money, once for each refund id."""
        wallet = self._wallet
        return await pay_out(wallet.file, self._merchant, wish, NETWORK, wallet.clock(), timeout_s)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell what this wallet can do, after a look into the file."""
        await self._wallet.file.read(lambda database: database.execute("SELECT one FROM node").fetchone(), timeout_s)
        return Probe(self.capabilities, NETWORK, payee=self._wallet.payee)

    @property
    def capabilities(self) -> Capabilities:
        """Everything but webhooks."""
        return Capabilities(
            methods=frozenset({Method.BOLT11}),
            amount_step_msat=1,
            custom_expiry=True,
            can_cancel=True,
            reference_unique=True,
            reference_searchable=True,
            preset_preimage=True,
            description_hash=True,
            push=Push.CURSOR,
            late_settle=self._wallet.late_settle,
            partial=True,
            refund=RefundWay.PAY,
            proof=Proof.PREIMAGE,
        )

    async def balance_msat(self, *, timeout_s: float) -> int:
        """Sum what this merchant has been paid, less what was paid out."""
        return await self._wallet.file.read(lambda database: balance_msat(database, self._merchant), timeout_s)

    def _by_reference(self, database: sqlite3.Connection, reference: str) -> Row | None:
        condition = "WHERE merchant = ? AND reference = ?"
        return next(iter(select(database, condition, self._merchant, reference)), None)

    def _insert_or_find(self, database: sqlite3.Connection, intent: Intent, preimage: Preimage, text: str) -> Row:
        row = Row(
            payment_hash=preimage.payment_hash,
            reference=intent.reference,
            intent_id=intent.intent_id,
            text=text,
            amount_msat=intent.amount_msat,
            expires_at=intent.expires_at,
            state=BackendState.OPEN.value,
            settled_at=None,
            settle_index=None,
        )
        if insert(database, row, self._merchant, preimage.reveal()):
            return row
        found = self._by_reference(database, intent.reference)
        if found is None:
            raise Rejected(f"the payment hash of {intent.reference} belongs to another request")
        return found

    async def _settled_after(self, index: int, timeout_s: float) -> list[Row]:
        condition = "WHERE merchant = ? AND settle_index > ? ORDER BY settle_index LIMIT ?"
        return await self._wallet.file.read(
            lambda database: select(database, condition, self._merchant, index, SCAN_ROWS_MAX), timeout_s
        )


def _hash_of(invoice_text: str) -> str:
    try:
        return decode(invoice_text).payment_hash
    except InvoiceRefused as refused:
        raise PaymentRefused(PayFault.UNREADABLE, f"This is no Lightning invoice: {refused}.") from None


def _received(row: Row) -> int:
    """What came for an invoice, in msat, taken back or not."""
    in_one_go = row.amount_msat if row.state == BackendState.SETTLED else 0
    return in_one_go if row.received_msat is None else row.received_msat


def _observed(row: Row, now: int) -> Observation:
    state, received_msat = BackendState(row.state), _received(row)
    if row.reversed_at is not None:
        state = BackendState.REVERSED
    elif received_msat and state is not BackendState.SETTLED:
        state = BackendState.PARTIAL
    elif state is BackendState.OPEN and now >= row.expires_at:
        state = BackendState.EXPIRED
    return Observation(
        backend_ref=BackendRef(row.payment_hash),
        reference=Reference(row.reference),
        state=state,
        gross_msat=received_msat,
        settled_at=row.settled_at,
        expires_at=row.expires_at,
        evidence=f"bolt11:{row.payment_hash}" if received_msat else "",
        raw_digest=hashlib.sha256(repr(tuple(row)).encode()).hexdigest(),
    )


def _public_key(secret: bytes) -> str:
    digest = bytes(32)
    return recover(digest, sign_recoverable(secret, digest)).hex()
