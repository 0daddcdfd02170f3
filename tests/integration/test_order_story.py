"""One order from the listing to the review, seen only through relays, wallet and API."""

from __future__ import annotations

import asyncio

import pytest

from services.demo.story import STOCK, play
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("TR-01")
@pytest.mark.req("TR-04")
@pytest.mark.req("TR-06")
@pytest.mark.req("TR-11")
@pytest.mark.req("TR-12")
@pytest.mark.req("PAY-02")
@pytest.mark.req("PAY-06")
@pytest.mark.req("INV-03")
@pytest.mark.req("NCC-01")
async def test_an_order_travels_from_listing_to_review_by_itself(stack: RunningStack) -> None:
    """The buyer claims 1 sat, is asked for 30,570, pays, is told each step; the relay shows the new stock."""
    facts = await play(await asyncio.to_thread(lambda: stack.client))

    expected = {"ok": True, "status": "completed", "stock_before": STOCK, "stock_after": STOCK - 2}
    assert expected == {key: facts[key] for key in expected}
    assert facts["clickhouse_orders"] == 1
    assert facts["review"] == 0.95
    assert facts["rating"] == {"reviews": 1, "verified": 1, "mean": 0.95}
