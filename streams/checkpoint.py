"""A partition's state as it stood at one journal record, so that a start folds only what came after it.

A checkpoint is a cache: the journal stays the only truth (D2). It is used only where it was written by the same
rules, and where the journal still holds the very record that it ends with; else everything is folded from the start.
What a shop keeps by key is stored row by row, so that saving costs what changed; orders that nothing is due for, and
what buyers got, are fetched when somebody asks: neither a start nor memory grows with the orders of former years.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

import schemas
from schemas.messages import JournalRecord
from streams import domain
from streams.domain.fold_goods import note_stale
from streams.domain.shop import Due, Shop
from streams.kept import ABSENT, Fetched, Kept

SAVE_RECORDS: Final = 1_000
SAVE_EVERY_S: Final = 60.0
"""The state is saved after so many records, or so long after the last time: some 40 ms of work each."""
BUSY_S = 5.0
"""How long another writer is waited for."""

_UPSERT: Final = """
INSERT INTO rows (merchant, field, key, value, due_ms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (merchant, field, key) DO UPDATE SET value = excluded.value, due_ms = excluded.due_ms
"""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS place (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (
  position INTEGER PRIMARY KEY, merchant TEXT NOT NULL, field TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  due_ms INTEGER, UNIQUE (merchant, field, key)
);
DROP INDEX IF EXISTS loaded;
CREATE INDEX IF NOT EXISTS at_start ON rows (position)
  WHERE field NOT IN ('orders', 'purchases') OR due_ms IS NOT NULL;
"""


class CheckpointLost(Exception):
    """The file failed, or is another's now: a state that leans on it must be folded anew, without it."""


class Place(NamedTuple):
    """Where in the journal a state stands: after which record, and the command that one covers."""

    offset: int
    seq: int
    covers: int
    merchant: str
    at_ms: int
    cause: str

    @classmethod
    def of(cls, offset: int, record: JournalRecord) -> Place:
        """The place right after a record."""
        return cls(offset, record.seq, record.covers, record.merchant, record.at_ms, record.cause)


class Checkpoint:
    """One partition's file. It belongs to whoever opened it last; a former owner's saves are refused."""

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Take the file over, or begin a new one where it is no database.

        Raises `sqlite3.Error`, `OSError`; a file that is only locked, or on a full disk, stays as it is.
        """
        try:
            return cls(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            return cls(path)

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._owner = secrets.token_hex(8)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_TABLES)
        with _writing(self._db):
            self._put("owner", self._owner)

    def place(self) -> Place | None:
        """Where the saved state stands; None where nothing usable was saved."""
        said = dict(self._db.execute("SELECT name, value FROM place"))
        if said.get("rules") != rules() or "seq" not in said:
            return None
        return Place(
            int(said["offset"]),
            int(said["seq"]),
            int(said["covers"]),
            said["merchant"],
            int(said["at_ms"]),
            said["cause"],
        )

    def load(self) -> dict[str, Shop]:
        """Every shop as it was saved, in the file's order; orders that nothing is due for are left in the file.

        Raises `sqlite3.Error`.
        """
        shops: dict[str, Shop] = {}
        query = """
        SELECT merchant, field, key, value FROM rows
        WHERE field NOT IN ('orders', 'purchases') OR due_ms IS NOT NULL ORDER BY position
        """
        tables: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
        for merchant, name, key, value in self._db.execute(query):
            shop = shops.get(merchant)
            if shop is None:
                shop = shops[merchant] = Shop(merchant)
            kind = _kinds()[name]
            if kind.key is None:
                setattr(shop, name, kind.value.validate_json(value))
            else:
                tables.setdefault((merchant, name), []).append(
                    (kind.key.validate_json(key), kind.value.validate_json(value))
                )
        for merchant, shop in shops.items():
            for name, kind in _kinds().items():
                if kind.key is not None:
                    setattr(shop, name, self._kept(merchant, name, tables.get((merchant, name), ())))
            _rebuild(shop)
        return shops

    def save(self, place: Place, shops: Sequence[Shop]) -> None:
        """Save what changed of these shops, and that they stand at `place`; all or nothing. Raises `CheckpointLost`."""
        rows = [row for shop in shops for row in self._changes(shop)]
        with _writing(self._db):
            found = self._db.execute("SELECT value FROM place WHERE name = 'owner'").fetchone()
            if found != (self._owner,):
                raise CheckpointLost("somebody else opened it")
            for row in rows:
                if row.is_new and row.key is None:
                    self._db.execute("DELETE FROM rows WHERE merchant = ? AND field = ?", row[:2])
                elif row.is_new:
                    self._db.execute("DELETE FROM rows WHERE merchant = ? AND field = ? AND key = ?", row[:3])
                if row.value is not None:
                    self._db.execute(_UPSERT, row[:5])
            self._put("rules", rules())
            for name, value in place._asdict().items():
                self._put(name, str(value))
        for shop in shops:
            _settle(shop)

    def forget(self) -> None:
        """Save nothing of what was saved before: it does not belong to this journal, or to these rules."""
        with _writing(self._db):
            self._db.execute("DELETE FROM rows")
            self._db.execute("DELETE FROM place WHERE name <> 'owner'")

    def close(self) -> None:
        """Close the file; what was saved stays."""
        self._db.close()

    def _put(self, name: str, value: str) -> None:
        self._db.execute("REPLACE INTO place VALUES (?, ?)", (name, value))

    def _kept(self, merchant: str, name: str, items: Iterable[tuple[Any, Any]]) -> Kept[Any, Any]:
        if name not in FETCHED:
            return Kept(items)
        return Fetched(lambda key: self._fetch(merchant, name, key), items)

    def _fetch(self, merchant: str, name: str, key: str) -> Any:
        kind = _kinds()[name]
        query = "SELECT value FROM rows WHERE merchant = ? AND field = ? AND key = ?"
        with _lost():
            found = self._db.execute(query, (merchant, name, _text(kind.key, key))).fetchone()
        return None if found is None else kind.value.validate_json(found[0])

    def _changes(self, shop: Shop) -> Iterator[_Row]:
        """What changed since the last save. A dict that is new to us is saved whole, and watched from now on."""
        for name, kind in _kinds().items():
            table = getattr(shop, name)
            if kind.key is None:
                yield _Row(shop.merchant, name, "", _text(kind.value, table), None, False)
                continue
            if not isinstance(table, Kept):
                yield _Row(shop.merchant, name, None, None, None, True)
                kept = self._kept(shop.merchant, name, table.items())
                kept.changed.update(dict.fromkeys(table, False))
                table = kept
                setattr(shop, name, table)
            for key, is_new in table.changed.items():
                value = dict.get(table, key, ABSENT)
                text = None if value is ABSENT else _text(kind.value, value)
                yield _Row(shop.merchant, name, _text(kind.key, key), text, getattr(value, "deadline_ms", None), is_new)


@contextmanager
def _lost() -> Iterator[None]:
    """A file that fails is lost, whatever it failed with."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError) as error:
        raise CheckpointLost(f"{type(error).__name__}: {error}") from error


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction, begun as a writer's, so that nobody else writes between its reads and its writes."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


class Keeper:
    """Saves a partition's state now and then. Every call may raise `CheckpointLost`."""

    def __init__(self, path: Path) -> None:
        with _lost():
            self._checkpoint = Checkpoint.open(path)
        self._place: Place | None = None
        self._touched: dict[str, None] = {}
        self._records = 0
        self._saved_s = time.monotonic()

    def place(self) -> Place | None:
        """Where the saved state stands; None where there is none to use."""
        with _lost():
            return self._checkpoint.place()

    def load(self) -> dict[str, Shop]:
        """The saved state."""
        with _lost():
            return self._checkpoint.load()

    def forget(self) -> None:
        """The file belongs to another journal, or to other rules: begin it anew."""
        with _lost():
            self._checkpoint.forget()

    def note(self, place: Place) -> None:
        """The state stands here now, and this merchant's shop may have changed."""
        self._place = place
        self._touched[place.merchant] = None
        self._records += 1

    def save_when_due(self, shops: Mapping[str, Shop], records: int = SAVE_RECORDS) -> None:
        """Save the state, which is exactly that of the last place noted, after so many records or some time."""
        if self._place is None or not self._records:
            return
        if self._records < records and time.monotonic() - self._saved_s < SAVE_EVERY_S:
            return
        with _lost():
            self._checkpoint.save(self._place, [shops[merchant] for merchant in self._touched if merchant in shops])
        self._touched.clear()
        self._records, self._saved_s = 0, time.monotonic()

    def close(self) -> None:
        """Close the file."""
        self._checkpoint.close()


class _Row(NamedTuple):
    merchant: str
    field: str
    key: str | None
    value: str | None
    due_ms: int | None
    is_new: bool
    """Whether what stands there must go first: it was taken out, or comes after all others now."""


class _Kind(NamedTuple):
    """How a field of `Shop` is written: by key where it is a dict."""

    key: TypeAdapter[Any] | None
    value: TypeAdapter[Any]


FETCHED: Final = ("orders", "purchases")
"""What grows with the years: left in the file until somebody asks for it."""
_REBUILT: Final = {"merchant", "stale", "agenda", "agenda_count", "is_judging"}


@cache
def _kinds() -> dict[str, _Kind]:
    hints = get_type_hints(Shop)
    kinds: dict[str, _Kind] = {}
    for one in dataclasses.fields(Shop):
        if one.name in _REBUILT:
            continue
        hint = hints[one.name]
        if get_origin(hint) is dict:
            key, value = get_args(hint)
            kinds[one.name] = _Kind(TypeAdapter(key), TypeAdapter(value))
        else:
            kinds[one.name] = _Kind(None, TypeAdapter(hint))
    return kinds


def _settle(shop: Shop) -> None:
    """Everything is saved: note changes anew, and let go of what the file holds as well."""
    for name in _kinds():
        table = getattr(shop, name)
        if isinstance(table, Kept):
            table.changed.clear()
        if isinstance(table, Fetched):
            table.shed()


def _text(adapter: TypeAdapter[Any] | None, value: Any) -> str:
    assert adapter is not None
    return adapter.dump_json(value).decode()


def _rebuild(shop: Shop) -> None:
    """What follows from the rest: listings to publish anew, and the agenda, from the deadlines that values carry."""
    for coordinate in shop.listings:
        note_stale(shop, coordinate)
    for order in shop.orders.values():
        if order.deadline_ms is not None:
            shop.remind(Due(order.deadline_ms, "deadline", order.key))
    for past in shop.past.values():
        if past.answer_at_ms is not None:
            shop.remind(Due(past.answer_at_ms, "past", past.order))
    for waiting in shop.parked.values():
        for parked in waiting:
            key = parked.command.order
            shop.remind(Due(0 if key.ref in shop.orders else parked.deadline_ms, "parked", key))


@cache
def rules() -> str:
    """A name for the rules that make a state of the journal: the domain's and the contracts' own source."""
    digest = hashlib.sha256()
    for package in (schemas, domain):
        for folder in package.__path__:
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(path.read_bytes())
    return digest.hexdigest()
