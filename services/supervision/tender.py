"""Keeps one child running: start, wait until it answers, start again when it dies, end it on request."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.supervision import logs, processes
from services.supervision.child import Child, ChildState, ChildStatus, Deaths, Timing
from services.supervision.readiness import is_ready


class Tender:
    """The life of one child; `status` is always current, `up` is set while it answers."""

    def __init__(
        self,
        child: Child,
        *,
        log: Path,
        note: Path,
        timing: Timing,
        changed: Callable[[ChildStatus], None],
    ) -> None:
        self.child: Final = child
        self.log: Final = log
        self.status: Final = ChildStatus(child.name, since_ms=_now_ms())
        self.up: Final = asyncio.Event()
        self._note: Final = note
        self._timing: Final = timing
        self._changed: Final = changed
        self._deaths: Final = Deaths(timing)
        self._ending: Final = asyncio.Event()
        self._ended: Final = asyncio.Event()
        self._refused: Exception | None = None

    async def keep(self, depends: Sequence["Tender"]) -> None:
        """Runs the child until `end` is called; returns when no process of it is left.

        Raises what its probe raises of `Child.fatal`.
        """
        try:
            while await self._all_up(depends if self.child.waits else ()):
                pause_s = await self._live_once()
                await self._wait_unless_ending(pause_s)
        finally:
            self._signal(signal.SIGKILL)  # nobody is left but after a fault of our own
            self._move(ChildState.STOPPED)
            self._ended.set()

    async def end(self, grace_s: float) -> None:
        """Asks the child to stop, kills it after `grace_s`, and returns when it is gone."""
        self._ending.set()
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)  # a paused process hears nothing else
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._ended.wait()
        while not self._ended.is_set():
            self._signal(signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await self._ended.wait()

    async def _live_once(self) -> float:
        """One life from start to death; returns the pause before the next one."""
        started_s = time.monotonic()
        try:
            logs.rotate(self.log)
            with self.log.open("ab") as log:
                from_byte = log.tell()
                process = await self.child.launcher.start(self.child.argv, self.child.env, log)
        except OSError as error:
            return self._died(f"cannot start {self.child.argv[0]}: {error.strerror}", started_s)
        self.status.pid = process.pid
        processes.record(self._note, process.pid)
        if self._ending.is_set():  # `end` came while it started, and found nobody to tell
            self._signal(signal.SIGTERM)
        complaint: list[str] = []
        watch = asyncio.create_task(self._watch_until_up(complaint))
        how = _how_it_ended(await process.wait())
        watch.cancel()
        # What it started itself must not outlive it.
        processes.signal_group(process.pid, signal.SIGKILL)
        self._note.unlink(missing_ok=True)
        self.status.pid = None
        if self._refused is not None:
            raise self._refused
        said = complaint[0] if complaint else logs.last_error(self.log, from_byte)
        return self._died(f"{how}: {said}" if said else how, started_s)

    async def _watch_until_up(self, complaint: list[str]) -> None:
        """Marks the child up once it answers; kills it, with a complaint, when it does not in time."""
        started_s = time.monotonic()
        was_failing = self._deaths.is_failing(started_s)
        settle_s = self._timing.settle_s if self.child.ready is None else 0.0
        earliest_s = started_s + (self._timing.recovered_s if was_failing else settle_s)
        while True:
            try:
                is_answering = self.child.ready is None or await is_ready(self.child.ready)
            except self.child.fatal as error:
                self._refused = error
                self._signal(signal.SIGTERM)
                return
            except Exception as error:  # noqa: BLE001 the loop's edge: the next round asks again, the status tells
                is_answering = False
                self._complain(f"not ready: {error}")
            if is_answering and time.monotonic() >= earliest_s:
                self._move(ChildState.UP)
                return
            if not is_answering and time.monotonic() - started_s > self.child.start_s:
                complaint.append(f"not ready within {self.child.start_s:g} s")
                self._signal(signal.SIGKILL)
                return
            await asyncio.sleep(self._timing.probe_every_s)

    def _complain(self, why: str) -> None:
        if self.status.last_error != why:
            self.status.last_error = why
            self._changed(self.status)

    def _died(self, why: str, started_s: float) -> float:
        if self._ending.is_set():
            return 0.0
        now_s = time.monotonic()
        pause_s = self._deaths.note(now_s, now_s - started_s)
        self.status.restarts += 1
        self.status.last_error = why
        self._move(ChildState.FAILING if self._deaths.is_failing(now_s) else ChildState.RESTARTING)
        return pause_s

    def _move(self, state: ChildState) -> None:
        if state is ChildState.UP:
            self.up.set()
        else:
            self.up.clear()
        if self.status.state is not state:
            self.status.state, self.status.since_ms = state, _now_ms()
        self._changed(self.status)

    def _signal(self, number: signal.Signals) -> None:
        if self.status.pid is not None:
            processes.signal_group(self.status.pid, number)

    async def _all_up(self, depends: Sequence["Tender"]) -> bool:
        """Waits until everything this child needs is up at once; False when it is to end instead."""
        while not self._ending.is_set() and not all(other.up.is_set() for other in depends):
            await self._wait_unless_ending(0.05)
        return not self._ending.is_set()

    async def _wait_unless_ending(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._ending.wait()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
