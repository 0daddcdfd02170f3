"""The state tables on real Faust and a real broker: right after any crash, and never from what was aborted (D4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from schemas.codec import decode, encode
from schemas.messages import JournalRecord
from schemas.rows import ROWS, InventoryRow, OrderRow, Row
from services.config import Role
from streams import faust_app, views
from streams.domain.projections import RowKey, fold
from streams.follower import SequenceGap
from streams.kafka import Kafka
from tests.support import cluster
from tests.support.books import audited
from tests.support.builders import product
from tests.support.cluster import PARTITIONS, Worker, a_record, history, merchant_in, until

pytestmark = pytest.mark.real

ANN = merchant_in(0)
Rows = dict[RowKey, bytes]


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[asyncio.Task[None]]:
    """A Faust app in this loop, stopped in the end."""
    task = asyncio.create_task(faust_app.run_app(app))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def an_app(kafka: Kafka, folder: Path, name: str = topics.VIEWS_APP, committed_only: bool = True) -> Any:
    return faust_app.make_app(name, kafka.bootstrap, kafka.partitions, folder, committed_only)


def folded(journal: dict[int, list[JournalRecord]]) -> Rows:
    """The rows as one pass over the journal makes them."""
    rows: dict[RowKey, Row] = {}
    for partition, records in journal.items():
        for record in records:
            rows |= fold(record, partition, rows.get)
    return {key: encode(row) for key, row in rows.items()}


async def stored(kafka: Kafka) -> Rows:
    """The rows as the changelogs have them: the last of each key."""
    rows: Rows = {}
    for table in topics.TABLES:
        for records in (await cluster.read(kafka, topics.changelog(table), committed_only=False)).values():
            rows |= {RowKey(table, (record.key or b"").decode()): record.value for record in records}
    return rows


# What the tables are made from


async def test_the_stock_transport_shows_aborted_records_and_ours_does_not(kafka: Kafka, tmp_path: Path) -> None:
    """Faust reads uncommitted records by itself; the `committed` scheme is what keeps them out."""
    await cluster.append(kafka, [a_record(ANN, 1)])
    await cluster.append_and_abort(kafka, [a_record(ANN, 2 + n, cause="phantom") for n in range(5)], 0)
    await cluster.append(kafka, [a_record(ANN, 2)])

    async def causes_seen(committed_only: bool) -> list[str]:
        app = an_app(kafka, tmp_path, f"test-probe-{committed_only}", committed_only)
        seen: list[str] = []

        @app.agent(app.topic(topics.JOURNAL.name, key_type=bytes, value_type=bytes, internal=False))  # type: ignore[untyped-decorator]
        async def look(stream: Any) -> None:
            async for value in stream:
                seen.append(decode(JournalRecord, value).cause)

        async with running(app):
            await until(lambda: "c2" in seen, "the last record")
        return seen

    stock, ours = await asyncio.gather(causes_seen(False), causes_seen(True))
    assert stock == ["c1", *["phantom"] * 5, "c2"]
    assert ours == ["c1", "c2"]


async def test_an_aborted_decision_leaves_no_row(kafka: Kafka, tmp_path: Path) -> None:
    """An order that was placed in an aborted transaction is nobody's order."""
    past = history(ANN, 2)
    await cluster.append(kafka, past[:1])
    await cluster.append_and_abort(kafka, past[1:2], 0)
    twin = [record.model_copy(update={"seq": record.seq - 3}) for record in past[4:]]
    await cluster.append(kafka, twin)
    app = an_app(kafka, tmp_path)
    views.attach(app, PARTITIONS)
    expected = folded({0: [past[0], *twin]})
    async with running(app):
        await until(lambda: is_stored(kafka, expected), "the rows")

    assert (await stored(kafka)).keys() == expected.keys()


async def is_stored(kafka: Kafka, expected: Rows) -> bool:
    return await stored(kafka) == expected


# Order, gaps and repeats


def tables() -> dict[str, dict[bytes, bytes]]:
    return {name: {} for name in topics.TABLES}


def test_a_record_seen_before_changes_no_row() -> None:
    """In this process by its sequence, and in a new one by the sequence that each row carries."""
    past = [encode(record) for record in history(ANN, 4)]
    once, twice, again = tables(), tables(), tables()
    run_of(once, past)
    run_of(twice, [data for data in past for _ in range(2)])
    for start in range(0, len(past), 3):
        run_of(again, past[start:] if start else past)

    assert once == twice == again
    assert len(once["orders"]) == 4


def run_of(tables: dict[str, dict[bytes, bytes]], past: Sequence[bytes]) -> None:
    """A process that starts with these tables and folds this much of the journal."""
    process = views.Views(tables)
    for data in past:
        process.take(0, data)


async def test_a_gap_in_the_sequence_stops_the_views_and_it_says_where(kafka: Kafka, tmp_path: Path) -> None:
    """The process ends with the reason; the record after the gap is neither folded nor acknowledged."""
    past = history(ANN, 3)
    await cluster.append(kafka, [*past[:2], *past[3:]])
    app = an_app(kafka, tmp_path)
    views.attach(app, PARTITIONS)
    async with running(app) as task:
        with pytest.raises(SequenceGap, match="views: journal 0 goes from record 2 to 4"):
            await asyncio.wait_for(task, 20)

    assert await cluster.stored_position(kafka, topics.VIEWS_APP, 0) <= 2
    before = [folded({0: past[:count]}) for count in range(3)]
    rows = await stored(kafka)
    assert all(any(whole.get(key) == row for whole in before) for key, row in rows.items())


# Crashes


async def test_a_position_is_never_stored_before_its_rows(kafka: Kafka, tmp_path: Path) -> None:
    """While rows cannot be sent the position waits; a crash then would otherwise leave them out for ever."""
    past = history(ANN, 30)
    await cluster.append(kafka, past, batch=3)
    app = an_app(kafka, tmp_path)
    view = views.attach(app, PARTITIONS)
    held = hold_back(app)
    async with running(app):
        await until(lambda: view._seq.get(0) == len(past), "every record to be folded in memory")
        await asyncio.sleep(1.5)
        assert await stored(kafka) == {}
        assert await cluster.stored_position(kafka, topics.VIEWS_APP, 0) == 0
        held()
        await until(lambda: is_stored(kafka, folded({0: past})), "the rows")
        end = len(past) + len(past) // 3 - 1
        await until(lambda: is_stored_up_to(kafka, end), "the position, past the markers of all transactions")


async def test_a_partition_without_a_stored_position_begins_at_its_start(kafka: Kafka, tmp_path: Path) -> None:
    """What was fetched before a rebalance and thrown away is fetched again, not skipped."""
    past = history(ANN, 10)
    await cluster.append(kafka, past)
    app = an_app(kafka, tmp_path)
    view = views.attach(app, PARTITIONS)
    hold_back(app)
    async with running(app):
        await until(lambda: view._seq.get(0) == len(past), "every record to be folded, and no position stored")
        view.forget({0})
        await app.consumer.perform_seek()
        await until(lambda: view._seq.get(0) == len(past), "every record once more", 10)


async def test_rows_that_a_worker_put_too_late_are_not_what_the_next_one_recovers(kafka: Kafka, tmp_path: Path) -> None:
    """The last row of a key in a changelog is older than the one before: the newer is recovered and built on."""
    past = history(ANN, 6)
    await cluster.append(kafka, past[:-2])
    first = an_app(kafka, tmp_path)
    views.attach(first, PARTITIONS)
    async with running(first):
        await until(lambda: is_stored(kafka, folded({0: past[:-2]})), "the rows")
    old, new = folded({0: past[:3]}), folded({0: past[:-2]})
    stale = [(key, row) for key, row in old.items() if views.reflects(row) < views.reflects(new[key])]
    assert stale
    producer = await kafka.producer()
    for key, row in stale:
        await (await producer.put(topics.changelog(key.table), key.key, row, partition=0))
    await producer.stop()

    await cluster.append(kafka, past[-2:])
    second = an_app(kafka, tmp_path)
    view = views.attach(second, PARTITIONS)
    expected = folded({0: past})
    async with running(second):
        await until(lambda: view._seq.get(0) == len(past), "the last records")
        held = {key: view._tables[key.table].get(key.key.encode()) for key in expected}
    assert held == expected


def test_the_sequence_is_the_last_field_of_every_row() -> None:
    """What a recovery reads it by."""
    rows = folded({0: history(ANN, 6)})
    assert {key.table for key in rows} >= {"orders", "inventory"}
    for key, row in rows.items():
        assert views.reflects(row) == decode(ROWS[key.table], row).sequence
    assert all(list(kind.model_fields)[-1] == "sequence" for kind in ROWS.values())


def hold_back(app: Any) -> Callable[[], None]:
    """Keep everything that this app sends from Kafka until the answer is called."""
    gate, send = asyncio.Event(), app.producer.send

    async def send_later(*args: Any, **options: Any) -> Any:
        await gate.wait()
        return await send(*args, **options)

    app.producer.send = send_later
    return gate.set


async def is_stored_up_to(kafka: Kafka, offset: int) -> bool:
    return await cluster.stored_position(kafka, topics.VIEWS_APP, 0) >= offset


@pytest.mark.req("OPS-05")
@pytest.mark.req("ORD-06")
@pytest.mark.req("INV-08")
async def test_rows_after_three_kills_under_load_are_those_of_the_journal(kafka: Kafka, tmp_path: Path) -> None:
    """Tables ahead of the stored position, behind it, or taken over by another worker: byte for byte right."""
    shops = [merchant_in(p) for p in range(PARTITIONS)]
    past = {shop: history(shop, 240) for shop in shops}
    one, two = (Worker(Role.VIEWS, kafka, tmp_path / name, instance=name) for name in ("one", "two"))
    with one, two:
        await asyncio.gather(one.start().ready(), two.start().ready())
        writing = [asyncio.create_task(cluster.append(kafka, past[s], batch=5, per_s=55)) for s in shops]
        for worker in (one, two, one):
            await asyncio.sleep(0.5)
            worker.kill()
            await until(worker.is_tended, "the views to answer again")
        await asyncio.gather(*writing)
        journal = await cluster.journal(kafka)
        assert journal == dict(enumerate(past.values()))
        expected = folded(journal)
        await until(lambda: is_settled(kafka, expected, one, two), "the rows to be the journal's")

    hold_what_an_independent_bookkeeper_says(await stored(kafka), journal)


async def is_settled(kafka: Kafka, expected: Rows, *workers: Worker) -> bool:
    """Whether the rows are these; a worker that Faust's recovery has ended is started again on the way."""
    return all(worker.is_tended() for worker in workers) and await is_stored(kafka, expected)


def hold_what_an_independent_bookkeeper_says(rows: Rows, journal: dict[int, list[JournalRecord]]) -> None:
    """Status and stock as somebody else counts them, and in each row the last sequence that is about it."""
    for partition, records in journal.items():
        books, last = audited(records), dict[str, int]()
        for record in records:
            last |= {event.order.ref: record.seq for event in record.events if hasattr(event, "order")}
        orders = {ref: decode(OrderRow, rows[RowKey("orders", ref)]) for ref in last}
        for ref, order in orders.items():
            known = books.order(ref)
            assert known is not None
            assert (order.status.value, order.revision, order.sequence) == (*known[:2], last[ref])
        tea = product(merchant=merchant_in(partition))
        stock = decode(InventoryRow, rows[RowKey("inventory", tea)])
        goods = books.goods[tea]
        assert (stock.on_hand, stock.held, stock.sold) == (goods.on_hand, goods.held, goods.sold)
        assert stock.held == stock.sold == 80
