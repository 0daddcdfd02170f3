"""A market of orders on the whole stack: every way to be answered, as buyers unwrap it."""

from __future__ import annotations

import asyncio

import pytest

from services.demo import market
from services.demo.market.orders import WISHES
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


async def test_every_order_of_the_market_is_answered_as_it_should_be(stack: RunningStack) -> None:
    """Priced by weight, distance, collection and period; waiting; and turned down for each reason there is."""
    facts = await market.play(await asyncio.to_thread(lambda: stack.client))

    assert [one for one in facts["orders"] if not one["as_expected"]] == []
    assert (facts["ok"], len(facts["orders"])) == (True, len(WISHES))
