"""One partition of the decider: its shops, its place in the journal, and its fenced writer (D2, D3)."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping

import structlog

from schemas import topics
from schemas.catalogue import ReviseListing
from schemas.codec import NotOurContract, decode
from schemas.crash_points import Point, reach
from schemas.messages import Command, CommandBody, Event, JournalRecord
from schemas.orders import MoveRefused, Rate, ReachDeadline
from schemas.parking import ReleaseParked
from schemas.past import AnswerPast
from schemas.quarantine import Quarantined
from schemas.reviews import JudgeReviews
from schemas.values import Origin
from streams import quarantining
from streams.checkpoint import CheckpointLost, Keeper, Place
from streams.domain.decide import judge
from streams.domain.evolve import evolve
from streams.domain.shop import Due, Shop
from streams.kafka import Consumer, Kafka, Producer, Record

FOLDED_BETWEEN_SAVES = 20_000
"""Records folded at a start before the checkpoint follows."""

RatesNow = Callable[[int], Mapping[str, Rate]]
"""The exchange rates known at a time (UTC milliseconds)."""

log = structlog.get_logger(role="decider")


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
        self.late_s = 0.0
        """How long before its batch was decided the oldest command of the last batch was given."""

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
        if self._keeper is not None:
            place = self._keeper.place()
            if place is not None and await _holds(reader, self.number, end, place):
                self.shops, self.seq, self._last_merchant = self._keeper.load(), place.seq, place.merchant
                self.covered = self.recorded = place.covers
                return
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

    def _shop(self, merchant: str) -> Shop:
        shop = self.shops.get(merchant)
        if shop is None:
            shop = self.shops[merchant] = Shop(merchant)
        return shop

    def _evolve(self, merchant: str, events: tuple[Event, ...], at_ms: int) -> None:
        shop = self._shop(merchant)
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
        now_ms = oldest_ms = _now_ms()
        rates = self._rates(now_ms)
        for record in records:
            assert record.offset == self.covered + 1, "command offsets are contiguous"
            self.covered = record.offset
            try:
                command = decode(Command, record.value)
            except NotOurContract as error:
                refused.append(quarantining.not_a_command(record, str(error)))
                continue
            oldest_ms = min(oldest_ms, command.at_ms)
            shop = self._shop(command.merchant)
            try:
                decision = judge(shop, command, rates)
            except CheckpointLost:
                raise
            except Exception as error:  # noqa: BLE001  # deciding changes nothing, so whatever it is, the others go on
                where = quarantining.place_of(error)
                log.error("command not decided", partition=self.number, offset=record.offset, error=where)
                refused.append(quarantining.not_decided(record, command, error))
                continue
            if decision.silence is not None:
                refused.append(quarantining.only_counted(record, command, decision.silence))
            events = tuple(decision.events)
            if events:
                decided.append(self._record(command.merchant, command.at_ms, command.id, events))
                self._evolve(command.merchant, events, command.at_ms)
                moves = (event for event in events if isinstance(event, MoveRefused))
                refused.extend(quarantining.refused_move(record, command, event) for event in moves)
        self.late_s = (now_ms - oldest_ms) / 1_000
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
        reach(Point.DECIDER_DECIDED)
        async with self._producer.transaction():
            placed = [
                await self._producer.put(topics.JOURNAL, record.merchant, record, partition=self.number)
                for record in decided
            ]
            for quarantined in refused:
                await self._producer.put(topics.QUARANTINE, quarantined.id, quarantined)
            reach(Point.DECIDER_APPENDED)
        reach(Point.DECIDER_COMMITTED)
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
            bodies += [ReviseListing(coordinate=stale) for stale in shop.take_stale(now_ms // 1_000)]
            bodies += [JudgeReviews()] * shop.take_unjudged()
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


async def _holds(reader: Consumer, number: int, end: int, place: Place) -> bool:
    """Whether the journal has this very record at this place; the reader then stands after it."""
    if not await reader.start_offset(number) <= place.offset < end:
        return False
    reader.seek(number, place.offset)
    while await reader.position(number) <= place.offset:
        for record in (await reader.poll(timeout_ms=200, records_max=1)).get(number, []):
            return Place.of(record.offset, decode(JournalRecord, record.value)) == place
    return False


def _due_body(due: Due) -> CommandBody:
    match due.kind:
        case "deadline":
            return ReachDeadline(order=due.order_key, deadline_ms=due.at_ms)
        case "past":
            return AnswerPast(order=due.order_key)
        case _:
            return ReleaseParked(order=due.order_key)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
