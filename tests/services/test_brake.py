"""The brake: a frozen merchant's records wait where they stand, and everybody else's go through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from schemas.freezes import MerchantFrozen, MerchantThawed
from schemas.messages import Event, JournalRecord
from services.brake import Brake
from tests.support.builders import MERCHANT, NOW_MS, OTHER_MERCHANT

FROZEN = MerchantFrozen(code="I2", reason="oversold", cause="x")
THAWED = MerchantThawed(reason="counted", cause="y", deadline_ms=0)


def a_record(offset: int, merchant: str = MERCHANT, *events: Event) -> JournalRecord:
    """A record that stands at this offset."""
    return JournalRecord(seq=offset + 1, covers=offset, merchant=merchant, at_ms=NOW_MS, cause="c", events=events)


class Scene:
    """A journal of one partition, effects that note what they are handed, and the brake between them."""

    def __init__(self) -> None:
        self.journal: list[JournalRecord] = []
        self.taken: list[int] = []
        self.said: list[str] = []
        self.under_way: int | None = None
        self.rereading = asyncio.Event()
        self.rereading.set()
        self.brake = Brake(self, self.reread)

    async def add(self, merchant: str = MERCHANT, *events: Event) -> int:
        """The next record of the journal, and the follower takes it."""
        record = a_record(len(self.journal), merchant, *events)
        self.journal.append(record)
        await self.brake.take(0, len(self.journal) - 1, record)
        return len(self.journal) - 1

    async def reread(self, _partition: int, first: int, until: int) -> AsyncGenerator[tuple[int, JournalRecord]]:
        """The journal between two offsets, as far as the scene lets it be read."""
        for offset in range(first, until):
            await self.rereading.wait()
            yield offset, self.journal[offset]

    async def settle(self) -> None:
        """Let everything that can happen happen."""
        for _ in range(50):
            await asyncio.sleep(0)

    # The effects

    async def begin(self, partition: int) -> int | None:
        """Ours."""
        return None

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """Note it."""
        self.taken.append(offset)

    async def caught_up(self, partition: int) -> None:
        """Note it."""
        self.said.append("caught up")

    def needed_from(self, partition: int, next_offset: int) -> int:
        """Nothing is under way."""
        return next_offset

    async def end(self, partition: int) -> None:
        """Note it."""
        self.said.append("end")

    async def freeze(self, partition: int, merchant: str) -> int | None:
        """Note it."""
        self.said.append("freeze")
        return self.under_way

    async def thaw(self, partition: int, merchant: str) -> None:
        """Note it."""
        self.said.append("thaw")


@pytest.fixture
async def scene() -> Scene:
    """Nobody is frozen yet."""
    made = Scene()
    await made.brake.begin(0)
    return made


async def test_without_a_freeze_everything_goes_through(scene: Scene) -> None:
    """And the position is the follower's."""
    for _ in range(3):
        await scene.add()

    assert scene.taken == [0, 1, 2]
    assert scene.brake.needed_from(0, 3) == 3


async def test_a_frozen_merchants_records_wait_and_others_pass(scene: Scene) -> None:
    """The position stays at the freeze, so that a restart finds it again."""
    await scene.add(MERCHANT)
    await scene.add(MERCHANT, FROZEN)
    await scene.add(MERCHANT)
    await scene.add(OTHER_MERCHANT)
    await scene.add(MERCHANT)
    await scene.settle()

    assert scene.taken == [0, 3]
    assert scene.said == ["freeze"]
    assert scene.brake.needed_from(0, 5) == 1


async def test_what_was_under_way_at_the_freeze_holds_the_position_too(scene: Scene) -> None:
    """It was stopped, so it has to be started again."""
    for _ in range(3):
        await scene.add()
    scene.under_way = 1
    await scene.add(MERCHANT, FROZEN)
    assert scene.brake.needed_from(0, 4) == 1

    await scene.add(MERCHANT, THAWED)
    await scene.settle()
    assert scene.taken == [0, 1, 2, 1, 2]


async def test_after_the_thaw_everything_that_waited_is_handed_on_once_in_its_order(scene: Scene) -> None:
    """Then the merchant's records go through again, and the position is free."""
    await scene.add(MERCHANT, FROZEN)
    await scene.add(MERCHANT)
    await scene.add(OTHER_MERCHANT)
    await scene.add(MERCHANT)
    await scene.add(MERCHANT, THAWED)
    await scene.settle()

    assert scene.taken == [2, 1, 3]
    assert scene.said == ["freeze", "thaw"]
    assert scene.brake.needed_from(0, 5) == 5
    await scene.add(MERCHANT)
    assert scene.taken == [2, 1, 3, 5]


async def test_what_comes_during_the_release_queues_up_behind_it(scene: Scene) -> None:
    """No record overtakes one that waited, and none is lost between the two."""
    await scene.add(MERCHANT, FROZEN)
    await scene.add(MERCHANT)
    scene.rereading.clear()
    await scene.add(MERCHANT, THAWED)
    await scene.settle()
    await scene.add(MERCHANT)
    await scene.add(OTHER_MERCHANT)
    assert scene.taken == [4]
    assert scene.brake.needed_from(0, 5) == 0

    scene.rereading.set()
    await scene.settle()
    assert scene.taken == [4, 1, 3]


async def test_a_freeze_during_the_release_holds_what_was_not_handed_on_yet(scene: Scene) -> None:
    """The rest waits for the next thaw, and nothing comes twice."""
    await scene.add(MERCHANT, FROZEN)
    await scene.add(MERCHANT)
    scene.rereading.clear()
    await scene.add(MERCHANT, THAWED)
    await scene.settle()
    await scene.add(MERCHANT, FROZEN)
    scene.rereading.set()
    await scene.settle()
    assert scene.taken == []

    await scene.add(MERCHANT, THAWED)
    await scene.settle()
    assert scene.taken == [1]


async def test_two_merchants_are_frozen_and_thawed_apart(scene: Scene) -> None:
    """The position waits for the older one."""
    await scene.add(MERCHANT, FROZEN)
    await scene.add(OTHER_MERCHANT, FROZEN)
    await scene.add(MERCHANT)
    await scene.add(OTHER_MERCHANT)
    await scene.add(MERCHANT, THAWED)
    await scene.settle()

    assert scene.taken == [2]
    assert scene.brake.needed_from(0, 5) == 1


async def test_a_process_that_takes_over_finds_the_freeze_and_the_thaw(scene: Scene) -> None:
    """From the position that was stored; what the first handed on to nobody is handed on once by the second."""
    await scene.add(MERCHANT, FROZEN)
    await scene.add(MERCHANT)
    start = scene.brake.needed_from(0, 2)
    await scene.brake.end(0)
    await scene.brake.begin(0)
    for offset in range(start, len(scene.journal)):
        await scene.brake.take(0, offset, scene.journal[offset])
    assert scene.taken == []

    await scene.add(MERCHANT, THAWED)
    await scene.settle()
    assert scene.taken == [1]


async def test_a_thaw_of_somebody_who_is_not_frozen_is_nothing(scene: Scene) -> None:
    """A process whose stored position lies after the freeze and its thaw sees only what is left of it."""
    await scene.add(MERCHANT, THAWED)
    await scene.add(MERCHANT)

    assert scene.taken == [1]


async def test_a_release_that_fails_stops_the_role(scene: Scene) -> None:
    """The position still lies at the freeze, so a restart does it again."""

    async def broken(_partition: int, _first: int, _until: int) -> AsyncGenerator[tuple[int, JournalRecord]]:
        raise OSError("no broker")
        yield

    brake = Brake(scene, broken)
    await brake.begin(0)
    await brake.take(0, 0, a_record(0, MERCHANT, FROZEN))
    await brake.take(0, 1, a_record(1, MERCHANT, THAWED))

    with pytest.raises(OSError, match="no broker"):
        await brake.failure
    assert brake.needed_from(0, 2) == 0
