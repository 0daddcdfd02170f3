"""A whole run: each stage in its turn, the stack started once for those that need it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench import domain, idle, latency, load, recovery, usage, wraps
from bench.buyers import Buyers, Refused
from bench.figures import STACK_STAGES, Values
from bench.shop import STOCK, Shop, a_secret
from bench.stack import Stack, StackFailed

SHOPS = 4
BUYERS = 50
OPEN_S = 60.0

Report = Callable[[str, float], None]
"""Told the stage and its share that is done, 0 to 1."""


@dataclass(slots=True)
class Run:
    """What was measured."""

    machine: dict[str, object]
    values: dict[str, Values] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    failure: str = ""
    """What stopped the run before its end; empty where nothing did."""


async def run(stages: Iterable[str], scale: float, report: Report) -> Run:
    """Measure these stages at a share of the full load; after a failure the home folder stays for a look."""
    chosen = tuple(stages)
    result = Run(usage.machine())
    folder = Path(tempfile.mkdtemp(prefix="ncc-bench-"))
    try:
        if "wraps" in chosen:
            result.values |= await wraps.measure(folder / "wraps", scale, _of(report, "wraps"))
        if "domain" in chosen:
            result.values |= await domain.measure(scale, _of(report, "domain"))
        if STACK_STAGES & set(chosen):
            await _in_stack(Stack(folder / "home"), chosen, scale, report, result)
    finally:
        if not result.failure:
            shutil.rmtree(folder, ignore_errors=True)
    return result


async def _in_stack(stack: Stack, chosen: tuple[str, ...], scale: float, report: Report, result: Run) -> None:
    """Run the stack round its stages; what fails is told in the result, beside what was measured before."""
    try:
        try:
            await _with_stack(stack, chosen, scale, report, result)
        finally:
            stack.stop()
    except (StackFailed, Refused) as failed:
        result.failure = f"{failed}\nIts home is kept: {stack.home.root}"


async def _with_stack(stack: Stack, chosen: tuple[str, ...], scale: float, report: Report, result: Run) -> None:
    if "startup" in chosen:
        result.values |= await idle.start_twice(stack, _of(report, "startup"))
    else:
        stack.start()
    if "memory" in chosen:
        values, details = await idle.memory(stack, _of(report, "memory"))
        result.values |= values
        result.details["memory"] = details
    shops = [Shop(a_secret(f"merchant {number}")) for number in range(SHOPS)]
    ordering = [stage for stage in ("latency", "load", "recovery") if stage in chosen]
    for number, stage in enumerate(ordering):
        buyers = Buyers(stage, BUYERS, shops, stack.relay, stack.wallet)
        try:
            await buyers.open()
            if number == 0:
                await _open_shops(stack, buyers, shops)
            await _stage(stage, stack, buyers, scale, report, result)
        finally:
            await buyers.close()


async def _stage(stage: str, stack: Stack, buyers: Buyers, scale: float, report: Report, result: Run) -> None:
    reporting = _of(report, stage)
    match stage:
        case "latency":
            result.values |= await latency.measure(buyers, scale, reporting)
        case "load":
            loaded = await load.measure(stack, buyers, scale, reporting)
            result.values |= loaded.values
            result.details["load"] = loaded.details
        case "recovery":
            result.values["recovery_seconds"], details = await recovery.measure(stack, buyers, reporting)
            result.details["recovery"] = details


async def _open_shops(stack: Stack, buyers: Buyers, shops: list[Shop]) -> None:
    """Listings on the relay, merchants in the stack, and all of it read. Raises `StackFailed`."""
    for shop in shops:
        await buyers.put(*shop.catalogue(int(time.time())))
        await asyncio.to_thread(stack.open_shop, shop)
    give_up_s = time.monotonic() + OPEN_S
    listed = f"SELECT count() AS n FROM inventory_now WHERE on_hand = {STOCK}"
    while await asyncio.to_thread(stack.count, listed) < len(shops):
        if time.monotonic() > give_up_s:
            raise StackFailed(f"the listings were not read within {OPEN_S:.0f} s:\n{stack.logs()}")
        await asyncio.sleep(0.1)


def _of(report: Report, stage: str) -> Callable[[float], None]:
    return lambda share: report(stage, share)
