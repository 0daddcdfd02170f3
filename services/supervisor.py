"""Keeps all processes of a deployment on one machine running, from one command to one signal.

    supervise(home, compose)   the whole of it: lock, clean up, compose, run
    Supervisor                 starts children in the order of their needs, stops them in reverse

What it knows is in the home folder: `status.json`, `ready.json` while everything answers, `logs/NAME.log`.
"""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Final

from services.home import Home, HomeBusyError, Ready, write_atomic
from services.supervision import logs, processes
from services.supervision.child import Child, ChildState, ChildStatus, Timing, start_waves
from services.supervision.tender import Tender

__all__ = ["Child", "ChildState", "ChildStatus", "HomeBusyError", "Supervisor", "Timing", "supervise"]

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def supervise(
    home: Home,
    compose: Callable[[], tuple[Sequence[Child], Ready]],
    *,
    timing: Timing | None = None,
    on_change: Callable[[ChildStatus], None] | None = None,
) -> None:
    """Runs what `compose` returns until SIGINT, SIGTERM or SIGHUP; leaves no process behind.

    `compose` is called once the home is ours and a killed predecessor's processes are gone, so the ports and
    files that it prepares are free. Raises HomeBusyError while another supervisor uses the home.
    """
    with home.hold():
        home.ready_file.unlink(missing_ok=True)
        processes.stop_leftovers(home.run)
        children, ready = compose()
        await Supervisor(home, children, ready, timing=timing, on_change=on_change).run()


class Supervisor:
    """Runs a list of children; the caller holds the home."""

    def __init__(
        self,
        home: Home,
        children: Sequence[Child],
        ready: Ready,
        *,
        timing: Timing | None = None,
        on_change: Callable[[ChildStatus], None] | None = None,
    ) -> None:
        """Raises ValueError where names repeat or needs cannot be met; `on_change` hears each change of state."""
        self._home: Final = home
        self._ready: Final = ready
        self._timing: Final = timing or Timing()
        self._on_change: Final = on_change
        self._waves: Final = start_waves(children)
        self._tenders: Final = {child.name: self._tender(child) for child in children}
        self._stop: Final = asyncio.Event()
        self._is_changed = True
        self._reported_s = 0.0

    def stop(self) -> None:
        """Asks `run` to stop everything and return."""
        self._stop.set()

    async def run(self) -> None:
        """Starts everything, keeps it running, and returns after a stop was asked for and done.

        Raises what a child's probe raises of `Child.fatal`, after everything is stopped.
        """
        with self._stop_on_signals():
            tasks: list[asyncio.Task[object]] = [
                asyncio.create_task(self._stop.wait()),
                asyncio.create_task(self._report_always()),
                *(asyncio.create_task(self._keep(tender)) for tender in self._tenders.values()),
            ]
            try:
                # A keeper ends before the stop only by our own fault; then nothing goes on half-kept.
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await self._stop_all()
                for launcher in {tender.child.launcher for tender in self._tenders.values()}:
                    await launcher.close()
                for task in tasks:
                    task.cancel()
                self._report()
            for task in done:
                task.result()

    async def _keep(self, tender: Tender) -> None:
        await tender.keep([self._tenders[name] for name in tender.child.depends])

    async def _stop_all(self) -> None:
        """Stops what depends before what it depends on; each wave gets a fair part of the time that is left."""
        self._stop.set()
        self._home.ready_file.unlink(missing_ok=True)
        until_s = time.monotonic() + self._timing.stop_s
        for waves_left, wave in zip(range(len(self._waves), 0, -1), reversed(self._waves), strict=True):
            grace_s = max(0.0, until_s - time.monotonic()) / waves_left
            await asyncio.gather(*(self._tenders[name].end(grace_s) for name in wave))

    async def _report_always(self) -> None:
        while True:
            for tender in self._tenders.values():
                logs.shed(tender.log)
            self._announce()
            if self._is_changed or time.monotonic() - self._reported_s > self._timing.usage_every_s:
                self._report()
            await asyncio.sleep(self._timing.report_every_s)

    def _announce(self) -> None:
        """Writes `ready.json` once everything answers; a child that dies later is back soon, so it stays."""
        is_ready = all(tender.up.is_set() for tender in self._tenders.values())
        if is_ready and not self._stop.is_set() and not self._home.ready_file.exists():
            self._report(is_ready=True)  # who sees ready.json finds status.json up to date
            with suppress(OSError):  # a full disk: the next report tries again
                write_atomic(self._home.ready_file, self._ready.model_dump_json(indent=2).encode() + b"\n")

    def _report(self, *, is_ready: bool = False) -> None:
        """Writes `status.json`."""
        self._is_changed, self._reported_s = False, time.monotonic()
        for tender in self._tenders.values():
            status = tender.status
            used = processes.usage(status.pid) if status.pid is not None else None
            status.memory_mb, status.cpu_s = (used.memory_mb, used.cpu_s) if used else (0.0, 0.0)
        content = {
            "pid": self._ready.pid,
            "at_ms": time.time_ns() // 1_000_000,
            "ready": is_ready or self._home.ready_file.exists(),
            "children": [asdict(tender.status) for tender in self._tenders.values()],
        }
        with suppress(OSError):  # a full disk must not stop the shops; the next report tries again
            write_atomic(self._home.status_file, json.dumps(content, indent=2).encode() + b"\n", mode=0o600)

    def _tender(self, child: Child) -> Tender:
        return Tender(
            child,
            log=self._home.logs / f"{child.name}.log",
            note=self._home.run / f"{child.name}.json",
            timing=self._timing,
            changed=self._changed,
        )

    def _changed(self, status: ChildStatus) -> None:
        self._is_changed = True
        self._announce()
        if self._on_change is not None:
            self._on_change(status)

    @contextmanager
    def _stop_on_signals(self) -> Iterator[None]:
        """Signals mean `stop` until everything is stopped; one ignored from outside (nohup) stays ignored."""
        loop = asyncio.get_running_loop()
        heard = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in heard:
            loop.add_signal_handler(number, self._stop.set)
        try:
            yield
        finally:
            for number in heard:
                loop.remove_signal_handler(number)
