"""Keeps which address was given out for what, and what each was last seen to have.

An address is shown to a buyer only after it stands here, and none stands here twice, whichever shops of a home are
paid into one account. Losing the file loses which
requests the addresses were for; those that were paid are then recognised by the chain, and not given out again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from schemas.payments import BackendState
from services.payments.book_file import BookFile, Table

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS addresses (
    owner TEXT NOT NULL DEFAULT '',
    account TEXT NOT NULL,
    number INTEGER NOT NULL,
    address TEXT NOT NULL UNIQUE,
    reference TEXT UNIQUE,
    intent_id TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL DEFAULT '',
    amount_sats INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'open',
    told_sats INTEGER NOT NULL DEFAULT 0,
    settled_at INTEGER,
    evidence TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL DEFAULT '',
    block_height INTEGER,
    block_hash TEXT,
    lost_height INTEGER,
    is_final INTEGER NOT NULL DEFAULT 0,
    news INTEGER UNIQUE,
    PRIMARY KEY (account, number)
)"""


class Row(NamedTuple):
    """One address that was given out to an `owner`; `account` and `number` say where it comes from.

    `told_sats` is what was last told to have come, in the blocks up to (`block_height`, `block_hash`).
    `lost_height` is how long the chain was when that was first missing.
    `news` counts what was told of money, from 1, in the order it was seen.
    """

    owner: str
    account: str
    number: int
    address: str
    reference: str
    intent_id: str
    text: str
    amount_sats: int
    expires_at: int
    state: str = BackendState.OPEN
    told_sats: int = 0
    settled_at: int | None = None
    evidence: str = ""
    digest: str = ""
    block_height: int | None = None
    block_hash: str | None = None
    lost_height: int | None = None
    is_final: int = 0
    news: int | None = None


_SEEN: Final = (
    "state",
    "told_sats",
    "settled_at",
    "evidence",
    "digest",
    "block_height",
    "block_hash",
    "lost_height",
    "is_final",
)


class ChainBook:
    """One open book; whoever opens it closes it. Every call may raise `Retry`: the file is busy or broken."""

    def __init__(self, path: Path, owner: str) -> None:
        """Open the file, or make it; `owner` is whose addresses are given out and watched here."""
        self.owner = owner
        self._file = BookFile(path, _SCHEMA)
        self._table = Table(self._file, "addresses", Row)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def next_number(self, account: str) -> int:
        """The number after the last that was given out or passed over."""
        found = self._file.run("SELECT coalesce(max(number) + 1, 0) FROM addresses WHERE account = ?", account)
        return int(found.fetchone()[0])

    def give(self, row: Row) -> bool:
        """Keep a new address; False if its number, or its request's reference, is there already."""
        return self._table.add(row)

    def pass_over(self, account: str, number: int, address: str) -> None:
        """Note that an address was used before it was ours to give."""
        statement = "INSERT OR IGNORE INTO addresses (account, number, address, state, is_final) VALUES (?, ?, ?, ?, 1)"
        self._file.run(statement, account, number, address, BackendState.SETTLED)

    def of_reference(self, reference: str) -> Row | None:
        """The address that was given out for a reference."""
        return self._table.row("WHERE reference = ?", reference)

    def note(self, row: Row, seen: Row, *, is_news: bool) -> Row:
        """Keep what was seen of an address, unless another look was noted since `row` was read; gives what stands."""
        statement = f"UPDATE addresses SET {', '.join(f'{name} = ?' for name in _SEEN)}"  # noqa: S608 - our own names
        if is_news:
            statement += ", news = (SELECT coalesce(max(news), 0) + 1 FROM addresses)"
        statement += " WHERE reference = ? AND state = ? AND told_sats = ? AND is_final = 0"
        values = [getattr(seen, name) for name in _SEEN]
        self._file.run(statement, *values, row.reference, row.state, row.told_sats)
        return self.of_reference(row.reference) or seen

    def told_after(self, news: int, limit: int) -> list[Row]:
        """Addresses with news after a place, in the order it was seen."""
        return self._table.rows("WHERE news > ? AND owner = ? ORDER BY news LIMIT ?", news, self.owner, limit)

    def watched(self, limit: int) -> list[Row]:
        """Addresses that something may still happen to: what can be paid first, the newest of them first."""
        condition = "WHERE owner = ? AND reference NOT NULL AND is_final = 0 ORDER BY expires_at DESC LIMIT ?"
        return self._table.rows(condition, self.owner, limit)

    def unused(self, account: str) -> int:
        """How many addresses were given out in a row, up to the last one, without one of them ever being paid."""
        found = self._file.run(
            "SELECT count(*) FROM addresses WHERE account = ?1 AND number > coalesce("
            "(SELECT max(number) FROM addresses WHERE account = ?1 AND state NOT IN ('open', 'expired')), -1)",
            account,
        )
        return int(found.fetchone()[0])
