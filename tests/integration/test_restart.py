"""The supervisor's own death, and what a restart finds again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from services.supervision.processes import is_alive
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


async def test_after_kill_nine_of_the_supervisor_the_next_start_goes_on_with_everything(tmp_path: Path) -> None:
    """An order is under way when all dies; after the next start it is paid, and listing, stock and order are there."""
    stack = RunningStack(tmp_path / "home", partitions=2)
    stack.start()
    try:
        async with Shop(stack) as shop:
            buyer = await shop.buyer()
            order_id = await shop.order(buyer, quantity=3)
            request = await buyer.wait_for(order_id, "2")
            pids = [int(child["pid"]) for child in stack.children().values()]
            stack.kill_supervisor()
            give_up_s = time.monotonic() + 15
            while living := [pid for pid in pids if is_alive(pid)]:
                assert time.monotonic() < give_up_s, f"processes {living} outlived their supervisor"
                await asyncio.sleep(0.2)

            await asyncio.to_thread(stack.start)
            await shop.pay(invoice_of(request))
            await buyer.wait_for(order_id, "3", "confirmed")

            async def sold() -> str | None:
                return await shop.published_stock() if await shop.published_stock() == "7" else None

            assert await shop.until(sold, "the new stock on the relay") == "7"
            told = [m.tag("type") for m in buyer.of_order(order_id)]
            assert told == ["2", "3"]
    finally:
        stack.stop()
    leftovers = [p.info for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or [])]
    assert leftovers == []
