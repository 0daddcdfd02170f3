"""The decider: one fenced, transactional writer per partition turns commands into the journal (D2, D3).

No consumer-group offset is trusted. The group says only which partitions are ours; where to read on
follows from the journal itself, and a batch that does not begin right there is dropped and re-sought:
records fetched before a rebalance must never be decided after it.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import structlog

from schemas import topics
from streams.checkpoint import CheckpointLost, Keeper
from streams.kafka import HEARTBEAT_MS, Consumer, Fenced, Kafka, KafkaError, Pace, Producer, Record
from streams.partition import Partition, RatesNow

GROUP = "ncc-decider"
BATCH_MAX = 400
PACE_MAX_S = 0.25
"""The longest that a partition's commands may gather under load: a transaction's five requests, and the readers that
it wakes, are then shared by many. Measured at 50 orders/s: a third of all processor time saved."""
LATE_SHARE = 8
"""Commands that come late anyway, since the machine has more to do than it can, wait for an eighth of that more."""
TICK_S = 0.1
"""How often deadlines are looked at, and how long a decided silence may stay unrecorded."""

FENCED_PAUSE_S = 2 * HEARTBEAT_MS / 1_000
"""How long a fenced partition rests: by then the group has told a former owner that it is none any more."""

log = structlog.get_logger(role="decider")


class CommandsLost(Exception):
    """The command log starts after the first command that was not decided yet: something was deleted too early."""


class Decider:
    """Every partition of ours, fed from one consumer."""

    def __init__(self, kafka: Kafka, rates: RatesNow, checkpoints: Path | None = None) -> None:
        """`checkpoints` is a folder for them; without one, every start folds the whole journal."""
        self._kafka = kafka
        self._rates = rates
        self._checkpoints = checkpoints
        self._pace = Pace(PACE_MAX_S)
        self._free_s: dict[int, float] = {}
        self._ready: dict[int, Partition] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._consumer: Consumer | None = None
        self._failure: BaseException | None = None

    @property
    def is_ready(self) -> bool:
        """Whether every partition of ours is open."""
        return bool(self._consumer and self._consumer.assignment() and not self._opening)

    async def lag(self) -> dict[int, int]:
        """Commands waiting, by partition."""
        return await self._consumer.lag() if self._consumer else {}

    async def run(self) -> None:
        """Decide until cancelled. Raises what cannot be cured by opening a partition again."""
        commands = await self._kafka.producer()
        self._consumer = consumer = await self._kafka.consumer(
            topics.COMMANDS, group=GROUP, on_assigned=self._assigned, on_revoked=self._revoked
        )
        try:
            ticked_s = 0.0
            while self._failure is None:
                await self._step(consumer)
                if time.monotonic() - ticked_s >= TICK_S:
                    ticked_s = time.monotonic()
                    await self._tick(commands)
            raise self._failure
        finally:
            await self._revoked(set(self._ready) | set(self._opening))
            await consumer.stop()
            await commands.stop()

    async def _step(self, consumer: Consumer) -> None:
        now_s = time.monotonic()
        held = self._ready.keys() & consumer.assignment()
        resting = [free_s for number in held if (free_s := self._free_s.get(number, 0.0)) > now_s]
        ready = sorted(number for number in held if self._free_s.get(number, 0.0) <= now_s)
        pause_s = min((free_s - now_s for free_s in resting), default=TICK_S)
        if not ready:
            await asyncio.sleep(min(pause_s, TICK_S))
            return
        timeout_ms = math.ceil(min(pause_s, TICK_S) * 1_000)
        batches = await consumer.poll(timeout_ms, records_max=BATCH_MAX, partitions=ready)
        await asyncio.gather(*(self._decide(number, records) for number, records in batches.items()))

    async def _decide(self, number: int, records: list[Record[bytes, bytes]]) -> None:
        partition = self._ready.get(number)
        if partition is None or self._consumer is None:
            return
        began_s = time.monotonic()
        self._pace.took(len(records))
        try:
            if not await partition.decide(records):
                wanted, offset = partition.covered + 1, records[0].offset
                log.info("stale batch dropped", partition=number, offset=offset, wanted=wanted)
                if offset > wanted:
                    await _check_kept(self._consumer, partition)
                self._consumer.seek(number, wanted)
        except (Fenced, KafkaError, CheckpointLost) as error:
            await self._fail(partition, error)
        self._free_s[number] = began_s + max(self._pace.between_s, min(PACE_MAX_S, partition.late_s / LATE_SHARE))

    async def _tick(self, commands: Producer) -> None:
        now_ms = _now_ms()
        for number, partition in list(self._ready.items()):
            try:
                await partition.record_silence()
                partition.save_when_due()
                for command in partition.due(now_ms):
                    await commands.put(topics.COMMANDS, command.merchant, command, partition=number)
            except (Fenced, KafkaError, CheckpointLost) as error:
                await self._fail(partition, error)

    async def _fail(self, partition: Partition, error: Fenced | KafkaError | CheckpointLost) -> None:
        """Throw state away that may be ahead of the journal, and open the partition anew while it is ours.

        One that was given up meanwhile is another's, or was opened anew already, and must not be touched.
        """
        number, is_fenced = partition.number, isinstance(error, Fenced)
        why = "fenced by another owner" if is_fenced else type(error).__name__
        log.warning("partition state dropped", partition=number, why=why)
        if isinstance(error, CheckpointLost):
            self._do_without_checkpoints(error)
        if self._ready.get(number) is not partition:
            return
        del self._ready[number]
        self._open(number, FENCED_PAUSE_S if is_fenced else 0.0)
        await _close(partition)

    async def _assigned(self, numbers: set[int]) -> None:
        for number in numbers - self._ready.keys() - self._opening.keys():
            self._open(number)

    def _open(self, number: int, rest_s: float = 0.0) -> None:
        self._opening[number] = asyncio.create_task(self._opened(number, rest_s), name=f"open-{number}")

    def _do_without_checkpoints(self, error: CheckpointLost) -> None:
        """The journal has everything; a disk that fails costs time at the next start, and nothing else."""
        log.warning("no checkpoints from now on", error=str(error))
        self._checkpoints = None

    def _keeper(self, number: int) -> Keeper | None:
        if self._checkpoints is None:
            return None
        return Keeper(self._checkpoints / f"{number}.db")

    async def _opened(self, number: int, rest_s: float) -> None:
        """Open a partition, trying again while the broker cannot be reached, and let its commands flow."""
        await asyncio.sleep(rest_s)
        pause_s = 0.1
        while True:
            partition = Partition(number, self._kafka, self._rates)
            try:
                partition = Partition(number, self._kafka, self._rates, self._keeper(number))
                await partition.open()
                consumer = self._consumer
                while consumer is None or number not in consumer.assignment():
                    await asyncio.sleep(0.02)
                    consumer = self._consumer
                await _check_kept(consumer, partition)
                consumer.seek(number, partition.covered + 1)
                self._ready[number] = partition
                self._opening.pop(number, None)
            except (KafkaError, Fenced) as error:
                await _close(partition)
                log.warning("partition not opened yet", partition=number, error=type(error).__name__)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)
            except CheckpointLost as error:
                await _close(partition)
                self._do_without_checkpoints(error)
            except asyncio.CancelledError:
                await _close(partition)
                raise
            except Exception as error:  # noqa: BLE001  # a task's end: whatever it is, the role must stop with it
                self._failure = error
                await _close(partition)
                return
            else:
                log.info("partition opened", partition=number, seq=partition.seq, covered=partition.covered)
                return

    async def _revoked(self, numbers: set[int]) -> None:
        for number in numbers:
            opening = self._opening.pop(number, None)
            if opening is not None:
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
            partition = self._ready.pop(number, None)
            if partition is not None:
                await _close(partition)


async def _check_kept(consumer: Consumer, partition: Partition) -> None:
    """Raises `CommandsLost` where the next command to decide is no longer kept."""
    wanted = partition.covered + 1
    if await consumer.start_offset(partition.number) > wanted:
        raise CommandsLost(f"commands of partition {partition.number} start after offset {wanted}, the next to decide")


async def _close(partition: Partition) -> None:
    try:
        await partition.close()
    except (KafkaError, Fenced) as error:
        log.info("writer closed uncleanly", partition=partition.number, error=type(error).__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
