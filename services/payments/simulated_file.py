"""Holds the file of a simulated wallet: its tables, its transactions, and a watch over what others write.

SQLite is called inline, since each call takes well under a millisecond.
Nothing waits inside SQLite for another process's lock: it finds the file busy, leaves the event loop to
others for some milliseconds, and tries again until its deadline.
The file is in WAL mode with `synchronous=NORMAL`: a killed process loses nothing; a power cut may lose the
last moments and leaves the file whole, which is right for play money and wrong for any other.
The file holds the node key and every preimage; its mode is 0600.
"""

import asyncio
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from services.payments.port import Retry, Unknown

POLL_S: Final = 0.025
"""How often a listening process asks whether another connection has written: a few µs, 40 times a second."""
CHECKPOINT_PAGES: Final = 4000
"""How much is logged before SQLite tidies up: 16 MB, so that its pauses of some milliseconds are rare."""
BUSY_PAUSE_S: Final = 0.002
OPEN_TIMEOUT_S: Final = 10.0

_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS node (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL)",
    """CREATE TABLE IF NOT EXISTS invoices (
        payment_hash TEXT NOT NULL UNIQUE,
        merchant TEXT NOT NULL,
        reference TEXT NOT NULL,
        intent_id TEXT NOT NULL,
        text TEXT NOT NULL,
        amount_msat INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        preimage BLOB NOT NULL,
        state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled', 'cancelled')),
        settled_at INTEGER,
        settle_index INTEGER,
        UNIQUE (merchant, reference)
    )""",
    """CREATE TABLE IF NOT EXISTS payouts (
        refund_id TEXT PRIMARY KEY,
        merchant TEXT NOT NULL,
        payment_hash TEXT NOT NULL UNIQUE,
        amount_msat INTEGER NOT NULL,
        paid_at INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS settled ON invoices (settle_index) WHERE settle_index NOT NULL",
    "CREATE INDEX IF NOT EXISTS settled_by_merchant ON invoices (merchant, settle_index) WHERE settle_index NOT NULL",
)


_ADDED: Final = ("received_msat", "reversed_at")
"""Integer columns that files made before them get when they are opened."""


class Row(NamedTuple):
    """An invoice as kept, but for its preimage; `settle_index` counts what happened to the wallet's money from 1.

    `received_msat` is None where it was paid in one go or not at all.
    """

    payment_hash: str
    reference: str
    intent_id: str
    text: str
    amount_msat: int
    expires_at: int
    state: str
    settled_at: int | None
    settle_index: int | None
    received_msat: int | None = None
    reversed_at: int | None = None


_SELECT: Final = f"SELECT {', '.join(Row._fields)} FROM invoices "  # noqa: S608 - our own names
_INSERT: Final = (
    f"INSERT OR IGNORE INTO invoices ({', '.join(Row._fields)}, merchant, preimage)"  # noqa: S608
    f" VALUES ({', '.join('?' * len(Row._fields))}, ?, ?)"
)


def select(database: sqlite3.Connection, condition: str, *values: str | int) -> list[Row]:
    """Give the rows for which the condition, a constant of ours with `?` for the values, holds."""
    return [Row(*found) for found in database.execute(_SELECT + condition, values)]


def insert(database: sqlite3.Connection, row: Row, merchant: str, preimage: bytes) -> bool:
    """Keep a new invoice, unless its payment hash, or the merchant's reference, is there already."""
    return database.execute(_INSERT, (*row, merchant, preimage)).rowcount == 1


def last_settle_index(database: sqlite3.Connection) -> int:
    """Tell how many settlements there have been."""
    found = database.execute(
        "SELECT settle_index FROM invoices WHERE settle_index > 0 ORDER BY settle_index DESC LIMIT 1"
    ).fetchone()
    return int(found[0]) if found else 0


class WalletFile:
    """One wallet file as one event loop has it open; whoever opens it closes it."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create it with a new node key; raise `Retry` if it stays locked for long."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # Created by hand first, since SQLite would follow the umask; its -wal and -shm take the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
        self._name = path.name
        self._database = _open(path)
        self.node_secret: bytes = self._database.execute("SELECT secret FROM node").fetchone()[0]
        self.watch = Watch(path)

    def close(self) -> None:
        """Let go of the file; those who still watch it come to an end."""
        self.watch.close()
        self._database.close()

    async def read[T](self, work: Callable[[sqlite3.Connection], T], timeout_s: float) -> T:
        """Run one statement, again while the file is busy; raise `Retry` at the deadline."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                return work(self._database)
            except sqlite3.Error as error:
                _retry_unless_busy(error, deadline_s)
            await asyncio.sleep(BUSY_PAUSE_S)

    async def write[T](self, work: Callable[[sqlite3.Connection], T], timeout_s: float) -> T:
        """Run the work in one transaction: when this returns it is kept, when it raises it is not.

        Only when the commit itself fails can nobody tell which, and `Unknown` says so.
        """
        await self.read(lambda database: database.execute("BEGIN IMMEDIATE"), timeout_s)
        failure: type[Retry | Unknown] = Retry
        try:
            with self._database:  # commits at its end, rolls back on any exception
                result = work(self._database)
                failure = Unknown
        except sqlite3.Error as error:
            raise failure(f"wallet file {self._name} could not be written: {error}") from error
        return result


class Watch:
    """Rings the bells of merchants whose invoices were settled, by one poll for all who listen.

    `PRAGMA data_version` changes when another connection has committed; this one never writes, so that
    the writers of its own process count as others.
    """

    def __init__(self, path: Path) -> None:
        self.is_closed = False
        self.failure: sqlite3.Error | None = None
        self._database = _connect(path)
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._rung_up_to = 0

    @contextmanager
    def bell(self, merchant: str) -> Iterator[asyncio.Event]:
        """Lend a bell that rings for every settlement later than this call, and at the end."""
        bell = asyncio.Event()
        self._bells.setdefault(merchant, set()).add(bell)
        if self._polling is None:
            self.failure = None
            self._rung_up_to = self._last_index()
            self._polling = asyncio.create_task(self._poll())
        try:
            yield bell
        finally:
            self._bells[merchant].discard(bell)
            if not self._bells[merchant]:
                del self._bells[merchant]
            if not self._bells:
                self._stop()

    def close(self) -> None:
        """Stop, and ring every bell: `is_closed` is true for whoever wakes."""
        self.is_closed = True
        self._stop()
        self._ring(self._bells)
        self._database.close()

    def _stop(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None

    def _ring(self, merchants: Iterable[str]) -> None:
        for merchant in merchants:
            for bell in self._bells.get(merchant, ()):
                bell.set()

    async def _poll(self) -> None:
        seen_version = -1
        while self.failure is None:
            try:
                (version,) = self._database.execute("PRAGMA data_version").fetchone()
                if version != seen_version:
                    self._ring_for_new()
                    seen_version = version
            except sqlite3.Error as error:
                if not _is_busy(error):
                    self.failure = error
                    self._ring(self._bells)
            await asyncio.sleep(POLL_S)

    def _ring_for_new(self) -> None:
        up_to = self._last_index()
        query = "SELECT DISTINCT merchant FROM invoices WHERE settle_index > ? AND settle_index <= ?"
        self._ring([merchant for (merchant,) in self._database.execute(query, (self._rung_up_to, up_to))])
        self._rung_up_to = up_to

    def _last_index(self) -> int:
        return last_settle_index(self._database)


def _open(path: Path) -> sqlite3.Connection:
    """Connect, and make the tables and the node key unless another process has been first."""
    database = _connect(path)
    deadline_s = time.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("BEGIN IMMEDIATE")
            with database:
                for statement in _SCHEMA:
                    database.execute(statement)
                known = {row[1] for row in database.execute("PRAGMA table_info(invoices)")}
                for column in _ADDED:
                    if column not in known:
                        database.execute(f"ALTER TABLE invoices ADD COLUMN {column} INTEGER")
                database.execute("INSERT OR IGNORE INTO node VALUES (1, ?)", (secrets.token_bytes(32),))
            return database
        except sqlite3.Error as error:
            _retry_unless_busy(error, deadline_s)
        time.sleep(BUSY_PAUSE_S)


def _connect(path: Path) -> sqlite3.Connection:
    """Connect with explicit transactions, and without SQLite's own waiting for locks."""
    database = sqlite3.connect(path, timeout=0, isolation_level=None)
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return database


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _retry_unless_busy(error: sqlite3.Error, deadline_s: float) -> None:
    """Return if the file is merely busy and there is time left, else raise `Retry`: nothing was done.

    A misuse of the library, such as a call after `close`, is no matter for a retry and goes through.
    """
    if isinstance(error, sqlite3.ProgrammingError):
        raise error
    if not _is_busy(error) or time.monotonic() >= deadline_s:
        raise Retry(f"the wallet file cannot be used: {error}") from error
