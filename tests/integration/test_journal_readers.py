"""The two readers that keep no position, on a real broker: the whole journal from its start, and a stretch of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas import topics
from schemas.codec import decode, encode
from schemas.messages import JournalRecord
from streams.from_start import FromStart
from streams.kafka import Kafka
from streams.stretch import journal_stretch
from tests.support import cluster
from tests.support.cluster import PARTITIONS, a_record, history, merchant_in, until

pytestmark = pytest.mark.real

ANN, BEN = merchant_in(0), merchant_in(1)


class Heard:
    """What one reader was handed, by partition, since the partition became its own."""

    def __init__(self) -> None:
        self.records: dict[int, list[bytes]] = {}
        self.caught_up_at: dict[int, int] = {}

    async def begin(self, partition: int) -> None:
        """From nothing."""
        self.records[partition] = []

    async def take(self, partition: int, values: list[bytes]) -> None:
        """Keep them."""
        self.records[partition] += values

    async def caught_up(self, partition: int) -> None:
        """Note how much was there."""
        self.caught_up_at.setdefault(partition, len(self.records[partition]))

    async def end(self, partition: int) -> None:
        """Another's."""
        del self.records[partition]


@asynccontextmanager
async def reading(kafka: Kafka, heard: Heard, group: str | None) -> AsyncIterator[FromStart]:
    """A reader at work, stopped in the end."""
    source = FromStart(kafka, group, heard)
    task = asyncio.create_task(source.run())
    try:
        yield source
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("group", [None, "test-from-start"])
async def test_everything_committed_is_heard_from_the_start_every_time(kafka: Kafka, group: str | None) -> None:
    """With a group and without one, a second time like the first; what was aborted is never heard."""
    past = history(ANN, 20)
    await cluster.append(kafka, past)
    await cluster.append_and_abort(kafka, [a_record(ANN, len(past) + 1, cause="phantom")], 0)
    more = a_record(ANN, len(past) + 1)
    first, again = Heard(), Heard()
    async with reading(kafka, first, group) as source:
        await until(lambda: source.is_caught_up, "the end of the journal")
        assert first.records[0] == [encode(record) for record in past]
        await cluster.append(kafka, [more])
        await until(lambda: first.records[0][-1] == encode(more), "the next record")
    assert first.caught_up_at[0] == len(past)

    async with reading(kafka, again, group) as source:
        await until(lambda: source.is_caught_up, "the end of the journal")
        assert again.records[0] == [encode(record) for record in (*past, more)]


async def test_a_partition_that_changes_hands_is_heard_from_its_start(kafka: Kafka) -> None:
    """The second of a group hears all of what becomes its own, and the first forgets it."""
    await cluster.append(kafka, history(ANN, 5))
    await cluster.append(kafka, history(BEN, 5))
    first, second = Heard(), Heard()
    async with reading(kafka, first, "test-hands") as one:
        await until(lambda: one.is_caught_up and len(first.records) == PARTITIONS, "the first to have all")
        async with reading(kafka, second, "test-hands") as other:
            await until(lambda: other.is_caught_up and one.is_caught_up, "both to have their share")
            assert first.records.keys() | second.records.keys() == set(range(PARTITIONS))
            assert not first.records.keys() & second.records.keys()
            for heard in (first, second):
                for values in heard.records.values():
                    assert [decode(JournalRecord, value).seq for value in values] == list(range(1, len(values) + 1))
            assert len([*first.records.get(0, ()), *second.records.get(0, ())]) == len(history(ANN, 5))


async def test_a_stretch_has_its_first_record_and_not_its_last_offset(kafka: Kafka) -> None:
    """Offsets of transactions' ends hold no record; neither they nor an aborted one hold the reading up."""
    past = history(ANN, 12)
    await cluster.append(kafka, past[:8], batch=3)
    await cluster.append_and_abort(kafka, [a_record(ANN, 9, cause="phantom")], 0)
    await cluster.append(kafka, past[8:], batch=3)
    every = [pair async for pair in journal_stretch(kafka, 0, 0, await _end(kafka))]
    assert [record for _, record in every] == past

    first, until_ = every[2][0], every[6][0]
    assert [pair async for pair in journal_stretch(kafka, 0, first, until_)] == every[2:6]
    assert [pair async for pair in journal_stretch(kafka, 0, first, first)] == []
    assert [pair async for pair in journal_stretch(kafka, 0, every[-1][0] + 1, await _end(kafka))] == []


async def _end(kafka: Kafka) -> int:
    found = await cluster.read(kafka, topics.JOURNAL, committed_only=True)
    return int(found[0][-1].offset) + 2  # behind the marker that ends its transaction
