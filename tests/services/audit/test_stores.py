"""The books against a real ClickHouse: agreement after a whole history, and a sentence for each thing changed in it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.orders import OrderStatus
from schemas.rows import InventoryRow, OrderRow
from services.audit.books import Books
from services.audit.invariants import Breach
from services.audit.stores import Comparison, compare
from services.metrics.query_server import answer
from services.metrics.store import Store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.scenes import only, state_rows, ten_orders
from tests.support.books import audited
from tests.support.builders import MERCHANT, product

pytestmark = pytest.mark.real


@pytest.fixture
def books(writer: MetricsWriter) -> dict[int, Books]:
    """Ten orders in ClickHouse, and in the books."""
    past = ten_orders().journal
    writer.write_journal({0: past})
    rows = state_rows(past)
    writer.write_orders(only(OrderRow, rows))
    writer.write_inventory(only(InventoryRow, rows))
    return {0: audited(past)}


def compared(books: dict[int, Books], store: Store) -> Comparison:
    """As `ncc audit` asks: through the gate that outsiders' questions go through."""

    def ask(sql: str) -> list[dict[str, Any]]:
        return answer(store, sql, {}).dicts()

    return compare(books, ask)


def test_after_a_whole_history_nothing_disagrees(books: dict[int, Books], store: Store) -> None:
    """Payments of two days, units of three listings and orders in every state are compared."""
    found = compared(books, store)

    assert (found.breaches, found.behind) == ([], [])
    assert found.checked["I7"] == 2
    assert found.checked["I6"] >= 6


def test_an_empty_deployment_agrees(store: Store, writer: MetricsWriter) -> None:
    """There is nothing to disagree about."""
    assert compared({0: Books()}, store).breaches == []


def test_a_payment_that_metrics_lost_is_named_by_its_day(books: dict[int, Books], store: Store) -> None:
    """I7: with both figures."""
    store.command(
        "ALTER TABLE events DELETE WHERE type = 'PaymentSettled' AND amount_msat = 45000 SETTINGS mutations_sync = 2"
    )

    (breach,) = compared(books, store).breaches
    assert (breach.code, breach.merchant) == ("I7", MERCHANT)
    assert "the ledger says 2 payments of 75000 msat, metrics 1 payments of 30000 msat" in breach.sentence


def test_units_that_a_row_lost_are_named_by_their_listing(
    books: dict[int, Books], store: Store, writer: MetricsWriter
) -> None:
    """I6: the row claims to reflect the same record, and says something else."""
    (row,) = [row for row in only(InventoryRow, state_rows(ten_orders().journal)) if row.coordinate == product()][-1:]
    writer.write_inventory([row.model_copy(update={"sold": 99})])

    (breach,) = compared(books, store).breaches
    assert breach.code == "I6"
    assert breach.sentence.startswith(f"row {product()}"[:60])
    assert "99 sold" in breach.sentence


def test_what_clickhouse_knows_beyond_the_books_is_left_out(
    books: dict[int, Books], store: Store, writer: MetricsWriter
) -> None:
    """It read on meanwhile; that is no breach."""
    rows = state_rows(ten_orders().journal)
    stock, order = only(InventoryRow, rows)[-1], only(OrderRow, rows)[-1]
    writer.write_inventory([stock.model_copy(update={"sold": 99, "sequence": 1_000})])
    writer.write_orders([order.model_copy(update={"status": OrderStatus.FAILED, "sequence": 1_000})])

    assert compared(books, store).breaches == []


def test_what_clickhouse_does_not_know_yet_is_said(books: dict[int, Books], store: Store) -> None:
    """By partition, so that whoever asks can wait and ask again."""
    behind: dict[int, Books] = {0: books[0], 1: audited(ten_orders().journal)}
    found = compared(behind, store)

    assert found.behind == [1]
    assert all(isinstance(breach, Breach) for breach in found.breaches)
