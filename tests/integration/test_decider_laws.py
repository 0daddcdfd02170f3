"""The decider's laws on a real broker: one writer, nothing lost or doubled, no state that was not committed (D3)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from schemas.messages import Command, JournalRecord
from schemas.orders import OrderLine, OrderQuoted, OrderRejected
from schemas.topics import COMMANDS, JOURNAL, QUARANTINE
from services.embedded.kafka import EmbeddedKafka
from streams.decider import CommandsLost, Decider
from streams.kafka import Fenced, Kafka, KafkaError, Producer, Record
from streams.partition import Partition
from tests.support import builders, cluster
from tests.support.builders import product
from tests.support.cluster import PARTITIONS, caught_up, merchant_in, offers, orders, until

pytestmark = pytest.mark.real

ANN = merchant_in(0)
STATE = ("shops", "seq", "covered", "recorded")


@asynccontextmanager
async def opened(kafka: Kafka, number: int = 0) -> AsyncIterator[Partition]:
    """A partition that has become ours."""
    partition = Partition(number, kafka, builders.no_rates)
    await partition.open()
    try:
        yield partition
    finally:
        await partition.close()


@asynccontextmanager
async def deciding(kafka: Kafka) -> AsyncIterator[tuple[Decider, asyncio.Task[None]]]:
    """A decider in this process."""
    decider = Decider(kafka, builders.no_rates)
    running = asyncio.create_task(decider.run())
    try:
        await until(lambda: decider.is_ready or running.done(), "the decider to open its partitions")
        yield decider, running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def batch_of(kafka: Kafka, commands: Sequence[Command]) -> list[Record[bytes, bytes]]:
    """These commands as the first partition's decider reads them."""
    await cluster.send(kafka, commands)
    return (await cluster.read(kafka, COMMANDS, committed_only=False))[0]


def state_of(partition: Partition) -> dict[str, object]:
    return {name: getattr(partition, name) for name in STATE}


# One writer


@pytest.mark.req("ORD-11")
async def test_a_former_owner_cannot_append(kafka: Kafka) -> None:
    """Once another has opened the partition, the first one's append is refused and leaves nothing behind."""
    sent = [offers(ANN), *orders(ANN, range(5))]
    batch = await batch_of(kafka, sent)
    async with opened(kafka) as old:
        assert await old.decide(batch[:2])
        async with opened(kafka) as new:
            assert await new.decide(batch[2:4])
            with pytest.raises(Fenced):
                await old.decide(batch[2:])
            assert await new.decide(batch[4:])

    cluster.follows_the_commands((await cluster.journal(kafka))[0], sent)
    seen = (await cluster.read(kafka, JOURNAL, committed_only=False))[0]
    assert len(seen) == len(sent), "the refused append is not even in the log"


async def test_an_open_transaction_of_the_former_owner_is_settled_before_the_journal_is_read(kafka: Kafka) -> None:
    """What the former owner had written but not committed can no longer become the truth behind the new one's back."""
    batch = await batch_of(kafka, [offers(ANN)])
    former = await kafka.producer(transactional_id="ncc-decider-0")
    phantom = JournalRecord(seq=1, covers=0, merchant=ANN, at_ms=0, cause="phantom", events=())

    async def overtaken() -> None:
        async with former.transaction():
            await (await former.put(JOURNAL, ANN, phantom, partition=0))
            async with opened(kafka) as new:
                assert (new.seq, new.covered) == (0, -1)
                assert await new.decide(batch)

    with pytest.raises(Fenced):
        await overtaken()
    await former.stop()

    assert [record.cause for record in (await cluster.journal(kafka))[0]] != ["phantom"]
    assert len((await cluster.journal(kafka))[0]) == 1


async def test_a_fenced_owner_that_the_group_still_trusts_opens_its_partition_again(kafka: Kafka) -> None:
    """A fencing that no rebalance follows (a transaction that timed out, say) must not orphan the partition."""
    sent = [offers(ANN), *orders(ANN, range(3))]
    async with deciding(kafka) as (decider, _):
        await (await kafka.producer(transactional_id="ncc-decider-0")).stop()
        await cluster.send(kafka, sent)
        await until(lambda: not decider.is_ready, "the decider to notice")
        await until(lambda: caught_up(kafka, 0, len(sent)), "the partition to be decided again", 15)
        assert decider.is_ready

    cluster.follows_the_commands((await cluster.journal(kafka))[0], sent)


async def test_a_late_failure_of_a_given_up_partition_leaves_its_successor_alone(kafka: Kafka) -> None:
    """A partition that left and came back is another one; what the former still reports is not about it."""
    async with deciding(kafka) as (decider, _):
        former = decider._ready[0]
        await decider._revoked({0})
        await decider._assigned({0})
        await until(lambda: decider.is_ready, "the partition to come back")
        successor = decider._ready[0]
        await decider._fail(former, Fenced("late"))
        assert decider._ready[0] is successor
        assert decider.is_ready


# Aborted transactions


async def test_an_aborted_decision_is_no_part_of_the_state(kafka: Kafka) -> None:
    """A journal that ends in an aborted transaction is read to its end, and to nothing else."""
    batch = await batch_of(kafka, [offers(ANN), *orders(ANN, range(3))])
    async with opened(kafka) as partition:
        await partition.decide(batch[:2])
        expected = state_of(partition)
    phantoms = [JournalRecord(seq=3, covers=2, merchant=ANN, at_ms=0, cause="phantom", events=())]
    await cluster.append_and_abort(kafka, phantoms, 0)

    async with opened(kafka) as partition:
        assert state_of(partition) == expected
        assert await partition.decide(batch[2:])
    assert [record.seq for record in (await cluster.journal(kafka))[0]] == [1, 2, 3, 4]


# Contiguous commands


@pytest.mark.parametrize(("start", "why"), [(0, "decided already"), (2, "half of it decided already"), (5, "a hole")])
async def test_a_batch_that_does_not_follow_what_is_covered_is_dropped_whole(
    kafka: Kafka, start: int, why: str
) -> None:
    """Records fetched before a rebalance may be older or newer than the state: neither is decided (the D3 trap)."""
    batch = await batch_of(kafka, [offers(ANN), *orders(ANN, range(9))])
    async with opened(kafka) as partition:
        assert await partition.decide(batch[:4])
        before = await cluster.journal(kafka)
        assert not await partition.decide(batch[start:]), why
        assert partition.covered == 3
        assert await cluster.journal(kafka) == before
        assert await partition.decide(batch[4:])

    assert [record.covers for record in (await cluster.journal(kafka))[0]] == list(range(10))


async def test_a_stale_batch_is_fetched_again_from_where_it_should_begin(kafka: Kafka) -> None:
    """A consumer that stands elsewhere is sent back, and nothing is skipped on the way."""
    sent = [offers(ANN), *orders(ANN, range(20))]
    async with deciding(kafka) as (decider, _):
        await cluster.send(kafka, sent[:10])
        await until(lambda: caught_up(kafka, 0, 10), "the first half")
        assert decider._consumer is not None
        decider._consumer.seek(0, 3)
        await cluster.send(kafka, sent[10:])
        await until(lambda: caught_up(kafka, 0, 21), "the second half")

    cluster.follows_the_commands((await cluster.journal(kafka))[0], sent)


# Failed appends


class FaultyProducer(Producer):
    """Fails some transactions after everything in them was written."""

    def __init__(self, inner: Producer, faults: Counter[str]) -> None:
        super().__init__(inner._inner, inner._partitions)
        self._faults = faults

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self._faults["transactions"] += 1
        async with super().transaction():
            yield
            if self._faults["transactions"] % 3 == 0:
                self._faults["failed"] += 1
                raise KafkaError("the third time is never lucky")


class FaultyKafka(Kafka):
    """A cluster whose every third transaction fails in the end."""

    faults: Counter[str]

    async def producer(self, transactional_id: str | None = None, paced: bool = False) -> Producer:
        real = await super().producer(transactional_id, paced)
        return FaultyProducer(real, self.faults) if transactional_id else real


async def test_a_failed_append_leaves_no_trace_in_memory(kafka: Kafka, broker: EmbeddedKafka) -> None:
    """State that was not committed is thrown away: the same commands are decided anew, from the journal's state."""
    faulty = FaultyKafka(broker.bootstrap, PARTITIONS, "faulty")
    faulty.faults = Counter()
    sent = [offers(ANN, stock=30), *orders(ANN, range(59))]
    async with deciding(faulty):
        await cluster.send(kafka, sent, per_s=15)
        await until(lambda: caught_up(kafka, 0, len(sent)), "every command to be decided")

    records = (await cluster.journal(kafka))[0]
    assert faulty.faults["failed"] >= 3
    cluster.follows_the_commands(records, sent)
    events = [event for record in records for event in record.events]
    assert len([event for event in events if isinstance(event, OrderQuoted)]) == 30
    assert len([event for event in events if isinstance(event, OrderRejected)]) == 29


async def test_a_decision_too_large_for_the_journal_is_not_half_appended(kafka: Kafka) -> None:
    """The broker refuses one record; its whole batch is taken back, not committed around it."""
    big = orders(ANN, [1])[0]
    assert big.body.type == "PlaceOrder"
    lines = tuple(OrderLine(coordinate=product("t" * 200, ANN) + str(n), quantity=1) for n in range(3_000))
    big = big.model_copy(update={"body": big.body.model_copy(update={"lines": lines})})
    batch = await batch_of(kafka, [offers(ANN), *orders(ANN, [0]), big, *orders(ANN, [2])])
    async with opened(kafka) as partition:
        with pytest.raises(KafkaError):
            await partition.decide(batch)
    assert (await cluster.journal(kafka))[0] == []

    async with opened(kafka) as partition:
        assert (partition.seq, partition.covered, partition.shops) == (0, -1, {})
        assert await partition.decide(batch[:2])
    assert [record.covers for record in (await cluster.journal(kafka))[0]] == [0, 1]


# What decides nothing, and what is lost


async def test_commands_that_decide_nothing_are_covered_by_one_empty_record_within_a_second(kafka: Kafka) -> None:
    """Repeats append nothing by themselves, yet a restart does not need them any more."""
    sent = [offers(ANN), *orders(ANN, range(3))]
    async with deciding(kafka):
        await cluster.send(kafka, sent)
        await until(lambda: caught_up(kafka, 0, len(sent)), "the commands to be decided")
        await cluster.send(kafka, sent * 5)
        said_s = time.monotonic()
        await until(lambda: caught_up(kafka, 0, 6 * len(sent)), "the repeats to be covered", 5)
        assert time.monotonic() - said_s < 1.0
        await asyncio.sleep(0.5)

    records = (await cluster.journal(kafka))[0]
    silent = [record for record in records if not record.events]
    assert 1 <= len(silent) <= 3, "one for each pause at most, not one a command"
    assert records[-1] == silent[-1]
    assert [record.seq for record in records] == list(range(1, len(records) + 1))


async def test_a_decider_does_not_start_where_commands_were_lost(kafka: Kafka) -> None:
    """A log that begins after the first undecided command stops it, and it says which are gone."""
    batch = await batch_of(kafka, [offers(ANN), *orders(ANN, range(9))])
    async with opened(kafka) as partition:
        await partition.decide(batch[:4])
    await cluster.forget_records(kafka, COMMANDS, 0, before_offset=4)
    async with deciding(kafka) as (decider, running):
        await until(lambda: caught_up(kafka, 0, 10), "the rest to be decided: nothing was lost yet")
        assert decider.is_ready
        assert not running.done()

    await batch_of(kafka, orders(ANN, range(9, 12)))
    await cluster.forget_records(kafka, COMMANDS, 0, before_offset=11)
    async with deciding(kafka) as (_, running):
        with pytest.raises(CommandsLost, match="commands of partition 0 start after offset 10, the next to decide"):
            await asyncio.wait_for(running, 10)


async def test_a_running_decider_stops_where_commands_were_lost(kafka: Kafka) -> None:
    """The same when the log is cut under a decider that has fallen behind."""
    async with deciding(kafka) as (decider, running):
        await cluster.send(kafka, [offers(ANN)])
        await until(lambda: caught_up(kafka, 0, 1), "the first command to be decided")
        assert decider._consumer is not None
        decider._consumer.pause([0])
        await cluster.send(kafka, orders(ANN, range(5)))
        await cluster.forget_records(kafka, COMMANDS, 0, before_offset=3)
        decider._consumer.seek(0, 3)
        decider._consumer.resume([0])
        with pytest.raises(CommandsLost, match="partition 0"):
            await asyncio.wait_for(running, 10)


@pytest.mark.req("OPS-07")
async def test_a_record_that_is_no_command_is_quarantined_and_stops_nobody(kafka: Kafka) -> None:
    """Garbage on the command topic is set aside with its place; the commands around it are decided."""
    sent = [offers(ANN), *orders(ANN, range(2))]
    async with deciding(kafka):
        producer = await kafka.producer()
        await cluster.send_with(producer, sent[:1])
        await producer.write(COMMANDS, ANN, b"\x00 no command")
        await producer.write(COMMANDS, ANN, b"")
        await cluster.send_with(producer, sent[1:])
        await producer.stop()
        await until(lambda: caught_up(kafka, 0, 5), "the commands after it to be decided")

    assert [r.cause for r in (await cluster.journal(kafka))[0] if r.events] == [c.id for c in sent]
    aside = [
        r
        for records in (await cluster.read(kafka, QUARANTINE, committed_only=True, settled=True)).values()
        for r in records
    ]
    assert len(aside) == 2
    assert all(b'"not_a_command"' in record.value for record in aside)
