"""Opens a file that a back-end keeps of its own: SQLite, mode 0600, one a merchant, written before it is relied on."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from services.payments.port import Retry

BUSY_TIMEOUT_S: Final = 2.0


class BookFile:
    """One open file; whoever opens it closes it. Every call may raise `Retry`: the file is busy or broken."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open the file, or make it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        self._database = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        self.run("PRAGMA journal_mode = WAL")
        self.run("PRAGMA synchronous = FULL")  # what is shown to a buyer outlives a power cut
        self.run(schema)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def run(self, statement: str, *values: str | int | None) -> sqlite3.Cursor:
        """Run one statement, which is kept once this returns."""
        try:
            return self._database.execute(statement, values)
        except sqlite3.ProgrammingError:
            raise  # a call after `close` is our own mistake
        except sqlite3.DatabaseError as error:
            raise Retry(f"the book of requests cannot be used: {error}") from error
