"""Talks to ClickHouse: the engine in this process (`chdb://`) or a server (`http://`, `https://`, `clickhouse://`).

The only module that knows the vendor's library. Every call is blocking and may come from any thread.
One handle writes (and answers our own queries), a few more answer questions from outside, read-only.
A handle takes one call at a time; handles run side by side, so a long question does not hold up an insert.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from clickhouse_connect.driver import create_client
from clickhouse_connect.driver.exceptions import ClickHouseError

from services.metrics.port import BadQuery, Result, StoreUnavailable

_SERVER_SCHEMES: Final = ("http", "https", "clickhouse")

_ONE_BLOCK: Final = {
    "async_insert": 0,
    "max_insert_threads": 1,
    "min_insert_block_size_rows": 1_048_576,
    "min_insert_block_size_bytes": 0,
    "max_insert_block_size": 1_048_576,
}
"""One insert becomes one block whatever its bytes, below a million rows; one block becomes one part, or none."""
INSERT_ROWS_MAX: Final = 1_000_000

_MEANS_CODES: Final = frozenset(
    {
        3,
        23,
        74,
        75,
        76,
        159,
        164,
        198,
        202,
        203,
        209,
        210,
        236,
        241,
        242,
        243,
        244,
        252,
        279,
        319,
        394,
        425,
        439,
        999,
    }
)
"""Engine errors that say nothing about the statement: network, disk, memory, time, too many parts or queries."""
_QUESTION_CODES: Final = {
    159: "The query took longer than {time_max_s:g} s.",
    160: "The query would take longer than {time_max_s:g} s.",
    164: "Only reading is allowed here.",
    241: "The query needs more memory than it may use.",
    307: "The query reads more than it may.",
    396: "The answer has more than {rows_max:,} rows: add a LIMIT or group them.",
}
"""Engine errors that a question from outside runs into by what it asks, and what its author is told."""
_CODE: Final = re.compile(r"Code: (\d+)\.")
_NOISE: Final = re.compile(
    r"^(?:.*?DB::(?:Net)?Exception: )+|\s*\(version [^)]*\)|\s*\([A-Z][A-Z0-9_]+\)\.?|\s+FORMAT Native", re.S
)
_SENTENCE_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What a question from outside may cost; `threads` keeps cores free for everything else (OPS-09)."""

    rows_max: int = 10_000
    time_max_s: float = 10.0
    memory_max_bytes: int = 1 << 30
    threads: int = max(1, (os.cpu_count() or 2) // 2)
    at_once: int = 4

    def settings(self) -> dict[str, object]:
        """The engine's own settings; `readonly` comes last because nothing can be set after it."""
        return {
            "max_result_rows": self.rows_max,
            "result_overflow_mode": "throw",
            "max_execution_time": self.time_max_s,
            "timeout_overflow_mode": "throw",
            "max_memory_usage": self.memory_max_bytes,
            "max_threads": self.threads,
            "readonly": 1,
        }


def open_store(dsn: str, limits: ReadLimits | None = None) -> Store:
    """Open the folder of `chdb:///folder`, or a server. Raises `StoreUnavailable`, without the DSN's secrets.

    One process has one engine, and one folder at most one process: the engine locks it.
    """
    return Store(dsn, limits or ReadLimits())


class Store:
    """One ClickHouse, as one process sees it. Whoever opens it closes it."""

    def __init__(self, dsn: str, limits: ReadLimits) -> None:
        """Use `open_store`."""
        self.limits = limits
        self._dsn = dsn
        self._place = _place(dsn)
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._writer = self._connect(_ONE_BLOCK if not self._place.startswith("chdb") else {})
        self._readers: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(limits.at_once):
            self._readers.put(None)

    def __repr__(self) -> str:
        return f"Store({self._place!r})"

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write rows in one block: all of them, or on an error possibly none or (unknown to us) all.

        DateTime64(3) takes integer UTC milliseconds. Raises ValueError above `INSERT_ROWS_MAX` rows.
        """
        if len(rows) > INSERT_ROWS_MAX:
            raise ValueError(f"{len(rows)} rows are too many for one block of {table}")
        if not rows:
            return
        with self._lock, self._told(f"insert {len(rows)} rows into {table}"):
            key = (table, tuple(columns))
            if key not in self._contexts:
                self._contexts[key] = self._writer.create_insert_context(table, list(columns), settings=_ONE_BLOCK)
            # A context that failed is not used again: what it holds then is nobody's promise.
            context = self._contexts.pop(key)
            self._writer.insert(context=context, data=rows)
            self._contexts[key] = context

    def query(self, sql: str, params: Mapping[str, object] | None = None) -> Result:
        """Answer a question of our own, without limits. `{name:Type}` in `sql` takes `params['name']`."""
        with self._lock, self._told("answer a query"):
            return _ask(self._writer, sql, params)

    def command(self, sql: str) -> None:
        """Run a statement that gives no rows."""
        with self._lock, self._told("run a statement"):
            self._writer.command(sql)

    def read(self, sql: str, params: Mapping[str, object] | None = None) -> Result:
        """Answer a question from outside that passed the gate: the engine allows no write, and keeps to the limits."""
        with self._reader() as reader:
            try:
                return _ask(reader, sql, params)
            except ClickHouseError as error:
                raise self._question_fault(error) from None
            except UnicodeDecodeError:
                raise BadQuery("The answer holds text that is not UTF-8: wrap it in hex().") from None
            except (KeyError, TypeError, ValueError, IndexError) as error:
                # The library binds parameters in its own code, and fails there on what does not fit the type.
                raise BadQuery(f"The parameters do not fit the statement ({type(error).__name__}).") from None

    def close(self) -> None:
        """Let go of the folder or the connections; calls under way end first."""
        with self._lock:
            self._writer.close()
        for _ in range(self.limits.at_once):
            reader = self._readers.get()
            if reader is not None:
                reader.close()

    @contextmanager
    def _reader(self) -> Iterator[Any]:
        """A read-only handle, made at first use. Raises `StoreUnavailable` when all stay busy."""
        try:
            reader = self._readers.get(timeout=self.limits.time_max_s)
        except queue.Empty:
            raise StoreUnavailable("Too many queries are running; try again.") from None
        try:
            if reader is None:
                reader = self._connect(self.limits.settings())
            yield reader
        finally:
            self._readers.put(reader)

    def _connect(self, settings: Mapping[str, object]) -> Any:
        try:
            return _client(self._dsn, settings)
        except (ClickHouseError, OSError, RuntimeError, ValueError) as error:
            # Any of them may quote the DSN with its password, so only their kind is passed on.
            code = _code_of(error)
            raise StoreUnavailable(
                f"cannot open ClickHouse at {self._place}: {type(error).__name__}{f', code {code}' if code else ''}"
            ) from None

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Turn the vendor's errors into ours; values never appear, only what was being done and the code."""
        try:
            yield
        except ClickHouseError as error:
            code = _code_of(error)
            if code is None or code in _MEANS_CODES:
                raise StoreUnavailable(f"cannot {doing} at {self._place}: {_sentence(error)}") from None
            raise BadQuery(f"cannot {doing} at {self._place}: {_sentence(error)}") from None
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError, struct.error) as error:
            # What the library raises while it packs values; its message may quote one.
            raise BadQuery(f"cannot {doing} at {self._place}: a value does not fit ({type(error).__name__})") from None

    def _question_fault(self, error: ClickHouseError) -> BadQuery | StoreUnavailable:
        code = _code_of(error)
        if code in _QUESTION_CODES:
            limits = self.limits
            return BadQuery(_QUESTION_CODES[code].format(time_max_s=limits.time_max_s, rows_max=limits.rows_max))
        if code is None or code in _MEANS_CODES:
            return StoreUnavailable("ClickHouse cannot answer now; try again.")
        return BadQuery(_sentence(error))


def _client(dsn: str, settings: Mapping[str, object]) -> Any:
    """One handle with these settings for all its calls."""
    # Whatever goes wrong is raised as well; the library's own log would quote values and whole statements.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL + 1)
    scheme = urlsplit(dsn).scheme
    options: dict[str, Any] = {"dsn": dsn, "tz_mode": "aware", "settings": dict(settings)}
    if scheme in _SERVER_SCHEMES:
        options["autogenerate_session_id"] = False
        if scheme != "clickhouse":
            options["interface"] = scheme
    return create_client(**options)


def _ask(client: Any, sql: str, params: Mapping[str, object] | None) -> Result:
    bound = dict(params) if params else None
    answer = client.query(sql, parameters=bound)
    if not answer.column_names:
        # The engine in this process says nothing at all of an answer without rows; its columns are asked for.
        described = client.query(f"DESCRIBE TABLE ({sql}\n)", parameters=bound).result_rows
        return Result(tuple(row[0] for row in described), tuple(row[1] for row in described), ())
    return Result(
        columns=tuple(answer.column_names),
        types=tuple(kind.name for kind in answer.column_types),
        rows=tuple(tuple(row) for row in answer.result_rows),
    )


def _place(dsn: str) -> str:
    """The DSN without user, password and options. Raises ValueError for a scheme that is none of ours."""
    parts = urlsplit(dsn)
    if parts.scheme == "chdb":
        return f"chdb://{parts.path}"
    if parts.scheme in _SERVER_SCHEMES and parts.hostname:
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    raise ValueError("a ClickHouse DSN is chdb:///folder, http(s)://host/database or clickhouse://host/database")


def _code_of(error: Exception) -> int | None:
    """The engine's number for an error, where it is the engine's."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code
    found = _CODE.search(str(error))
    return int(found[1]) if found else None


def _sentence(error: Exception) -> str:
    """The engine's message in one line, without its codes and versions."""
    text = " ".join(_NOISE.sub("", str(error)).split())
    return text[:_SENTENCE_CHARS_MAX] or type(error).__name__
