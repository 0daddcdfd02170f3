"""How long the work of each role is interrupted when its process is killed, while orders keep coming in.

Measured from the kill until an order sent after it has gone its whole way: order, payment request, payment,
confirmation; for roles that only show what was decided, until that order is found through the API.
A process that merely runs again counts for nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench.buyers import Buyers, Placed, Refused, answered
from bench.figures import Value, Values
from bench.stack import Stack, StackFailed

ON_THE_WAY = ("ingest", "intake", "decider", "payments", "publisher", "relay", "kafka")
"""Processes that an order cannot do without."""
SHOWING = ("views", "metrics", "api")
"""Processes through which the operator sees it."""
EVERY_S = 0.2
"""An order so often."""
TIMEOUT_S = 60.0
QUIET_S = 2.0
"""How long everything has to be well before the next kill."""
_SEEN = "SELECT count() AS n FROM orders_now WHERE order_id = {id:String} AND status = 'confirmed'"


async def measure(stack: Stack, buyers: Buyers, report: Callable[[float], None]) -> tuple[Values, dict[str, object]]:
    """`recovery_seconds` by process; None where nothing went on within a minute. Orders nobody answered are told."""
    values: Values = {}
    trickle = Trickle(buyers)
    names = (*ON_THE_WAY[:5], *SHOWING, *ON_THE_WAY[5:])
    try:
        for number, name in enumerate(names):
            report(number / len(names))
            await _until_well(stack, trickle)
            stack.kill(name)
            values[name] = await (_shown(stack, trickle) if name in SHOWING else _confirmed(trickle))
        await _until_well(stack, trickle)
    finally:
        unanswered = await trickle.stop()
    return values, {
        "orders": len(buyers.orders),
        "orders_unanswered": unanswered,
        "invoices_unpaid": len(buyers.unpaid),
    }


class Trickle:
    """One order after another at a steady pace, however slowly they are answered."""

    def __init__(self, buyers: Buyers) -> None:
        self._buyers = buyers
        self._placing: set[asyncio.Task[Placed]] = set()
        self._work = asyncio.ensure_future(self._run())

    def sent_after(self, moment_s: float) -> list[Placed]:
        """The orders whose clock started after this moment, the oldest first."""
        return [placed for placed in self._buyers.orders.values() if placed.sent_s > moment_s]

    async def stop(self) -> int:
        """Send no more; gives how many of all were not confirmed within a minute."""
        self._work.cancel()
        for placing in self._placing:
            placing.cancel()
        await asyncio.gather(self._work, *self._placing, return_exceptions=True)
        until_s = time.perf_counter() + TIMEOUT_S
        orders = list(self._buyers.orders.values())
        waits = (answered(placed.confirmed, max(0.0, until_s - time.perf_counter())) for placed in orders)
        return (await asyncio.gather(*waits)).count(False)

    async def _run(self) -> None:
        while True:
            task = asyncio.ensure_future(self._buyers.place())
            self._placing.add(task)
            task.add_done_callback(self._placed)
            await asyncio.sleep(EVERY_S)

    def _placed(self, task: asyncio.Task[Placed]) -> None:
        """An order the relay would not take for a minute stays unanswered, and is counted so."""
        self._placing.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception) and not isinstance(error, Refused):
            raise error


async def _confirmed(trickle: Trickle) -> Value:
    killed_s = time.perf_counter()
    while time.perf_counter() - killed_s < TIMEOUT_S:
        done = [placed.confirmed_s for placed in trickle.sent_after(killed_s) if placed.confirmed_s is not None]
        if done:
            return min(done) - killed_s
        await asyncio.sleep(0.01)
    return None


async def _shown(stack: Stack, trickle: Trickle) -> Value:
    killed_s = time.perf_counter()
    while time.perf_counter() - killed_s < TIMEOUT_S:
        if sent := trickle.sent_after(killed_s):
            found = await asyncio.to_thread(stack.count, _SEEN, id=sent[0].order_id)
            if found:
                return time.perf_counter() - killed_s
        await asyncio.sleep(0.02)
    return None


async def _until_well(stack: Stack, trickle: Trickle) -> None:
    """Everything is up, and orders of the last moments were answered. Raises `StackFailed`."""
    give_up_s, well_since_s = time.perf_counter() + TIMEOUT_S, time.perf_counter()
    while time.perf_counter() < give_up_s:
        now_s = time.perf_counter()
        recent = [placed for placed in trickle.sent_after(now_s - 2 * QUIET_S) if placed.sent_s < now_s - QUIET_S / 2]
        if not stack.is_up() or not recent or any(placed.confirmed_s is None for placed in recent):
            well_since_s = now_s
        elif now_s - well_since_s >= QUIET_S:
            return
        await asyncio.sleep(0.1)
    raise StackFailed(f"orders are not answered within {QUIET_S / 2:.0f} s before a kill:\n{stack.logs()}")
