"""The decider: one fenced, transactional writer per partition turns commands into the journal (D2, D3).

No consumer-group offset is trusted. The group says only which partitions are ours; where to read on
follows from the journal itself, and a batch that does not begin right there is dropped and re-sought:
records fetched before a rebalance must never be decided after it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from schemas import topics
from schemas.catalogue import ReviseListing
from schemas.codec import NotOurContract, decode
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import MoveRefused, Rate, ReachDeadline
from schemas.parking import ReleaseParked
from schemas.quarantine import Quarantined
from schemas.values import Origin
from streams.checkpoint import CheckpointLost, Keeper, Place
from streams.domain.decide import decide
from streams.domain.evolve import evolve
from streams.domain.shop import Due, Shop
from streams.kafka import HEARTBEAT_MS, Consumer, Fenced, Kafka, KafkaError, Pace, Producer, Record

GROUP = "ncc-decider"
BATCH_MAX = 400
PACE_MAX_S = 0.25
"""The longest that a partition's commands may gather under load: a transaction's five requests, and the readers that
it wakes, are then shared by many. Measured at 50 orders/s: a third of all processor time saved."""
FOLDED_BETWEEN_SAVES = 20_000
TICK_S = 0.1
"""How often deadlines are looked at, and how long a decided silence may stay unrecorded."""

FENCED_PAUSE_S = 2 * HEARTBEAT_MS / 1_000
"""How long a fenced partition rests: by then the group has told a former owner that it is none any more."""

RatesNow = Callable[[int], Mapping[str, Rate]]
"""The exchange rates known at a time (UTC milliseconds)."""

log = structlog.get_logger(role="decider")


class CommandsLost(Exception):
    """The command log starts after the first command that was not decided yet: something was deleted too early."""


class Partition:
    """One partition's state and its writer, from the moment the partition is ours until it is not."""

    def __init__(self, number: int, kafka: Kafka, rates: RatesNow, keeper: Keeper | None = None) -> None:
        self.number = number
        self._kafka = kafka
        self._rates = rates
        self._keeper = keeper
        self._producer: Producer | None = None
        self.shops: dict[str, Shop] = {}
        self.seq = 0
        self.covered = -1
        self.recorded = -1
        self._last_merchant = "0" * 64

    async def open(self) -> None:
        """Fence the former owner, then fold the journal to its end. Raises `CommandsLost`."""
        self._producer = await self._kafka.producer(transactional_id=f"ncc-decider-{self.number}")
        reader = await self._kafka.consumer(topics.JOURNAL, committed_only=True)
        try:
            reader.assign([self.number])
            end = await reader.end_offset(self.number)
            await self._resume(reader, end)
            while await reader.position(self.number) < end:
                for record in (await reader.poll(timeout_ms=200, records_max=2_000)).get(self.number, []):
                    self._fold(record.offset, decode(JournalRecord, record.value))
                if self._keeper is not None:
                    self._keeper.save_when_due(self.shops, FOLDED_BETWEEN_SAVES)
        finally:
            await reader.stop()

    async def _resume(self, reader: Consumer, end: int) -> None:
        """Begin after the record that the checkpoint ends with, where the journal still has it; else at the start."""
        place = self._keeper.place() if self._keeper else None
        if self._keeper is not None and place is not None:
            if await _holds(reader, self.number, end, place):
                self.shops, self.seq, self._last_merchant = self._keeper.load(), place.seq, place.merchant
                self.covered = self.recorded = place.covers
                return
            log.info("checkpoint not used", partition=self.number, seq=place.seq)
            self._keeper.forget()
        await reader.seek_to_start([self.number])

    def _fold(self, offset: int, record: JournalRecord) -> None:
        self.seq, self.covered, self.recorded = record.seq, record.covers, record.covers
        self._last_merchant = record.merchant
        self._evolve(record.merchant, record.events, record.at_ms)
        if self._keeper is not None:
            self._keeper.note(Place.of(offset, record))

    def save_when_due(self) -> None:
        """Let the checkpoint follow; only between two decisions, when the state is what the journal holds."""
        if self._keeper is not None:
            self._keeper.save_when_due(self.shops)

    def _evolve(self, merchant: str, events: tuple[Event, ...], at_ms: int) -> None:
        shop = self.shops.setdefault(merchant, Shop(merchant))
        for event in events:
            evolve(shop, event, at_ms)

    async def decide(self, records: list[Record[bytes, bytes]]) -> bool:
        """Decide a batch in one transaction; False, with nothing done, where it does not follow what is covered.

        After an exception the state here is ahead of the journal and must be thrown away.
        """
        if records[0].offset != self.covered + 1:
            return False
        decided: list[JournalRecord] = []
        refused: list[Quarantined] = []
        rates = self._rates(_now_ms())
        for record in records:
            assert record.offset == self.covered + 1, "command offsets are contiguous"
            self.covered = record.offset
            try:
                command = decode(Command, record.value)
            except NotOurContract as error:
                refused.append(_not_a_command(record, str(error)))
                continue
            shop = self.shops.setdefault(command.merchant, Shop(command.merchant))
            events = decide(shop, command, rates)
            if events:
                decided.append(self._record(command.merchant, command.at_ms, command.id, events))
                self._evolve(command.merchant, events, command.at_ms)
                refused.extend(_refusal(command, event) for event in events if isinstance(event, MoveRefused))
        if decided or refused:
            await self._append(decided, refused)
        return True

    async def record_silence(self) -> None:
        """Write an empty record where the last commands decided nothing, so that `covers` never falls behind."""
        if self.covered > self.recorded:
            await self._append([self._record(self._last_merchant, _now_ms(), "silence", ())], [])

    def _record(self, merchant: str, at_ms: int, cause: str, events: tuple[Event, ...]) -> JournalRecord:
        self.seq += 1
        self._last_merchant = merchant
        return JournalRecord(
            seq=self.seq, covers=self.covered, merchant=merchant, at_ms=at_ms, cause=cause, events=events
        )

    async def _append(self, decided: list[JournalRecord], refused: list[Quarantined]) -> None:
        assert self._producer is not None, "the partition was opened"
        async with self._producer.transaction():
            placed = [
                await self._producer.put(topics.JOURNAL, record.merchant, record, partition=self.number)
                for record in decided
            ]
            for quarantined in refused:
                await self._producer.put(topics.QUARANTINE, quarantined.id, quarantined)
        if decided:
            self.recorded = decided[-1].covers
        if self._keeper is not None:
            for record, place in zip(decided, placed, strict=True):
                self._keeper.note(Place.of(place.result()[1], record))

    def due(self, now_ms: int) -> list[Command]:
        """Commands for what time has brought about; each is handed out once until the state is folded anew."""
        commands: list[Command] = []
        for merchant, shop in self.shops.items():
            bodies: list[CommandBody] = [_due_body(due) for due in shop.take_due(now_ms)]
            bodies.extend(ReviseListing(coordinate=stale) for stale in shop.take_stale(now_ms // 1_000))
            for body in bodies:
                name = hashlib.sha256(f"{merchant}:{now_ms}:{body!r}".encode()).hexdigest()[:32]
                commands.append(
                    Command(id=name, merchant=merchant, at_ms=now_ms, origin=Origin.DECIDER, source="agenda", body=body)
                )
        return commands

    async def close(self) -> None:
        """Give the writer up; an open transaction is left to the next owner to settle."""
        if self._keeper is not None:
            self._keeper.close()
        if self._producer is not None:
            await self._producer.stop()


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
        self._pace.took(len(records))
        self._free_s[number] = time.monotonic() + self._pace.between_s
        try:
            if not await partition.decide(records):
                wanted, offset = partition.covered + 1, records[0].offset
                log.info("stale batch dropped", partition=number, offset=offset, wanted=wanted)
                if offset > wanted:
                    await _check_kept(self._consumer, partition)
                self._consumer.seek(number, wanted)
        except (Fenced, KafkaError, CheckpointLost) as error:
            await self._fail(partition, error)

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


async def _holds(reader: Consumer, number: int, end: int, place: Place) -> bool:
    """Whether the journal has this very record at this place; the reader then stands after it."""
    if not await reader.start_offset(number) <= place.offset < end:
        return False
    reader.seek(number, place.offset)
    while await reader.position(number) <= place.offset:
        for record in (await reader.poll(timeout_ms=200, records_max=1)).get(number, []):
            return Place.of(record.offset, decode(JournalRecord, record.value)) == place
    return False


async def _close(partition: Partition) -> None:
    try:
        await partition.close()
    except (KafkaError, Fenced) as error:
        log.info("writer closed uncleanly", partition=partition.number, error=type(error).__name__)


def _due_body(due: Due) -> CommandBody:
    if due.kind == "deadline":
        return ReachDeadline(order=due.order_key, deadline_ms=due.at_ms)
    return ReleaseParked(order=due.order_key)


def _not_a_command(record: Record[bytes, bytes], detail: str) -> Quarantined:
    """A record on the command topic that is no command: our bug or somebody's hand, never a stop (OPS-07)."""
    name = hashlib.sha256(f"commands:{record.partition}:{record.offset}".encode()).hexdigest()[:32]
    return Quarantined(
        id=name,
        reason="not_a_command",
        detail=detail,
        stage="decider",
        merchant=None,
        relay=None,
        at_ms=record.timestamp,
        original=None,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def _refusal(command: Command, event: MoveRefused) -> Quarantined:
    """A refused move as the operator's list shows it (ORD-12)."""
    name = hashlib.sha256(f"refused:{command.id}:{event.reason}".encode()).hexdigest()[:32]
    return Quarantined(
        id=name,
        reason=event.reason,
        detail=f"order {event.order.ref}, {event.actor}: {event.detail}",
        stage="decider",
        merchant=command.merchant,
        relay=None,
        at_ms=command.at_ms,
        original=None,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
