"""Followers of the journal: in order, committed records only, stopping at a gap (D2, D5)."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from schemas import topics
from schemas.codec import decode
from schemas.crash_points import Point, reach
from schemas.messages import JournalRecord
from streams.kafka import Consumer, Kafka

COMMIT_EVERY_S = 1.0
"""Committing after each batch doubled the order's latency; once a second stays at-least-once."""
TAIL_PATIENCE_MS = 60
RECENT_MAX = 200
"""Records a partition's tail keeps unread; they are decoded only when somebody waits for a decision."""

log = structlog.get_logger(role="follower")


class SequenceGap(Exception):
    """A journal record is missing before this one; going on would build on something that is not the truth."""


class JournalHandler(Protocol):
    """What one follower does with the journal, partition by partition."""

    async def begin(self, partition: int) -> int | None:
        """The partition is ours; records follow from the stored position.

        A handler that knows from elsewhere which sequence it holds returns it: where the stored position lies
        beyond the next one, the partition is read from its start. None trusts the stored position.
        """

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """One record. May wait when too much is under way: that is the back-pressure."""

    async def caught_up(self, partition: int) -> None:
        """Everything that stood in the journal when the partition became ours has been taken."""

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The oldest offset a restart has to read again; `next_offset` where nothing is under way."""

    async def end(self, partition: int) -> None:
        """The partition is no longer ours: stop what is under way for it."""


class Follower:
    """Feeds one handler from a consumer group over the journal's partitions."""

    def __init__(self, kafka: Kafka, group: str, handler: JournalHandler, patience_ms: int = 0) -> None:
        self._kafka = kafka
        self._group = group
        self._handler = handler
        self._patience_ms = patience_ms
        self._consumer: Consumer | None = None
        self._new: set[int] = set()
        self._seq: dict[int, int] = {}
        self._next: dict[int, int] = {}
        self._target: dict[int, int] = {}
        self._held: dict[int, int] = {}

    @property
    def is_caught_up(self) -> bool:
        """Whether partitions are ours and what stood in them has been taken."""
        return bool(self._next) and not self._target and not self._new

    async def lag(self) -> dict[int, int]:
        """Records waiting, by partition."""
        return await self._consumer.lag() if self._consumer else {}

    async def run(self) -> None:
        """Follow until cancelled. Raises `SequenceGap`, and whatever the handler cannot cure."""
        self._consumer = consumer = await self._kafka.consumer(
            topics.JOURNAL,
            group=self._group,
            committed_only=True,
            on_assigned=self._assigned,
            on_revoked=self._revoked,
            patience_ms=self._patience_ms,
        )
        committed_s = time.monotonic()
        try:
            while True:
                await self._begin_new(consumer)
                for partition, records in (await consumer.poll(timeout_ms=100)).items():
                    decoded = [(record.offset, decode(JournalRecord, record.value)) for record in records]
                    if await self._starts_too_late(consumer, partition, decoded[0][1]):
                        continue
                    for offset, record in decoded:
                        await self._take(partition, offset, record)
                await self._report_caught_up(consumer)
                if time.monotonic() - committed_s >= COMMIT_EVERY_S:
                    committed_s = time.monotonic()
                    await self._commit(consumer)
        finally:
            await self._revoked(set(self._next))
            await consumer.stop()

    async def _begin_new(self, consumer: Consumer) -> None:
        while self._new:
            partition = self._new.pop()
            if partition not in consumer.assignment():
                continue
            self._target[partition] = await consumer.end_offset(partition)
            self._next[partition] = await consumer.position(partition)
            held = await self._handler.begin(partition)
            if held is not None:
                self._held[partition] = held
            consumer.resume([partition])

    async def _starts_too_late(self, consumer: Consumer, partition: int, first: JournalRecord) -> bool:
        """Whether the stored position had left out what the handler lacks; reading then begins at the start."""
        held = self._held.pop(partition, None)
        if held is None or first.seq <= held + 1:
            return False
        log.info("position not trusted", partition=partition, first=first.seq, held=held)
        await consumer.seek_to_start([partition])
        return True

    async def _take(self, partition: int, offset: int, record: JournalRecord) -> None:
        if partition not in self._next:
            return
        last = self._seq.get(partition)
        if last is not None and record.seq <= last:
            return
        if last is not None and record.seq != last + 1:
            raise SequenceGap(f"{self._group}: journal {partition} goes from record {last} to {record.seq}")
        self._seq[partition] = record.seq
        self._next[partition] = offset + 1
        await self._handler.take(partition, offset, record)
        reach(Point.FOLLOWER_TAKEN)

    async def _report_caught_up(self, consumer: Consumer) -> None:
        for partition, target in list(self._target.items()):
            if partition in consumer.assignment() and await consumer.position(partition) >= target:
                del self._target[partition]
                await self._handler.caught_up(partition)

    async def _commit(self, consumer: Consumer) -> None:
        await consumer.commit({p: self._handler.needed_from(p, offset) for p, offset in self._next.items()})
        reach(Point.FOLLOWER_STORED)

    async def _assigned(self, partitions: set[int]) -> None:
        """Hold a new partition back until its handler is ready; a fresh ownership knows no former sequence."""
        for partition in partitions - self._next.keys():
            self._seq.pop(partition, None)
            self._held.pop(partition, None)
            self._new.add(partition)
        if self._consumer is not None:
            self._consumer.pause(sorted(self._new & self._consumer.assignment()))

    async def _revoked(self, partitions: set[int]) -> None:
        if self._consumer is not None and partitions & self._next.keys():
            await self._commit(self._consumer)
        for partition in partitions & self._next.keys():
            del self._next[partition]
            self._target.pop(partition, None)
            await self._handler.end(partition)


class JournalTail:
    """Watches every journal partition from now on, for those who wait for a command's decision."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._waiting: dict[int, list[tuple[int, asyncio.Future[JournalRecord | None]]]] = {}
        self._recent: dict[int, deque[bytes]] = {}
        self._watching: dict[int, list[asyncio.Queue[JournalRecord]]] = {}
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        consumer = await self._kafka.consumer(topics.JOURNAL, committed_only=True, patience_ms=TAIL_PATIENCE_MS)
        try:
            consumer.assign(self._kafka.all_partitions)
            await consumer.seek_to_end(self._kafka.all_partitions)
            for partition in self._kafka.all_partitions:
                await consumer.position(partition)
            self.started.set()
            while True:
                for partition, records in (await consumer.poll(timeout_ms=500)).items():
                    recent = self._recent.setdefault(partition, deque(maxlen=RECENT_MAX))
                    recent.extend(record.value for record in records)
                    watching = self._watching.get(partition, ())
                    for record in records if watching or self._waiting.get(partition) else ():
                        decided = decode(JournalRecord, record.value)
                        self._resolve(partition, decided)
                        for seen in watching:
                            seen.put_nowait(decided)
        finally:
            await consumer.stop()

    @asynccontextmanager
    async def watching(self, partition: int) -> AsyncIterator[AsyncIterator[JournalRecord]]:
        """Every record of a partition from now on, in its order, until the block is left."""
        await self.started.wait()
        seen: asyncio.Queue[JournalRecord] = asyncio.Queue()
        self._watching.setdefault(partition, []).append(seen)

        async def records() -> AsyncIterator[JournalRecord]:
            while True:
                yield await seen.get()

        try:
            yield records()
        finally:
            self._watching[partition].remove(seen)

    async def decision(self, partition: int, offset: int, timeout_s: float) -> JournalRecord | None:
        """The record that decided the command at this offset; None where it decided nothing. Raises TimeoutError."""
        future: asyncio.Future[JournalRecord | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(partition, []).append((offset, future))
        for data in self._recent.get(partition, ()):  # it may have been decided before anybody could ask
            self._resolve(partition, decode(JournalRecord, data))
        async with asyncio.timeout(timeout_s):
            return await future

    def _resolve(self, partition: int, record: JournalRecord) -> None:
        still: list[tuple[int, asyncio.Future[JournalRecord | None]]] = []
        for offset, future in self._waiting.get(partition, []):
            if future.done():
                continue
            if record.covers < offset:
                still.append((offset, future))
            else:
                exact = record.covers == offset and record.events
                future.set_result(record if exact else None)
        self._waiting[partition] = still
