"""The books against ClickHouse: its totals (I7), and the views' rows as it has them (I6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.audit.books import Books
from services.audit.invariants import Breach
from services.audit.outside import tables_agree, totals_agree

Ask = Callable[[str], list[dict[str, Any]]]
"""A read-only statement → its rows. An answer has at most 10,000 of them."""

PAGE_ROWS = 5_000
DAY_S = 86_400


@dataclass(slots=True)
class Comparison:
    """What disagrees, how many figures were compared by invariant, and partitions that ClickHouse lags behind in."""

    breaches: list[Breach] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=lambda: {"I6": 0, "I7": 0})
    behind: list[int] = field(default_factory=list)


def compare(books: Mapping[int, Books], ask: Ask) -> Comparison:
    """Hold everything that both know against each other; what ClickHouse knows beyond the books is left out.

    Stores follow the journal a moment later, so whoever sees a difference asks again before believing it.
    """
    found = Comparison()
    stored = {int(row["partition"]): int(row["sequence"]) for row in ask("SELECT * FROM journal_positions")}
    found.behind = [p for p, kept in books.items() if stored.get(p, 0) < kept.sequence]
    _compare_totals(books, ask, found)
    _compare_stock(books, ask, found)
    _compare_statuses(books, ask, found)
    return found


def _compare_totals(books: Mapping[int, Books], ask: Ask, found: Comparison) -> None:
    """Payments received, by merchant and UTC day."""
    ledger: dict[str, dict[str, object]] = {}
    for kept in books.values():
        for (merchant, day), (count, msat) in kept.receipts.items():
            ledger.setdefault(merchant, {})[_date(day)] = f"{count} payments of {msat} msat"
    known = [(partition, kept.sequence) for partition, kept in books.items() if kept.sequence]
    metrics: dict[str, dict[str, object]] = {}
    if known:
        partitions, sequences = ([str(pair[part]) for pair in known] for part in (0, 1))
        limit = f"sequence <= transform(partition, [{', '.join(partitions)}], [{', '.join(sequences)}], 0)"
        sql = (
            "SELECT merchant, toDate(at) AS day, count() AS payments, sum(amount_msat) AS msat FROM events FINAL"  # noqa: S608  figures of our own
            f" WHERE type IN ('PaymentSettled', 'PaymentPartReceived') AND line = 0 AND {limit}"
            " GROUP BY merchant, day ORDER BY merchant, day"
        )
        for row in _pages(ask, sql):
            total = f"{row['payments']} payments of {row['msat']} msat"
            metrics.setdefault(row["merchant"], {})[str(row["day"])[:10]] = total
    for merchant in sorted(ledger.keys() | metrics.keys()):
        ours, theirs = ledger.get(merchant, {}), metrics.get(merchant, {})
        found.checked["I7"] += len(ours.keys() | theirs.keys())
        found.breaches += totals_agree(merchant, ours, theirs)


def _compare_stock(books: Mapping[int, Books], ask: Ask, found: Comparison) -> None:
    """Each listing's units, where the row is no newer than the books."""
    sql = "SELECT merchant, coordinate, partition, sequence, on_hand, held, sold FROM inventory_now ORDER BY coordinate"
    rows = {row["coordinate"]: row for row in _pages(ask, sql)}
    folded: dict[str, dict[str, object]] = {}
    stored: dict[str, dict[str, object]] = {}
    for kept in books.values():
        for coordinate, goods in kept.goods.items():
            row = rows.get(coordinate)
            if row is not None and int(row["sequence"]) > kept.sequence:
                continue
            folded.setdefault(goods.merchant, {})[coordinate] = _units(goods.on_hand, goods.held, goods.sold)
            if row is not None:
                on_hand = None if row["on_hand"] is None else int(row["on_hand"])
                units = _units(on_hand, int(row["held"]), int(row["sold"]))
                stored.setdefault(goods.merchant, {})[coordinate] = units
    _compare_tables(folded, stored, found)


def _compare_statuses(books: Mapping[int, Books], ask: Ask, found: Comparison) -> None:
    """How many orders stand where, for merchants of whom ClickHouse has no newer row; the past is in no book."""
    sql = (
        "SELECT merchant, status, count() AS orders, max(sequence) AS newest, any(partition) AS partition"
        " FROM orders_now WHERE reason != 'past' GROUP BY merchant, status ORDER BY merchant, status"
    )
    stored: dict[str, dict[str, object]] = {}
    newer: set[str] = set()
    for row in _pages(ask, sql):
        merchant, kept = row["merchant"], books.get(int(row["partition"]))
        if kept is None or int(row["newest"]) > kept.sequence:
            newer.add(merchant)
        stored.setdefault(merchant, {})[f"orders {row['status']}"] = int(row["orders"])
    folded: dict[str, dict[str, object]] = {}
    for kept in books.values():
        for merchant, counts in kept.statuses.items():
            folded[merchant] = {f"orders {status}": count for status, count in counts.items() if count}
    for merchant in newer:
        stored.pop(merchant, None)
        folded.pop(merchant, None)
    _compare_tables(folded, stored, found)


def _compare_tables(
    folded: Mapping[str, Mapping[str, object]], stored: Mapping[str, Mapping[str, object]], found: Comparison
) -> None:
    for merchant in sorted(folded.keys() | stored.keys()):
        ours, theirs = folded.get(merchant, {}), stored.get(merchant, {})
        found.checked["I6"] += len(ours.keys() | theirs.keys())
        found.breaches += tables_agree(merchant, ours, theirs)


def _pages(ask: Ask, sql: str) -> list[dict[str, Any]]:
    """Every row of an ordered statement, a page at a time."""
    rows: list[dict[str, Any]] = []
    while True:
        page = ask(f"{sql} LIMIT {PAGE_ROWS} OFFSET {len(rows)}")
        rows += page
        if len(page) < PAGE_ROWS:
            return rows


def _units(on_hand: int | None, held: int, sold: int) -> str:
    return f"{'uncounted' if on_hand is None else on_hand} on hand, {held} held, {sold} sold"


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()
