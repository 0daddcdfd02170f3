"""Several deciders in processes of their own: paused, stopped, started and raced against each other (D3, D11)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from schemas.orders import OrderLine, OrderPlaced
from schemas.payments import PaymentWanted
from schemas.replies import ReplyPromised
from services.config import Role
from streams.kafka import Kafka
from tests.support import cluster
from tests.support.books import audited
from tests.support.builders import a_key, an_order, product
from tests.support.cluster import PARTITIONS, Worker, caught_up, merchant_in, offers, orders, until

pytestmark = pytest.mark.real

ANN = merchant_in(0)


@pytest.mark.req("ORD-11")
async def test_a_paused_owner_that_wakes_up_cannot_append(kafka: Kafka, tmp_path: Path) -> None:
    """A process that slept through its session is refused by Kafka itself, and then takes its share again."""
    sent, more = [offers(ANN)], orders(ANN, range(100))
    old, new = (Worker(Role.DECIDER, kafka, tmp_path / name) for name in ("old", "new"))
    with old, new:
        await old.start().ready()
        await cluster.send(kafka, sent)
        for round_ in range(1, 11):  # until it is caught with commands in hand that it has fetched and not decided
            batch = orders(ANN, range(round_ * 4_000, (round_ + 1) * 4_000))
            some = len(sent) + 200
            sent += batch
            await cluster.send(kafka, batch)
            await until(lambda some=some: caught_up(kafka, 0, some), "some commands to be decided")
            old.pause()
            if not await caught_up(kafka, 0, len(sent)):
                break
            old.go_on()
        else:
            pytest.fail("the decider is quicker than any test can be")
        await new.start().ready()
        await until(lambda: caught_up(kafka, 0, len(sent)), "the other to take over and decide everything")
        assert "fenced" not in old.log()
        old.go_on()
        await until(lambda: "fenced by another owner" in old.log(), "the former owner to be refused")
        await cluster.send(kafka, more)
        await until(lambda: caught_up(kafka, 0, len(sent + more)), "commands to be decided after its return")
        assert (old.stop(), new.stop()) == (0, 0)

    cluster.follows_the_commands((await cluster.journal(kafka))[0], sent + more)


@pytest.mark.req("OPS-02")
async def test_deciders_that_come_and_go_under_load_lose_and_double_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """3,000 commands on four partitions, two processes, five rebalances: each decided once, in its order."""
    merchants = [merchant_in(p) for p in range(PARTITIONS)]
    sent = {m: [offers(m), *orders(m, range(749))] for m in merchants}
    first, second = (Worker(Role.DECIDER, kafka, tmp_path / name) for name in ("first", "second"))
    with first, second:
        await asyncio.gather(first.start().ready(), second.start().ready())
        sending = [asyncio.create_task(cluster.send(kafka, sent[m], per_s=90)) for m in merchants]
        for _ in range(2):
            await asyncio.sleep(0.5)
            assert second.stop() == 0
            await asyncio.sleep(0.5)
            await second.start().ready()
        assert first.stop() == 0
        await asyncio.gather(*sending)
        await until(lambda: all_decided(kafka, 750), "every command to be decided")

    records = await cluster.journal(kafka)
    for partition, merchant in enumerate(merchants):
        cluster.follows_the_commands(records[partition], sent[merchant])


@asynccontextmanager
async def workers(kafka: Kafka, folder: Path, count: int) -> AsyncIterator[list[Worker]]:
    """So many deciders, each in its own process."""
    async with AsyncExitStack() as stack:
        started = [stack.enter_context(Worker(Role.DECIDER, kafka, folder / str(n))) for n in range(count)]
        await asyncio.gather(*(worker.start().ready() for worker in started))
        yield started
        for worker in started:  # those that leave the group need no session to run out before the next test
            assert worker.stop() == 0


@pytest.mark.req("INV-02")
@pytest.mark.req("ORD-11")
@pytest.mark.req("INV-08")
async def test_fifty_orders_for_ten_pieces_at_four_shops_on_three_workers(kafka: Kafka, tmp_path: Path) -> None:
    """In each shop ten orders become pending and forty are turned down, each of these with exactly one reply."""
    merchants = [merchant_in(p) for p in range(PARTITIONS)]
    async with workers(kafka, tmp_path, 3):
        await cluster.send(kafka, [offers(m, stock=10) for m in merchants])
        buyers = [f"b{n}" * 32 for n in range(5)]
        crowds = [[o for m in merchants for o in orders(m, range(10), buyer)] for buyer in buyers]
        await asyncio.gather(*(cluster.send(kafka, crowd) for crowd in crowds))
        await until(lambda: all_decided(kafka, 51), "every order to be decided")

    for partition, records in (await cluster.journal(kafka)).items():
        books, merchant = audited(records), merchants[partition]
        placed = {e.order.ref for r in records for e in r.events if isinstance(e, OrderPlaced)}
        orders_told = Counter(known[::2] for ref in placed if (known := books.order(ref)) is not None)
        assert orders_told == {("pending", 0): 10, ("rejected", 1): 40}
        tea = books.goods[product(merchant=merchant)]
        assert (tea.on_hand, tea.held, tea.sold) == (10, 10, 0)
        wanted = [e for r in records for e in r.events if isinstance(e, PaymentWanted)]
        assert {event.order.ref for event in wanted} == books.open_orders.keys()
        assert len(wanted) == 10


@pytest.mark.req("ORD-11")
async def test_fifty_amendments_of_one_order_from_everywhere_make_one_history(kafka: Kafka, tmp_path: Path) -> None:
    """Five senders amend the same order at once: fifty revisions in a row, each deciding on the one before."""
    key = a_key("order", merchant=ANN)
    line = (OrderLine(coordinate=product(merchant=ANN), quantity=2),)
    amendments = [
        cluster.said(ANN, an_order(key=key, rumor=f"revision {n}").model_copy(update={"lines": line}))
        for n in range(50)
    ]
    async with workers(kafka, tmp_path, 3):
        await cluster.send(kafka, [offers(ANN, stock=3)])
        await asyncio.gather(*(cluster.send(kafka, amendments[n::5]) for n in range(5)))
        await until(lambda: caught_up(kafka, 0, 51), "every amendment to be decided")

    records = (await cluster.journal(kafka))[0]
    books = audited(records)
    events = [event for record in records for event in record.events]
    assert [e.revision for e in events if isinstance(e, OrderPlaced)] == list(range(1, 51))
    assert {e.rumor_id for e in events if isinstance(e, OrderPlaced)} == {a.body.rumor_id for a in amendments}  # type: ignore[union-attr]
    assert books.goods[product(merchant=ANN)].held == 2
    assert not [event for event in events if isinstance(event, ReplyPromised)]


async def all_decided(kafka: Kafka, count: int) -> bool:
    """Whether every partition's journal covers so many commands."""
    return all(found and found[-1].covers >= count - 1 for found in (await cluster.journal(kafka)).values())
