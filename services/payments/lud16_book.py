"""Keeps what a lightning address was asked for, since the address itself cannot be searched (LUD-06, LUD-21).

One SQLite file a merchant, 0600. An invoice is shown to somebody only after it stands here, so one that was made
and never recorded can be paid by nobody. Losing the file loses the way to ask whether open requests were paid.
"""

from pathlib import Path
from typing import Final, NamedTuple

from services.payments.book_file import BookFile, Table

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS requests (
    payment_hash TEXT PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL,
    amount_msat INTEGER NOT NULL,
    text TEXT NOT NULL,
    verify TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    settled_at INTEGER,
    settle_index INTEGER UNIQUE,
    raw_digest TEXT NOT NULL DEFAULT ''
)"""
_PINS: Final = """
CREATE TABLE IF NOT EXISTS pins (
    address TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    description_hash TEXT NOT NULL,
    payee TEXT,
    payee_now TEXT
)"""


class Row(NamedTuple):
    """One request; `settle_index` counts the settlements in the order they were seen, from 1."""

    payment_hash: str
    reference: str
    intent_id: str
    amount_msat: int
    text: str
    verify: str | None
    created_at: int
    expires_at: int
    settled_at: int | None = None
    settle_index: int | None = None
    raw_digest: str = ""


class Pin(NamedTuple):
    """What an address is held to: where its invoices are made, what they commit to, and the nodes they are of."""

    address: str
    host: str
    description_hash: str
    payee: str | None = None
    payee_now: str | None = None


class Book:
    """One open book; whoever opens it closes it. Every call may raise `Retry`: the file is busy or broken."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        self._file = BookFile(path, _SCHEMA, _PINS)
        self._table = Table(self._file, "requests", Row)
        self._pins = Table(self._file, "pins", Pin)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def of_reference(self, reference: str) -> Row | None:
        """The request recorded for a reference."""
        return self._table.row("WHERE reference = ?", reference)

    def of_hash(self, payment_hash: str) -> Row | None:
        """The request with a payment hash."""
        return self._table.row("WHERE payment_hash = ?", payment_hash)

    def record(self, row: Row) -> bool:
        """Keep a new request; False if its reference or its payment hash is there already."""
        return self._table.add(row)

    def settle(self, payment_hash: str, settled_at: int, raw_digest: str) -> None:
        """Note that a request was seen settled, the first time it is."""
        self._file.run(
            "UPDATE requests SET settled_at = ?, raw_digest = ?,"
            " settle_index = (SELECT coalesce(max(settle_index), 0) + 1 FROM requests)"
            " WHERE payment_hash = ? AND settle_index IS NULL",
            settled_at,
            raw_digest,
            payment_hash,
        )

    def settled_after(self, index: int, limit: int) -> list[Row]:
        """Settled requests after an index, in the order they were seen."""
        return self._table.rows("WHERE settle_index > ? ORDER BY settle_index LIMIT ?", index, limit)

    def unsettled(self, expires_after: int, limit: int) -> list[Row]:
        """Requests not seen settled that can be asked for and expire after that second, the newest first."""
        condition = (
            "WHERE settle_index IS NULL AND verify IS NOT NULL AND expires_at > ? ORDER BY created_at DESC LIMIT ?"
        )
        return self._table.rows(condition, expires_after, limit)

    def tells_state(self) -> bool | None:
        """Whether the newest request can be asked for; None as long as there is none."""
        newest = self._table.row("ORDER BY rowid DESC LIMIT ?", 1)
        return None if newest is None else newest.verify is not None

    def pin(self, address: str) -> Pin | None:
        """What an address is held to; None for one that is not held to anything yet."""
        return self._pins.row("WHERE address = ?", address)

    def add_pin(self, pin: Pin) -> None:
        """Hold an address to something; what it is held to already stays."""
        self._pins.add(pin)

    def unpin(self, address: str) -> None:
        """Hold it to nothing."""
        self._file.run("DELETE FROM pins WHERE address = ?", address)

    def note_payee(self, address: str, payee: str) -> None:
        """Remember the node of its newest invoice, and the first one for good."""
        statement = "UPDATE pins SET payee = coalesce(payee, ?), payee_now = ? WHERE address = ?"
        self._file.run(statement, payee, payee, address)
