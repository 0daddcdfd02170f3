"""Writes the journal and the state rows into ClickHouse, each fact once, resuming from what ClickHouse holds (D10).

Everything a batch says about the journal goes into `events` in one insert of one block, which the engine keeps
whole or not at all; the position is the highest sequence found there. Nothing else is trusted, so totals are exact
after any crash. Where two writers overlap (a paused one wakes up), rows that exist already fall on their own keys.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Final, NamedTuple

from schemas.deliveries import Delivery
from schemas.messages import JournalRecord
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, MessageRow, OfferRow, OrderRow, RatingRow, ReviewRow
from services.metrics.port import MetricsError
from services.metrics.rows import EventRow, Pseudonym, event_rows
from services.metrics.state_rows import (
    DeliveryStateRow,
    InventoryStateRow,
    MessageStateRow,
    OfferStateRow,
    OrderStateRow,
    QuarantineStateRow,
    RatingStateRow,
    ReviewStateRow,
    delivery_row,
    inventory_row,
    message_row,
    offer_row,
    order_row,
    quarantine_row,
    rating_row,
    review_row,
)
from services.metrics.statements import schema
from services.metrics.store import Store

BLOCK_ROWS_MAX: Final = 50_000
"""Rows of one insert; at most some 100 MB, and far below the block size at which the engine would split it."""


class SequenceGap(MetricsError):
    """A journal record is missing before this one; its totals would be wrong for ever, so the writer stops."""


class MetricsWriter:
    """The one writer of the metrics tables. Blocking; may be called from any thread, one call at a time."""

    def __init__(self, store: Store, pseudonym: Pseudonym) -> None:
        self._store = store
        self._pseudonym = pseudonym
        self._lock = threading.Lock()
        self._positions: dict[int, int] | None = None

    def migrate(self) -> None:
        """Create what is missing and bring the views up to date; harmless to call again."""
        for statement in schema():
            self._store.command(statement.sql)

    def positions(self) -> dict[int, int]:
        """Each partition's last stored sequence, read from ClickHouse; a partition without rows is missing.

        Call it whenever a partition becomes ours: another writer may have moved on.
        """
        with self._lock:
            return dict(self._read_positions())

    def write_journal(self, batch: Mapping[int, Sequence[JournalRecord]]) -> int:
        """Write the records of any partitions, each in sequence order; those stored already are skipped.

        Returns the number of rows written. Raises `SequenceGap` before anything is written,
        and `StoreUnavailable` when some of it may not be: the same call again writes the rest.
        """
        with self._lock:
            positions = self._positions if self._positions is not None else self._read_positions()
            new = {partition: _after(positions, partition, records) for partition, records in batch.items()}
            written = 0
            for rows, reached in self._blocks(new):
                # An insert that failed may have been stored all the same: only ClickHouse knows.
                self._positions = None
                self._store.insert("events", EventRow._fields, rows)
                self._positions = positions = {**positions, **reached}
                written += len(rows)
            return written

    def write_orders(self, rows: Iterable[OrderRow]) -> None:
        """Write versions of order rows; older than what is stored, they change nothing."""
        self._write("orders", OrderStateRow._fields, map(order_row, rows))

    def write_inventory(self, rows: Iterable[InventoryRow]) -> None:
        """Write versions of inventory rows."""
        self._write("inventory", InventoryStateRow._fields, map(inventory_row, rows))

    def write_reviews(self, rows: Iterable[ReviewRow]) -> None:
        """Write versions of review rows."""
        self._write("reviews", ReviewStateRow._fields, map(review_row, rows))

    def write_ratings(self, rows: Iterable[RatingRow]) -> None:
        """Write versions of rating rows."""
        self._write("ratings", RatingStateRow._fields, map(rating_row, rows))

    def write_messages(self, rows: Iterable[MessageRow]) -> None:
        """Write versions of messages with people, which hold no text."""
        self._write("messages", MessageStateRow._fields, map(message_row, rows))

    def write_offers(self, rows: Iterable[OfferRow]) -> None:
        """Write versions of what is published."""
        self._write("offers", OfferStateRow._fields, map(offer_row, rows))

    def write_deliveries(self, reports: Iterable[Delivery]) -> None:
        """Write delivery reports; one for the same effect and event replaces an older one."""
        self._write("deliveries", DeliveryStateRow._fields, map(delivery_row, reports))

    def write_quarantine(self, quarantined: Iterable[Quarantined]) -> None:
        """Write quarantined input; the same id counts once."""
        self._write("quarantine", QuarantineStateRow._fields, map(quarantine_row, quarantined))

    def _write(self, table: str, columns: Sequence[str], rows: Iterable[NamedTuple]) -> None:
        for block in batched(rows, BLOCK_ROWS_MAX):
            self._store.insert(table, columns, block)

    def _read_positions(self) -> dict[int, int]:
        found = self._store.query("SELECT partition, sequence FROM journal_positions").rows
        self._positions = {int(str(partition)): int(str(sequence)) for partition, sequence in found}
        return self._positions

    def _blocks(self, new: Mapping[int, Sequence[JournalRecord]]) -> Iterator[tuple[list[EventRow], dict[int, int]]]:
        """The rows of whole records, and the position of each partition once they are stored."""
        rows: list[EventRow] = []
        reached: dict[int, int] = {}
        for partition, records in new.items():
            for record in records:
                rows.extend(event_rows(partition, record, self._pseudonym))
                reached[partition] = record.seq
                if len(rows) >= BLOCK_ROWS_MAX:
                    yield rows, reached
                    rows, reached = [], {}
        if rows:
            yield rows, reached


def _after(positions: Mapping[int, int], partition: int, records: Sequence[JournalRecord]) -> list[JournalRecord]:
    """The records that are not stored yet. Raises `SequenceGap` where one is missing."""
    last = positions.get(partition, 0)
    new: list[JournalRecord] = []
    for record in records:
        if record.seq <= last:
            continue
        if record.seq != last + 1:
            raise SequenceGap(f"metrics: journal {partition} goes from record {last} to {record.seq}")
        last = record.seq
        new.append(record)
    return new
