"""The roles as simulated processes: the tree's own classes, started the way `services/roles` start them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas import topics
from schemas.merchants import Merchant
from schemas.messages import Command
from services.brake import Brake
from services.ingest import Ingest
from services.metrics.port import Result, StoreUnavailable
from services.metrics.role import MetricsRole
from services.metrics.writer import MetricsWriter
from services.payments.port import PaymentBackend
from services.payments.role import PaymentsRole
from services.payments.token_taking import no_tokens
from services.publisher import PublisherRole
from services.relays import Completion, RawSighting
from streams.decider import Decider
from streams.follower import Follower
from streams.intake import Intake
from streams.kafka import KafkaError
from streams.outbox import OutboxTopic
from streams.reading import Reader
from streams.sinks import Sinks
from streams.stretch import journal_stretch
from streams.views import Views
from tests.simulation.chain import ChainAccount
from tests.simulation.kafka import SimConsumer, SimKafka, Wire
from tests.simulation.loop import Loop
from tests.simulation.outside import Relay, SimDirectory
from tests.simulation.plan import Rail
from tests.simulation.signers import CheapVault, WatchedSigner
from tests.simulation.tables import Table
from tests.simulation.wallet import Account

if TYPE_CHECKING:
    from tests.simulation.world import World

PREIMAGE_SECRET = b"\x07" * 32
RESTARTABLE = (KafkaError, StoreUnavailable)
"""What a role may end with: the supervisor starts it again."""


class Process:
    """One process of one role, from its start to its kill."""

    def __init__(self, world: World, role: str, number: int) -> None:
        self.world, self.role, self.number = world, role, number
        self.loop = Loop(world.clock)
        self.wire = Wire(world.broker, world.clock, self.loop, world.config.as_bytes)
        self.kafka = SimKafka(self.wire)
        self.skew_ms = 0
        self.asleep = 0
        self.failures: list[asyncio.Future[None]] = []
        self.mains: list[asyncio.Task[None]] = []
        self.pool: SimPool | None = None
        self.decider: Decider | None = None
        self.follower: Follower | None = None
        self.tables: dict[str, Table] = {}
        self.parts: list[Any] = []

    def start(self) -> None:
        """Compose the role and let it run up to its first wait."""
        for main in ROLES[self.role](self):
            self.mains.append(self.loop.create_task(main))
        self.loop.drain()

    @property
    def group_members(self) -> list[SimConsumer]:
        """Consumers that belong to a group."""
        return self.wire.consumers

    def turn(self, limit: int) -> None:
        """Let it run until it waits: for its next poll, for time, or for an answer."""
        for producer in self.wire.producers:
            if producer.held:
                producer.release()
        for consumer in self.wire.consumers:
            consumer.grant(limit)
        if self.pool is not None:
            self.loop.create_task(self.pool.read(limit))
        self.loop.drain()

    def is_idle(self) -> bool:
        """Whether a turn would do nothing."""
        if self.decider is not None:  # it looks at its agenda many times a second, whatever there is to do
            return not self.decider._opening and not self.wire.consumers[0].has_news()
        if not self.loop.is_idle:
            return False
        for consumer in self.wire.consumers:
            if consumer.has_news():
                return False
        for producer in self.wire.producers:
            if producer.held:
                return False
        if self.follower is not None:
            return not self.follower._target
        return self.pool is None or not self.pool.has_news()

    def forget(self) -> None:
        """Take everything apart, once the history is over: what refers to itself waits for the garbage collector."""
        self.wire.forget()
        for part in self.parts:
            vars(part).clear()
        vars(self).clear()

    def broken(self) -> BaseException | None:
        """What ended a part of it, if anything did."""
        for task in self.mains:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()
        for failure in self.failures:
            if failure.done() and failure.exception() is not None:
                return failure.exception()
        return None


Main = Coroutine[Any, Any, None]


def _ingest(process: Process) -> list[Main]:
    world = process.world

    async def run() -> None:
        producer = await process.kafka.producer()
        ingest = Ingest(Sinks(producer), lambda: world.rows, tuple(world.relays), _nobody, dict(world.cursors()))
        pool = ingest._pool
        assert isinstance(pool, SimPool)
        pool.world, process.pool = world, pool
        process.parts.append(pool)
        await ingest.run()

    return [run()]


async def _nobody(_relay: str, _challenge: str) -> list[str]:
    return []


class SimPool:
    """Stands in for `services.relays.RelayPool`: reads the simulated relays when the history lets it."""

    def __init__(self, sink: Any, *, on_complete: Any, **_: Any) -> None:
        self._sink, self._on_complete = sink, on_complete
        self._pairs: list[tuple[Relay, Any, str]] = []
        self._at: dict[tuple[str, str], int] = {}
        self.world: World | None = None

    def want(self, subscriptions: Mapping[str, Any]) -> tuple[Any, ...]:
        """Read these from now on; a subscription that is new is read from its beginning."""
        world = self.world
        if world is not None:
            self._pairs = [
                (world.relays[url], subscription, subscription.cursor_key)
                for url, wanted in subscriptions.items()
                for subscription in wanted
            ]
        return ()

    def status(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        self._pairs = []

    def has_news(self) -> bool:
        """Whether some relay has something unread."""
        return any(self._at.get((relay.url, key), 0) < len(relay.order) for relay, _, key in self._pairs)

    async def read(self, limit: int) -> None:
        """Hand up to so many events of each subscription over, and say what is complete."""
        world = self.world
        assert world is not None
        now_ms = world.clock.time_ns() // 1_000_000
        for relay, subscription, cursor_key in list(self._pairs):
            key = (relay.url, cursor_key)
            at = self._at.get(key, 0)
            if at >= len(relay.order):
                continue
            for event_id, text in relay.order[at : at + limit]:
                if world.matches(event_id, text, subscription.filters[0]):
                    await self._sink(RawSighting(relay.url, subscription.name, now_ms, text, event_id))
                at += 1
            self._at[key] = at
            if at >= len(relay.order):
                done = Completion(relay.url, subscription.name, cursor_key, now_ms // 1_000)
                await self._on_complete(done)


def _intake(process: Process) -> list[Main]:
    world = process.world
    pending: dict[int, list[list[int]]] = {}

    async def lost(partitions: set[int]) -> None:
        pending.clear()

    async def run() -> None:
        producer = await process.kafka.producer()
        signer = world.crypto.signer(world.names)
        intake = Intake(Reader(world.hosted_since, signer, CheapVault()), producer)
        process.failures.append(intake.failure)
        consumer = await process.kafka.consumer(topics.RAW, "ncc-intake", on_revoked=lost)
        while True:
            for partition, records in (await consumer.poll(0)).items():
                for record in records:
                    entry = [record.offset, 0]
                    pending.setdefault(partition, []).append(entry)
                    await intake.handle(record.value, dict(record.headers), _acknowledge(entry))
            await _store(consumer, pending, world)

    return [run()]


def _acknowledge(entry: list[int]) -> Callable[[], None]:
    def done() -> None:
        entry[1] = 1

    return done


async def _store(consumer: Any, pending: dict[int, list[list[int]]], world: World) -> None:
    """As Faust does: up to the first record that is not acknowledged, now and then."""
    if world.is_lazy():
        return
    for partition, entries in pending.items():
        while entries and entries[0][1]:
            await consumer.commit({partition: entries.pop(0)[0] + 1})


def _decider(process: Process) -> list[Main]:
    process.decider = Decider(process.kafka, process.world.rates, process.world.checkpoints)
    return [process.decider.run()]


def _views(process: Process) -> list[Main]:
    world = process.world
    puts: list[tuple[str, bytes, Any]] = []
    process.tables = tables = {name: Table(puts, name) for name in topics.TABLES}
    views = Views(tables)
    entries: dict[int, list[list[int]]] = {}

    async def given(partitions: set[int]) -> None:
        """Recover the tables from their changelogs: they may be ahead of the stored position, or behind it."""
        for name, table in tables.items():
            table.clear()
            for number in partitions:
                dict.update(table, {key: put.row for key, put in world.changelogs[name][number].recovered().items()})

    async def lost(partitions: set[int]) -> None:
        views.forget(partitions)
        entries.clear()

    async def run() -> None:
        consumer = await process.kafka.consumer(
            topics.JOURNAL, "ncc-views", committed_only=True, on_assigned=given, on_revoked=lost
        )
        while True:
            for partition, records in (await consumer.poll(0)).items():
                for record in records:
                    views.take(partition, record.value)
                    entries.setdefault(partition, []).append([record.offset, 1])
                    for name, key, value in puts:
                        if not process.wire.is_cut:
                            world.changelogs[name][partition].log.append(world.clock.now_ms, key, value)
                    puts.clear()
            await _store(consumer, entries, world)

    return [run()]


def _brake(process: Process, effects: Any) -> Brake:
    """What stands between the journal and a role's effects."""
    brake = Brake(effects, partial(journal_stretch, process.kafka))
    process.failures.append(brake.failure)
    return brake


def _account(process: Process, row: Merchant) -> PaymentBackend:
    """A merchant's wallet, as this process has it."""
    world = process.world
    match world.rail_of(row.name):
        case Rail.CHAIN:
            return ChainAccount(world.wallet, row.public_key, process.loop)
        case Rail.ECASH:
            assert world.ecash is not None
            return world.ecash.account(row.public_key)
        case Rail.LIGHTNING:
            return Account(world.wallet, row.public_key, process.loop)


def _payments(process: Process) -> list[Main]:
    world = process.world
    accounts = {row.public_key: _account(process, row) for row in world.rows}
    producers: list[Any] = []

    async def send(command: Command) -> None:
        await producers[0].write(topics.COMMANDS, command.merchant, command)

    async def run() -> None:
        producers.append(await process.kafka.producer())
        open_token = world.ecash.opened if world.ecash is not None else no_tokens
        role = PaymentsRole(accounts.__getitem__, PREIMAGE_SECRET, send, open_token=open_token)
        process.failures.append(role.failure)
        process.parts.append(role)
        process.mains.append(asyncio.get_running_loop().create_task(role.sweep()))
        process.follower = Follower(process.kafka, "ncc-payments", _brake(process, role))
        await process.follower.run()

    return [run()]


def _publisher(process: Process) -> list[Main]:
    world = process.world
    by_key: dict[str, Merchant] = {row.public_key: row for row in world.rows}

    async def run() -> None:
        producer = await process.kafka.producer()
        signer = WatchedSigner(world.crypto.signer(world.names), world.made)
        role = PublisherRole(
            signer,
            world.net,  # type: ignore[arg-type]
            SimDirectory(world.buyer_relays),  # type: ignore[arg-type]
            by_key.get,
            world.home_relays,
            Sinks(producer),
            OutboxTopic(process.kafka, producer),
            open_text=lambda merchant, sealed: f"what {sealed.box} holds",
        )
        process.failures.append(role.failure)
        process.follower = Follower(process.kafka, "ncc-publisher", _brake(process, role))
        await process.follower.run()

    return [run()]


class SimStore:
    """`services.metrics.store.Store` as far as the writer needs it: an insert is whole, or absent, or unknown."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[tuple[int, int, int, int], Any] = {}
        """By the table's own key: a row that comes again falls on itself."""

    def query(self, sql: str, params: Any = None) -> Result:
        """The only question the writer asks: how far each partition is stored."""
        found: dict[int, int] = {}
        for row in self.rows.values():
            found[row.partition] = max(found.get(row.partition, 0), row.sequence)
        return Result((), (), tuple(found.items()))

    def insert(self, table: str, columns: Any, rows: Any) -> None:
        """One block."""
        fault = self.world.store_fault()
        if fault == "before":
            raise StoreUnavailable("drawn: not stored")
        self.rows.update({(row.partition, row.sequence, row.position, row.line): row for row in rows})
        if fault == "after":
            raise StoreUnavailable("drawn: stored, but the answer was lost")


def _metrics(process: Process) -> list[Main]:
    world = process.world

    def pseudonym(merchant: str, buyer: str) -> str:
        return buyer[:8]

    async def run() -> None:
        role = MetricsRole(MetricsWriter(world.store, pseudonym))  # type: ignore[arg-type]
        process.mains.append(asyncio.get_running_loop().create_task(role.flush()))
        process.follower = Follower(process.kafka, "ncc-metrics", role)
        await process.follower.run()

    return [run()]


ROLES: dict[str, Callable[[Process], list[Main]]] = {
    "ingest": _ingest,
    "intake": _intake,
    "decider": _decider,
    "payments": _payments,
    "publisher": _publisher,
    "views": _views,
    "metrics": _metrics,
}
