"""Faust's Kafka transport reading committed records only: the scheme `committed://` (design.md §4).

Faust reads uncommitted records unless it runs exactly-once, which is not safe to build on (D4).
Registered through the `faust.transports` entry point.
"""

from __future__ import annotations

from typing import Any, ClassVar

from faust.transport.drivers import aiokafka as driver


class _CommittedThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


class _CommittedConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> Any:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Begin where the group stored it, or else at the start.

        Faust leaves a partition without a stored position where its fetcher stands,
        and so skips for ever what was fetched before a rebalance and thrown away.
        """
        await super().perform_seek()
        changelogs = self.app.tables.changelog_topics
        await self.seek_wait(
            {tp: 0 for tp in self.assignment() if tp.topic not in changelogs and not self._read_offset[tp]}
        )

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:
        """Offsets that hold no record for us: transaction markers, and what was aborted.

        Faust counts the record after them in, which acknowledges it before its time
        and lets the stored position pass only one transaction a commit.
        """
        await super()._add_gap(tp, offset_from, offset_to - 1)


class Transport(driver.Transport):
    """The stock transport, with the consumer's isolation level set before it starts."""

    Consumer: ClassVar[type[driver.Consumer]] = _CommittedConsumer
