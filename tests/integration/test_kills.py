"""Any process killed -9 between any two steps of the story: the buyer is told everything once, and the books agree."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from services.demo.people import Buyer
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

ROLES = ("ingest", "intake", "decider", "views", "payments", "publisher", "metrics", "api")
STEPS = 8
"""Gaps of one story: after the order, the request, the payment, the confirmation and each update."""


class Killer:
    """Kills the next process of its plan, a seeded moment after each step, and waits for none of them."""

    def __init__(self, stack: RunningStack, plan: list[str], seed: int) -> None:
        self._stack = stack
        self._plan: Iterator[str] = iter(plan)
        self._random = random.Random(seed)
        self.killed: list[tuple[str, int]] = []

    async def strike(self) -> None:
        """Kill at a moment when the step before is still being worked on."""
        await asyncio.sleep(self._random.random() * 0.15)
        name = next(self._plan)
        await asyncio.to_thread(self._wait_alive, name)
        self.killed.append((name, self._stack.kill(name)))

    def _wait_alive(self, name: str) -> None:
        for killed, pid in reversed(self.killed):
            if killed == name:
                self._stack.wait_up(name, pid)
                return

    async def all_back(self) -> None:
        """Wait until every killed process has a living successor."""
        last = dict(self.killed)
        for name, pid in last.items():
            await asyncio.to_thread(self._stack.wait_up, name, pid)


async def a_story_under_fire(shop: Shop, buyer: Buyer, killer: Killer) -> str:
    """The whole story, with a kill in each gap."""
    order_id = await shop.order(buyer, quantity=2)
    await killer.strike()
    request = await buyer.wait_for(order_id, "2")
    await killer.strike()
    await shop.pay(invoice_of(request))
    await killer.strike()
    await buyer.wait_for(order_id, "3", "confirmed")
    for move, type_, status in (
        ("process", "3", "processing"),
        ("ship", "4", "shipped"),
        ("deliver", "4", "delivered"),
        ("complete", "3", "completed"),
    ):
        await killer.strike()
        await shop.move(order_id, move)
        await buyer.wait_for(order_id, type_, status)
    await killer.strike()
    return order_id


@pytest.mark.case("P37")
@pytest.mark.parametrize("turn", range(3))
@pytest.mark.req("PAY-17")
@pytest.mark.req("OPS-04")
@pytest.mark.req("ORD-10")
async def test_killed_between_every_two_steps_the_buyer_is_told_each_thing_once(stack: RunningStack, turn: int) -> None:
    """Each turn kills every role once, each in another gap; over the turns every gap has seen several."""
    plan = [ROLES[(gap * 3 + turn) % len(ROLES)] for gap in range(STEPS)]
    assert set(plan) == set(ROLES)
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        killer = Killer(stack, plan, seed=turn)
        order_id = await a_story_under_fire(shop, buyer, killer)
        await killer.all_back()

        async def settled() -> dict[str, object] | None:
            row, order = await shop.row(), await shop.order_row(order_id)
            done = row and order and order["status"] == "completed" and (int(row["sold"]), int(row["held"])) == (2, 0)
            return row if done and await shop.published_stock() == "8" else None

        row = await shop.until(settled, "a quiet end")
        await asyncio.sleep(1.0)

        told = [(m.tag("type"), m.tag("status")) for m in buyer.of_order(order_id)]
        expected = [
            ("2", None),
            ("3", "confirmed"),
            ("3", "processing"),
            ("4", "shipped"),
            ("4", "delivered"),
            ("3", "completed"),
        ]
        assert sorted(map(str, told)) == sorted(map(str, expected)), killer.killed
        assert len(buyer.wraps) == len(expected), (
            f"each message is one wrap, however often it was sent: {killer.killed}"
        )
        assert (int(row["on_hand"]), int(row["held"]), int(row["sold"])) == (8, 0, 2)
        moves = await shop.operator.sql(
            "SELECT movement, sum(quantity) AS n FROM stock_movements WHERE coordinate = {c:String} GROUP BY movement",
            c=shop.product,
        )
        assert {m["movement"]: int(m["n"]) for m in moves} == {"commit": 2, "hold": 2, "set": 10}
        for message in buyer.of_order(order_id):
            tags = {tag[0] for tag in message.rumor.tags}
            assert {"order", "e", "p"} <= tags
            assert message.rumor.content


@pytest.mark.parametrize("part", ["kafka", "relay"])
async def test_the_broker_and_the_relay_may_die_too(stack: RunningStack, part: str) -> None:
    """Their clients wait, come back and go on; the order under way loses nothing."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        pid = stack.kill(part)
        request = await buyer.wait_for(order_id, "2")
        await shop.pay(invoice_of(request))
        await buyer.wait_for(order_id, "3", "confirmed")
        await asyncio.to_thread(stack.wait_up, part, pid)

        assert [m.tag("type") for m in buyer.of_order(order_id)] == ["2", "3"]
