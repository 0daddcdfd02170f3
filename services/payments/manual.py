"""Is paid where no machine looks: by bank transfer, in cash. The merchant enters what came (PAY-12).

What is entered stands in a book of our own (`manual_book`); here that book is the back-end whose word counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final

from schemas.bolt11 import Network
from schemas.payments import BackendState, Method, request_digest
from schemas.values import MSAT_PER_SAT
from services.payments.asking import refuse_another, refuse_expired, refuse_impossible
from services.payments.counted_cursor import count_of
from services.payments.manual_book import Book, Row
from services.payments.port import (
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Push,
    Reference,
    Scan,
    Unsupported,
)
from services.payments.receiving import OnlyReceives

LATE_S: Final = 14 * 86_400
"""How long after its end a transfer may still be entered as that request's."""
SATS: Final = "sats"
INSTRUCTIONS_MAX: Final = 1_000
CAPABILITIES: Final = Capabilities(
    methods=frozenset({Method.FIAT}),
    amount_step_msat=1,
    custom_expiry=True,
    reference_unique=True,
    push=Push.CURSOR,
    late_settle=True,
    payable_late_s=LATE_S,
    partial=True,
)
SCAN_ROWS_MAX: Final = 500
POLL_S: Final = 1.0


class ByHand(OnlyReceives):
    """One merchant's way to be paid by hand: a `PaymentBackend`. Its maker closes it."""

    no_notices = "nobody calls of a payment by hand"
    no_cancel = "a transfer that is on its way cannot be stopped from here"
    no_refund = "what was paid by hand is given back by hand"

    capabilities: Final = CAPABILITIES

    def __init__(
        self,
        instructions: str,
        book: Path,
        network: Network = Network.BITCOIN,
        clock: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
    ) -> None:
        """`instructions` tell the buyer where and how to pay. Raises `Retry` where the book is busy."""
        self._instructions, self.network, self._clock, self._poll_s = instructions, network, clock, poll_s
        self._book = Book(book)

    async def close(self) -> None:
        """Let go of the book."""
        self._book.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the words that stand in the book for this intent, or write them."""
        if intent.description_hash is not None:
            raise Unsupported("words for a person commit to no description")
        refuse_impossible(intent, "a payment by hand", method=Method.FIAT)
        row = self._book.of_reference(intent.reference)
        if row is None:
            refuse_expired(intent, self._clock())
            row = self._book.record(self._row(intent))
        refuse_another(intent, row.intent_id, row.amount_msat)
        return PaymentRequest(
            backend_ref=BackendRef(row.reference),
            reference=intent.reference,
            method=Method.FIAT,
            text=row.text,
            amount_msat=row.amount_msat,
            expires_at=row.expires_at,
            fiat=intent.fiat,
        )

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell what the merchant entered."""
        row = self._book.of_reference(ref)
        if row is None:
            return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        return _observed(row, self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 500 requests of which something was entered after the cursor."""
        rows = self._book.told_after(count_of(cursor, "payments by hand"), SCAN_ROWS_MAX)
        found = tuple(_observed(row, self._clock()) for row in rows)
        return Scan(found, Cursor(str(rows[-1].news)) if rows else cursor)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at what is entered, by whichever process."""
        news = count_of(cursor, "payments by hand")
        while True:
            for row in self._book.told_after(news, SCAN_ROWS_MAX):
                news = row.news or news
                yield Hint(BackendRef(row.reference), at=row.got_at or 0)
            await asyncio.sleep(self._poll_s)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Say that somebody has to look."""
        warning = "nobody but you sees this money: enter what comes with `ncc wallet received`"
        return Probe(CAPABILITIES, self.network, warnings=(warning,), may=("receive",))

    def _row(self, intent: Intent) -> Row:
        """A sum in the shop's currency; one that is priced in bitcoin asks for sats."""
        if intent.fiat is None:
            units, currency = -(-intent.amount_msat // MSAT_PER_SAT), SATS
            total = f"{units} {SATS}"
        else:
            units, currency, total = intent.fiat.minor_units, intent.fiat.currency, str(intent.fiat)
        text = f"{total}, {intent.memo}\n{self._instructions}"
        reference, intent_id, memo = intent.reference, intent.intent_id, intent.memo
        return Row(reference, intent_id, memo, text, intent.amount_msat, units, currency, intent.expires_at)


def _observed(row: Row, now_s: float) -> Observation:
    if row.is_taken_back:
        state = BackendState.REVERSED
    elif row.got_units >= row.due_units:
        state = BackendState.SETTLED
    elif row.got_units:
        state = BackendState.PARTIAL
    else:
        state = BackendState.EXPIRED if now_s >= row.expires_at else BackendState.OPEN
    return Observation(
        backend_ref=BackendRef(row.reference),
        reference=Reference(row.reference),
        state=state,
        gross_msat=row.got_msat,
        settled_at=row.got_at,
        expires_at=row.expires_at,
        evidence=f"fiat:{request_digest(row.text)}" if row.got_units else "",
        raw_digest=hashlib.sha256(repr(tuple(row)).encode()).hexdigest(),
    )
