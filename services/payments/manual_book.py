"""Keeps what buyers were asked to pay by hand, and what of it the merchant says is there: nobody else would know.

One SQLite file a merchant, 0600. Amounts are in smallest units of the currency that the request names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from services.payments.book_file import BookFile, Table

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS by_hand (
    reference TEXT PRIMARY KEY,
    intent_id TEXT NOT NULL,
    memo TEXT NOT NULL,
    text TEXT NOT NULL,
    amount_msat INTEGER NOT NULL,
    due_units INTEGER NOT NULL,
    currency TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    got_units INTEGER NOT NULL DEFAULT 0,
    got_at INTEGER,
    is_taken_back INTEGER NOT NULL DEFAULT 0,
    news INTEGER UNIQUE
)"""


class Row(NamedTuple):
    """One request; `news` counts what was entered of money, from 1, in that order.

    `got_at` is when money was entered last (unix seconds), `is_taken_back` that all of it is gone again.
    """

    reference: str
    intent_id: str
    memo: str
    text: str
    amount_msat: int
    due_units: int
    currency: str
    expires_at: int
    got_units: int = 0
    got_at: int | None = None
    is_taken_back: int = 0
    news: int | None = None

    @property
    def got_msat(self) -> int:
        """What is there, as its part of the amount: all of it for all that was due, and never more for less."""
        return self.amount_msat * self.got_units // self.due_units


_NEWS: Final = "news = (SELECT coalesce(max(news), 0) + 1 FROM by_hand) WHERE reference = ?"


class Book:
    """One open book; whoever opens it closes it. Every call may raise `Retry`: the file is busy or broken."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        self._file = BookFile(path, _SCHEMA)
        self._table = Table(self._file, "by_hand", Row)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def of_reference(self, reference: str) -> Row | None:
        """The request recorded for a reference."""
        return self._table.row("WHERE reference = ?", reference)

    def of_memo(self, memo: str) -> list[Row]:
        """What was asked for under these words, or under words that go on from them, the newest last."""
        return self._table.rows("WHERE substr(memo, 1, length(?)) = ? ORDER BY rowid", memo, memo)

    def record(self, row: Row) -> Row:
        """Keep a new request, and give the one that stands under its reference."""
        self._table.add(row)
        return self.of_reference(row.reference) or row

    def enter(self, reference: str, units: int, at_s: int) -> None:
        """So much more is there."""
        self._file.run(
            f"UPDATE by_hand SET got_units = got_units + ?, got_at = ?, {_NEWS}",  # noqa: S608
            units,
            at_s,
            reference,
        )

    def take_back(self, reference: str) -> None:
        """What was there is gone again; it stays so."""
        self._file.run(f"UPDATE by_hand SET is_taken_back = 1, {_NEWS} AND got_units > 0", reference)  # noqa: S608 - ours

    def told_after(self, news: int, rows_max: int) -> list[Row]:
        """What was entered after a place in the news, oldest first."""
        return self._table.rows("WHERE news > ? ORDER BY news LIMIT ?", news, rows_max)
