"""Tries a simulated wallet's file: its mode, its locks, and what a failing write leaves behind."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.payments.port import FROM_THE_START, Retry, Unknown
from services.payments.simulated import SimulatedWallet
from services.payments.simulated_file import WalletFile
from tests.services.payments.contract import MERCHANT, TIMEOUT_S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "wallet.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[WalletFile]:
    file = WalletFile(path)
    yield file
    file.close()


def test_the_file_and_its_logs_are_for_their_owner_only(path: Path) -> None:
    """Whatever the umask says: keys and preimages are in there."""
    umask = os.umask(0)
    try:
        file = WalletFile(path)
    finally:
        os.umask(umask)
    modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    file.close()
    assert modes == dict.fromkeys(("wallet.sqlite", "wallet.sqlite-wal", "wallet.sqlite-shm"), 0o600)


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    """A copy made carelessly is narrowed when it is opened."""
    WalletFile(path).close()
    path.chmod(0o644)
    WalletFile(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_node_key_is_made_once(path: Path) -> None:
    """Opening again, even while it is open, finds the first key."""
    first, second = WalletFile(path), WalletFile(path)
    assert first.node_secret == second.node_secret
    assert len(first.node_secret) == 32
    first.close()
    second.close()


async def test_a_locked_file_is_retried_to_the_deadline_while_others_go_on(path: Path, file: WalletFile) -> None:
    """Another process's lock costs this call its time, and the event loop nothing."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(Retry):
        await file.write(lambda database: None, 0.1)
    ticking.cancel()
    assert ticks > 5
    other.execute("ROLLBACK")
    other.close()
    assert await file.write(lambda database: "written", 0.1) == "written"


async def test_a_lock_that_goes_in_time_is_waited_for(path: Path, file: WalletFile) -> None:
    """The write comes through once the other has finished."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(file.write(lambda database: "written", TIMEOUT_S))
    await asyncio.sleep(0.03)
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    assert await writing == "written"


async def test_reading_does_not_wait_for_a_writer(path: Path, file: WalletFile) -> None:
    """A look-up answers while another process writes."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    found = await file.read(lambda database: database.execute("SELECT one FROM node").fetchall(), 0.1)
    other.close()
    assert found == [(1,)]


async def test_work_that_fails_leaves_nothing(file: WalletFile) -> None:
    """It is rolled back, `Retry` is raised, and the next write goes through."""

    def work(database: sqlite3.Connection) -> None:
        database.execute("UPDATE node SET secret = x'00'")
        database.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(Retry):
        await file.write(work, 1.0)
    secret = await file.write(lambda database: database.execute("SELECT secret FROM node").fetchone()[0], 1.0)
    assert secret == file.node_secret


async def test_a_commit_that_fails_is_unknown(file: WalletFile) -> None:
    """Whether it was kept cannot be told from here, so it must be looked up."""
    await file.read(lambda database: database.execute("PRAGMA foreign_keys = ON"), 1.0)

    def work(database: sqlite3.Connection) -> None:
        database.execute("CREATE TABLE parents (name TEXT PRIMARY KEY)")
        database.execute("CREATE TABLE children (parent TEXT REFERENCES parents (name) DEFERRABLE INITIALLY DEFERRED)")
        database.execute("INSERT INTO children VALUES ('nobody')")

    with pytest.raises(Unknown):
        await file.write(work, 1.0)
    assert await file.write(lambda database: "written", 1.0) == "written"


async def test_errors_hold_no_secret(file: WalletFile) -> None:
    """Messages go to logs; the node key does not."""
    with pytest.raises(Retry) as caught:
        await file.read(lambda database: database.execute("SELECT secret FROM nowhere"), 1.0)
    assert file.node_secret.hex() not in str(caught.value)


async def test_a_watch_that_fails_wakes_its_listeners_with_an_error(path: Path) -> None:
    """Nobody listens for ever to a file that cannot be read; listening again starts a new watch."""
    wallet = SimulatedWallet(path)

    async def listen() -> None:
        async for _ in wallet.account(MERCHANT).listen(FROM_THE_START):
            pass

    listening = [asyncio.create_task(listen()) for _ in range(2)]
    await asyncio.sleep(0.05)
    wallet.file.watch._database.close()
    results = await asyncio.wait_for(asyncio.gather(*listening, return_exceptions=True), TIMEOUT_S)
    assert [type(result) for result in results] == [Retry, Retry]
    wallet.close()


async def test_using_a_closed_file_is_a_mistake_and_no_reason_to_retry(path: Path) -> None:
    """A loop that retries would never end."""
    file = WalletFile(path)
    file.close()
    with pytest.raises(sqlite3.ProgrammingError):
        await file.read(lambda database: database.execute("SELECT 1"), TIMEOUT_S)
