"""What the buyers' door answered, kept for some days, so that the same message gets the same answer for as long."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from schemas import limits

_SCHEMA = "CREATE TABLE IF NOT EXISTS answers (id TEXT PRIMARY KEY, at_s INTEGER NOT NULL, answer TEXT NOT NULL)"
KEPT_S = limits.RUMOR_AGE.most
"""A message older than this is not heard any more, so nobody gets a second answer to it."""


class Answers:
    """One SQLite file; an answer is a gift wrap, which only its buyer can open."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(_SCHEMA)
        self._db.execute("DELETE FROM answers WHERE at_s < ?", (int(time.time()) - KEPT_S,))

    def get(self, event_id: str) -> str | None:
        """The answer to this message, if it had one."""
        row = self._db.execute("SELECT answer FROM answers WHERE id = ?", (event_id,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, event_id: str, answer: str) -> None:
        """Keep an answer; the first one stays."""
        at_s = int(time.time())
        self._db.execute("INSERT OR IGNORE INTO answers (id, at_s, answer) VALUES (?, ?, ?)", (event_id, at_s, answer))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
