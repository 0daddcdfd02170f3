"""Topics, shops and roles in processes of their own, for tests that hold the streams to their laws on a real broker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from schemas.catalogue import RecordListing
from schemas.codec import decode
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import OrderLine
from schemas.topics import COMMANDS, JOURNAL, Topic
from schemas.values import OrderKey
from services.config import Role
from services.supervision.processes import dies_with_parent
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.shop import Shop
from streams.kafka import Kafka, Producer, Record
from tests.support.builders import a_command, a_key, a_listing, an_order, product
from tests.support.steps import cancelled, paid, requested

PARTITIONS = 4
START_S = 30


def now_ms() -> int:
    """When it is said: now, and not when this file was read, so that no deadline is over before a decider looks."""
    return time.time_ns() // 1_000_000


def merchant_in(partition: int, number: int = 0) -> str:
    """A merchant whose commands go to this partition."""
    return f"{partition + PARTITIONS * number:08x}" + "a1" * 28


def offers(merchant: str, stock: int | None = None, d: str = "tea") -> Command:
    """The merchant offers a tea."""
    return said(merchant, RecordListing(listing=_listing(merchant, stock, d)))


def order_key(merchant: str, number: int, crowd: str = "b1" * 32) -> OrderKey:
    """The order of this number; each is another buyer's, since one buyer may not have many."""
    return a_key(f"order-{number}", f"{number:08x}{crowd[8:]}", merchant)


def orders(merchant: str, numbers: Iterable[int], crowd: str = "b1" * 32) -> list[Command]:
    """One order for one tea each, named by its number, of so many buyers of a crowd."""
    bodies: list[CommandBody] = []
    for number in numbers:
        key = order_key(merchant, number, crowd)
        order = an_order(key=key, rumor=f"rumor {merchant} {crowd} {number}")
        line = OrderLine(coordinate=product(merchant=merchant), quantity=1)
        bodies.append(order.model_copy(update={"lines": (line,)}))
    return [said(merchant, body) for body in bodies]


def said(merchant: str, body: CommandBody) -> Command:
    """A command to this merchant's shop."""
    return a_command(body, now_ms(), merchant=merchant)


def _listing(merchant: str, stock: int | None, d: str) -> Any:
    return a_listing(d, stock=stock).model_copy(update={"coordinate": product(d, merchant)})


def history(merchant: str, count: int) -> list[JournalRecord]:
    """The journal of a shop with 1,000 teas and `count` orders: every third is paid, every third cancelled."""
    shop, records = Shop(merchant), list[JournalRecord]()
    commands = [offers(merchant, stock=1_000)]
    for number, command in enumerate(orders(merchant, range(count))):
        key = order_key(merchant, number)
        commands.append(command)
        if number % 3 == 0:
            commands += [said(merchant, requested(10, key)), said(merchant, paid(10, key))]
        elif number % 3 == 1:
            commands.append(said(merchant, cancelled(key=key)))
    for offset, command in enumerate(commands):
        events = decide(shop, command, {})
        for event in events:
            evolve(shop, event, command.at_ms)
        records.append(a_record(merchant, len(records) + 1, offset, command.id, events))
    return records


def a_record(
    merchant: str, seq: int, covers: int | None = None, cause: str = "", events: tuple[Event, ...] = ()
) -> JournalRecord:
    """A journal record, silent unless told otherwise."""
    covers, cause = seq - 1 if covers is None else covers, cause or f"c{seq}"
    return JournalRecord(seq=seq, covers=covers, merchant=merchant, at_ms=now_ms(), cause=cause, events=events)


async def until(holds: Callable[[], Awaitable[object] | object], what: str, timeout_s: float = 30.0) -> None:
    """Wait until it holds; fails with `what` was waited for."""
    give_up_s = time.monotonic() + timeout_s
    while True:
        answer = holds()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        assert time.monotonic() < give_up_s, f"waited {timeout_s} s for {what}"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def admin_of(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An operator's hand at the broker."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def topic_names(kafka: Kafka) -> set[str]:
    """Every topic the broker has, but for its own."""
    async with admin_of(kafka) as admin:
        return {name for name in await admin.list_topics() if not name.startswith("__")}


async def no_topics(kafka: Kafka) -> None:
    """A broker without any topic of ours; one that stood still before is first waited for."""
    await kafka.topic_states()
    there = sorted(await topic_names(kafka))
    if there:
        async with admin_of(kafka) as admin:
            await admin.delete_topics(there)
    await until(lambda: _none(kafka), "the topics to go")


async def fresh_topics(kafka: Kafka) -> None:
    """The table's topics, empty."""
    await no_topics(kafka)
    await kafka.ensure_topics()
    await until(lambda: _all_of_the_table(kafka), "the topics to come")


async def _none(kafka: Kafka) -> bool:
    return not await topic_names(kafka)


async def _all_of_the_table(kafka: Kafka) -> bool:
    return all(state.partitions == kafka.partitions for state in await kafka.topic_states())


async def forget_records(kafka: Kafka, topic: Topic, partition: int, before_offset: int) -> None:
    """Delete a topic's oldest records, as its retention would."""
    async with admin_of(kafka) as admin:
        await admin.delete_records({TopicPartition(topic.name, partition): RecordsToDelete(before_offset)})


async def stored_position(kafka: Kafka, group: str, partition: int) -> int:
    """The group's stored offset in the journal; 0 where it has none."""
    async with admin_of(kafka) as admin:
        try:
            stored = await admin.list_consumer_group_offsets(group)
        except KafkaError:
            return 0
    entry = stored.get(TopicPartition(JOURNAL.name, partition))
    return 0 if entry is None else max(0, entry.offset)


async def send(kafka: Kafka, commands: Sequence[Command], per_s: float | None = None) -> None:
    """Send commands in this order, at once or at a rate, and wait until Kafka has them."""
    producer = await kafka.producer()
    try:
        await send_with(producer, commands, per_s)
    finally:
        await producer.stop()


async def send_with(producer: Producer, commands: Sequence[Command], per_s: float | None = None) -> None:
    """The same through a producer that is there already."""
    started_s = time.monotonic()
    for number, command in enumerate(commands):
        if per_s is not None:
            await asyncio.sleep(max(0.0, started_s + number / per_s - time.monotonic()))
        await producer.put(COMMANDS, command.merchant, command)
    await producer.flush()


async def read(
    kafka: Kafka, topic: Topic, committed_only: bool, settled: bool = False
) -> dict[int, list[Record[bytes, bytes]]]:
    """What a topic holds now, by partition, as a reader of this kind sees it; `settled` as of `settled_ends`."""
    isolation = "read_committed" if committed_only else "read_uncommitted"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, isolation_level=isolation, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        parts = [TopicPartition(topic.name, partition) for partition in kafka.all_partitions]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await (settled_ends(kafka, consumer, parts) if settled else consumer.end_offsets(parts))
        found: dict[int, list[Record[bytes, bytes]]] = {partition: [] for partition in kafka.all_partitions}
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for part, records in (await consumer.getmany(timeout_ms=100)).items():
                found[part.partition] += [record for record in records if record.offset < ends[part]]
        return found
    finally:
        await consumer.stop()


async def settled_ends(
    kafka: Kafka, committed: AIOKafkaConsumer, parts: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    """The ends for a reader of committed records, once the broker has marked what was committed a moment ago.

    A commit is answered before its marker is in the partition; a transaction that stays open is waited for a second.
    """
    every = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await every.start()
    try:
        give_up_s = time.monotonic() + 1.0
        while True:
            written, ends = await every.end_offsets(parts), await committed.end_offsets(parts)
            if written == ends or time.monotonic() > give_up_s:
                return dict(ends)
            await asyncio.sleep(0.02)
    finally:
        await every.stop()


async def journal(kafka: Kafka) -> dict[int, list[JournalRecord]]:
    """The truth, by partition, with everything whose commit was answered."""
    return await _journal(kafka, settled=True)


async def _journal(kafka: Kafka, settled: bool) -> dict[int, list[JournalRecord]]:
    found = await read(kafka, JOURNAL, committed_only=True, settled=settled)
    return {p: [decode(JournalRecord, record.value) for record in records] for p, records in found.items()}


async def covered(kafka: Kafka, partition: int) -> int:
    """The last command that the journal covers; -1 for none."""
    records = (await _journal(kafka, settled=False))[partition]
    return records[-1].covers if records else -1


async def caught_up(kafka: Kafka, partition: int, count: int) -> bool:
    """Whether the journal covers so many commands."""
    return await covered(kafka, partition) >= count - 1


def follows_the_commands(records: Sequence[JournalRecord], sent: Sequence[Command]) -> None:
    """Each command was decided once, in the order sent, in a journal without gaps.

    `sent` are all commands of one partition from its first offset on, and each of them decides something.
    """
    assert [record.seq for record in records] == list(range(1, len(records) + 1)), "the sequence has a gap"
    decided = [record for record in records if record.events]
    assert [record.covers for record in decided] == list(range(len(sent))), "commands were lost or decided twice"
    assert [record.cause for record in decided] == [command.id for command in sent], "the order is another"


async def append(
    kafka: Kafka, records: Sequence[JournalRecord], batch: int | None = None, per_s: float | None = None
) -> None:
    """Write journal records as a decider would: so many in a transaction (all, unless told), so many a second."""
    producer = await kafka.producer(transactional_id=f"test-{records[0].merchant[:8]}")
    started_s, batch = time.monotonic(), batch or len(records)
    try:
        for first in range(0, len(records), batch):
            if per_s is not None:
                await asyncio.sleep(max(0.0, started_s + first / per_s - time.monotonic()))
            async with producer.transaction():
                for record in records[first : first + batch]:
                    await producer.put(JOURNAL, record.merchant, record)
    finally:
        await producer.stop()


class Aborted(Exception):
    """Thrown in the middle of a transaction to end it without effect."""


async def append_and_abort(kafka: Kafka, records: Sequence[JournalRecord], partition: int) -> None:
    """Write journal records for real, and take them back."""
    producer = await kafka.producer(transactional_id="test-aborted")
    try:
        async with producer.transaction():
            for record in records:
                await (await producer.put(JOURNAL, record.merchant, record, partition=partition))
            raise Aborted
    except Aborted:
        return
    finally:
        await producer.stop()


class Worker:
    """One role in its own process: to be paused, killed and listened to."""

    def __init__(self, role: Role, kafka: Kafka, home: Path, instance: str = "") -> None:
        self._role, self._kafka, self._home, self._instance = role, kafka, home, instance
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it, and return at once."""
        self._home.mkdir(parents=True, exist_ok=True)
        own = {
            "NCC_HOME": str(self._home),
            "NCC_KAFKA": self._kafka.bootstrap,
            "NCC_PARTITIONS": str(self._kafka.partitions),
            "NCC_INSTANCE": self._instance,
        }
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NCC_")} | own
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.roles.run", self._role.value],
                cwd=Path(__file__).parents[2],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=dies_with_parent(),
            )
        return self

    def __enter__(self) -> Self:
        """Whatever is started inside is gone after; nothing is started yet."""
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.kill()

    @property
    def _log(self) -> Path:
        return self._home / "log"

    @property
    def is_alive(self) -> bool:
        """Whether its process runs, or sleeps."""
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether it says so itself; fails where it has died."""
        assert self.is_alive, f"the {self._role.value} died:\n{self.log()[-3_000:]}"
        path = self._home / "run" / f"{self._role.value}.alive"
        if not path.exists():
            return False
        assert self._process is not None
        alive = json.loads(path.read_text())
        return bool(alive["ready"] and alive["pid"] == self._process.pid)

    def is_tended(self) -> bool:
        """The same, started again where it has died, as the supervisor does."""
        if not self.is_alive:
            self.start()
        return self.is_ready()

    async def ready(self) -> Self:
        """Wait until it answers."""
        await until(self.is_ready, f"the {self._role.value} to answer", START_S)
        return self

    def log(self) -> str:
        """Everything it has said."""
        return self._log.read_text() if self._log.exists() else ""

    def pause(self) -> None:
        """Stop it in its tracks, as a laptop's lid would."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on as if nothing had happened."""
        self._signal(signal.SIGCONT)

    def stop(self) -> int:
        """Ask it to end; gives its exit code."""
        self._signal(signal.SIGTERM)
        assert self._process is not None
        return self._process.wait(START_S)

    def kill(self) -> None:
        """Kill -9; one that is gone already is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
