"""The publisher: what the journal promises a buyer goes out on relays, the same bytes however often it is tried.

Its position moves past a record only when everything that record owes is recorded as delivered or given up, or
stands in the outbox, so a crash repeats messages that relays then drop as duplicates (D5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import structlog

from schemas.catalogue import ListingRevised, Template
from schemas.crash_points import Point, reach
from schemas.deliveries import Delivery, DeliveryState, Owed, RelayOutcome
from schemas.inbox import AnswerPromised
from schemas.merchants import Merchant
from schemas.messages import JournalRecord
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.publishing import PublicationPromised
from schemas.replies import ReplyPromised
from schemas.signing import ASK_AGAIN_S, SignerDenies
from services.directory import Directory
from services.outbox import DeliveryLog, Outbox, OutboxLog, Place, now_ms
from services.outgoing import OpenText, Outgoing, no_vault, of_answer, of_reply
from services.signer.port import Signer
from services.telling import Relays

IN_FLIGHT_MAX = 2_000
"""Messages under way at once that no relay has yet; beyond it the journal is not read on."""
RELAYS_PER_MESSAGE = 3
"""Of a private message; public events go to all that the operator and the author name."""

Work = Callable[[Place, Owed | None], Awaitable[None]]
"""What a message or listing takes, from its start or from where the outbox has it."""

log = structlog.get_logger(role="publisher")


class PublisherRole:
    """Follows the journal (`streams.follower.JournalHandler`)."""

    def __init__(
        self,
        signer: Signer,
        relays: Relays,
        directory: Directory,
        merchant_of: Callable[[str], Merchant | None],
        own_relays: Sequence[str],
        deliveries: DeliveryLog,
        outbox: OutboxLog,
        notify: Callable[[str], None] = lambda _: None,
        open_text: OpenText = no_vault,
        discovery: Sequence[str] = (),
    ) -> None:
        """`open_text` opens what was sealed for a buyer; where it cannot, the delivery says that the message failed.

        `discovery` are relays where strangers look for inbox lists; those go there as well.
        """
        self._signer = signer
        self._directory = directory
        self._merchant_of = merchant_of
        self._own_relays = tuple(own_relays)
        self._discovery = tuple(discovery)
        self._deliveries = deliveries
        self._reread = outbox.reread
        self._outbox = Outbox(relays, outbox, deliveries)
        self._notify = notify
        self._open_text = open_text
        self._denied = False
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self._under_way: dict[int, dict[asyncio.Task[None], int]] = {}
        """Partition → what no relay has yet, or was not written down yet, with the offset it follows from."""
        self._kept: dict[int, dict[asyncio.Task[None], str]] = {}
        """Partition → what the outbox has and works on, with the merchant it is for."""
        self._task_of: dict[asyncio.Task[None], str] = {}
        """Task under way → the merchant it works for."""
        self._last_of: dict[str, asyncio.Future[None]] = {}
        """Chain → whether its newest message is placed, so that the next one may go."""
        self._newest: dict[str, str] = {}
        self._frozen: dict[int, set[str]] = {}
        self._is_caught_up: set[int] = set()
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self, partition: int) -> int | None:
        """A partition is ours, with what its former owner left in the outbox."""
        self._under_way[partition], self._kept[partition], self._frozen[partition] = {}, {}, set()
        self._outbox.begin(partition)
        return None

    async def caught_up(self, partition: int) -> None:
        """Every freeze is known: what the outbox has goes on."""
        await self._outbox.learnt(partition)
        self._is_caught_up.add(partition)
        self._go_on(partition, {owed.delivery.merchant for owed in self._outbox.owed(partition)})

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """Start what a record owes; messages of one order, and versions of one listing, keep their order."""
        await self._outbox.learnt(partition)
        self._newest |= _versions(record)
        for effect_id, chain, work in self._works(record):
            if self._outbox.find(partition, effect_id) is None:
                await self._start(partition, offset, record.merchant, chain, work)

    def _works(self, record: JournalRecord) -> Iterator[tuple[str, str, Work]]:
        """Everything a record asks to publish: the effect, the chain whose order it keeps, and how it is done."""
        for event in record.events:
            match event:
                case ReplyPromised():
                    for message in of_reply(record.merchant, event, self._open_text):
                        yield message.effect_id, message.chain, partial(self._message, record, message)
                case AnswerPromised():
                    message = of_answer(record.merchant, event, self._open_text)
                    yield message.effect_id, message.chain, partial(self._message, record, message)
                case ListingRevised() | PublicationPromised():
                    promised = _publication_of(event)
                    yield _effect_of(promised), promised.coordinate, partial(self._publication, record, promised)
                case _:
                    pass

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The oldest record with something under way that is not in the outbox."""
        return min(self._under_way.get(partition, {}).values(), default=next_offset)

    async def end(self, partition: int) -> None:
        """Another publisher goes on from the stored position and the outbox."""
        await _stop([*self._under_way.pop(partition, {}), *self._kept.pop(partition, {})])
        self._outbox.end(partition)
        self._frozen.pop(partition, None)
        self._is_caught_up.discard(partition)

    async def freeze(self, partition: int, merchant: str) -> int | None:
        """Stop what is under way for this merchant; gives the oldest record it has to be started from again."""
        self._frozen[partition].add(merchant)
        tasks = {t: at for t, at in self._under_way.get(partition, {}).items() if self._task_of.get(t) == merchant}
        oldest = min(tasks.values(), default=None)
        await _stop([*tasks, *(t for t, whose in self._kept.get(partition, {}).items() if whose == merchant)])
        return oldest

    async def thaw(self, partition: int, merchant: str) -> None:
        """What the outbox has for this merchant goes on."""
        self._frozen[partition].discard(merchant)
        if partition in self._is_caught_up:
            self._go_on(partition, {merchant})

    async def _start(self, partition: int, offset: int, merchant: str, chain: str, work: Work) -> None:
        await self._slots.acquire()
        before, placed = self._last_of.get(chain), asyncio.get_running_loop().create_future()
        task: asyncio.Task[None]

        def let_go() -> None:
            """The position may move on, and another message may be started."""
            if self._under_way.get(partition, {}).pop(task, None) is not None:
                self._kept[partition][task] = merchant
                self._slots.release()

        place = Place(partition, offset, partial(_let_pass, placed), let_go)
        task = asyncio.ensure_future(_after(before, work(place, None)))
        self._last_of[chain] = placed
        self._under_way[partition][task] = offset
        self._task_of[task] = merchant

        def finished(done: asyncio.Task[None]) -> None:
            is_kept = self._kept.get(partition, {}).pop(done, None) is not None
            if not is_kept:
                self._slots.release()
            self._task_of.pop(done, None)
            _let_pass(placed)
            if self._last_of.get(chain) is placed:
                del self._last_of[chain]
            if not self._failed(done) and not is_kept:
                self._under_way.get(partition, {}).pop(done, None)

        task.add_done_callback(finished)

    def _failed(self, done: asyncio.Task[None]) -> bool:
        """Whether a task ended with an error; its record stays in `_under_way`, so the position does not pass it."""
        error = None if done.cancelled() else done.exception()
        if error is not None and not self.failure.done():
            self.failure.set_exception(error)
            return True
        return False

    def _go_on(self, partition: int, merchants: set[str]) -> None:
        """Go on with what the outbox has for merchants that are not frozen."""
        owed = [
            one for one in self._outbox.owed(partition) if one.delivery.merchant in merchants - self._frozen[partition]
        ]
        if owed:
            self._keep(partition, "", self._read_back(partition, owed))

    def _keep(self, partition: int, merchant: str, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._kept[partition][task] = merchant

        def finished(done: asyncio.Task[None]) -> None:
            self._kept.get(partition, {}).pop(done, None)
            self._failed(done)

        task.add_done_callback(finished)

    async def _read_back(self, partition: int, owed: Sequence[Owed]) -> None:
        """Find the records that owed messages follow from, and tell the relays that are left."""
        wanted = {one.delivery.effect_id: one for one in owed}
        found: list[tuple[str, Owed, Work]] = []
        versions: dict[str, str] = {}
        async for _, record in self._reread(partition, owed[0].offset, owed[-1].offset + 1):
            versions |= _versions(record)
            for effect_id, _, work in self._works(record):
                if one := wanted.pop(effect_id, None):
                    found.append((record.merchant, one, work))
        self._newest = versions | self._newest
        for merchant, one, work in found:
            if merchant not in self._frozen[partition]:
                self._keep(partition, merchant, work(Place(partition, one.offset, _nothing, _nothing), one))
        for effect_id in wanted:
            log.warning("owed by no record", effect=effect_id, partition=partition)
            await self._outbox.forget(partition, effect_id)

    async def _message(self, record: JournalRecord, message: Outgoing, place: Place, owed: Owed | None) -> None:
        """Publish a message to the buyer, and the merchant's own copy of it."""
        merchant = record.merchant
        delivery = Delivery(
            effect_id=message.effect_id,
            merchant=merchant,
            order_ref=message.order_ref,
            what=message.what,
            event_id="",
            sequence=record.seq,
            state=DeliveryState.FAILED,
            at_ms=now_ms(),
        )
        try:
            to_buyer, to_self = await self._signed(merchant, lambda: message.events(self._signer, merchant))
        except (ValueError, LookupError) as error:  # an unknown merchant is one, and so is an erased text
            said = RelayOutcome(relay="", outcome="failed", message=f"cannot be wrapped: {type(error).__name__}")
            await self._deliveries.put_delivery(delivery.model_copy(update={"outcomes": (said,)}))
            log.error("message not made", effect=message.effect_id, error=type(error).__name__)
            if owed is not None:
                await self._outbox.forget(place.partition, message.effect_id)
            return
        reach(Point.PUBLISHER_WRAPPED)
        await self._outbox.carry(
            place, owed or await self._owed_message(place, delivery, message.recipient, to_buyer), to_buyer, to_self
        )

    async def _owed_message(self, place: Place, delivery: Delivery, recipient: str, to_buyer: Event) -> Owed:
        """A message before anybody was told: to the buyer's inboxes, and to the merchant's."""
        home = self._home_relays(delivery.merchant)
        is_direct = to_buyer.kind == Kind.ENCRYPTED_DIRECT_MESSAGE
        route, copies = await asyncio.gather(
            self._directory.direct(recipient, home) if is_direct else self._directory.route(recipient, home),
            self._directory.copies(delivery.merchant, home),
        )
        relays = route.relays if is_direct else route.relays[:RELAYS_PER_MESSAGE]
        copies = tuple(relay for relay in copies[:RELAYS_PER_MESSAGE] if not (is_direct and relay in relays))
        known = {
            "event_id": to_buyer.id,
            "compat_route": route.compat,
            "state": DeliveryState.FAILED if route.relays else DeliveryState.NO_ROUTE,
        }
        return Owed(
            delivery=delivery.model_copy(update=known),
            offset=place.offset,
            since_ms=now_ms(),
            relays=relays,
            copies=copies,
        )

    async def _publication(
        self, record: JournalRecord, promised: PublicationPromised, place: Place, owed: Owed | None
    ) -> None:
        """Sign and publish an event of the merchant's, unless a newer one is already behind it."""

        def is_newest() -> bool:
            return self._newest.get(promised.coordinate) == promised.event_id

        if owed is None and not is_newest():
            return
        event = await self._signed(
            record.merchant, lambda: self._signer.sign_public(record.merchant, promised.template)
        )
        assert event.id == promised.event_id, "the journal fixes the event that is published"
        delivery = Delivery(
            effect_id=_effect_of(promised),
            merchant=record.merchant,
            order_ref=None,
            what=_what(promised.template),
            event_id=event.id,
            sequence=record.seq,
            state=DeliveryState.FAILED,
            at_ms=now_ms(),
        )
        fresh = Owed(
            delivery=delivery,
            offset=place.offset,
            since_ms=now_ms(),
            relays=promised.relays or await self._places(record.merchant, promised.template),
        )
        await self._outbox.carry(place, owed or fresh, event, is_wanted=is_newest)

    async def _places(self, merchant: str, template: Template) -> tuple[str, ...]:
        """Where a public event goes; an inbox list is spread as widely as it is looked for (T65-01)."""
        home = self._home_relays(merchant)
        if template.kind != Kind.INBOX_RELAYS:
            return await self._directory.public(merchant, home)
        named = [tag[1] for tag in template.tags if tag[0] == "relay"]
        return tuple(dict.fromkeys((*(await self._directory.spread(merchant, home, named)), *self._discovery)))

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

    def _home_relays(self, merchant: str) -> tuple[str, ...]:
        """The operator's and this merchant's own relays: where lists are looked up and copies are kept."""
        configured = self._merchant_of(merchant)
        return tuple(dict.fromkeys((*(configured.relays if configured else ()), *self._own_relays)))


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


def _versions(record: JournalRecord) -> dict[str, str]:
    """What a record publishes by address, each with its newest version's event."""
    events = (event for event in record.events if isinstance(event, ListingRevised | PublicationPromised))
    return {one.coordinate: one.event_id for one in map(_publication_of, events)}


def _publication_of(event: ListingRevised | PublicationPromised) -> PublicationPromised:
    """A listing's new stock goes out like anything else of the merchant's."""
    if isinstance(event, PublicationPromised):
        return event
    listing = event.listing
    return PublicationPromised(
        coordinate=listing.coordinate, event_id=listing.event_id, template=listing.template, cause=""
    )


def _effect_of(promised: PublicationPromised) -> str:
    return f"{_what(promised.template)}:{promised.event_id}"


def _what(template: Template) -> str:
    """A publication's name in delivery records."""
    match template.kind:
        case Kind.DELETION:
            return "deletion"
        case Kind.DRAFT_WRAP:
            return "draft"
        case Kind.INBOX_RELAYS | Kind.DRAFT_RELAYS:
            return "relay_list"
        case Kind.APP_RECOMMENDATION | Kind.APP_HANDLER:
            return "application"
        case Kind.ZAP_RECEIPT:
            return "zap_receipt"
        case _:
            return "listing"


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _nothing() -> None:
    """What is in the outbox holds nothing up."""
