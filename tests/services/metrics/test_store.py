"""The store on the real engine."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from services.metrics.port import BadQuery, StoreUnavailable
from services.metrics.store import ReadLimits, Store, open_store

pytestmark = pytest.mark.real

NUMBERS = "CREATE TABLE numbers_of_ours (n UInt64) ENGINE = MergeTree ORDER BY n"


def test_values_come_back_as_they_were_written(store: Store) -> None:
    """Times are aware and in UTC, decimals exact, missing values None."""
    store.command(
        "CREATE TABLE t (at DateTime64(3, 'UTC'), d Decimal(38, 18), n Nullable(Int64), a Array(String)) "
        "ENGINE = MergeTree ORDER BY at"
    )
    store.insert("t", ["at", "d", "n", "a"], [(1_700_000_000_123, Decimal("0.1"), None, ["x", "y"])])
    result = store.query("SELECT * FROM t")
    assert result.columns == ("at", "d", "n", "a")
    assert result.types == ("DateTime64(3, 'UTC')", "Decimal(38, 18)", "Nullable(Int64)", "Array(String)")
    at = datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
    assert result.rows == ((at, Decimal("0.1"), None, ["x", "y"]),)


def test_an_answer_without_rows_still_has_its_columns(store: Store) -> None:
    """The embedded engine says nothing of them by itself."""
    result = store.query("SELECT number AS n, {s:String} AS s FROM numbers(3) WHERE n > 5", {"s": "x"})
    assert (result.columns, result.types, result.rows) == (("n", "s"), ("UInt64", "String"), ())


def test_an_insert_of_any_size_is_one_part(store: Store) -> None:
    """One part is there or not; bytes beyond the engine's usual block size do not split it."""
    store.command("CREATE TABLE wide (n UInt64, text String) ENGINE = MergeTree ORDER BY n")
    store.command("SYSTEM STOP MERGES wide")
    store.insert("wide", ["n", "text"], [(n, f"{n}" * 1_000) for n in range(60_000)])
    parts = store.query("SELECT rows FROM system.parts WHERE table = 'wide' AND active").rows
    assert parts == ((60_000,),)


def test_a_mistake_is_one_sentence(store: Store) -> None:
    """Codes, versions and what the library appended are left out."""
    with pytest.raises(BadQuery) as refused:
        store.read("SELECT nope FROM numbers(1)")
    assert str(refused.value).startswith("Unknown expression identifier `nope`")
    assert "version" not in str(refused.value)
    assert "Code" not in str(refused.value)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO numbers_of_ours VALUES (1)",
        "ALTER TABLE numbers_of_ours DELETE WHERE 1",
        "DROP TABLE numbers_of_ours",
        "CREATE TABLE other (n UInt8) ENGINE = Memory",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM `/etc/hostname`",
        "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
        "INSERT INTO FUNCTION file('x.csv') SELECT 1",
    ],
)
def test_the_engine_itself_refuses_everything_but_reading(store: Store, sql: str) -> None:
    """Behind the gate the handle for questions is read-only, and cannot be made otherwise."""
    store.command(NUMBERS)
    with pytest.raises(BadQuery, match="Only reading"):
        store.read(sql)


def test_a_question_cannot_lift_its_limits(store: Store) -> None:
    """Settings are fixed before the handle becomes read-only."""
    with pytest.raises(BadQuery, match="Only reading"):
        store.read("SELECT 1 SETTINGS max_execution_time = 0")


def test_a_question_has_a_limit_of_rows_time_and_memory(tmp_path: Path) -> None:
    """Each ends with a sentence that says which one it was."""
    limits = ReadLimits(rows_max=100, time_max_s=0.5, memory_max_bytes=50_000_000)
    store = open_store(f"chdb://{tmp_path}", limits)
    try:
        with pytest.raises(BadQuery, match="more than 100 rows"):
            store.read("SELECT number FROM numbers(101)")
        with pytest.raises(BadQuery, match=r"longer than 0\.5 s"):
            store.read("SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
        with pytest.raises(BadQuery, match="memory"):
            store.read("SELECT uniqExact(number) FROM numbers(20000000)")
        assert store.read("SELECT count() FROM numbers(100)").rows == ((100,),)
    finally:
        store.close()


def test_parameters_that_do_not_fit_are_the_askers_mistake(store: Store) -> None:
    """Whether the library or the engine notices."""
    for params in ({"n": "many"}, {"n": {"a": 1}}, {}):
        with pytest.raises(BadQuery):
            store.read("SELECT {n:UInt8}", params)


def test_too_many_questions_at_once_are_told_to_come_again(tmp_path: Path) -> None:
    """They are not queued without end."""
    store = open_store(f"chdb://{tmp_path}", ReadLimits(time_max_s=0.3, at_once=1))
    answered = threading.Event()

    def slow() -> None:
        with pytest.raises(BadQuery):
            store.read("SELECT sum(sipHash64(number)) FROM numbers(100000000000)")
        answered.set()

    try:
        thread = threading.Thread(target=slow)
        thread.start()
        outcomes = set()
        while not answered.is_set():
            try:
                store.read("SELECT 1")
                outcomes.add("answered")
            except StoreUnavailable as busy:
                outcomes.add(str(busy))
        thread.join()
        assert outcomes <= {"answered", "Too many queries are running; try again."}
    finally:
        store.close()


@pytest.mark.req("OPS-09")
def test_a_long_question_does_not_hold_up_inserts(tmp_path: Path) -> None:
    """Questions have handles of their own, and fewer threads than there are cores."""
    store = open_store(f"chdb://{tmp_path}", ReadLimits(time_max_s=1.5))
    try:
        store.command(NUMBERS)
        store.insert("numbers_of_ours", ["n"], [(0,)])
        asking = threading.Thread(target=_ask_long, args=(store,))
        asking.start()
        time.sleep(0.2)
        inserted = 0
        while asking.is_alive():
            store.insert("numbers_of_ours", ["n"], [(n,) for n in range(100)])
            inserted += 1
        assert inserted >= 5
    finally:
        store.close()


def _ask_long(store: Store) -> None:
    with pytest.raises(BadQuery):
        store.read("SELECT sum(sipHash64(number)) FROM numbers(100000000000)")


def test_any_thread_may_call(store: Store) -> None:
    """Inserts and questions from eight threads at once lose nothing."""
    store.command(NUMBERS)

    def work(start: int) -> None:
        for n in range(10):
            store.insert("numbers_of_ours", ["n"], [(start + n,)])
            store.read("SELECT count() FROM numbers_of_ours")

    threads = [threading.Thread(target=work, args=(1_000 * k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.query("SELECT count(), uniqExact(n) FROM numbers_of_ours").rows == ((80, 80),)


def test_a_failed_insert_does_not_spoil_the_next(store: Store) -> None:
    """The library's own mistakes are told without the values."""
    store.command(NUMBERS)
    with pytest.raises(BadQuery) as refused:
        store.insert("numbers_of_ours", ["n"], [("SECRET",)])
    assert "SECRET" not in str(refused.value)
    store.insert("numbers_of_ours", ["n"], [(5,)])
    assert store.query("SELECT n FROM numbers_of_ours").rows == ((5,),)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    """A DSN holds a secret; errors and the repr do not."""
    with pytest.raises(StoreUnavailable) as refused:
        open_store("http://user:hunter2@127.0.0.1:9/db")
    assert "http://127.0.0.1:9/db" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_dsn_of_another_kind_is_refused() -> None:
    """The message says which there are."""
    with pytest.raises(ValueError, match="chdb:///folder"):
        open_store("postgres://localhost/db")


def test_a_folder_belongs_to_one_engine(store: Store, tmp_path: Path) -> None:
    """A second folder in the same process is refused while the first is open."""
    with pytest.raises(StoreUnavailable, match="cannot open ClickHouse at chdb:"):
        open_store(f"chdb://{tmp_path / 'other'}")
