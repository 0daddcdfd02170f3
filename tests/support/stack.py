"""A whole stack in its own processes, as an operator would run it, for tests that kill and watch it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from services.cli.client import Stack
from services.home import Home

START_S = 120
STOP_S = 40


class StackFailed(AssertionError):
    """The stack did not do what any test needs of it; the message ends with its logs."""


class RunningStack:
    """`ncc up` in a folder: start, look, kill a part, wait, stop."""

    def __init__(
        self,
        folder: Path,
        *,
        partitions: int = 4,
        rates: str = "USD=1000",
        relays: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        is_patient: bool = False,
    ) -> None:
        """`is_patient` starts dead children again at once, however often they die."""
        self.home = Home(folder)
        program = "tests.support.patient" if is_patient else "services.cli.main"
        self._argv = [sys.executable, "-m", program, "up", "--home", str(folder), "--rates", rates]
        self._argv += ["--partitions", str(partitions), *(arg for relay in relays for arg in ("--relay", relay))]
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until everything answers."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NCC_")} | self._environment
        self.home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A pipe that nobody reads would hold the supervisor up once it has told of many deaths.
        with (self.home.root / "up.log").open("ab") as said:
            self._process = subprocess.Popen(
                self._argv, stdout=subprocess.DEVNULL, stderr=said, env=environment, start_new_session=True
            )
        give_up_s = time.monotonic() + START_S
        while self.home.ready() is None:
            if self._process.poll() is not None or time.monotonic() > give_up_s:
                raise StackFailed(f"the stack did not start:\n{self.logs()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it as Ctrl-C would, and see that it ends."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise StackFailed(f"the stack did not stop within {STOP_S} s:\n{self.logs()}") from None

    def kill_supervisor(self) -> None:
        """Kill -9 the supervisor itself; its children go with it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def client(self) -> Stack:
        """The command line's own client."""
        return Stack(self.home.root)

    def children(self) -> dict[str, dict[str, Any]]:
        """Every child as `ncc status` reads it."""
        children = json.loads(self.home.status_file.read_text())["children"]
        return {child["name"]: child for child in children}

    def pid_of(self, name: str) -> int:
        """The living process of a child."""
        pid = self.children()[name]["pid"]
        assert isinstance(pid, int), f"{name} is not running"
        return pid

    def kill(self, name: str) -> int:
        """Kill -9 a child; gives the pid that died."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_up(self, name: str, after_pid: int, timeout_s: float = 60) -> float:
        """Wait until another process has taken a killed child's place and answers; gives the seconds it took."""
        started = time.monotonic()
        while time.monotonic() - started < timeout_s:
            child = self.children()[name]
            if child["state"] == "up" and child["pid"] not in (None, after_pid):
                return time.monotonic() - started
            time.sleep(0.05)
        raise StackFailed(f"{name} did not come back within {timeout_s} s:\n{self.logs(name)}")

    def logs(self, name: str | None = None, lines: int = 15) -> str:
        """The ends of the children's logs."""
        files = [*sorted((self.home.root / "logs").glob(f"{name or '*'}.log")), self.home.root / "up.log"]
        return "\n".join(
            f"== {f.name}\n" + "\n".join(f.read_text(errors="replace").splitlines()[-lines:]) for f in files
        )
