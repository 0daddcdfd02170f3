"""A writer that is killed in the middle of what it does, again and again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.metrics.store import open_store
from tests.services.metrics.writer_process import PARTITIONS, RECORDS, record_of

pytestmark = pytest.mark.real

KILLS = 6
ROOT = Path(__file__).parents[3]


@pytest.mark.req("OPS-08")
def test_a_writer_killed_many_times_counts_everything_exactly_once(tmp_path: Path) -> None:
    """Its successor asks ClickHouse where to go on; not a row is lost or doubled, even before rows are deduplicated."""
    chance = random.Random(20)
    folder = tmp_path / "clickhouse"
    for kill in range(KILLS):
        run_writer(folder, seed=kill, kill_after_s=chance.uniform(0.0, 0.25))
    run_writer(folder, seed=KILLS, kill_after_s=None)

    units = PARTITIONS * sum(seq for seq in range(1, RECORDS + 1) if seq % 10)
    rows = PARTITIONS * sum(max(1, len(record_of(seq).events)) for seq in range(1, RECORDS + 1))
    store = open_store(f"chdb://{folder}")
    try:
        assert store.query("SELECT count() FROM events").rows == ((rows,),)
        assert store.query("SELECT sum(quantity) FROM events WHERE type = 'StockHeld'").rows == ((units,),)
        positions = store.query("SELECT * FROM journal_positions ORDER BY partition").rows
        assert positions == tuple((partition, RECORDS) for partition in range(PARTITIONS))
        one_each = "SELECT uniqExact(partition, sequence) FROM events"
        assert store.query(one_each).rows == ((PARTITIONS * RECORDS,),)
    finally:
        store.close()


def run_writer(folder: Path, seed: int, kill_after_s: float | None) -> None:
    """Let a writer work; kill -9 it so long after its first insert, or let it come to its end."""
    command = [sys.executable, "-m", "tests.services.metrics.writer_process", str(folder), str(seed)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip().isdigit()
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            process.kill()
        process.stdout.read()
        assert process.wait(60) == (0 if kill_after_s is None else -9)
    finally:
        process.kill()
        process.stdout.close()
        process.wait(10)
