"""Roles as forks of one prepared process: each is a process of its own, and none outlives what it hangs on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from services.config import Role, Settings
from services.embedded.ports import free_port
from services.roles.run import alive_file
from services.supervision import processes
from services.supervision.launchers import ForkServer, Process

pytestmark = pytest.mark.real

SERVER = [sys.executable, "-m", "services.roles.fork_server"]


@asynccontextmanager
async def fork_server(folder: Path) -> AsyncIterator[ForkServer]:
    server = ForkServer(SERVER, folder / "roles.log")
    try:
        yield server
    finally:
        await server.close()


async def start(server: ForkServer, folder: Path, role: Role) -> Process:
    """A role whose broker never answers: it says that it is alive, and waits."""
    settings = Settings(home=folder, kafka=f"127.0.0.1:{free_port()}")
    with (folder / f"{role}.log").open("ab") as log:
        process = await server.start([role.value], settings.environment(), log)
    await until(alive_file(folder, role).exists)
    return process


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 another process wakes nobody
            await asyncio.sleep(0.02)


async def test_a_forked_role_is_a_process_of_its_own(tmp_path: Path) -> None:
    """It has its own session, name, settings and log, and says how it ended: by its own will or by a signal."""
    async with fork_server(tmp_path) as server:
        asked, killed = await start(server, tmp_path, Role.DECIDER), await start(server, tmp_path, Role.API)

        assert os.getsid(asked.pid) == asked.pid != os.getsid(killed.pid) == killed.pid
        assert psutil.Process(asked.pid).name() == "ncc-decider"
        assert Path(f"/proc/{asked.pid}/fd/1").readlink() == tmp_path / "decider.log"

        processes.signal_group(asked.pid, signal.SIGTERM)
        processes.signal_group(killed.pid, signal.SIGKILL)
        assert (await asked.wait(), await killed.wait()) == (0, -signal.SIGKILL)


async def test_a_role_that_cannot_run_says_why_in_its_log(tmp_path: Path) -> None:
    """Settings that cannot be read end the child alone, with the reason where its log is."""
    async with fork_server(tmp_path) as server:
        with (tmp_path / "api.log").open("ab") as log:
            process = await server.start(["api"], {"NCC_PARTITIONS": "many"}, log)

        assert await process.wait() == 1
        assert "partitions" in (tmp_path / "api.log").read_text()
        assert processes.is_alive((await start(server, tmp_path, Role.DECIDER)).pid)


async def test_with_the_prepared_process_its_roles_end_and_the_next_start_makes_another(tmp_path: Path) -> None:
    """Who waits for such a role hears that it was killed, and nothing of it is left."""
    async with fork_server(tmp_path) as server:
        orphan = await start(server, tmp_path, Role.DECIDER)
        psutil.Process(orphan.pid).parent().kill()  # type: ignore[union-attr]

        assert await orphan.wait() == -signal.SIGKILL
        assert not processes.is_alive(orphan.pid)
        assert processes.is_alive((await start(server, tmp_path, Role.API)).pid)


async def test_closing_ends_the_prepared_process_and_what_is_forked_from_it(tmp_path: Path) -> None:
    """A deployment that stops leaves no process behind, even a role that was not asked to stop before."""
    async with fork_server(tmp_path) as server:
        left = await start(server, tmp_path, Role.DECIDER)
        parent = psutil.Process(left.pid).ppid()

    assert not processes.is_alive(left.pid)
    assert not processes.is_alive(parent)


def test_what_is_imported_before_a_fork_starts_no_thread() -> None:
    """A fork takes one thread along; a lock that another one held would never be let go."""
    script = (
        "import os; from services.roles.fork_server import preload; preload(); print(os.listdir('/proc/self/task'))"
    )
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout.count("'") == 2
