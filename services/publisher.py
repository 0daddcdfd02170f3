"""The publisher: what the journal promises a buyer goes out on relays, the same bytes however often it is tried.

Its position moves past a record only when everything that record owes has reached a relay or was given up
with a delivery record, so a crash repeats messages that relays then drop as duplicates (D5).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from schemas.catalogue import ListingRevised
from schemas.crash_points import Point, reach
from schemas.deliveries import Delivery, DeliveryState, RelayOutcome
from schemas.dialects import DIALECTS
from schemas.merchants import Merchant
from schemas.messages import JournalRecord
from schemas.nostr.nip01 import Event, to_json, writable
from schemas.nostr.nip17 import make_rumor
from schemas.replies import ReplyPromised
from schemas.signing import ASK_AGAIN_S, SignerDenies
from services.directory import Directory, Route
from services.relays import Publisher as RelayPublisher
from services.relays import PublishResult
from services.signer.port import Signer, UnknownMerchant

IN_FLIGHT_MAX = 2_000
"""Messages under way at once; beyond it the journal is not read on."""
RELAYS_PER_MESSAGE = 3
PUBLISH_TIMEOUT_S = 15.0
GIVE_UP_S = 600.0
"""How long a message is tried before it is recorded as failed."""
PAUSE_MAX_S = 60.0

Work = Callable[[asyncio.Future[None]], Awaitable[None]]
"""What a message or listing takes; it sets the future as soon as the next one of its chain may go."""

log = structlog.get_logger(role="publisher")


class DeliveryLog(Protocol):
    """Where deliveries are recorded."""

    async def put_delivery(self, delivery: Delivery) -> None:
        """Queue one delivery record."""


class PublisherRole:
    """Follows the journal (`streams.follower.JournalHandler`)."""

    def __init__(
        self,
        signer: Signer,
        relays: RelayPublisher,
        directory: Directory,
        merchant_of: Callable[[str], Merchant | None],
        own_relays: Sequence[str],
        deliveries: DeliveryLog,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._signer = signer
        self._relays = relays
        self._directory = directory
        self._merchant_of = merchant_of
        self._own_relays = tuple(own_relays)
        self._deliveries = deliveries
        self._notify = notify
        self._denied = False
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._under_way: dict[int, dict[asyncio.Task[None], int]] = {}
        self._task_of: dict[asyncio.Task[None], str] = {}
        """Task → the merchant it works for."""
        self._last_of: dict[str, asyncio.Future[None]] = {}
        """Chain → whether its newest message is placed, so that the next one may go."""
        self._newest: dict[str, str] = {}
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self, partition: int) -> int | None:
        """A partition is ours."""
        self._under_way[partition] = {}
        return None

    async def caught_up(self, partition: int) -> None:
        """Nothing is owed beyond the records themselves."""

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """Start what a record owes; messages of one order, and versions of one listing, keep their order."""
        for event in record.events:
            match event:
                case ReplyPromised():
                    await self._start(
                        partition, offset, record.merchant, event.order.ref, partial(self._reply, record, event)
                    )
                case ListingRevised(listing=listing):
                    self._newest[listing.coordinate] = listing.event_id
                    await self._start(
                        partition, offset, record.merchant, listing.coordinate, partial(self._listing, record, event)
                    )
                case _:
                    pass

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The oldest record with something still under way."""
        return min(self._under_way.get(partition, {}).values(), default=next_offset)

    async def end(self, partition: int) -> None:
        """Another publisher goes on from the stored position."""
        tasks = list(self._under_way.pop(partition, {}))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def freeze(self, partition: int, merchant: str) -> int | None:
        """Stop what is under way for this merchant; gives the oldest record it has to be started from again."""
        tasks = {t: at for t, at in self._under_way.get(partition, {}).items() if self._task_of.get(t) == merchant}
        oldest = min(tasks.values(), default=None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return oldest

    async def thaw(self, partition: int, merchant: str) -> None:
        """Nothing is owed beyond the records themselves."""

    async def _start(self, partition: int, offset: int, merchant: str, chain: str, work: Work) -> None:
        await self._slots.acquire()
        before, placed = self._last_of.get(chain), asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(_after(before, work(placed)))
        self._last_of[chain] = placed
        self._under_way[partition][task] = offset
        self._task_of[task] = merchant

        def finished(done: asyncio.Task[None]) -> None:
            self._slots.release()
            self._task_of.pop(done, None)
            _let_pass(placed)
            if self._last_of.get(chain) is placed:
                del self._last_of[chain]
            error = None if done.cancelled() else done.exception()
            if error is not None and not self.failure.done():
                # The record stays in `_under_way`, so the position does not move past what was not done.
                self.failure.set_exception(error)
                return
            self._under_way.get(partition, {}).pop(done, None)

        task.add_done_callback(finished)

    async def _reply(self, record: JournalRecord, promised: ReplyPromised, placed: asyncio.Future[None]) -> None:
        """Wrap a reply to the buyer and to the merchant's own inbox, and publish both; nobody waits for the copy."""
        merchant = record.merchant
        draft = DIALECTS[promised.dialect].write(promised)
        tags = tuple(tuple(writable(text) for text in tag) for tag in draft.tags)
        rumor = make_rumor(merchant, promised.at_s, draft.kind, tags, writable(draft.content))
        try:
            to_buyer, to_self = await self._signed(
                merchant,
                lambda: tuple(
                    self._signer.seal_and_wrap(rumor, recipient, promised.effect_id)
                    for recipient in (promised.order.buyer, merchant)
                ),
            )
        except (ValueError, UnknownMerchant) as error:
            await self._record(record, promised, None, [], Route(()), f"cannot be wrapped: {type(error).__name__}")
            log.error("reply not made", order=promised.order.ref, number=promised.number, error=str(error))
            return
        reach(Point.PUBLISHER_WRAPPED)
        home = self._home_relays(merchant)
        route = await self._directory.route(promised.order.buyer, home)
        own = asyncio.ensure_future(self._publish_all(home[:RELAYS_PER_MESSAGE], to_self))
        try:
            results = await self._until_stored(route.relays, to_buyer)
            _let_pass(placed)
            copies = await own
        finally:
            own.cancel()  # a message that is stopped stops with its copy
        reach(Point.PUBLISHER_PUBLISHED)
        await self._record(record, promised, to_buyer, results, route, copies=copies)
        reach(Point.PUBLISHER_RECORDED)

    async def _listing(self, record: JournalRecord, revised: ListingRevised, _placed: asyncio.Future[None]) -> None:
        """Sign and publish a new version, unless a newer one is already behind it."""
        listing = revised.listing
        if self._newest.get(listing.coordinate) != listing.event_id:
            return
        event = await self._signed(
            record.merchant, lambda: self._signer.sign_listing(record.merchant, listing.template)
        )
        assert event.id == listing.event_id, "the journal fixes the event that is published"
        results = await self._until_stored(self._home_relays(record.merchant), event)
        stored = any(result.is_stored for result in results)
        await self._deliveries.put_delivery(
            Delivery(
                effect_id=f"listing:{listing.event_id}",
                merchant=record.merchant,
                order_ref=None,
                what="listing",
                event_id=event.id,
                sequence=record.seq,
                state=DeliveryState.DELIVERED if stored else DeliveryState.FAILED,
                outcomes=_outcomes(results),
                at_ms=_now_ms(),
            )
        )

    async def _signed[T](self, merchant: str, act: Callable[[], T]) -> T:
        """What the signer does once it does it; what waits for it stays owed, and the operator sees why."""
        while True:
            try:
                done = act()
            except SignerDenies as denied:
                log.warning("signer denies", merchant=merchant, why=str(denied))
                self._notify(f"messages of merchant {merchant[:8]} wait for the signer: {denied}")
                self._denied = True
                await asyncio.sleep(ASK_AGAIN_S)
                continue
            if self._denied:
                self._denied = False
                self._notify("")
            return done

    async def _until_stored(self, relays: Sequence[str], event: Event) -> list[PublishResult]:
        """Publish until one relay has it, every relay refused it for good, or the time to give up has come."""
        give_up_s = time.monotonic() + GIVE_UP_S
        pause_s = 1.0
        while True:
            results = await self._publish_all(relays[:RELAYS_PER_MESSAGE], event)
            reach(Point.PUBLISHER_ON_A_RELAY)
            final = all(result.outcome.value == "refused" for result in results)
            if any(result.is_stored for result in results) or final or time.monotonic() >= give_up_s:
                return results
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _publish_all(self, relays: Sequence[str], event: Event) -> list[PublishResult]:
        text = to_json(event)
        publishing = (self._relays.publish(relay, event.id, text, PUBLISH_TIMEOUT_S) for relay in relays)
        return list(await asyncio.gather(*publishing))

    def _home_relays(self, merchant: str) -> tuple[str, ...]:
        """The operator's and this merchant's own relays: where lists are looked up and copies are kept."""
        configured = self._merchant_of(merchant)
        return tuple(dict.fromkeys((*(configured.relays if configured else ()), *self._own_relays)))

    async def _record(
        self,
        record: JournalRecord,
        promised: ReplyPromised,
        event: Event | None,
        results: Sequence[PublishResult],
        route: Route,
        failure: str = "",
        copies: Sequence[PublishResult] = (),
    ) -> None:
        if any(result.is_stored for result in results):
            state = DeliveryState.DELIVERED
        elif not route.relays and not failure:
            state = DeliveryState.NO_ROUTE
        elif any(copy.is_stored for copy in copies):
            state = DeliveryState.SELF_ONLY
        else:
            state = DeliveryState.FAILED
        outcomes = _outcomes(results) or (
            (RelayOutcome(relay="", outcome="failed", message=failure),) if failure else ()
        )
        await self._deliveries.put_delivery(
            Delivery(
                effect_id=promised.effect_id,
                merchant=record.merchant,
                order_ref=promised.order.ref,
                what=promised.reply.type,
                event_id=event.id if event else "",
                sequence=record.seq,
                state=state,
                compat_route=route.compat,
                outcomes=outcomes,
                at_ms=_now_ms(),
            )
        )


def _let_pass(placed: asyncio.Future[None]) -> None:
    if not placed.done():
        placed.set_result(None)


async def _after(before: asyncio.Future[None] | None, work: Awaitable[None]) -> None:
    """Do the work once what comes before it in its chain is placed or over, however that ended."""
    try:
        if before is not None and not before.done():
            await asyncio.wait([before])
        await work
    except asyncio.CancelledError:
        if asyncio.iscoroutine(work):
            work.close()
        raise


def _outcomes(results: Sequence[PublishResult]) -> tuple[RelayOutcome, ...]:
    return tuple(RelayOutcome(relay=r.relay, outcome=r.outcome.value, message=r.message[:200]) for r in results)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
