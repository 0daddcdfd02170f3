"""Following the journal as bytes, from its very start, every time a partition becomes ours.

For who keeps everything in memory and stores no position: the committed records, in order and undecoded.
"""

from __future__ import annotations

from typing import Protocol

from schemas import topics
from streams.kafka import Consumer, Kafka

RECORDS_MAX = 2_000
PATIENCE_MS = 200
"""Nobody waits for what this reader finds, so the broker may gather records that long."""


class BytesHandler(Protocol):
    """Who takes the records."""

    async def begin(self, partition: int) -> None:
        """The partition is ours; its first record comes next."""

    async def take(self, partition: int, values: list[bytes]) -> None:
        """Some records, in order."""

    async def caught_up(self, partition: int) -> None:
        """Everything that stood in the journal has been taken; called again after each batch from then on."""

    async def end(self, partition: int) -> None:
        """The partition is another's; what was kept of it is of no use."""


class FromStart:
    """Feeds one handler: with the partitions a group gives us, or with all of them where none is named."""

    def __init__(self, kafka: Kafka, group: str | None, handler: BytesHandler) -> None:
        self._kafka = kafka
        self._group = group
        self._handler = handler
        self._consumer: Consumer | None = None
        self._new: set[int] = set()
        self._held: set[int] = set()
        self._target: dict[int, int] = {}

    @property
    def is_caught_up(self) -> bool:
        """Whether partitions are ours and what stood in them has been taken."""
        return bool(self._held) and not self._target and not self._new

    async def lag(self) -> dict[int, int]:
        """Records waiting, by partition."""
        return await self._consumer.lag() if self._consumer else {}

    async def run(self) -> None:
        """Follow until cancelled."""
        self._consumer = consumer = await self._kafka.consumer(
            topics.JOURNAL,
            group=self._group,
            committed_only=True,
            on_assigned=self._assigned,
            on_revoked=self._revoked,
            patience_ms=PATIENCE_MS,
        )
        try:
            if self._group is None:
                consumer.assign(self._kafka.all_partitions)
                await self._assigned(set(self._kafka.all_partitions))
            while True:
                await self._begin_new(consumer)
                batches = await consumer.poll(timeout_ms=200, records_max=RECORDS_MAX)
                for partition, records in batches.items():
                    if partition in self._held:
                        await self._handler.take(partition, [record.value for record in records])
                await self._report(consumer, batches.keys() & self._held)
        finally:
            await self._revoked(set(self._held))
            await consumer.stop()

    async def _begin_new(self, consumer: Consumer) -> None:
        """What was fetched before a rebalance is dropped by the seek; the first record comes first."""
        while self._new:
            partition = self._new.pop()
            if partition not in consumer.assignment():
                continue
            await self._handler.begin(partition)
            await consumer.seek_to_start([partition])
            self._target[partition] = await consumer.end_offset(partition)
            self._held.add(partition)

    async def _report(self, consumer: Consumer, changed: set[int]) -> None:
        for partition, target in list(self._target.items()):
            if partition in consumer.assignment() and await consumer.position(partition) >= target:
                del self._target[partition]
                changed.add(partition)
        for partition in changed - self._target.keys():
            await self._handler.caught_up(partition)

    async def _assigned(self, partitions: set[int]) -> None:
        self._new |= partitions - self._held

    async def _revoked(self, partitions: set[int]) -> None:
        self._new -= partitions
        for partition in partitions & self._held:
            self._held.discard(partition)
            self._target.pop(partition, None)
            await self._handler.end(partition)
