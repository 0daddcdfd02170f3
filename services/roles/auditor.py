"""The auditor role, composed."""

from __future__ import annotations

import asyncio
import time

import structlog

from services.audit.invariants import Breach
from services.audit.watch import Watch
from services.roles.stage import Stage, together
from streams.from_start import FromStart
from streams.sinks import Sinks

SETTLED_S = 120.0
"""How long this process must have followed before lateness is anybody's fault but the restart's."""
LATE_EVERY_S = 15.0
LATE_SHOWN_MAX = 20

log = structlog.get_logger(role="auditor")


async def run(stage: Stage) -> None:
    """The journal → books; a breach → a freeze of that merchant's effects."""
    producer = await stage.kafka.producer()
    auditor = Auditor(stage, Sinks(producer))
    reader = FromStart(stage.kafka, "ncc-auditor", auditor)
    stage.ready_when(lambda: reader.is_caught_up, reader.lag)
    try:
        await together(reader.run(), auditor.watch_the_clock(reader))
    finally:
        await producer.stop()


class Auditor:
    """Takes the journal's records (`streams.from_start.BytesHandler`) and acts on what nobody has answered."""

    def __init__(self, stage: Stage, sinks: Sinks) -> None:
        self._stage = stage
        self._sinks = sinks
        self._watch = Watch()
        self._late: list[Breach] = []

    async def begin(self, partition: int) -> None:
        """Start the books of a partition."""
        self._watch.begin(partition)

    async def take(self, partition: int, values: list[bytes]) -> None:
        """Enter records, and say what they break."""
        for value in values:
            for breach in self._watch.take(partition, value):
                log.error("invariant broken", merchant=breach.merchant, code=breach.code, sentence=str(breach))
        await asyncio.sleep(0)

    async def caught_up(self, partition: int) -> None:
        """Freeze whom a breach calls for that nobody has answered since."""
        for command in self._watch.unanswered(partition, time.time_ns() // 1_000_000):
            log.error("freezing a merchant", merchant=command.merchant, cause=command.source)
            await self._sinks.send(command)
        self._notice()

    async def end(self, partition: int) -> None:
        """Another auditor keeps these books from their start."""
        self._watch.end(partition)
        self._notice()

    async def watch_the_clock(self, reader: FromStart) -> None:
        """Say what is late, until cancelled."""
        since_s = time.monotonic()
        while True:
            await asyncio.sleep(LATE_EVERY_S)
            if not reader.is_caught_up:
                since_s = time.monotonic()
            elif time.monotonic() - since_s >= SETTLED_S:
                late = list(self._watch.overdue(time.time_ns() // 1_000_000))
                for breach in late[:LATE_SHOWN_MAX] if late != self._late else ():
                    log.warning("late", merchant=breach.merchant, code=breach.code, sentence=str(breach))
                self._late = late
                self._notice()

    def _notice(self) -> None:
        frozen = self._watch.frozen()
        said = [f"merchant {merchant[:8]} is frozen: {why}" for merchant, why in sorted(frozen.items())]
        said += [str(breach) for breach in self._late[:1]]
        self._stage.notice = "; ".join(said[:3])
