"""Starts of the decider from a checkpoint, on a real broker: the journal stays the truth (D2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.messages import JournalRecord
from schemas.topics import COMMANDS
from streams import checkpoint
from streams.checkpoint import Keeper
from streams.decider import Decider
from streams.kafka import Kafka
from streams.partition import Partition
from tests.support import builders, cluster
from tests.support.cluster import caught_up, merchant_in, offers, orders, until

pytestmark = pytest.mark.real

ANN = merchant_in(0)


class Counting(Partition):
    """A partition that counts the records it folds when it is opened."""

    folded = 0

    def _fold(self, offset: int, record: JournalRecord) -> None:
        self.folded += 1
        super()._fold(offset, record)


@asynccontextmanager
async def opened(kafka: Kafka, path: Path) -> AsyncIterator[Counting]:
    """A partition with a checkpoint, opened as its decider opens it."""
    partition = Counting(0, kafka, builders.no_rates, Keeper(path))
    try:
        await partition.open()
        yield partition
    finally:
        await partition.close()


async def test_a_start_folds_only_what_came_after_the_checkpoint(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven records are saved and three are not: the next start reads three, and stands where a full fold stands."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)
    sent = [offers(ANN), *orders(ANN, range(9))]
    await cluster.send(kafka, sent)
    batch = (await cluster.read(kafka, COMMANDS, committed_only=False))[0]
    async with opened(kafka, tmp_path / "0.db") as first:
        assert await first.decide(batch[:7])
        first.save_when_due()
        assert await first.decide(batch[7:])
        orders_then = dict(first.shops[ANN].orders)

    async with opened(kafka, tmp_path / "0.db") as second, opened(kafka, tmp_path / "other.db") as full:
        assert (second.folded, full.folded) == (3, 10)
        assert (second.seq, second.covered) == (full.seq, full.covered) == (10, 9)
        assert second.shops[ANN].stock == full.shops[ANN].stock
        assert {ref: second.shops[ANN].orders[ref] for ref in orders_then} == full.shops[ANN].orders == orders_then


async def test_a_checkpoint_of_another_journal_is_not_used(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topics were made anew, and hold as many records of another past: they are folded from the start."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)
    for past in ("a", "b"):
        await cluster.append(kafka, [cluster.a_record(ANN, seq, cause=f"{past}{seq}") for seq in range(1, 6)])
        async with opened(kafka, tmp_path / "0.db") as partition:
            assert partition.folded == 5
        await cluster.fresh_topics(kafka)
    async with opened(kafka, tmp_path / "0.db") as partition:
        assert (partition.folded, partition.seq, partition.shops) == (0, 0, {})


async def test_a_checkpoint_that_fails_costs_nothing_but_time(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is gone under load: the partition is folded anew without one, and every order is decided."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY_S", 0.0)
    sent = [offers(ANN), *orders(ANN, range(60))]
    decider = Decider(kafka, builders.no_rates, tmp_path / "decider")
    running = asyncio.create_task(decider.run())
    try:
        await until(lambda: decider.is_ready, "the decider")
        await cluster.send(kafka, sent[:30])
        await until(lambda: caught_up(kafka, 0, 30), "the first orders")
        held = decider._ready[0]
        assert held._keeper is not None
        held._keeper.close()
        await cluster.send(kafka, sent[30:])
        await until(lambda: caught_up(kafka, 0, len(sent)), "the others")
        await until(lambda: 0 in decider._ready and decider._ready[0]._keeper is None, "a start without it")
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    cluster.follows_the_commands((await cluster.journal(kafka))[0], sent)
