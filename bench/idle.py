"""What the stack takes while nobody orders: time to start, memory, and processor time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bench import usage
from bench.figures import Values
from bench.stack import Stack

SETTLE_S = 10.0


async def start_twice(stack: Stack, report: Callable[[float], None]) -> dict[str, Values]:
    """`startup_seconds`: in an empty folder, and again in the same one; leaves the stack running."""
    first_s = await asyncio.to_thread(stack.start)
    report(0.5)
    await asyncio.to_thread(stack.stop)
    second_s = await asyncio.to_thread(stack.start)
    return {"startup_seconds": {"first": first_s, "second": second_s}}


async def memory(stack: Stack, report: Callable[[float], None]) -> tuple[dict[str, Values], dict[str, object]]:
    """`idle_memory_mb` of all processes and of each, some seconds after the start; and the cores they keep busy."""
    pids = stack.pids()
    for second in range(round(SETTLE_S / 2)):
        report(second / SETTLE_S)
        await asyncio.sleep(1)
    before = usage.read(pids)
    for second in range(round(SETTLE_S / 2), round(SETTLE_S)):
        report(second / SETTLE_S)
        await asyncio.sleep(1)
    spent = usage.between(before, usage.read(pids))
    each = sorted(((name, usage.memory_mb(pid)) for name, pid in pids.items()), key=lambda item: -item[1])
    values: Values = {"all": sum(one for _, one in each), **dict(each)}
    busy = {name: round(share, 3) for name, share in spent.cores().items()}
    return {"idle_memory_mb": values}, {"cores_busy_while_idle": {"all": round(sum(busy.values()), 3), **busy}}
