"""A deterministic event loop for one simulated process: no selector, no thread, no clock but the history's.

A killed process is a loop that is never run again; what it had outside is cut off first (`dead`).
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Never, cast

from tests.simulation.clock import Clock

STEPS_MAX = 20_000
"""Steps without a pause; more is a role that spins."""


class Killed(BaseException):
    """A process ended in the middle of what it did."""


class Timer:
    """A call due at a time of the monotonic clock."""

    __slots__ = ("args", "call", "is_cancelled")

    def __init__(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.call, self.args, self.is_cancelled = call, args, False

    def cancel(self) -> None:
        """Never make the call."""
        self.is_cancelled = True


class Loop:
    """Just what tasks, futures, sleeps and semaphores ask of a loop; asyncio takes anything that answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self.dead = False
        self.role = ""

    # What asyncio calls

    def time(self) -> float:
        return self._clock.passed_ms / 1_000

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        self._ready.append((callback, args))

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        self._count += 1
        timer = Timer(callback, args)
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        return self.call_at(self.time() + delay, callback, *args)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast(Any, self))

    def create_task(self, coro: Any, *, name: str | None = None, context: Any = None, **_: Any) -> asyncio.Task[Any]:
        if len(self._tasks) > 200:
            self._tasks = [task for task in self._tasks if not task.done()]
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=cast(Any, self), name=name)
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Threads take no time here."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  # whatever the call raises belongs to who awaits it
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A killed process tells nobody; a living one's failures are looked at where its tasks are."""

    # What the history calls

    @property
    def is_idle(self) -> bool:
        """Whether running it would do nothing now."""
        timers = self._timers
        return not self._ready and not (timers and timers[0][0] <= self._clock.passed_ms / 1_000)

    @property
    def next_s(self) -> float | None:
        """When something is due by itself."""
        return self._timers[0][0] if self._timers else None

    def drain(self) -> None:
        """Run everything that can run now."""
        now_s, timers, ready = self.time(), self._timers, self._ready
        while timers and timers[0][0] <= now_s:
            timer = heapq.heappop(timers)[2]
            if not timer.is_cancelled:
                ready.append((timer.call, timer.args))
        if not ready:
            return
        steps = 0
        callback: Any = None
        args: Any = ()
        asyncio._set_running_loop(cast(Any, self))
        try:
            while ready and not self.dead:
                callback, args = ready.popleft()
                try:
                    callback(*args)
                except Killed:
                    break
                steps += 1
                if steps > STEPS_MAX:
                    self._spun()
            callback = args = None  # this frame stands in the tracebacks of what failed, and would keep that alive
        finally:
            asyncio._set_running_loop(None)

    def run[T](self, work: Coroutine[Any, Any, T]) -> T | None:
        """Run something new to its end, as far as that needs no time; None where it needs some."""
        task = self.create_task(work)
        self.drain()
        return task.result() if task.done() and not task.cancelled() and not self.dead else None

    def discard(self) -> None:
        """Take a dead process apart, so that nothing is left for the garbage collector to finish."""
        self.dead = True
        self._timers.clear()
        pending = [task for task in self._tasks if not task.done()]
        callback: Any = None
        args: Any = ()
        asyncio._set_running_loop(cast(Any, self))
        try:
            for _ in range(20):
                while pending:
                    pending.pop(0).cancel()
                while self._ready:
                    callback, args = self._ready.popleft()
                    with suppress(Killed):
                        callback(*args)
                pending = [task for task in self._tasks if not task.done()]
                if not pending:
                    break
        finally:
            asyncio._set_running_loop(None)
        while self._tasks:
            _look_at(self._tasks.pop())
        callback = args = None  # this frame stands in the tracebacks of what was cancelled, and would keep that alive

    def failures(self) -> list[BaseException]:
        """What ended tasks of a living process by surprise."""
        found: list[BaseException] = []
        for task in self._tasks:
            if task.done() and not task.cancelled():
                error = task.exception()
                if error is not None and not isinstance(error, Killed):
                    found.append(error)
        return found

    def _spun(self) -> Never:
        raise AssertionError(f"a role took {STEPS_MAX} steps without a pause")


def _look_at(task: asyncio.Task[Any]) -> None:
    """Take a task's failure, so that nobody is told that no one did."""
    if task.done() and not task.cancelled():
        with suppress(BaseException):
            task.exception()
