"""Does to a running stack what the schedule says, and notes how long the work of each victim was interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from services.supervision import processes
from tests.chaos.liar import Liar
from tests.chaos.model import Placed
from tests.chaos.plan import BROKER, LIAR, RELAY, WALLET, Fault, Kind
from tests.support.stack import RunningStack

LOOK_EVERY_S = 0.2
VICTIM_S = 60.0
"""How long a victim is waited for that is dead already."""
ON_THE_WAY = ("ingest", "intake", "decider", "payments", "publisher", BROKER, RELAY, LIAR, WALLET)
"""What an order cannot do without, or might be held up by; the rest only shows what was decided."""


@dataclass(slots=True)
class Struck:
    """A fault that happened. Times are `time.monotonic()` seconds."""

    fault: Fault
    at_s: float
    """When it was done; for one that lasts, when it was over."""
    pid: int = 0
    back_s: float | None = None
    """When another process had taken the victim's place and answered."""


class Faults:
    """The hand that strikes, and the eye that sees processes come back."""

    def __init__(self, stack: RunningStack, liar: Liar, wallet: Path) -> None:
        self._stack, self._liar, self._wallet = stack, liar, wallet
        self._last_pid: dict[str, int] = {}
        self._paused: dict[int, float] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_over = False
        self._failures: list[BaseException] = []
        self.struck: list[Struck] = []

    @property
    def kills(self) -> int:
        """How many processes have been killed."""
        return sum(one.fault.kind is Kind.KILL for one in self.struck)

    async def play(self, schedule: Sequence[Fault]) -> None:
        """Everything in its time; returns when the last kill is done, whatever else is still under way."""
        began_s = time.monotonic()
        kills: list[asyncio.Task[None]] = []
        for fault in schedule:
            await asyncio.sleep(max(0.0, began_s + fault.at_s - time.monotonic()))
            task = asyncio.ensure_future(self._do(fault))
            if fault.kind is Kind.KILL:
                kills.append(task)
            self._under_way.add(task)
            task.add_done_callback(self._ended)
        await asyncio.gather(*kills)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault that could not be done is no fault that was stood: it ends the run."""
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failures.append(error)

    async def watch(self) -> None:
        """See processes come back, until cancelled."""
        while True:
            children, now_s = self._children(), time.monotonic()
            for one in self.struck:
                child = children.get(one.fault.target)
                if one.pid and one.back_s is None and child and child["state"] == "up":
                    one.back_s = now_s if child["pid"] not in (None, one.pid) else None
            await asyncio.sleep(LOOK_EVERY_S)

    async def end(self) -> None:
        """Nothing is wrong any more: whoever sleeps goes on, the relay tells the truth, the wallet is free."""
        self._is_over = True
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        for pid in list(self._paused):
            self._go_on(pid)
        await self._liar.heal()
        for error in self._failures:
            raise error

    async def _do(self, fault: Fault) -> None:
        pid = 0
        match fault.kind:
            case Kind.KILL:
                pid = await self._victim(fault.target)
                os.kill(pid, signal.SIGKILL)
                self._last_pid[fault.target] = pid
            case Kind.RESTART:
                pid = await self._victim(fault.target)
                os.kill(pid, signal.SIGTERM)
                self._last_pid[fault.target] = pid
            case Kind.PAUSE:
                await self._pause(await self._victim(fault.target), fault.lasts_s)
            case Kind.LOCK:
                await self._lock(fault.lasts_s)
            case _:
                await self._liar.lie(fault.kind, fault.lasts_s)
        self.struck.append(Struck(fault, time.monotonic(), pid))

    async def _victim(self, name: str) -> int:
        """The living process of this name, and one that we have not killed before; it may be still starting."""
        give_up_s = time.monotonic() + VICTIM_S
        while True:
            pid = self._children().get(name, {}).get("pid")
            if pid is not None and pid != self._last_pid.get(name) and processes.is_alive(pid):
                return int(pid)
            if time.monotonic() > give_up_s:
                raise AssertionError(f"{name} was not started again:\n{self._stack.logs(name)}")
            await asyncio.sleep(0.05)

    async def _pause(self, pid: int, lasts_s: float) -> None:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            self._paused[pid] = psutil.Process(pid).create_time()
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(lasts_s)
        self._go_on(pid)

    def _go_on(self, pid: int) -> None:
        """Let a paused process go on, if it is still the same one."""
        created_s = self._paused.pop(pid, None)
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if created_s is not None and psutil.Process(pid).create_time() == created_s:
                os.kill(pid, signal.SIGCONT)

    async def _lock(self, lasts_s: float) -> None:
        """Hold the wallet's only pen."""
        with contextlib.closing(sqlite3.connect(self._wallet, timeout=0, isolation_level=None)) as database:
            while True:
                try:
                    database.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    await asyncio.sleep(0.005)
            try:
                await asyncio.sleep(lasts_s)
            finally:
                database.execute("ROLLBACK")

    def _children(self) -> dict[str, dict[str, Any]]:
        try:
            return self._stack.children()
        except (OSError, json.JSONDecodeError):
            return {}


@dataclass(frozen=True, slots=True)
class Line:
    """All faults of one name: how many, and the worst interruption of each sort, in seconds."""

    name: str
    count: int
    back_worst_s: float | None
    """Until another process answered in the victim's place."""
    order_worst_s: float | None
    """Until an order sent afterwards had been paid and confirmed, whatever else went wrong meanwhile."""


def lines(struck: Iterable[Struck], gauges: Iterable[Placed]) -> list[Line]:
    """Faults by name."""
    sent = sorted((one.sent_s, one.confirmed_s) for one in gauges if one.confirmed_s is not None)
    by_name: dict[str, list[Struck]] = {}
    for one in struck:
        by_name.setdefault(one.fault.name, []).append(one)
    table: list[Line] = []
    for name, ones in sorted(by_name.items()):
        backs = [one.back_s - one.at_s for one in ones if one.back_s is not None]
        orders: list[float] = []
        if ones[0].fault.target in ON_THE_WAY:
            for one in ones:
                after = [confirmed_s for sent_s, confirmed_s in sent if sent_s >= one.at_s]
                orders += [min(after) - one.at_s] if after else []
        table.append(Line(name, len(ones), max(backs, default=None), max(orders, default=None)))
    return table
