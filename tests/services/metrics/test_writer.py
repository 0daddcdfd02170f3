"""The writer on the real engine: each fact once, resuming from what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from schemas.deliveries import DeliveryState
from schemas.messages import JournalRecord
from schemas.rows import InventoryRow, OrderRow, ReviewRow
from services.metrics import writer as writer_module
from services.metrics.port import StoreUnavailable
from services.metrics.store import Store, open_store
from services.metrics.writer import MetricsWriter, SequenceGap
from tests.services.metrics.conftest import pseudonym
from tests.services.metrics.scenes import a_record, an_empty_record, only, state_rows, ten_orders
from tests.services.metrics.test_state_rows import a_delivery, quarantined

pytestmark = pytest.mark.real


def records(first: int, last: int) -> list[JournalRecord]:
    """Records `first`…`last`, with as many units held as their number."""
    return [a_record(seq, units=seq) for seq in range(first, last + 1)]


def held(store: Store) -> object:
    """Σ units held, each event counted once."""
    return store.query("SELECT sum(quantity) FROM events FINAL WHERE type = 'StockHeld'").rows[0][0]


def parts(store: Store) -> int:
    """How many inserts have left a part of `events`."""
    found = store.query("SELECT count() FROM system.parts WHERE table = 'events' AND active")
    return cast(int, found.rows[0][0])


def test_migrating_twice_changes_nothing(store: Store, writer: MetricsWriter) -> None:
    """Tables stay as they are, with what is in them."""
    writer.write_journal({0: records(1, 3)})
    writer.migrate()
    assert held(store) == 6


def test_several_partitions_are_one_insert(store: Store, writer: MetricsWriter) -> None:
    """One block, so all of it is there or nothing."""
    store.command("SYSTEM STOP MERGES events")
    assert writer.write_journal({0: records(1, 5), 3: records(1, 2), 7: [an_empty_record(1)]}) == 15
    assert parts(store) == 1
    assert writer.positions() == {0: 5, 3: 2, 7: 1}


def test_records_seen_before_are_skipped(store: Store, writer: MetricsWriter) -> None:
    """Kafka repeats itself; totals do not."""
    writer.write_journal({0: records(1, 5)})
    assert writer.write_journal({0: records(1, 5)}) == 0
    assert writer.write_journal({0: records(3, 7)}) == 4
    assert held(store) == sum(range(1, 8))


def test_a_gap_stops_the_writer_before_it_writes(store: Store, writer: MetricsWriter) -> None:
    """Totals with a hole would be wrong for ever, so even the other partitions wait."""
    writer.write_journal({0: records(1, 2)})
    with pytest.raises(SequenceGap, match="journal 0 goes from record 2 to 4"):
        writer.write_journal({1: records(1, 1), 0: records(4, 5)})
    assert writer.positions() == {0: 2}
    writer.write_journal({1: records(1, 1), 0: records(3, 5)})
    assert writer.positions() == {0: 5, 1: 1}


def test_a_new_process_goes_on_where_clickhouse_stands(tmp_path: Path) -> None:
    """Positions are read back from the events, empty records included."""
    for batch in ([*records(1, 3), an_empty_record(4)], records(5, 6)):
        store = open_store(f"chdb://{tmp_path}")
        try:
            writer = MetricsWriter(store, pseudonym)
            writer.migrate()
            writer.write_journal({2: batch})
            reached = writer.positions()
        finally:
            store.close()
    assert reached == {2: 6}


def test_a_large_batch_is_split_between_records_only(
    store: Store, writer: MetricsWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block ends with a whole record, so a crash between two leaves a position that is true."""
    monkeypatch.setattr(writer_module, "BLOCK_ROWS_MAX", 3)
    store.command("SYSTEM STOP MERGES events")
    assert writer.write_journal({0: records(1, 4), 1: records(1, 1)}) == 10
    sizes = store.query("SELECT rows FROM system.parts WHERE table = 'events' AND active ORDER BY name").rows
    assert sizes == ((4,), (4,), (2,))


def test_an_insert_that_answers_with_an_error_may_have_happened(
    store: Store, writer: MetricsWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time-out is unknown, never failed: the writer asks ClickHouse before it writes again."""
    insert = store.insert

    def lost_answer(table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        insert(table, columns, rows)
        raise StoreUnavailable("timed out")

    monkeypatch.setattr(store, "insert", lost_answer)
    with pytest.raises(StoreUnavailable):
        writer.write_journal({0: records(1, 3)})
    monkeypatch.undo()
    assert writer.write_journal({0: records(1, 4)}) == 2
    assert held(store) == 10


def test_two_writers_that_overlap_count_once(store: Store, writer: MetricsWriter) -> None:
    """One that was paused wakes up with an old position and writes what the other has written."""
    paused = MetricsWriter(store, pseudonym)
    paused.positions()
    writer.write_journal({0: records(1, 4)})
    assert paused.write_journal({0: records(1, 3)}) == 6
    assert held(store) == 10
    assert writer.positions() == {0: 4}


def test_positions_are_read_from_a_few_rows(store: Store, writer: MetricsWriter) -> None:
    """A projection keeps the highest sequence of each part, so a start does not read every event."""
    writer.write_journal({0: records(1, 50)})
    plan = str(store.query("EXPLAIN SELECT partition, max(sequence) FROM events GROUP BY partition").rows)
    assert "reach" in plan


def test_an_older_version_of_a_row_does_not_win(store: Store, writer: MetricsWriter) -> None:
    """Versions may arrive in any order and more than once; the highest sequence is the row."""
    rows = state_rows(ten_orders().journal)
    orders, inventory, reviews = only(OrderRow, rows), only(InventoryRow, rows), only(ReviewRow, rows)
    for backwards in (False, True, False):
        writer.write_orders(orders[::-1] if backwards else orders)
        writer.write_inventory(inventory[::-1] if backwards else inventory)
        writer.write_reviews(reviews[::-1] if backwards else reviews)
    last = {row.ref: row for row in orders}
    stored = store.query("SELECT ref, status, payment, sequence FROM orders_now").rows
    assert set(stored) == {(r.ref, r.status.value, r.payment.value, r.sequence) for r in last.values()}
    assert len(stored) == 10
    assert store.query("SELECT count(), sum(on_hand) FROM inventory_now").rows == ((3, 10 + 2),)
    assert store.query("SELECT count() FROM reviews_now").rows == ((3,),)


def test_a_delivery_is_counted_once_with_its_last_state(store: Store, writer: MetricsWriter) -> None:
    """Reports come at least once, and a retry may end better than what it repeats."""
    failed = a_delivery(state=DeliveryState.FAILED)
    better = a_delivery(at_ms=failed.at_ms + 1)
    writer.write_deliveries([better, failed, failed])
    writer.write_deliveries([failed])
    assert store.query("SELECT state, length(relays) FROM deliveries_now").rows == (("delivered", 2),)


def test_a_quarantined_input_is_counted_once(store: Store, writer: MetricsWriter) -> None:
    """Its id is the same for the same input and reason."""
    writer.write_quarantine([quarantined(), quarantined(topic="ncc.raw", partition=3, offset=7)])
    writer.write_quarantine([quarantined()])
    assert store.query("SELECT count() FROM quarantine_now").rows == ((1,),)


def test_writing_nothing_is_harmless(store: Store, writer: MetricsWriter) -> None:
    """Empty batches leave no parts."""
    assert writer.write_journal({}) == 0
    assert writer.write_journal({0: []}) == 0
    writer.write_orders([])
    assert parts(store) == 0
