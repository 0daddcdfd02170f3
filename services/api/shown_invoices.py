"""Which invoices were given out over lightning addresses, so that whoever pays one can ask how it stands (LUD-21)."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final, NamedTuple

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS shown (
  payment_hash TEXT PRIMARY KEY, merchant TEXT NOT NULL, intent_id TEXT NOT NULL, amount_msat INTEGER NOT NULL,
  text TEXT NOT NULL, at_s INTEGER NOT NULL
)
"""
KEPT_S: Final = 30 * 86_400
"""How long somebody may ask."""


class Shown(NamedTuple):
    """An invoice as it was given out, and the intent it is for."""

    payment_hash: str
    merchant: str
    intent_id: str
    amount_msat: int
    text: str


class ShownInvoices:
    """One SQLite file. An invoice says nothing about who pays."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(_SCHEMA)
        self._db.execute("DELETE FROM shown WHERE at_s < ?", (int(time.time()) - KEPT_S,))

    def get(self, payment_hash: str) -> Shown | None:
        """The invoice of this payment hash, if it was given out here."""
        row = self._db.execute(
            "SELECT payment_hash, merchant, intent_id, amount_msat, text FROM shown WHERE payment_hash = ?",
            (payment_hash,),
        ).fetchone()
        return None if row is None else Shown(*row)

    def put(self, shown: Shown) -> None:
        """Keep one; given out again it stays as it was."""
        self._db.execute("INSERT OR IGNORE INTO shown VALUES (?, ?, ?, ?, ?, ?)", (*shown, int(time.time())))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
