"""Many buyers at once for few pieces."""

from __future__ import annotations

import asyncio

import pytest

from services.demo.people import Buyer
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

BUYERS, PIECES = 50, 10


@pytest.mark.req("INV-02")
@pytest.mark.req("INV-01")
@pytest.mark.req("ORD-05")
async def test_fifty_orders_for_ten_pieces_make_ten_pending_and_forty_refused(stack: RunningStack) -> None:
    """Each buyer is told once: ten are asked for money, forty that there is not enough; the ledger agrees."""
    async with Shop(stack, stock=PIECES) as shop:
        buyers: list[Buyer] = list(await asyncio.gather(*(shop.buyer() for _ in range(BUYERS))))
        orders = await asyncio.gather(*(shop.order(buyer) for buyer in buyers))

        async def answered() -> bool | None:
            return all(b.of_order(o) for b, o in zip(buyers, orders, strict=True)) or None

        await shop.until(answered, "an answer for every buyer")
        await asyncio.sleep(1.5)

        told = [b.of_order(o) for b, o in zip(buyers, orders, strict=True)]
        assert {1} == {len(messages) for messages in told}
        assert len([m for m in told if m[0].tag("type") == "2"]) == PIECES
        refused = [m[0] for m in told if m[0].tag("status") == "cancelled"]
        assert len(refused) == BUYERS - PIECES
        assert all("stock" in message.rumor.content for message in refused)

        async def counted() -> dict[str, int] | None:
            rows = await shop.operator.sql(
                "SELECT status, count() AS n FROM orders_now WHERE merchant = {m:String} GROUP BY status",
                m=shop.merchant.public_key,
            )
            counts = {str(row["status"]): int(row["n"]) for row in rows}
            return counts if sum(counts.values()) == BUYERS else None

        assert await shop.until(counted, "all orders in ClickHouse") == {"pending": PIECES, "rejected": BUYERS - PIECES}
        row = await shop.row()
        assert row is not None
        assert (int(row["on_hand"]), int(row["held"]), int(row["available"])) == (PIECES, PIECES, 0)
