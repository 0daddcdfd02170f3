"""The metrics role: the journal and the state rows into ClickHouse, each block exactly once (D10).

The position is what ClickHouse itself holds; the consumer group's is only a place to start reading from.
"""

from __future__ import annotations

import asyncio

import structlog

from schemas.crash_points import Point, reach
from schemas.messages import JournalRecord
from services.metrics.writer import MetricsWriter

FLUSH_EVERY_S = 1.0
"""An insert costs some 10 ms of CPU whatever it holds, so fewer and larger ones; still far below 10 s (OPS-09)."""
PATIENCE_MS = 200
"""How long the broker gathers records for readers that nobody waits for."""
BUFFER_MAX = 20_000
"""Records waiting for ClickHouse; beyond it the journal is not read on."""

log = structlog.get_logger(role="metrics")


class MetricsRole:
    """Follows the journal (`streams.follower.JournalHandler`), buffering between inserts."""

    def __init__(self, writer: MetricsWriter) -> None:
        self._writer = writer
        self._waiting: dict[int, list[tuple[int, JournalRecord]]] = {}
        self._covered: dict[int, int] = {}
        self._room = asyncio.Semaphore(BUFFER_MAX)
        self._some = asyncio.Event()
        self._lock = asyncio.Lock()

    async def begin(self, partition: int) -> int | None:
        """Read from ClickHouse how far this partition is written; the stored position is checked against it."""
        positions = await asyncio.to_thread(self._writer.positions)
        self._covered[partition] = positions.get(partition, 0)
        self._waiting[partition] = []
        return self._covered[partition]

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """Buffer one record that ClickHouse does not hold yet."""
        if record.seq <= self._covered[partition]:
            return
        await self._room.acquire()
        self._waiting[partition].append((offset, record))
        self._some.set()

    async def caught_up(self, partition: int) -> None:
        """Nothing more is owed."""

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The oldest record that is not in ClickHouse."""
        waiting = self._waiting.get(partition)
        return waiting[0][0] if waiting else next_offset

    async def end(self, partition: int) -> None:
        """Another process writes this partition now."""
        async with self._lock:
            for _ in self._waiting.pop(partition, []):
                self._room.release()

    async def flush(self) -> None:
        """Insert what waits, in one block, until cancelled: at once after a pause, else once in `FLUSH_EVERY_S`."""
        while True:
            await self._some.wait()
            self._some.clear()
            async with self._lock:
                taken = {p: list(waiting) for p, waiting in self._waiting.items() if waiting}
                if taken:
                    await self._write(taken)
            await asyncio.sleep(FLUSH_EVERY_S)

    async def _write(self, taken: dict[int, list[tuple[int, JournalRecord]]]) -> None:
        batch = {partition: [record for _, record in waiting] for partition, waiting in taken.items()}
        reach(Point.METRICS_TAKEN)
        await asyncio.to_thread(self._writer.write_journal, batch)
        reach(Point.METRICS_INSERTED)
        for partition, waiting in taken.items():
            del self._waiting[partition][: len(waiting)]
            self._covered[partition] = waiting[-1][1].seq
            for _ in waiting:
                self._room.release()
