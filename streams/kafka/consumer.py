"""Reading one topic by partition number; positions are stored only when asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka import ConsumerRecord as Record
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
)

from schemas.topics import Topic

OnPartitions = Callable[[set[int]], Awaitable[None]]


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells about partitions by number."""

    def __init__(self, assigned: OnPartitions, revoked: OnPartitions) -> None:
        self._assigned, self._revoked = assigned, revoked

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._assigned({tp.partition for tp in assigned})

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._revoked({tp.partition for tp in revoked})


class Consumer:
    """Reads one topic, by partition number."""

    def __init__(self, inner: AIOKafkaConsumer, topic: Topic) -> None:
        self._inner = inner
        self._topic = topic

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic.name, partition)

    async def poll(
        self, timeout_ms: int, records_max: int = 500, partitions: Sequence[int] | None = None
    ) -> dict[int, list[Record[bytes, bytes]]]:
        """What has arrived, by partition, at most `records_max` in all; empty after `timeout_ms`."""
        chosen = () if partitions is None else tuple(self._tp(p) for p in partitions)
        batches = await self._inner.getmany(*chosen, timeout_ms=timeout_ms, max_records=records_max)
        return {tp.partition: records for tp, records in batches.items() if records}

    def assign(self, partitions: Sequence[int]) -> None:
        """Read exactly these partitions, outside any group."""
        self._inner.assign([self._tp(p) for p in partitions])

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`; what was fetched before is dropped. A partition just lost is left alone."""
        try:
            self._inner.seek(self._tp(partition), offset)
        except IllegalStateError:
            return

    async def seek_to_start(self, partitions: Sequence[int]) -> None:
        """Read these from the oldest record kept."""
        await self._inner.seek_to_beginning(*(self._tp(p) for p in partitions))

    async def seek_to_end(self, partitions: Sequence[int]) -> None:
        """Read only what comes from now on."""
        await self._inner.seek_to_end(*(self._tp(p) for p in partitions))

    def pause(self, partitions: Sequence[int]) -> None:
        """Fetch nothing from these until they are resumed."""
        self._inner.pause(*(self._tp(p) for p in partitions))

    def resume(self, partitions: Sequence[int]) -> None:
        """Fetch from these again; one just lost is left alone."""
        held = {tp.partition for tp in self._inner.assignment()}
        self._inner.resume(*(self._tp(p) for p in partitions if p in held))

    def assignment(self) -> set[int]:
        """The partitions held now."""
        return {tp.partition for tp in self._inner.assignment()}

    async def start_offset(self, partition: int) -> int:
        """The oldest offset kept."""
        return int((await self._inner.beginning_offsets([self._tp(partition)]))[self._tp(partition)])

    async def end_offset(self, partition: int) -> int:
        """The offset after the newest readable record (committed ones only, where the consumer is so)."""
        return int((await self._inner.end_offsets([self._tp(partition)]))[self._tp(partition)])

    async def position(self, partition: int) -> int:
        """The offset that is read next."""
        return int(await self._inner.position(self._tp(partition)))

    async def lag(self) -> dict[int, int]:
        """Records behind the newest readable one, by partition held; what was fetched but not taken counts as read."""
        lags: dict[int, int] = {}
        for tp in self._inner.assignment():
            newest = self._inner.last_stable_offset(tp) or self._inner.highwater(tp)
            if newest is not None:
                lags[tp.partition] = max(0, newest - await self._inner.position(tp))
        return lags

    async def committed(self, partition: int) -> int | None:
        """The group's stored offset, or None."""
        offset = await self._inner.committed(self._tp(partition))
        return None if offset is None else int(offset)

    async def commit(self, offsets: dict[int, int]) -> None:
        """Store offsets for the group; what was lost meanwhile is left to its new owner, who reads it again."""
        held = self.assignment()
        mine = {self._tp(p): offset for p, offset in offsets.items() if p in held}
        if mine:
            with suppress(CommitFailedError):
                await self._inner.commit(mine)

    async def stop(self) -> None:
        """Leave the group and close."""
        await self._inner.stop()
