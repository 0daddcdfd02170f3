"""The simulated broker behaves as the real one was measured to, and the loop runs only when it is told to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from schemas import topics
from schemas.crash_points import Point, arm, reach
from streams.kafka import Fenced, KafkaError
from tests.simulation.clock import Clock, Dice
from tests.simulation.kafka import SimConsumer, SimKafka, Wire, rebalance
from tests.simulation.log import Broker
from tests.simulation.loop import Killed, Loop

KEY = "00" * 32


def a_wire(broker: Broker) -> Wire:
    """A process's connection."""
    clock = Clock()
    return Wire(broker, clock, Loop(clock), as_bytes=False)


def written(broker: Broker, committed_only: bool = True) -> list[bytes]:
    """The values in the journal that a reader sees."""
    return [entry.value for entry in broker.all(topics.JOURNAL.name, committed_only)]


async def write(producer: Any, *values: bytes) -> None:
    """All in one transaction."""
    async with producer.transaction():
        for value in values:
            await producer.put(topics.JOURNAL, KEY, value)


def test_a_transaction_is_visible_whole_and_only_once_committed() -> None:
    """Readers of committed records wait before an open one."""
    broker = Broker(1)
    wire = a_wire(broker)
    seen: list[list[bytes]] = []

    async def story() -> None:
        producer = await SimKafka(wire).producer("writer")
        async with producer.transaction():
            await producer.put(topics.JOURNAL, KEY, b"one")
            seen.append(written(broker))
        seen.append(written(broker))

    wire.loop.run(story())
    assert seen == [[], [b"one"]]


def test_a_former_owner_is_fenced_and_its_open_transaction_is_settled() -> None:
    """Nothing it writes afterwards is in the log."""
    broker = Broker(1)
    old, new = a_wire(broker), a_wire(broker)
    former = old.loop.run(SimKafka(old).producer("writer"))

    async def overtaken() -> None:
        assert former is not None
        async with former.transaction():
            await former.put(topics.JOURNAL, KEY, b"phantom")
            new.loop.run(SimKafka(new).producer("writer"))
            asyncio._set_running_loop(old.loop)  # type: ignore[arg-type]

    with pytest.raises(Fenced):
        old.loop.run(overtaken())
    assert written(broker) == []
    assert written(broker, committed_only=False) == [b"phantom"]
    assert broker.log(topics.JOURNAL.name, 0).end(True) == 2


@pytest.mark.parametrize(("fault", "left"), [("before", []), ("after", [b"one"])])
def test_a_drawn_fault_fails_before_or_after_the_commit(fault: str, left: list[bytes]) -> None:
    """The writer cannot tell which."""
    broker = Broker(1)
    wire = a_wire(broker)
    producer = wire.loop.run(SimKafka(wire).producer("writer"))
    wire.fail_next = fault

    with pytest.raises(KafkaError):
        wire.loop.run(write(producer, b"one"))
    assert written(broker) == left


def test_a_kill_loses_the_end_of_what_was_held_back() -> None:
    """What gets out is a first part, in order."""
    for seed in range(20):
        broker = Broker(1)
        wire = a_wire(broker)
        producer = wire.loop.run(SimKafka(wire).producer())
        assert producer is not None
        wire.holds_sends = True
        for value in (b"1", b"2", b"3"):
            wire.loop.run(producer.put(topics.JOURNAL, KEY, value))
        wire.loop.dead = True
        producer.release(Dice(seed))  # type: ignore[attr-defined]
        out = written(broker)
        assert out == [b"1", b"2", b"3"][: len(out)]


def test_a_group_deals_every_partition_to_one_member() -> None:
    """And tells each what it lost and what it got."""
    broker = Broker(2)
    heard: list[tuple[str, set[int]]] = []

    async def lost(partitions: set[int]) -> None:
        heard.append(("lost", partitions))

    async def got(partitions: set[int]) -> None:
        heard.append(("got", partitions))

    members: list[SimConsumer] = []
    for _ in range(2):
        wire = a_wire(broker)
        member = wire.loop.run(SimKafka(wire).consumer(topics.JOURNAL, "g", True, got, lost))
        assert isinstance(member, SimConsumer)
        assert member.group is not None
        member.group.members.append(member)
        members.append(member)
        rebalance(member.group)

    assert members[0].held | members[1].held == {0, 1}
    assert not members[0].held & members[1].held
    assert heard[0] == ("got", {0, 1})
    assert ("lost", {0, 1}) in heard


def test_a_grouped_consumer_reads_only_what_it_is_granted() -> None:
    """The history decides who runs, and how far."""
    broker = Broker(1)
    wire = a_wire(broker)
    for number in range(5):
        broker.log(topics.JOURNAL.name, 0).append(0, b"", number)
    got: list[list[int]] = []

    async def reading() -> None:
        consumer = await SimKafka(wire).consumer(topics.JOURNAL, "g", True)
        assert isinstance(consumer, SimConsumer)
        consumer.held = {0}
        while True:
            got.extend([entry.value for entry in found] for found in (await consumer.poll(0)).values())

    wire.loop.create_task(reading())
    wire.loop.drain()
    assert got == []
    for _ in range(2):
        wire.consumers[0].grant(2)
        wire.loop.drain()
    assert got == [[0, 1], [2, 3]]


def test_time_passes_only_when_the_history_says_so() -> None:
    """A sleep of an hour ends when the clock is moved by one."""
    clock = Clock()
    loop = Loop(clock)
    woken: list[float] = []

    async def sleeper() -> None:
        await asyncio.sleep(3_600)
        woken.append(clock.monotonic())

    loop.create_task(sleeper())
    loop.drain()
    assert not woken
    clock.advance(3_600_000)
    loop.drain()
    assert woken == [3_600.0]


def test_a_process_killed_at_a_point_does_nothing_more() -> None:
    """Not even what its handlers would do on the way out."""
    loop = Loop(Clock())
    done: list[str] = []

    def told(point: Point) -> None:
        loop.dead = True
        raise Killed

    async def work() -> None:
        done.append("before")
        reach(Point.DECIDER_DECIDED)
        done.append("after")

    arm(told)
    try:
        loop.create_task(work())
        loop.drain()
    finally:
        arm(None)
    loop.discard()
    assert done == ["before"]


def test_a_point_that_nobody_watches_costs_a_look() -> None:
    """Off unless armed."""
    reach(Point.VIEWS_FOLDED)


def test_dice_of_one_seed_fall_alike() -> None:
    """And those of another do not."""
    assert [Dice(5).bits() for _ in range(3)] == [Dice(5).bits() for _ in range(3)]
    first, second = Dice(5), Dice(6)
    assert [first.bits() for _ in range(3)] != [second.bits() for _ in range(3)]
