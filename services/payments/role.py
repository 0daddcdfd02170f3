"""The payments role: a request for every payment wanted, and a look-up behind every word of "paid".

Level-triggered: what is owed follows from the journal (wanted and not requested, requested and not settled),
so a restart reads from the oldest open request, asks the back-end, and goes on (D5, law L3).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable

import structlog

from schemas.absence import RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.addresses import AddressPaid, AddressReversed, InvoiceMade, InvoiceRefused, InvoiceWanted
from schemas.crash_points import Point, reach
from schemas.ecash import TokenHandedIn, TokenRefused
from schemas.hints import PaymentHint
from schemas.messages import Command, CommandBody, JournalRecord
from schemas.orders import OrderMoved, OrderStatus
from schemas.payments import (
    MEDIUM,
    Method,
    PaymentAnnounced,
    PaymentDropped,
    PaymentPartReceived,
    PaymentReported,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
)
from schemas.payouts import PayoutApproved, PayoutFailed, RefundLinkMade
from schemas.refunds import RefundRecorded
from schemas.values import Origin
from services.payments.listening import CALL_TIMEOUT_S, Listeners
from services.payments.making_requests import RequestMaker
from services.payments.open_requests import Open, reversal_of
from services.payments.paying_back import Approved, RefundPayer, SealLink, no_links
from services.payments.port import (
    BackendError,
    BackendRef,
    Intent,
    Observation,
    PaymentBackend,
    PaymentRequest,
    Unsupported,
)
from services.payments.token_taking import OpenToken, OwedToken, TokenTaker, no_tokens
from services.payments.turns import SWEEP_EVERY_S, Look, by_wallet, next_look_s, take_turn
from services.payments.ways import Ways

TAKES_MORE = frozenset({MEDIUM[Method.BITCOIN], MEDIUM[Method.FIAT]})
"""Media whose requests can be paid again once they are paid, and lose what they had."""

log = structlog.get_logger(role="payments")


class PaymentsRole:
    """Follows the journal (`streams.follower.JournalHandler`) and answers with commands."""

    def __init__(
        self,
        backend_of: Callable[[str], PaymentBackend],
        preimage_secret: bytes,
        send: Callable[[Command], Awaitable[None]],
        spare_of: Callable[[str], PaymentBackend | None] = lambda _: None,
        notify: Callable[[str], None] = lambda _: None,
        open_token: OpenToken = no_tokens,
        seal_link: SealLink = no_links,
    ) -> None:
        """`spare_of` gives the wallet that stands in for a merchant's own; for `notify` see `Ways`."""
        self._ways = Ways(backend_of, spare_of, time.monotonic, notify)
        self._maker = RequestMaker(self._ways, preimage_secret, self._made, self._failed, self._missed)
        self._send = send
        self._open: dict[str, Open] = {}
        self._by_ref: dict[BackendRef, str] = {}
        self._live: set[int] = set()
        self._said_at: dict[int, tuple[float, float]] = {}
        """By partition, the time of its newest record, and when by the steady clock it was read."""
        self._tasks: dict[str, asyncio.Task[BackendError | None]] = {}
        self._frozen: dict[str, int] = {}
        """Merchants whose effects wait, each with its partition."""
        self._listeners = Listeners(
            self._ways, self._heed, lambda merchant: merchant in self._frozen, self._say_reversed
        )
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tokens = TokenTaker(self._wallet_of, open_token, self._say_of, self._may_act, self._fail)
        self._payer = RefundPayer(self._ways.of, self._say_of, self._may_act, self._fail, seal_link)

    async def begin(self, partition: int) -> int | None:
        """A partition is ours; nothing is done for it until it has been read to its end."""
        return None

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """Note what a record wants or settles."""
        self._said_at[partition] = (record.at_ms / 1_000, time.monotonic())
        for event in record.events:
            match event:
                case PaymentWanted() | InvoiceWanted():
                    entry = Open(event, partition, offset, record.merchant, wanted_s=record.at_ms / 1_000)
                    self._open[event.intent_id] = entry
                    self._ensure_soon(event.intent_id, partition)
                case InvoiceRefused():
                    self._forget(event.intent_id)
                case PaymentRequested() | InvoiceMade():
                    self._note_request(event, record.at_ms / 1_000)
                case PaymentReported() | PaymentAnnounced():
                    for entry in self._of_order(event.order.ref):
                        self._look_soon(entry)
                case TokenHandedIn() | TokenRefused():
                    self._tokens.note(event, record.merchant, partition, offset)
                case PayoutApproved() | PayoutFailed() | RefundLinkMade() | RefundRecorded():
                    self._payer.note(event, record.merchant, partition, offset)
                case PaymentPartReceived() | PaymentSettled():
                    self._note(event)
                case AddressPaid():
                    self._note_address(event)
                case WalletMissed() | WalletAnswered() | RequestForgotten() | RequestRecalled() | PaymentSeen():
                    if (known := self._open.get(event.intent_id)) is not None:
                        known.note_absence(event)
                case PaymentReversed() | AddressReversed():
                    self._forget(event.intent_id)
                case PaymentDropped():
                    self._drop(event.intent_id)
                case OrderMoved(to=OrderStatus.FAILED):
                    for entry in self._of_order(event.order.ref):
                        self._forget(entry.intent_id)
                case _:
                    pass

    async def caught_up(self, partition: int) -> None:
        """Do what is owed: make what is missing, look up what may have been paid while nobody watched."""
        self._live.add(partition)
        self._tokens.resume()
        self._payer.resume()
        for entry in [entry for entry in self._open.values() if entry.partition == partition]:
            self._ensure_soon(entry.intent_id, partition)
            if entry.requested:
                self._look_soon(entry)

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The record that wanted the oldest request still open."""
        oldest = min((e.offset for e in self._open.values() if e.partition == partition), default=next_offset)
        return self._payer.needed_from(partition, self._tokens.needed_from(partition, oldest))

    async def end(self, partition: int) -> None:
        """Another process takes the partition's requests over."""
        self._live.discard(partition)
        self._tokens.end(partition)
        self._payer.end(partition)
        self._frozen = {merchant: held for merchant, held in self._frozen.items() if held != partition}
        for entry in [entry for entry in self._open.values() if entry.partition == partition]:
            self._forget(entry.intent_id)

    async def freeze(self, partition: int, merchant: str) -> int | None:
        """Make, cancel and look up nothing more for this merchant; what is open stays so, with its own position."""
        self._frozen[merchant] = partition
        intents = {entry.intent_id for entry in self._open.values() if entry.merchant == merchant}
        tasks = [task for name, task in self._tasks.items() if name.partition(":")[2] in intents]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._tokens.hold(merchant), self._payer.hold(merchant), return_exceptions=True)
        return None

    async def thaw(self, partition: int, merchant: str) -> None:
        """Do what is owed now that everything was read: make, cancel, and look for money that came meanwhile."""
        self._frozen.pop(merchant, None)
        self._tokens.resume()
        self._payer.resume()
        self._listeners.listen_anew(merchant)
        for entry in [entry for entry in self._open.values() if entry.merchant == merchant]:
            self._ensure_soon(entry.intent_id, partition)
            if entry.dropped:
                self._drop(entry.intent_id)
            if entry.requested:
                self._look_soon(entry)

    async def sweep(self) -> None:
        """Make what is still owed, look requests up by turns, stop watching dead ones, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            due: list[Open] = []
            for entry in list(self._open.values()):
                if self._may_act(entry) and entry.is_over(self._now_of(entry)):
                    self._forget(entry.intent_id)
                elif entry.ref is None and not entry.gone:  # given up for a reason that may have passed: a wrong clock
                    self._ensure_soon(entry.intent_id, entry.partition)
                elif entry.requested and self._may_act(entry) and next_look_s(entry) <= self._now_of(entry):
                    due.append(entry)
            for (merchant, is_spare), turn in by_wallet(due, self._now_of).items():
                self._spawn(f"turn:{merchant}:{is_spare}", take_turn(turn, self._look_soon, self._missed))

    async def close(self) -> None:
        """Stop everything under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._tokens.close(), self._payer.close(), return_exceptions=True)
        await self._listeners.close()

    # Making requests

    def _ensure_soon(self, intent_id: str, partition: int) -> None:
        entry = self._open.get(intent_id)
        if entry is None or not self._may_act(entry) or (entry.dropped and not entry.requested):
            return
        self._listeners.listen(entry.merchant)
        if entry.ref is None:
            self._spawn(f"ensure:{intent_id}", self._maker.make(entry))

    async def _made(self, entry: Open, intent: Intent, request: PaymentRequest) -> None:
        """A wallet holds the entry's request: say so, or go on watching it."""
        reach(Point.PAYMENTS_MADE)
        entry.ref, entry.payable_until = request.backend_ref, request.expires_at + entry.payable_late_s
        self._by_ref[request.backend_ref] = entry.intent_id
        if entry.requested:
            if entry.dropped:
                self._spawn(f"cancel:{entry.intent_id}", self._cancel(entry, request.backend_ref))
            self._look_soon(entry)
            return
        await self._say(entry, entry.made(intent, request))

    async def _failed(self, entry: Open, reason: str) -> None:
        await self._say(entry, entry.failed(reason))

    async def _say(self, entry: Open, body: CommandBody, what: str = "") -> None:
        await self._say_of(entry.merchant, entry.intent_id, body, what)

    async def _say_of(self, merchant: str, source: str, body: CommandBody, what: str = "") -> None:
        name = hashlib.sha256(f"{body.type}:{source}{what}".encode()).hexdigest()[:32]
        at_ms = time.time_ns() // 1_000_000
        command = Command(id=name, merchant=merchant, at_ms=at_ms, origin=Origin.PAYMENTS, source=source, body=body)
        await self._send(command)
        reach(Point.PAYMENTS_SAID)

    def hinted(self, partition: int, hint: PaymentHint) -> None:
        """A vendor called (PAY-16): look up what it names, or one by one all that the merchant waits for."""
        if partition not in self._live or hint.merchant in self._frozen:
            return
        if hint.backend_ref is None:
            self._spawn(f"notice:{hint.merchant}", self._look_all(hint.merchant))
        elif not self._heed(BackendRef(hint.backend_ref), hint.merchant):
            log.info("a notice of nothing that is open", merchant=hint.merchant)

    async def _look_all(self, merchant: str) -> None:
        for entry in [entry for entry in self._open.values() if entry.merchant == merchant and entry.requested]:
            if entry.ref is not None and self._may_act(entry):
                await self._look(entry, entry.ref)

    # Watching for money

    def _heed(self, ref: BackendRef, merchant: str) -> bool:
        """Look a merchant's request up that is watched; False where it is not."""
        entry = self._open.get(self._by_ref.get(ref, ""))
        if entry is None or entry.merchant != merchant:
            return False
        self._look_soon(entry)
        return True

    async def _say_reversed(self, merchant: str, seen: Observation) -> None:
        """Money of a request nobody watches was taken back; the decider knows whose it was."""
        if (body := reversal_of(seen)) is not None:
            await self._say_of(merchant, body.payment_hash, body)

    def _look_soon(self, entry: Open) -> Look | None:
        if entry.ref is None or not self._may_act(entry) or entry.intent_id not in self._open:
            return None
        name = f"look:{entry.intent_id}"
        self._spawn(name, self._look(entry, entry.ref))
        return self._tasks.get(name)

    async def _look(self, entry: Open, ref: BackendRef) -> BackendError | None:
        """Ask the back-end; only what it says counts (L10). Give why it did not answer, if so."""
        entry.asked_s = asked_s = self._now_of(entry)
        try:
            seen = await self._ways.of(entry.merchant, entry.is_spare).lookup(ref, timeout_s=CALL_TIMEOUT_S)
        except Unsupported:
            entry.gone = True
            return None
        except BackendError as error:
            log.warning("look-up", intent=entry.intent_id, error=type(error).__name__)
            await self._missed(entry)
            return error
        reach(Point.PAYMENTS_LOOKED)
        entry.seen_s = asked_s
        if entry.is_lost(seen):
            log.error("back-end lost a request", intent=entry.intent_id, merchant=entry.merchant)
        if entry.is_news(seen):
            await self._say(entry, entry.observed(seen), f":{seen.state}:{seen.gross_msat}")
        return None

    async def _missed(self, entry: Open) -> None:
        """Its wallet did not answer; said as long as that is so and the journal does not have it."""
        absence = entry.absence(self._now_of(entry)) if self._may_act(entry) else None
        if absence is not None:
            await self._say(entry, absence)

    # Book-keeping

    def _note_request(self, event: PaymentRequested | InvoiceMade, at_s: float) -> None:
        """A request is in the journal. It may be another process's, made at the other wallet: then look there."""
        if (entry := self._open.get(event.intent_id)) is None:
            return
        is_spare = isinstance(event, PaymentRequested) and event.is_spare
        if is_spare != entry.is_spare and entry.ref is not None:
            self._by_ref.pop(entry.ref, None)
            entry.ref = None
        entry.requested, entry.is_spare, entry.shown_s = True, is_spare, at_s
        entry.takes_more = isinstance(event, PaymentRequested) and event.medium in TAKES_MORE
        self._listeners.listen(entry.merchant, is_spare)
        if entry.ref is None:
            self._ensure_soon(entry.intent_id, entry.partition)

    def _may_act(self, entry: Open | OwedToken | Approved) -> bool:
        """Whether its partition was read to its end, and its merchant's effects do not wait."""
        return entry.partition in self._live and entry.merchant not in self._frozen

    def _wallet_of(self, owed: OwedToken) -> PaymentBackend:
        """The wallet that holds a token's request: the spare one where it was made there."""
        entry = self._open.get(owed.event.intent_id)
        return self._ways.of(owed.merchant, entry is not None and entry.is_spare)

    def _now_s(self, partition: int) -> float:
        """Now, by whichever is behind: our clock, or the journal's. A clock that is ahead must not end a watch."""
        said_s, read_s = self._said_at.get(partition, (0.0, 0.0))
        return min(time.time(), said_s + time.monotonic() - read_s)

    def _now_of(self, entry: Open) -> float:
        return self._now_s(entry.partition)

    def _of_order(self, ref: str) -> list[Open]:
        return [entry for entry in self._open.values() if entry.order_ref == ref]

    def _note(self, event: PaymentPartReceived | PaymentSettled) -> None:
        """Money is in the journal. A request that may take or lose more is watched; with none due it is cancelled."""
        if (entry := self._open.get(event.intent_id)) is None:
            return
        entry.got_msat, entry.is_waited_for = event.gross_msat, False
        entry.is_settled = isinstance(event, PaymentSettled) or (entry.takes_more and entry.is_settled)
        if entry.takes_more or (isinstance(event, PaymentPartReceived) and not event.is_closed):
            return
        if isinstance(event, PaymentSettled) and event.gross_msat < entry.wanted.amount_msat:
            self._drop(event.intent_id)
        else:
            self._forget(event.intent_id)

    def _note_address(self, event: AddressPaid) -> None:
        """The same of an invoice of the shop's address; it is watched until all of it is there."""
        if (entry := self._open.get(event.intent_id)) is not None:
            entry.got_msat = event.gross_msat
            if event.gross_msat >= entry.wanted.amount_msat:
                self._forget(event.intent_id)

    def _drop(self, intent_id: str) -> None:
        """Not wanted any more: cancel it where that can be done, and watch it for late money."""
        if (entry := self._open.get(intent_id)) is None:
            return
        entry.dropped = True
        if entry.ref is None and not entry.requested:
            self._forget(intent_id)
        elif entry.ref is not None and self._may_act(entry):
            self._spawn(f"cancel:{intent_id}", self._cancel(entry, entry.ref))

    async def _cancel(self, entry: Open, ref: BackendRef) -> None:
        try:
            await self._ways.of(entry.merchant, entry.is_spare).cancel(ref, timeout_s=CALL_TIMEOUT_S)
        except BackendError as error:
            log.info("not cancelled", intent=entry.intent_id, error=type(error).__name__)

    def _forget(self, intent_id: str) -> None:
        entry = self._open.pop(intent_id, None)
        if entry is not None and entry.ref is not None:
            self._by_ref.pop(entry.ref, None)
        if (task := self._tasks.pop(f"ensure:{intent_id}", None)) is not None:
            task.cancel()

    def _spawn(self, name: str, work: Awaitable[BackendError | None]) -> None:
        """Run one thing of a name at a time; a failure that is no back-end's stops the role."""
        if name in self._tasks:
            if asyncio.iscoroutine(work):
                work.close()
            return
        task = asyncio.ensure_future(work)
        self._tasks[name] = task

        def finished(done: asyncio.Task[BackendError | None]) -> None:
            if self._tasks.get(name) is done:
                del self._tasks[name]
            if not done.cancelled() and (error := done.exception()) is not None:
                self._fail(error)

        task.add_done_callback(finished)

    def _fail(self, error: BaseException) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)
