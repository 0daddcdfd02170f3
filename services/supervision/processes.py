"""Child processes as the system sees them: start, identify, measure and end them, none left behind."""

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from services.home import write_atomic

# psutil counts start times from the boot time, which a clock correction may move a little.
_SAME_START_S: Final = 2.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True)
class Usage:
    """What one process takes."""

    memory_mb: float
    """Its part of the machine's memory, megabytes of 10^6 bytes; pages that n processes share count as n-ths."""
    cpu_s: float
    """Processor time since its start, user and system."""


def dies_with_parent() -> Callable[[], None] | None:
    """What a new child runs before its program, so that Linux ends it when the starting process is gone.

    The signal is SIGTERM: a broker that is killed outright needs seconds more to come back.
    None where the system has no such thing; `stop_leftovers` cleans up there.
    """
    if sys.platform != "linux":
        return None
    # Loaded here and not in the child: between fork and exec only plain system calls are safe.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask_for_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before we asked
            os._exit(1)

    return ask_for_signal


async def start(
    argv: Sequence[str], env: Mapping[str, str], log: IO[bytes], stdin: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    """Starts a child in a session and process group of its own, both outputs to `log`; raises OSError."""
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=stdin,
        stdout=log,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **env},
        start_new_session=True,
        preexec_fn=dies_with_parent(),
    )


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signals a child and what it started; a group that is gone already is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def usage(pid: int) -> Usage | None:
    """What this process takes now; None when it is gone."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            memory = process.memory_full_info()
            return Usage(
                memory_mb=round(getattr(memory, "pss", memory.uss) / 1e6, 1),
                cpu_s=round(times.user + times.system, 2),
            )
    except psutil.Error:
        return None


def is_alive(pid: int) -> bool:
    """Whether this process is there and has not ended."""
    try:
        return _is_alive(psutil.Process(pid))
    except psutil.Error:
        return False


def record(file: Path, pid: int) -> None:
    """Notes who this child is, for a later `stop_leftovers`; a child that is gone already leaves no note.

    A disk that cannot hold the note does not stop the child: only a later clean-up would miss it.
    """
    with suppress(psutil.NoSuchProcess, OSError):
        created_s = psutil.Process(pid).create_time()
        write_atomic(file, json.dumps({"pid": pid, "created_s": created_s}).encode())


def stop_leftovers(folder: Path, grace_s: float = 5.0) -> list[str]:
    """Ends the children that a killed supervisor left, by the notes in `folder`; returns their names.

    A process counts only when id and start time are those of the note: a recycled id is never signalled.
    Asks with SIGTERM first and gives all of them together `grace_s` seconds.
    """
    notes = {file: note for file in sorted(folder.glob("*.json")) if (note := _read_note(file)) is not None}
    found = {file: process for file, note in notes.items() if (process := _noted_process(*note)) is not None}
    _end(found.values(), grace_s)
    for file in notes:
        file.unlink(missing_ok=True)
    return [file.stem for file in found]


def _read_note(file: Path) -> tuple[int, float] | None:
    """Process id and start time; None for a file that is no note."""
    try:
        content = json.loads(file.read_bytes())
        return int(content["pid"]), float(content["created_s"])
    except (ValueError, KeyError, TypeError):
        return None


def _noted_process(pid: int, created_s: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - created_s) < _SAME_START_S
    except (ValueError, psutil.Error):
        return None
    return process if is_same and pid != os.getpid() else None


def _end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    waiting = list(processes)
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 2.0)):
        # A stopped (SIGSTOP) leftover hears SIGTERM only once it goes on.
        for process in waiting:
            signal_group(process.pid, number)
            signal_group(process.pid, signal.SIGCONT)
        until_s = time.monotonic() + wait_s
        while waiting and time.monotonic() < until_s:
            waiting = [process for process in waiting if _is_alive(process)]
            time.sleep(0.02)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
