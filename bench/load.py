"""How many orders a second the whole machine carries from order to confirmation, and what each costs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import usage
from bench.buyers import Buyers, answered
from bench.figures import Values, percentile
from bench.stack import Stack

SECONDS = 60.0
WARM_UP_S = 10.0
AT_ONCE = 400
"""Orders under way at any time: each confirmation makes room for the next order."""
WRITTEN_PER_S = 250
"""Orders written ahead for every second; what goes beyond is written on the way, at a third of a millisecond."""
GIVE_UP_S = 60.0
APART = ("relay", "buyers")
"""What the budget of processor time leaves out: a merchant's relay and buyers are elsewhere."""


@dataclass(frozen=True, slots=True)
class Load:
    """The figures, and what they mean."""

    values: dict[str, Values]
    details: dict[str, object]


async def measure(stack: Stack, buyers: Buyers, scale: float, report: Callable[[float], None]) -> Load:
    """`orders_per_second` and `cpu_ms_per_order` by process; `all` is our roles, the supervisor and the broker."""
    seconds = max(5.0, SECONDS * scale)
    buyers.write(round(WRITTEN_PER_S * seconds))
    working = asyncio.Event()
    working.set()
    workers = [asyncio.ensure_future(_order_on(buyers, working)) for _ in range(AT_ONCE)]
    try:
        await _pass(WARM_UP_S, workers, lambda share: report(0.1 * share))
        pids = {**stack.pids(), "buyers": os.getpid()}
        began_s, before, confirmed_before = time.perf_counter(), usage.read(pids), buyers.confirmed
        await _pass(seconds, workers, lambda share: report(0.1 + 0.8 * share))
        spent, confirmed = usage.between(before, usage.read(pids)), buyers.confirmed - confirmed_before
        working.clear()
        unanswered = sum(await asyncio.gather(*workers))
    finally:
        for worker in workers:
            worker.cancel()
    waits_ms = [
        (placed.requested_s - placed.sent_s) * 1_000
        for placed in buyers.orders.values()
        if placed.requested_s is not None and placed.sent_s >= began_s
    ]
    cpu_ms: Values = {name: cpu_s * 1_000 / max(1, confirmed) for name, cpu_s in spent.by_name.items()}
    ours = sum(cpu or 0.0 for name, cpu in cpu_ms.items() if name not in APART)
    return Load(
        {
            "orders_per_second": {"": confirmed / spent.seconds},
            "cpu_ms_per_order": {"all": ours, **dict(sorted(cpu_ms.items(), key=lambda item: -(item[1] or 0.0)))},
        },
        {
            "seconds": round(spent.seconds, 1),
            "orders_confirmed": confirmed,
            "orders_unanswered": unanswered,
            "invoices_unpaid": len(buyers.unpaid),
            "orders_at_once": AT_ONCE,
            "order_to_payment_request_ms": {
                "p50": round(percentile(waits_ms, 0.5)) if waits_ms else None,
                "p99": round(percentile(waits_ms, 0.99)) if waits_ms else None,
            },
            "limited_by": usage.limiting(spent, usage.cores()),
            "cores_by_process": {name: round(share, 3) for name, share in spent.cores().items()},
            "cores_by_other_programs": round(spent.others_cores, 3),
            "restarted": sorted(pids.keys() - spent.by_name.keys()),
        },
    )


async def _order_on(buyers: Buyers, working: asyncio.Event) -> int:
    """Order again and again; gives how many orders nobody answered in time."""
    unanswered = 0
    while working.is_set():
        placed = await buyers.place()
        unanswered += not await answered(placed.confirmed, GIVE_UP_S)
    return unanswered


async def _pass(seconds: float, workers: Sequence[asyncio.Future[int]], report: Callable[[float], None]) -> None:
    """Wait, and raise what stops a worker meanwhile."""
    began_s = time.monotonic()
    while (passed_s := time.monotonic() - began_s) < seconds:
        report(passed_s / seconds)
        for worker in workers:
            if worker.done():
                worker.result()
        await asyncio.sleep(min(0.25, seconds - passed_s))
