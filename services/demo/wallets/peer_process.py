"""Starts and ends a real payment server as a process of its own, over a folder of its own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

PAUSE_S: Final = 0.1
STOP_TIMEOUT_S: Final = 20.0


def start_peer(
    name: str, command: Sequence[str], log_file: Path, environment: Mapping[str, str], url: str, timeout_s: float
) -> subprocess.Popen[bytes]:
    """Start it in the folder of its log, and wait until something answers at `url`.

    Raises `RuntimeError` where it ends by itself, `TimeoutError` where nothing answers; `name` says what did so.
    """
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=log_file.parent, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_for(name, process, log_file, url, timeout_s)
    except BaseException:  # nothing is left behind, whoever interrupts
        stop_peer(process)
        raise
    return process


def _wait_for(name: str, process: subprocess.Popen[bytes], log_file: Path, url: str, timeout_s: float) -> None:
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended: see {log_file}")
        try:
            httpx.get(url, timeout=2, trust_env=False)
        except httpx.TransportError:
            time.sleep(PAUSE_S)
        else:
            return
    raise TimeoutError(f"{name} does not answer: see {log_file}")


def stop_peer(process: subprocess.Popen[bytes]) -> None:
    """End it by its process id."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
