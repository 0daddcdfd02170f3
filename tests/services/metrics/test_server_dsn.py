"""The same store against a server's HTTP interface, for the multi-process form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.metrics.port import BadQuery
from services.metrics.store import ReadLimits, open_store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.conftest import pseudonym
from tests.services.metrics.scenes import a_record
from tests.services.metrics.server_stand_in import Server, serving

pytestmark = pytest.mark.real


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, int]]:
    """A server on a free port."""
    with serving(tmp_path / "server") as running:
        yield running


@pytest.mark.parametrize("scheme", ["http", "clickhouse"])
def test_the_same_statements_run_on_a_server(server: tuple[Server, int], scheme: str) -> None:
    """Tables, one-block inserts, positions and questions; nothing knows which engine it is."""
    store = open_store(f"{scheme}://someone:hunter2@127.0.0.1:{server[1]}/default?compress=false")
    try:
        writer = MetricsWriter(store, pseudonym)
        writer.migrate()
        assert writer.write_journal({0: [a_record(1), a_record(2)], 4: [a_record(1)]}) == 6
        assert writer.write_journal({0: [a_record(2), a_record(3)]}) == 2
        assert MetricsWriter(store, pseudonym).positions() == {0: 3, 4: 1}
        counted = store.read("SELECT count() AS n FROM events WHERE type = {t:String}", {"t": "StockHeld"})
        assert counted.dicts() == [{"n": 4}]
        assert "hunter2" not in repr(store)
    finally:
        store.close()


def test_a_server_is_told_to_make_one_block_and_to_allow_no_write(server: tuple[Server, int]) -> None:
    """The settings that the in-process engine is given once go along with every request."""
    store = open_store(f"http://127.0.0.1:{server[1]}/default?compress=false", ReadLimits(time_max_s=3, rows_max=50))
    try:
        store.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n")
        store.insert("t", ["n"], [(1,)])
        inserted = server[0].requests[-1]
        assert (inserted["async_insert"], inserted["min_insert_block_size_bytes"]) == ("0", "0")
        for sql in ("INSERT INTO t VALUES (2)", "DROP TABLE t", "SELECT * FROM file('/etc/hostname')"):
            with pytest.raises(BadQuery, match="Only reading"):
                store.read(sql)
        asked = server[0].requests[-1]
        assert (asked["readonly"], asked["max_execution_time"], asked["max_result_rows"]) == ("1", "3", "50")
        with pytest.raises(BadQuery, match="more than 50 rows"):
            store.read("SELECT number FROM numbers(51)")
        assert store.read("SELECT n FROM t").rows == ((1,),)
    finally:
        store.close()
