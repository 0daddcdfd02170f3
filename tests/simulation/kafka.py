"""The tree's own Kafka classes over the simulated broker: what a role of a simulated process is given.

A group's consumer hands records over only when the history grants it a poll, so the history decides who runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from pydantic import BaseModel

from schemas.codec import encode
from schemas.topics import Topic, partition_of
from streams.kafka import Consumer, Fenced, Headers, Kafka, KafkaError, Producer
from tests.simulation.clock import Clock, Dice
from tests.simulation.log import OPEN, Broker, Entry, Group, Transaction
from tests.simulation.loop import Loop

_ALL = 1_000_000


class Wire:
    """One process's connection: alive until it is killed, with faults drawn for what it sends next."""

    def __init__(self, broker: Broker, clock: Clock, loop: Loop, as_bytes: bool) -> None:
        self.broker, self.clock, self.loop, self.as_bytes = broker, clock, loop, as_bytes
        self.consumers: list[SimConsumer] = []
        self.producers: list[SimProducer] = []
        self.fail_next: str | None = None
        self.holds_sends = False

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets out any more."""
        return self.loop.dead

    def forget(self) -> None:
        """Let go of what holds on to this in turn, once the history is over."""
        for consumer in self.consumers:
            consumer.on_assigned = consumer.on_revoked = None
        self.consumers.clear()
        self.producers.clear()

    def take_fault(self) -> str | None:
        """The fault of the transaction that ends now: `before` or `after` its commit, or none."""
        fault, self.fail_next = self.fail_next, None
        return fault


class SimKafka(Kafka):
    """A cluster as one process sees it."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("simulated", wire.broker.partitions, "simulated")
        self.wire = wire

    async def producer(self, transactional_id: str | None = None, linger_ms: int = 0) -> Producer:
        """A producer; with a transactional id it fences whoever had it."""
        made = SimProducer(self.wire, transactional_id)
        self.wire.producers.append(made)
        return made

    async def consumer(
        self,
        topic: Topic,
        group: str | None = None,
        committed_only: bool = False,
        on_assigned: Any = None,
        on_revoked: Any = None,
        patience_ms: int = 0,
    ) -> Consumer:
        """A consumer; of a group it holds nothing before the next deal."""
        made = SimConsumer(self.wire, topic.name, group, committed_only, on_assigned, on_revoked)
        if group is not None:
            self.wire.consumers.append(made)
        return made


class SimProducer(Producer):
    """Writes at once, or holds sends back until the next turn, where a kill may lose them."""

    def __init__(self, wire: Wire, transactional_id: str | None) -> None:
        self._wire = wire
        self._id = transactional_id
        self.held: list[tuple[Topic, str, int, Any, Headers, asyncio.Future[tuple[int, int]]]] = []
        self._open: Transaction | None = None
        self._epoch = 0
        if transactional_id is not None and not wire.is_cut:
            self._epoch = wire.broker.fence(transactional_id, wire.clock.now_ms)

    async def put(
        self,
        topic: Topic,
        key_hex: str,
        value: BaseModel | bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> asyncio.Future[tuple[int, int]]:
        """Queue one record."""
        wire = self._wire
        sent: asyncio.Future[tuple[int, int]] = asyncio.Future(loop=cast(Any, wire.loop))
        if wire.is_cut:
            return sent
        where = partition_of(key_hex, wire.broker.partitions) if partition is None else partition
        data = encode(value) if wire.as_bytes and isinstance(value, BaseModel) else value
        if self._open is None and wire.holds_sends:
            self.held.append((topic, key_hex, where, data, headers, sent))
            return sent
        if self._open is not None and self.is_fenced:
            return sent
        sent.set_result((where, self._append(topic, key_hex, where, data, headers).offset))
        return sent

    async def write(
        self, topic: Topic, key_hex: str, value: BaseModel | bytes, headers: Headers = ()
    ) -> tuple[int, int]:
        """The same, waited for."""
        return await (await self.put(topic, key_hex, value, headers))

    def _append(self, topic: Topic, key_hex: str, where: int, data: Any, headers: Headers) -> Entry:
        log = self._wire.broker.log(topic.name, where)
        if self._open is None:
            return log.append(self._wire.clock.now_ms, key_hex.encode(), data, headers)
        entry = log.append(self._wire.clock.now_ms, key_hex.encode(), data, headers, OPEN)
        self._open.add(log, entry)
        return entry

    def release(self, dice: Dice | None = None) -> None:
        """Send what was held back: all of it, or, where the process was killed, a first part."""
        held, self.held = self.held, []
        for topic, key_hex, where, data, headers, sent in held[: dice.below(len(held) + 1) if dice else None]:
            offset = self._append(topic, key_hex, where, data, headers).offset
            if dice is None and not sent.done():
                sent.set_result((where, offset))

    @property
    def is_fenced(self) -> bool:
        """Whether another owner has started since."""
        return self._id is not None and self._wire.broker.epochs[self._id] != self._epoch

    async def flush(self) -> None:
        """Wait until everything queued is acknowledged."""
        if not self._wire.is_cut:
            self.release()

    async def stop(self) -> None:
        """Send what is queued and close."""
        if not self._wire.is_cut:
            self.release()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All puts inside become visible together or not at all."""
        wire, broker, name = self._wire, self._wire.broker, self._id
        assert name is not None
        if self.is_fenced:
            raise Fenced("another owner")
        broker.owners += 1
        self._open = broker.under_way[name] = Transaction(broker.owners)
        try:
            try:
                yield
                fault = wire.take_fault()
                if fault == "before":
                    raise KafkaError("drawn: the transaction failed")
            except BaseException:
                self._end(name, False)
                raise
            if self.is_fenced:
                raise Fenced("another owner")
            self._end(name, True)
            if fault == "after":
                raise KafkaError("drawn: the commit's answer was lost")
        finally:
            self._open = None

    def _end(self, name: str, is_commit: bool) -> None:
        """End the transaction, unless the process is dead or another owner has settled it."""
        wire = self._wire
        if wire.is_cut or self.is_fenced or self._open is None:
            return
        wire.broker.under_way.pop(name, None)
        self._open.finish(is_commit, wire.clock.now_ms)


class SimConsumer(Consumer):
    """Reads one topic; a group's member reads when granted."""

    def __init__(
        self, wire: Wire, topic: str, group: str | None, committed_only: bool, on_assigned: Any, on_revoked: Any
    ) -> None:
        self.wire, self.topic, self.committed_only = wire, topic, committed_only
        self.group_name = group
        self.group: Group | None = wire.broker.group(group) if group else None
        self._logs = wire.broker.topic(topic)
        self.on_assigned, self.on_revoked = on_assigned, on_revoked
        self.held: set[int] = set()
        self.positions: dict[int, int] = {}
        self.paused: set[int] = set()
        self.stale: dict[int, int] = {}
        self.generation = 0
        self.credit: int | None = None
        self._waiting: asyncio.Future[None] | None = None

    # What roles call

    async def poll(
        self, timeout_ms: int, records_max: int = 500, partitions: Sequence[int] | None = None
    ) -> dict[int, list[Any]]:
        """What has arrived, by partition."""
        if self.group is None:
            return self._fetch(records_max, sorted(self.held))
        while self.credit is None:
            self._waiting = asyncio.Future(loop=cast(Any, self.wire.loop))
            await self._waiting
        limit, self.credit = min(self.credit, records_max), None
        chosen = self.held if partitions is None else self.held.intersection(partitions)
        return self._fetch(limit, sorted(chosen - self.paused))

    def _fetch(self, limit: int, chosen: list[int]) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        if self.wire.is_cut:
            return found
        for number in chosen:
            log = self._logs[number]
            at = self.stale.pop(number, None) if self.stale else None
            position = self.positions.get(number, 0)
            if at is None and position >= len(log.entries):
                continue
            start = position if at is None else min(at, len(log.entries))
            records, end = log.read(start, limit, self.committed_only)
            if at is None:
                self.positions[number] = end
            if records:
                found[number] = records
                limit -= len(records)
                if limit <= 0:
                    break
        return found

    def assign(self, partitions: Sequence[int]) -> None:
        self.held = set(partitions)

    def seek(self, partition: int, offset: int) -> None:
        if partition in self.held:
            self.positions[partition] = offset
            self.stale.pop(partition, None)

    async def seek_to_start(self, partitions: Sequence[int]) -> None:
        for number in partitions:
            self.positions[number] = 0

    async def seek_to_end(self, partitions: Sequence[int]) -> None:
        for number in partitions:
            self.positions[number] = self._logs[number].end(self.committed_only)

    def pause(self, partitions: Sequence[int]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Sequence[int]) -> None:
        self.paused -= set(partitions)

    def assignment(self) -> set[int]:
        return set(self.held)

    async def start_offset(self, partition: int) -> int:
        return 0

    async def end_offset(self, partition: int) -> int:
        return self._logs[partition].end(self.committed_only)

    async def position(self, partition: int) -> int:
        return self.positions.get(partition, 0)

    async def lag(self) -> dict[int, int]:
        return {}

    async def committed(self, partition: int) -> int | None:
        return self.wire.broker.positions.get((self.group_name or "", self.topic, partition))

    async def commit(self, offsets: dict[int, int]) -> None:
        """Store offsets, unless the group has dealt since without this member hearing of it."""
        if self.wire.is_cut or self.group is None or self not in self.group.members:
            return
        for number, offset in offsets.items():
            if number in self.held:
                self.wire.broker.positions[self.group_name or "", self.topic, number] = offset

    async def stop(self) -> None:
        if self.group is not None and self in self.group.members and not self.wire.is_cut:
            self.group.members.remove(self)
        self.held = set()

    # What the history calls

    def grant(self, limit: int) -> None:
        """Let the next poll give up to so many records."""
        self.credit = limit
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def has_news(self) -> bool:
        """Whether a poll would give something."""
        if self.stale or (self.paused and self.paused & self.held):
            return True
        for number in self.held:
            log, position = self._logs[number], self.positions.get(number, 0)
            if position < len(log.entries) and position < log.end(self.committed_only):
                return True
        return False

    def start_of(self, number: int) -> int:
        """Where a partition just given is read on."""
        return self.wire.broker.positions.get((self.group_name or "", self.topic, number), 0)


def rebalance(group: Group) -> None:
    """Deal the partitions anew among the members that answer, each told in its own process."""
    for member in list(group.members):
        if member.on_revoked is not None and member.held:
            member.wire.loop.run(member.on_revoked(set(member.held)))
    group.generation += 1
    dealt = group.deal()
    for place, member in enumerate(list(group.members)):
        member.held = dealt.get(place, set())
        member.stale.clear()
        member.paused.clear()
        member.positions = {number: member.start_of(number) for number in member.held}
        if member.on_assigned is not None:
            member.wire.loop.run(member.on_assigned(set(member.held)))
