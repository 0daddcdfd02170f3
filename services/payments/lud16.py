"""A merchant's lightning address behind the port: somebody else's server makes and watches the invoices (LUD-16).

The address knows no references, so what it gave is kept in a book of our own (`lud16_book`).
Only a service with LUD-21 says whether an invoice was paid; with any other, the merchant confirms by hand,
and `lookup` is `Unsupported`.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import structlog

from schemas.bolt11 import InvoiceRefused, Network, decode
from schemas.lnurl import (
    AddressRefused,
    AnswerRefused,
    MadeInvoice,
    PayTerms,
    ServiceSaysNo,
    VerifiedState,
    read_address,
    read_made,
    read_terms,
    read_verified,
)
from schemas.payments import BackendState, Method
from services.payments.asking import (
    bolt11_request,
    left_s,
    monotonic_s,
    refuse_another,
    refuse_expired,
    refuse_impossible,
)
from services.payments.counted_cursor import count_of
from services.payments.fetch import Answer, FetchError, Forbidden, NotSent, SafeFetch, trust_nobody
from services.payments.lud16_book import Book, Row
from services.payments.lud16_pins import Pins
from services.payments.port import (
    BackendError,
    BackendRef,
    Capabilities,
    Cursor,
    Held,
    Hint,
    Intent,
    Observation,
    PaymentRequest,
    Probe,
    Proof,
    Reference,
    Rejected,
    Retry,
    Scan,
    Unknown,
    Unsupported,
)
from services.payments.preimages import Preimage
from services.payments.receiving import OnlyReceives

TERMS_FRESH_S: Final = 60.0
"""How long a service's terms are used again: a shop's orders come in bursts."""
SCAN_ROWS_MAX: Final = 500
POLLED_MAX: Final = 200
"""Open requests asked about in one round, the newest first."""
POLLS_AT_ONCE: Final = 8
POLL_TIMEOUT_S: Final = 10.0
POLL_FIRST_S: Final = 5.0
POLL_MOST_S: Final = 60.0
"""A request is asked about after a quarter of its age, between these two: buyers pay soon or late."""
LATE_WATCH_S: Final = 3_600
"""How long after its expiry a request is still asked about."""

log = structlog.get_logger(role="payments")


@dataclass(frozen=True, slots=True)
class Lud16Config:
    """One merchant's lightning address, the file of its book, and the network its invoices must be for.

    Without a network any is taken, which is for a trial that finds it out.
    `is_trusted` names the hosts (`host` or `host:port`) that may be inside our own network and without TLS.
    """

    address: str
    book: Path
    network: Network | None = Network.BITCOIN
    amount_step_msat: int = 1_000
    is_trusted: Callable[[str], bool] = trust_nobody


def account_from(
    config: Lud16Config,
    *,
    clock: Callable[[], int] = lambda: int(time.time()),
    fetch: SafeFetch | None = None,
    poll_s: float = POLL_FIRST_S,
) -> "LightningAddress":
    """Give the back-end of an address; raise `Rejected` for a text that is none, saying how one is written."""
    return LightningAddress(config, clock=clock, fetch=fetch or SafeFetch(is_trusted=config.is_trusted), poll_s=poll_s)


class LightningAddress(OnlyReceives):
    """An address that is paid to: a `PaymentBackend`. Belongs to one event loop; whoever made it closes it."""

    no_notices = "a lightning address sends no notices"
    no_cancel = "a lightning address cannot cancel an invoice"
    no_refund = "a lightning address only receives"

    def __init__(self, config: Lud16Config, *, clock: Callable[[], int], fetch: SafeFetch, poll_s: float) -> None:
        try:
            self._address = read_address(config.address)
        except AddressRefused as refused:
            raise Rejected(str(refused)) from None
        self._config = config
        self._clock = clock
        self._fetch = fetch
        self._poll_s = poll_s
        self._book = Book(config.book)
        self._pins = Pins(self._book, str(self._address))
        self._terms: PayTerms | None = None
        self._terms_until_s = 0.0
        self._turns: WeakValueDictionary[Reference, asyncio.Lock] = WeakValueDictionary()

    @property
    def capabilities(self) -> Capabilities:
        """As of an address that tells of payments (LUD-21); the server sets how long an invoice lives."""
        return Capabilities(
            methods=frozenset({Method.BOLT11}),
            amount_step_msat=self._config.amount_step_msat,
            proof=Proof.PREIMAGE,
        )

    @property
    def network(self) -> Network:
        """What its invoices must be for."""
        return self._config.network or Network.BITCOIN

    async def close(self) -> None:
        """Let go of the sockets and the book."""
        await self._fetch.close()
        self._book.close()

    def accept(self) -> None:
        """Hold the address to what it says from now on."""
        self._pins.renew()
        self._terms_until_s = 0.0

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the one invoice recorded for this intent, or have one made, checked and recorded.

        One that was made and not recorded was shown to nobody, so after `Unknown` another may be made.
        """
        if intent.description_hash is not None:
            raise Unsupported("a lightning address has a description of its own")
        refuse_impossible(intent, "a lightning address")
        deadline_s = monotonic_s() + timeout_s
        turn = self._turns.setdefault(intent.reference, asyncio.Lock())
        async with turn:
            row = self._book.of_reference(intent.reference) or await self._make(intent, deadline_s)
        refuse_another(intent, row.intent_id, row.amount_msat)
        return bolt11_request(intent, row.payment_hash, row.text, row.expires_at)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Ask the service about an invoice (LUD-21); raise `Unsupported` where it does not tell.

        The service names neither amount nor time: the amount is the invoice's, the time that of first being told.
        """
        row = self._book.of_hash(ref)
        if row is None:
            return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        if row.settle_index is not None:
            return _settled(row)
        if row.verify is None:
            raise Unsupported("this lightning address does not tell whether an invoice was paid: confirm it by hand")
        answer = await self._ask(row.verify, timeout_s)
        digest = hashlib.sha256(answer.body).hexdigest()
        state = _verified(row, answer)
        if state is None:
            return _observed(row, BackendState.GONE, digest)
        if state.is_settled:
            self._book.settle(row.payment_hash, self._clock(), digest)
            return _settled(self._book.of_hash(ref) or row)
        is_over = self._clock() >= row.expires_at
        return _observed(row, BackendState.EXPIRED if is_over else BackendState.OPEN, digest)

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Ask about every open request, then give up to 500 settled ones after the cursor, as they were seen."""
        index = count_of(cursor, "a lightning address")
        await self._poll(self._open(), timeout_s)
        rows = self._book.settled_after(index, SCAN_ROWS_MAX)
        return Scan(tuple(map(_settled, rows)), Cursor(str(rows[-1].settle_index)) if rows else cursor)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at settlements by asking about open requests, each less often as it grows older."""
        index = count_of(cursor, "a lightning address")
        asked_s: dict[str, float] = {}
        while True:
            for row in self._book.settled_after(index, SCAN_ROWS_MAX):
                index = row.settle_index or index
                yield Hint(BackendRef(row.payment_hash), at=row.settled_at or 0)
            now_s, rows = monotonic_s(), self._open()
            asked_s = {row.payment_hash: asked_s.get(row.payment_hash, now_s) for row in rows}
            due = [row for row in rows if now_s - asked_s[row.payment_hash] >= self._pause_s(row)]
            asked_s |= dict.fromkeys((row.payment_hash for row in due), now_s)
            await self._poll(due, POLL_TIMEOUT_S)
            if not self._book.settled_after(index, 1):
                await asyncio.sleep(self._poll_s / 5)

    async def probe(self, *, timeout_s: float) -> Probe:
        """Ask for the terms, and tell whether payments are told of; `proof` is none where they are not."""
        terms = await self._read_terms(timeout_s)
        tells = self._book.tells_state()
        changes = self._pins.changes(terms)
        warnings = [*([changes] if changes else []), *self._pins.warnings()]
        if tells is None:
            warnings.append("whether this address tells of payments is seen with its first invoice")
        elif not tells:
            warnings.append("this address does not tell of payments (LUD-21): each one is to be confirmed by hand")
        if not terms.comment_chars:
            warnings.append("this address takes no comments: its own list will not name the order")
        may = ("receive", "tell of payments") if tells else ("receive",)
        return Probe(
            replace(self.capabilities, proof=Proof.PREIMAGE if tells else Proof.NONE),
            self._config.network,
            warnings=tuple(warnings),
            may=may,
            amount_min_msat=terms.min_msat,
        )

    # Making an invoice

    async def _make(self, intent: Intent, deadline_s: float) -> Row:
        now_s = self._clock()
        refuse_expired(intent, now_s)
        terms = await self._read_terms(left_s(deadline_s, "the address"))
        if changes := self._pins.changes(terms):
            self._terms_until_s = 0.0  # it is asked anew each time, so that it is used once it is accepted
            raise Held(changes)
        if not terms.min_msat <= intent.amount_msat <= terms.max_msat:
            limits = f"from {terms.min_msat} to {terms.max_msat} msat"
            raise Rejected(f"the address takes amounts {limits}, not {intent.amount_msat} msat")
        url = terms.callback_url(intent.amount_msat, intent.memo)
        answer = await self._ask(url, left_s(deadline_s, "the address"), is_act=True)
        try:
            made = read_made(answer.body)
        except ServiceSaysNo as refused:
            raise Rejected(f"the address refuses: {refused}") from None
        except AnswerRefused as refused:
            raise Unknown(str(refused)) from None
        row = self._checked(intent, terms, made, now_s)
        if not self._book.record(row):
            # Two orders with one invoice would both be confirmed by one payment.
            raise Rejected("the address gave an invoice that it has given before")
        self._pins.note_payee(decode(row.text).payee)
        return row

    def _checked(self, intent: Intent, terms: PayTerms, made: MadeInvoice, now_s: int) -> Row:
        """The invoice, as it is to be recorded; raise `Rejected` for one that is not what was asked for."""
        try:
            invoice = decode(made.text)
        except InvoiceRefused as refused:
            raise Rejected(f"the address gave something that is no invoice: {refused}") from None
        offered = "any amount" if invoice.amount_msat is None else f"{invoice.amount_msat} msat"
        faults = (
            (
                self._config.network not in {None, invoice.network},
                f"is for {invoice.network}, not {self._config.network}",
            ),
            (invoice.amount_msat != intent.amount_msat, f"asks for {offered} instead of {intent.amount_msat} msat"),
            (invoice.description_hash != terms.description_hash, "commits to another description than the address's"),
            (invoice.expires_at <= now_s, "has expired already"),
        )
        for is_wrong, what in faults:
            if is_wrong:
                raise Rejected(f"the address gave an invoice that {what}")
        return Row(
            payment_hash=invoice.payment_hash,
            reference=intent.reference,
            intent_id=intent.intent_id,
            amount_msat=intent.amount_msat,
            text=made.text,
            verify=made.verify,
            created_at=now_s,
            expires_at=invoice.expires_at,
        )

    async def _read_terms(self, timeout_s: float) -> PayTerms:
        if self._terms is not None and monotonic_s() < self._terms_until_s:
            return self._terms
        scheme = "http" if self._fetch.is_trusted(self._address.domain) else "https"
        answer = await self._ask(self._address.url(scheme), timeout_s)
        if answer.status == 404:
            raise Rejected(f"there is no lightning address {self._address}")
        try:
            self._terms = read_terms(answer.body)
        except ServiceSaysNo as refused:
            raise Rejected(f"the address refuses: {refused}") from None
        except AnswerRefused as refused:
            raise Retry(str(refused)) from None
        self._terms_until_s = monotonic_s() + TERMS_FRESH_S
        return self._terms

    async def _ask(self, url: str, timeout_s: float, *, is_act: bool = False) -> Answer:
        """Fetch; what was sent and not answered is `Unknown` where `is_act`, and elsewhere nothing has happened."""
        try:
            answer = await self._fetch.get(url, timeout_s=timeout_s)
        except Forbidden as forbidden:
            raise Rejected(f"not asked: {forbidden}") from None
        except NotSent as error:
            raise Retry(str(error)) from None
        except FetchError as error:
            raise (Unknown if is_act else Retry)(str(error)) from None
        if answer.status == 429:
            raise Retry("the address is asked too often", answer.retry_after_s)
        # Refusals come with 400 and the like as well, and say so in their text.
        if answer.status >= 500 or (not answer.body.lstrip().startswith(b"{") and answer.status != 404):
            raise (Unknown if is_act else Retry)(f"the address answered with status {answer.status}")
        return answer

    # Watching

    def _open(self) -> list[Row]:
        return self._book.unsettled(self._clock() - LATE_WATCH_S, POLLED_MAX)

    def _pause_s(self, row: Row) -> float:
        age_s = self._clock() - row.created_at
        return min(max(age_s / 4, self._poll_s), max(POLL_MOST_S, self._poll_s))

    async def _poll(self, rows: list[Row], timeout_s: float) -> None:
        """Look each up; one that cannot be asked now is asked again later."""
        places = asyncio.Semaphore(POLLS_AT_ONCE)

        async def poll(row: Row) -> None:
            async with places:
                try:
                    await self.lookup(BackendRef(row.payment_hash), timeout_s=timeout_s)
                except BackendError as error:
                    log.warning("lightning address not heard", error=type(error).__name__)

        await asyncio.gather(*map(poll, rows))


def _verified(row: Row, answer: Answer) -> VerifiedState | None:
    """What the service says of the invoice; None where it says that there is none. Raises `Retry` for nonsense."""
    if answer.status == 404:
        return None
    try:
        state = read_verified(answer.body)
    except ServiceSaysNo:
        return None
    except AnswerRefused as refused:
        raise Retry(str(refused)) from None
    if state.text is not None and state.text.lower() != row.text.lower():
        raise Retry("the address told of another invoice")
    proof = Preimage(bytes.fromhex(state.preimage)) if state.is_settled and state.preimage else None
    if proof is not None and proof.payment_hash != row.payment_hash:
        raise Retry("the address says paid, with a preimage that is not the invoice's")
    return state


def _settled(row: Row) -> Observation:
    return Observation(
        backend_ref=BackendRef(row.payment_hash),
        reference=Reference(row.reference),
        state=BackendState.SETTLED,
        gross_msat=row.amount_msat,
        settled_at=row.settled_at,
        expires_at=row.expires_at,
        evidence=f"bolt11:{row.payment_hash}",
        raw_digest=row.raw_digest,
    )


def _observed(row: Row, state: BackendState, digest: str) -> Observation:
    ref, name = BackendRef(row.payment_hash), Reference(row.reference)
    return Observation(ref, name, state, expires_at=row.expires_at, raw_digest=digest)
