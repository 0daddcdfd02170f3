"""One role in one process: signals, signs of life, and the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
import uvloop

from schemas import crash_points
from schemas.crash_points import Point
from services.config import Role, Settings
from services.logs import configure_logs
from services.roles.stage import Stage

ALIVE_EVERY_S = 0.5
STOP_TIMEOUT_S = 7.0

CRASH_FOLDER = "NCC_CRASH_FOLDER"
"""Names a folder in which a file called like a crash point kills the first process that passes that point; for tests
alone, which see by the file's absence that the point was reached."""

GARBAGE_EVERY = 20_000
"""New containers between two looks for cycles; Python's 2,000 made a loaded role spend a tenth to a half of its time
walking through the libraries it had imported."""

log = structlog.get_logger()


def run_role(role: Role, settings: Settings) -> int:
    """Run one role in this process until SIGINT or SIGTERM; the exit code is 0 for a stop that was asked for."""
    configure_logs(role.value)
    if folder := os.environ.get(CRASH_FOLDER):
        crash_points.arm(_killed_by_file(Path(folder)))
    module = importlib.import_module(f"services.roles.{role.value}")
    _collect_seldom()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(Stage(settings, role), module.run))


async def _run(stage: Stage, run: Callable[[Stage], Coroutine[Any, Any, None]]) -> int:
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(_when_served(stage, run))
    asked: list[int] = []

    def stop(number: int) -> None:
        asked.append(number)
        work.cancel()
        _leave_in_time()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    alive = asyncio.ensure_future(_say_alive(stage))
    try:
        await work
    except asyncio.CancelledError:
        if not asked:
            raise
    except Exception as error:  # the process's edge: the supervisor restarts it and shows this line
        log.critical("role stopped", error=f"{type(error).__name__}: {error}", exc_info=True)
        return 1
    finally:
        _leave_in_time()
        alive.cancel()
        with contextlib.suppress(FileNotFoundError):
            alive_file(stage.home.root, stage.role).unlink()
    return 0


def _killed_by_file(folder: Path) -> Callable[[Point], None]:
    def passed(point: Point) -> None:
        with contextlib.suppress(FileNotFoundError):
            (folder / point.name).unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    return passed


def _collect_seldom() -> None:
    """What is imported stays for ever: leave it out of every later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY, 20, 20)


def alive_file(home: Path, role: Role) -> Path:
    """Where a role says, twice a second, that its event loop turns and whether it answers."""
    return home / "run" / f"{role.value}.alive"


def _leave_in_time() -> None:
    """End the process soon, whatever still holds it.

    A client library's thread may wait for ever for a broker that is gone too, even after the event loop has
    ended; being killed is as safe as stopping.
    """
    watchdog = threading.Timer(STOP_TIMEOUT_S, os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()


async def _when_served(stage: Stage, run: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    await stage.kafka.wait_until_served()
    await run(stage)


async def _say_alive(stage: Stage) -> None:
    path = alive_file(stage.home.root, stage.role)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        try:
            lag = await stage.lag()
        except Exception:  # noqa: BLE001  # a sign of life must not end with the broker; the role itself shows what is wrong
            lag = {}
        now_ms = time.time_ns() // 1_000_000
        said = {"pid": os.getpid(), "ready": stage.is_ready(), "at_ms": now_ms, "lag": lag, "notice": stage.notice}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(said))
        temporary.replace(path)
        await asyncio.sleep(ALIVE_EVERY_S)


if __name__ == "__main__":  # a role without the command line's weight, for tests
    sys.exit(run_role(Role(sys.argv[1]), Settings()))
