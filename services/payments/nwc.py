"""A merchant's own wallet behind the port, by Nostr Wallet Connect (NIP-47).

`ensure` looks into the wallet's list, makes what is missing, and shows nothing that could not be found again;
`lookup` asks for one payment hash; notifications are hints. The connection should be a receive-only one.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

import structlog

from schemas.bolt11 import Network
from schemas.nostr.nip47 import (
    PAYMENT_RECEIVED,
    SPENDING,
    ConnectionRefused,
    ErrorCode,
    Response,
    WalletError,
    WalletInfo,
    read_connection,
)
from schemas.nostr.nip47 import Method as Ask
from schemas.nostr.nip47_wallet import Transaction, TransactionRefused, read_network, read_transaction
from schemas.payments import BackendState, Method
from services.payments.asking import left_s, monotonic_s, refuse_expired
from services.payments.nwc_line import LineTuning, WalletLine, trust_none
from services.payments.nwc_marks import Marks, Page, mark_of, marked_memo, metadata_for, pages
from services.payments.nwc_words import (
    CURSOR_MARK_CHARS,
    allowed,
    is_definite,
    node_key,
    observation,
    port_error,
    read_cursor,
    refuse_impossible,
    request_of,
    state_of,
    transaction_of,
    write_cursor,
)
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
    Rejected,
    Retry,
    Scan,
    Unauthorized,
    Unknown,
    Unsupported,
)
from services.payments.receiving import OnlyReceives

LIFE_MAX_S: Final = 86_400
"""The longest a request lives: how far before an intent's end its invoice may have been made."""
LATE_S: Final = 15.0
"""How long after a request's own end it may still be carried out and not yet stand in the list: clocks and caches."""
LIST_LAG_S: Final = 3.0
"""How long a wallet may take to list an invoice whose making it answered with an error."""
HISTORY_S: Final = 30 * 86_400
"""How far back a scan from the start goes: nobody waits for an older payment."""
SETTLES_WITHIN_S: Final = LIFE_MAX_S + 3_600
"""How long after its making an invoice may be settled and still be found by a scan from a cursor."""
SCAN_OVERLAP_S: Final = 60
"""How far behind a cursor a scan looks again, since wallets tell whole seconds and list some payments late."""
SCAN_ROWS_MAX: Final = 500
POLL_S: Final = 60.0
"""Between two scans of a listener: what notifications lost is found so."""
LISTEN_TIMEOUT_S: Final = 20.0
HEARD_MAX: Final = 10_000

_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NEEDED: Final = (Ask.MAKE_INVOICE, Ask.LOOKUP_INVOICE, Ask.LIST_TRANSACTIONS)

log = structlog.get_logger(role="payments")


@dataclass(frozen=True, slots=True)
class NwcConfig:
    """One merchant's wallet: the connection URI is a secret and neither prints nor is repeated in errors.

    `network` is what its invoices are for; `amount_step_msat` is 1 for wallets known to take parts of a sat,
    most cut them off.
    """

    uri: str = field(repr=False)
    network: Network = Network.BITCOIN
    amount_step_msat: int = 1_000
    late_settle: bool = False
    is_trusted_relay: Callable[[str], bool] = trust_none


def account_from(
    config: NwcConfig,
    *,
    clock: Callable[[], int] = lambda: int(time.time()),
    tuning: LineTuning | None = None,
    poll_s: float = POLL_S,
    late_s: float = LATE_S,
) -> "NwcWallet":
    """Give the wallet of a connection; raise `Unauthorized` for a text that is none, saying what is missing."""
    try:
        connection = read_connection(config.uri)
    except ConnectionRefused as refused:
        raise Unauthorized(str(refused)) from None
    line = WalletLine(connection, is_trusted=config.is_trusted_relay, tuning=tuning)
    return NwcWallet(line, config, clock=clock, poll_s=poll_s, late_s=late_s)


class NwcWallet(OnlyReceives):
    """A wallet that is asked over Nostr: a `PaymentBackend`. Belongs to one event loop; whoever made it closes it."""

    # NIP-47 cancels hold invoices only; a wallet tells over its relays (`listen`).
    no_notices = "a wallet connection knows no webhooks"
    no_cancel = "a wallet connection cannot cancel an invoice"
    no_refund = "a wallet connection is used to receive only"

    def __init__(
        self, line: WalletLine, config: NwcConfig, *, clock: Callable[[], int], poll_s: float, late_s: float
    ) -> None:
        self._line = line
        self._config = config
        self._clock = clock
        self._poll_s = poll_s
        self._late_s = late_s
        self._marks = Marks(self._page)
        self._deadline_s = 0.0
        self._listing = asyncio.Lock()
        self._turns: WeakValueDictionary[Reference, asyncio.Lock] = WeakValueDictionary()
        self._under_way: dict[Reference, float] = {}
        """Invoices that may still come into being, each with the monotonic second from which absence is a proof."""
        self._keeps_metadata: bool | None = None
        """Whether the wallet gives metadata back; None until the first invoice has shown it."""

    @property
    def capabilities(self) -> Capabilities:
        """As of a wallet that lists and notifies; one that does not list is refused by `ensure`."""
        return Capabilities(
            methods=frozenset({Method.BOLT11}),
            amount_step_msat=self._config.amount_step_msat,
            custom_expiry=True,
            reference_searchable=True,
            description_hash=self._keeps_metadata is not False,
            push=Push.RELAY,
            late_settle=self._config.late_settle,
            proof=Proof.PREIMAGE,
        )

    @property
    def network(self) -> Network:
        """What its invoices must be for."""
        return self._config.network

    async def close(self) -> None:
        """Close the line to the wallet."""
        await self._line.close()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Give the one invoice for this intent: the one in the wallet's list, else a new one that will be found there.

        While an earlier request of ours may still be carried out, an absent invoice is `Unknown`, not made again.
        """
        refuse_impossible(intent)
        deadline_s = monotonic_s() + timeout_s
        turn = self._turns.setdefault(intent.reference, asyncio.Lock())
        async with turn:
            self._refuse_lame(await self._line.info(timeout_s=left_s(deadline_s, "the wallet")))
            found = await self._find(intent, deadline_s)
            if found is None:
                found = await self._make(intent, deadline_s)
            self._under_way.pop(intent.reference, None)
            return request_of(intent, found)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how the invoice with this payment hash stands."""
        gone = Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        if not _HASH.fullmatch(ref):
            return gone
        response = await self._line.ask(Ask.LOOKUP_INVOICE, {"payment_hash": ref}, timeout_s=timeout_s)
        if response.error is not None and response.error.code is ErrorCode.NOT_FOUND:
            return gone
        transaction = transaction_of(self._result(response))
        if transaction.payment_hash != ref:
            raise Retry("the wallet answered a look-up with another invoice")
        return observation(transaction, self._clock())

    async def scan(self, cursor: Cursor, *, timeout_s: float) -> Scan:
        """Give up to 500 of our settled invoices after the cursor, by their time; from the start means 30 days.

        The cursor is a second and what was already given of the minute before it: wallets tell whole seconds.
        """
        after_s, given = read_cursor(cursor)
        now_s, deadline_s = self._clock(), monotonic_s() + timeout_s
        settled: dict[str, Transaction] = {}
        async with self._listing:
            self._deadline_s = deadline_s
            async for page in pages(
                partial(self._page, unpaid=False), max(now_s - HISTORY_S, after_s - SETTLES_WITHIN_S)
            ):
                for one in page.transactions:
                    if mark_of(one) is not None and state_of(one, now_s) is BackendState.SETTLED:
                        settled[one.payment_hash] = one
        window = sorted(
            (one for one in settled.values() if _settled_s(one) >= after_s - SCAN_OVERLAP_S),
            key=lambda one: (_settled_s(one), one.payment_hash),
        )
        fresh = [one for one in window if one.payment_hash[:CURSOR_MARK_CHARS] not in given][:SCAN_ROWS_MAX]
        if not fresh:
            return Scan((), cursor)
        up_to_s = max(after_s, *(_settled_s(one) for one in fresh))
        told = given | {one.payment_hash[:CURSOR_MARK_CHARS] for one in fresh}
        late = [one.payment_hash[:CURSOR_MARK_CHARS] for one in window if _settled_s(one) >= up_to_s - SCAN_OVERLAP_S]
        observations = tuple(observation(one, now_s) for one in fresh)
        return Scan(observations, write_cursor(up_to_s, [mark for mark in late if mark in told]))

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint once at each settlement the wallet notifies of, or a scan finds: after reconnections and each minute."""
        heard: dict[str, None] = {}
        with self._line.notices() as notices:
            while True:
                scan = await self.scan(cursor, timeout_s=LISTEN_TIMEOUT_S)
                cursor = scan.cursor
                for one in scan.observations:
                    if _is_news(heard, one.backend_ref):
                        yield Hint(one.backend_ref, at=one.settled_at or 0)
                if scan.observations:
                    continue
                async for payment_hash in _until_missed(notices, self._poll_s):
                    if _is_news(heard, payment_hash):
                        yield Hint(BackendRef(payment_hash), at=self._clock())

    async def probe(self, *, timeout_s: float) -> Probe:
        """Tell what the wallet's info event and `get_info` say, and what the operator should know of it."""
        deadline_s = monotonic_s() + timeout_s
        info = await self._line.info(timeout_s=timeout_s)
        network, payee, clock_offset_s, may = None, None, 0, info.methods
        if Ask.GET_INFO in info.methods:
            response = await self._line.ask(Ask.GET_INFO, {}, timeout_s=left_s(deadline_s, "the wallet"))
            said = self._result(response)
            network, payee = read_network(said), node_key(said)
            clock_offset_s = response.created_at - int(time.time())
            may = allowed(info, said)
        lacking = [ask.value for ask in _NEEDED if ask not in may]
        warnings = []
        if may & SPENDING:
            warnings.append("this wallet connection can spend: make a receive-only one, in case it is ever stolen")
        if lacking:
            warnings.append(f"this wallet connection lacks {', '.join(lacking)}: allow it in the wallet")
        capabilities = replace(
            self.capabilities,
            reference_searchable=Ask.LIST_TRANSACTIONS in may,
            push=Push.RELAY if PAYMENT_RECEIVED in info.notifications else Push.NONE,
        )
        return Probe(
            capabilities, network, payee, clock_offset_s, tuple(warnings), may=tuple(sorted(may)), lacks=tuple(lacking)
        )

    # Making an invoice

    async def _find(self, intent: Intent, deadline_s: float) -> Transaction | None:
        async with self._listing:
            self._deadline_s = deadline_s
            return await self._marks.find(intent.reference, intent.expires_at - LIFE_MAX_S)

    async def _make(self, intent: Intent, deadline_s: float) -> Transaction:
        """Make an invoice that stands in the list with our mark; raise whatever became of it instead."""
        refuse_expired(intent, self._clock())
        if monotonic_s() < self._under_way.get(intent.reference, 0.0):
            raise Unknown(f"request {intent.reference} may still come into being")
        made = await self._make_once(intent, deadline_s)
        if self._keeps_metadata is None:
            # Its answer may echo what the wallet then forgets, or leave out what it keeps: ask.
            params = {"payment_hash": made.payment_hash}
            response = await self._line.ask(Ask.LOOKUP_INVOICE, params, timeout_s=left_s(deadline_s, "the wallet"))
            self._keeps_metadata = mark_of(transaction_of(self._result(response))) is not None
            if not self._keeps_metadata:
                # Nobody has seen this one, so nobody can pay it; the next carries the mark where it is kept.
                log.warning("wallet keeps no metadata: references stand in descriptions")
                made = await self._make_once(intent, deadline_s)
        self._marks.remember(made)
        return made

    async def _make_once(self, intent: Intent, deadline_s: float) -> Transaction:
        params = self._params(intent)
        timeout_s = left_s(deadline_s, "the wallet")
        self._under_way[intent.reference] = monotonic_s() + timeout_s + self._late_s
        try:
            response = await self._line.ask(Ask.MAKE_INVOICE, params, timeout_s=timeout_s)
        except (Retry, Rejected):
            del self._under_way[intent.reference]
            raise
        if response.error is not None:
            self._after_error(intent.reference, response.error)
        try:
            return read_transaction(self._result(response, is_act=True))
        except TransactionRefused as refused:
            raise Unknown(f"the wallet made something else than an invoice: {refused}") from None

    def _params(self, intent: Intent) -> dict[str, Any]:
        params: dict[str, Any] = {
            "amount": intent.amount_msat,
            "expiry": intent.expires_at - self._clock(),
            "metadata": metadata_for(intent),
        }
        if intent.description_hash is not None:
            if self._keeps_metadata is False:
                raise Unsupported(
                    "this wallet keeps no metadata, so an invoice without a memo would never be found again"
                )
            return params | {"description_hash": intent.description_hash}
        return params | {"description": marked_memo(intent) if self._keeps_metadata is False else intent.memo}

    def _after_error(self, ref: Reference, error: WalletError) -> None:
        if is_definite(error.code):
            self._under_way.pop(ref, None)
        else:  # it has answered, so nothing comes late; what it made before it failed may be listed in a moment
            self._under_way[ref] = monotonic_s() + min(LIST_LAG_S, self._late_s)

    # Reading answers

    async def _page(self, from_s: int, offset: int, limit: int, *, unpaid: bool = True) -> Page:
        params = {"from": max(0, from_s), "offset": offset, "limit": limit, "unpaid": unpaid, "type": "incoming"}
        response = await self._line.ask(Ask.LIST_TRANSACTIONS, params, timeout_s=left_s(self._deadline_s, "the wallet"))
        said = self._result(response).get("transactions")
        if not isinstance(said, list):
            raise Retry("the wallet's list of transactions is none")
        read = []
        for fields in said:
            try:
                read.append(transaction_of(fields))
            except Retry:  # one that cannot be read hides no other
                log.warning("wallet transaction left out")
        return Page(tuple(one for one in read if one.is_incoming), len(said))

    def _result(self, response: Response, *, is_act: bool = False) -> Mapping[str, Any]:
        """The result, or the port's error for the wallet's; `is_act` says that something may have been made."""
        if response.error is None:
            return response.result
        if response.error.code is ErrorCode.UNSUPPORTED_ENCRYPTION:
            self._line.forget_info()
        raise port_error(response.error, is_act=is_act)

    def _refuse_lame(self, info: WalletInfo) -> None:
        lacking = [ask.value for ask in _NEEDED if ask not in info.methods]
        if lacking:
            raise Unsupported(f"the wallet connection lacks {', '.join(lacking)}: allow it in the wallet")


def _settled_s(transaction: Transaction) -> int:
    return transaction.settled_at or transaction.created_at


def _is_news(heard: dict[str, None], payment_hash: str) -> bool:
    if payment_hash in heard:
        return False
    heard[payment_hash] = None
    if len(heard) > HEARD_MAX:
        del heard[next(iter(heard))]
    return True


async def _until_missed(notices: asyncio.Queue[str | None], timeout_s: float) -> AsyncGenerator[str, None]:
    """Give what the wallet notifies of, until the time is up or some of it may have been missed."""
    deadline_s = monotonic_s() + timeout_s
    while (left_s := deadline_s - monotonic_s()) > 0:
        try:
            payment_hash = await asyncio.wait_for(notices.get(), left_s)
        except TimeoutError:
            return
        if payment_hash is None:
            return
        yield payment_hash
