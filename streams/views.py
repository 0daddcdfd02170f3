"""The state tables of `schemas.topics.TABLES`, on Faust: committed records, folded once each (D4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import faust
import structlog

from schemas import topics
from schemas.codec import decode, encode
from schemas.crash_points import Point, reach
from schemas.messages import JournalRecord
from schemas.rows import ROWS, Row
from streams.domain.projections import RowKey, fold
from streams.follower import SequenceGap

log = structlog.get_logger(role="views")


class Views:
    """The tables by name, as bytes, and the sequence each partition has reached in this process."""

    def __init__(self, tables: dict[str, Any]) -> None:
        self._tables = tables
        self._seq: dict[int, int] = {}

    def take(self, partition: int, data: bytes) -> None:
        """Fold one journal record. Raises `SequenceGap`."""
        record = decode(JournalRecord, data)
        last = self._seq.get(partition)
        if last is not None and record.seq <= last:
            return
        if last is not None and record.seq != last + 1:
            raise SequenceGap(f"views: journal {partition} goes from record {last} to {record.seq}")
        rows = fold(record, partition, self._get)
        reach(Point.VIEWS_FOLDED)
        for key, row in rows.items():
            self._tables[key.table][key.key.encode()] = encode(row)
            reach(Point.VIEWS_ROW_PUT)
        self._seq[partition] = record.seq

    def forget(self, partitions: set[int]) -> None:
        """A partition that was lost may come back with records another worker has folded since."""
        for partition in partitions:
            self._seq.pop(partition, None)

    def _get(self, key: RowKey) -> Row | None:
        data = self._tables[key.table].get(key.key.encode())
        return None if data is None else decode(ROWS[key.table], data)


def attach(app: faust.App, partitions: int) -> Views:
    """Declare the tables and the one agent that feeds them."""
    rows: list[asyncio.Future[Any]] = []
    tables = {name: _table(app, name, partitions, rows) for name in topics.TABLES}
    views = Views(tables)
    journal = app.topic(topics.JOURNAL.name, key_type=bytes, value_type=bytes, internal=False)

    @app.agent(journal, name="views")  # type: ignore[untyped-decorator,unused-ignore]
    async def follow(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                views.take(event.message.partition, event.value)
            except SequenceGap as gap:
                # Faust acknowledges an event whose handler raised; the process must stop before that is stored.
                log.critical("sequence gap", detail=str(gap))
                await app.crash(gap)
                return
            _acknowledge(event, rows)

    async def lost(_app: Any, *revoked: Any, **_: Any) -> None:
        views.forget({tp.partition for partitions in revoked for tp in partitions})

    app.on_partitions_revoked.connect(lost)  # type: ignore[arg-type,unused-ignore]
    return views


def _acknowledge(event: Any, rows: list[asyncio.Future[Any]]) -> None:
    """Only once the record's rows are in Kafka: a position stored before them would leave them out for ever."""
    sent = asyncio.gather(*rows)
    rows.clear()
    sent.add_done_callback(lambda done: None if done.cancelled() or done.exception() else event.ack())


def reflects(row: bytes) -> int:
    """The journal sequence that a row reflects: its last field (D4)."""
    return int(row[row.rindex(b":") + 1 : -1])


def newest(known: Callable[[bytes], bytes | None], batch: Iterable[Any]) -> list[Any]:
    """Of changelog events (`key`, `value`), those that a recovery takes: for each row the one of the highest sequence.

    A changelog has no fencing: a worker that slept through its session may, waking up, put rows that it had folded
    before after newer ones of its successor's. The last one is then not the one that counts.
    """
    taken: dict[bytes, Any] = {}
    for event in batch:
        before = taken[event.key].value if event.key in taken else known(event.key)
        if before is None or event.value is None or reflects(event.value) >= reflects(before):
            taken[event.key] = event
    return list(taken.values())


def _table(app: faust.App, name: str, partitions: int, rows: list[asyncio.Future[Any]]) -> Any:
    """A table of raw bytes: Faust would pass both through its JSON serializer, which has no bytes.

    Each row on its way to the changelog is noted in `rows`.
    """
    table: Any = app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)
    table.key_serializer = table.value_serializer = "raw"
    send = table.send_changelog

    def send_noted(*args: Any, **options: Any) -> Any:
        rows.append(send(*args, **options))
        return rows[-1]

    table.send_changelog = send_noted
    apply = table.apply_changelog_batch
    table.apply_changelog_batch = lambda batch: apply(newest(table.data.get, batch))
    return table
