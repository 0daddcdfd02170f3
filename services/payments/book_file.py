"""Opens a file that a back-end keeps of its own: SQLite, mode 0600, one a merchant, written before it is relied on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from services.payments.port import Retry

Value = str | int | bytes | None
"""What stands in a column."""

BUSY_TIMEOUT_S: Final = 2.0


class BookFile:
    """One open file; whoever opens it closes it. Every call may raise `Retry`: the file is busy or broken."""

    def __init__(self, path: Path, *schema: str, of: str = "requests", busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the file, or make it; `of` is what it is called where it cannot be used."""
        self._of = of
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        self._database = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None)
        self.run("PRAGMA journal_mode = WAL")
        self.run("PRAGMA synchronous = FULL")  # what a buyer or a mint has seen outlives a power cut
        for statement in schema:
            self.run(statement)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def run(self, statement: str, *values: Value) -> sqlite3.Cursor:
        """Run one statement, which is kept once this returns."""
        try:
            return self._database.execute(statement, values)
        except sqlite3.ProgrammingError:
            raise  # a call after `close` is our own mistake
        except sqlite3.DatabaseError as error:
            raise Retry(f"the book of {self._of} cannot be used: {error}") from error

    @contextmanager
    def whole(self) -> Iterator[None]:
        """One transaction: kept when its block ends, and not when it raises."""
        self.run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")


class Table[R: NamedTuple]:
    """One table of a file, whose columns are the fields of its rows."""

    def __init__(self, file: BookFile, name: str, row: type[R]) -> None:
        """`name` is our own, and stands in the file's schema."""
        columns = ", ".join(row._fields)
        self._file, self._row = file, row
        self._select = f"SELECT {columns} FROM {name} "  # noqa: S608 - our own names
        self._insert = f"INSERT OR IGNORE INTO {name} ({columns}) VALUES ({', '.join('?' * len(row._fields))})"  # noqa: S608

    def rows(self, condition: str, *values: Value) -> list[R]:
        """Those that a condition (`WHERE …`) finds."""
        return [self._row._make(found) for found in self._file.run(self._select + condition, *values)]

    def row(self, condition: str, *values: Value) -> R | None:
        """The first of them."""
        return next(iter(self.rows(condition, *values)), None)

    def add(self, row: R) -> bool:
        """Keep a new one; False where it would stand there twice."""
        return self._file.run(self._insert, *row).rowcount == 1
