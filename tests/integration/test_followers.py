"""Followers of the journal on a real broker: committed records only, in order, stopping at a gap (D2, D5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from schemas.messages import JournalRecord
from schemas.shops import ShopOpened, ShopSettings
from schemas.topics import JOURNAL
from streams.follower import Follower, JournalTail, SequenceGap
from streams.kafka import Kafka
from tests.support import cluster
from tests.support.cluster import PARTITIONS, a_record, merchant_in, until

pytestmark = pytest.mark.real

ANN = merchant_in(0)
GROUP = "test-follower"
OPENED = (ShopOpened(settings=ShopSettings()),)


class Notes:
    """A handler that writes down what it is told, by partition; `owed` is what a restart must read again."""

    def __init__(self) -> None:
        self.taken: dict[int, list[int]] = {partition: [] for partition in range(PARTITIONS)}
        self.causes: list[str] = []
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.owed: int | None = None

    async def begin(self, partition: int) -> int | None:
        self.begun.append(partition)
        return None

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        self.taken[partition].append(record.seq)
        self.causes.append(record.cause)

    async def caught_up(self, partition: int) -> None:
        return None

    def needed_from(self, partition: int, next_offset: int) -> int:
        return next_offset if self.owed is None else min(self.owed, next_offset)

    async def end(self, partition: int) -> None:
        self.ended.append(partition)


@asynccontextmanager
async def following(kafka: Kafka, notes: Notes) -> AsyncIterator[tuple[Follower, asyncio.Task[None]]]:
    """A follower in this process that leaves its group in the end; what it fails with is the test's failure."""
    follower = Follower(kafka, GROUP, notes)
    running = asyncio.create_task(follower.run())
    try:
        await until(lambda: follower.is_caught_up or running.done(), "the follower to catch up")
        yield follower, running
    finally:
        running.cancel()
        ended = (await asyncio.gather(running, return_exceptions=True))[0]
    assert ended is None or isinstance(ended, asyncio.CancelledError | SequenceGap), ended


def records(*sequences: int) -> Sequence[JournalRecord]:
    return [a_record(ANN, seq) for seq in sequences]


# Committed records only


async def test_a_follower_never_sees_an_aborted_decision(kafka: Kafka) -> None:
    """Five records were in the log for a moment and were taken back: they are there, and nobody is told."""
    await cluster.append(kafka, records(1, 2))
    await cluster.append_and_abort(kafka, [a_record(ANN, 3 + n, cause="phantom") for n in range(5)], 0)
    await cluster.append(kafka, records(3))
    notes = Notes()
    async with following(kafka, notes):
        await until(lambda: len(notes.taken[0]) == 3, "three records")

    assert notes.causes == ["c1", "c2", "c3"]
    shown = (await cluster.read(kafka, JOURNAL, committed_only=False))[0]
    assert len([record for record in shown if b'"phantom"' in record.value]) == 5


async def test_nobody_is_told_of_a_decision_that_was_aborted(kafka: Kafka) -> None:
    """Who waits for a command's decision gets the one that was committed."""
    tail = JournalTail(kafka)
    running = asyncio.create_task(tail.run())
    await tail.started.wait()
    waiting = asyncio.create_task(tail.decision(0, 0, timeout_s=10))
    await asyncio.sleep(0)
    await cluster.append_and_abort(kafka, [a_record(ANN, 1, 0, "phantom", OPENED)], 0)
    await asyncio.sleep(0.5)
    assert not waiting.done()
    await cluster.append(kafka, [a_record(ANN, 1, 0, "real", OPENED)])
    decision = await waiting

    assert decision is not None
    assert decision.cause == "real"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_who_waits_for_a_command_that_decided_nothing_hears_so(kafka: Kafka) -> None:
    """A later record covers it, or an empty one does: both say that it said nothing new."""
    tail = JournalTail(kafka)
    running = asyncio.create_task(tail.run())
    await tail.started.wait()
    waiting = [asyncio.create_task(tail.decision(0, offset, timeout_s=10)) for offset in (0, 1, 2)]
    await asyncio.sleep(0)
    await cluster.append(kafka, [a_record(ANN, 1, 1, "decided", OPENED), a_record(ANN, 2, 2, "silence")])

    assert [found and found.cause for found in await asyncio.gather(*waiting)] == [None, "decided", None]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# Order, gaps and repeats


async def test_a_gap_in_the_sequence_stops_a_follower_and_it_says_where(kafka: Kafka) -> None:
    """What comes after the gap is not taken, and the stored position stays before it."""
    await cluster.append(kafka, records(1, 2, 4, 5))
    notes = Notes()
    async with following(kafka, notes) as (_, running):
        with pytest.raises(SequenceGap, match="test-follower: journal 0 goes from record 2 to 4"):
            await asyncio.wait_for(running, 10)

    assert notes.taken[0] == [1, 2]
    assert notes.ended.count(0) == 1
    assert await cluster.stored_position(kafka, GROUP, 0) == 2


async def test_a_record_seen_before_is_skipped(kafka: Kafka) -> None:
    """Repeats of any kind reach the handler once."""
    await cluster.append(kafka, records(1, 2, 2, 1, 2, 3))
    notes = Notes()
    async with following(kafka, notes) as (follower, _):
        await until(lambda: follower.is_caught_up and len(notes.taken[0]) >= 3, "the end of the journal")

    assert notes.taken[0] == [1, 2, 3]


# Positions


@pytest.mark.req("OPS-04")
async def test_a_restart_reads_again_what_was_under_way(kafka: Kafka) -> None:
    """The position stays at the oldest record whose effect is not acknowledged: at least once."""
    await cluster.append(kafka, records(1, 2, 3, 4, 5))
    first, second, third = Notes(), Notes(), Notes()
    first.owed = 2
    for notes in (first, second, third):
        async with following(kafka, notes):
            pass

    assert (first.taken[0], second.taken[0], third.taken[0]) == ([1, 2, 3, 4, 5], [3, 4, 5], [])


async def test_a_follower_that_the_group_has_forgotten_joins_again_and_goes_on(kafka: Kafka) -> None:
    """After a long sleep its commit is refused: its partitions end and begin anew, and nothing is skipped."""
    await cluster.append(kafka, records(1, 2))
    notes = Notes()
    async with following(kafka, notes) as (follower, running):
        assert follower._consumer is not None
        follower._consumer._inner._coordinator.generation = 0
        await until(lambda: 0 in notes.ended, "its partitions to end")
        await until(lambda: notes.begun.count(0) == 2 and follower.is_caught_up, "its partitions to begin anew")
        await cluster.append(kafka, records(3, 4))
        await until(lambda: 4 in notes.taken[0], "the new records")
        assert not running.done()

    assert notes.ended.count(0) == 2
    assert sorted(set(notes.taken[0])) == [1, 2, 3, 4]


@pytest.mark.req("OPS-02")
async def test_followers_that_come_and_go_under_load_miss_nothing(kafka: Kafka) -> None:
    """240 transactions on four partitions while a second follower joins and leaves twice: each record is taken."""
    first, second = Notes(), Notes()
    shops = [merchant_in(p) for p in range(PARTITIONS)]
    async with following(kafka, first) as (_, running):
        writing = [
            asyncio.create_task(cluster.append(kafka, [a_record(m, n + 1) for n in range(60)], batch=1, per_s=25))
            for m in shops
        ]
        for _ in range(2):
            async with following(kafka, second):
                await asyncio.sleep(0.3)
        await asyncio.gather(*writing)
        await until(lambda: all(60 in first.taken[p] + second.taken[p] for p in range(PARTITIONS)), "the last records")
        assert not running.done()

    for partition in range(PARTITIONS):
        assert set(first.taken[partition]) | set(second.taken[partition]) == set(range(1, 61))
    assert any(second.taken.values())
