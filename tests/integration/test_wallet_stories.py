"""The demo's story with money that is not ours: a real LNbits, and a wallet that is spoken to over the relay."""

from __future__ import annotations

import asyncio

import pytest

from services.demo import story
from services.payments.wallets import KINDS, SIMULATED
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.parametrize("wallet", ["lnbits", "nwc"])
async def test_the_story_is_paid_into_another_wallet_and_nothing_else_differs(stack: RunningStack, wallet: str) -> None:
    """The same steps to the same end, whoever holds the money."""
    assert wallet in set(KINDS) - {SIMULATED}
    facts = await story.play(await asyncio.to_thread(lambda: stack.client), wallet)

    assert (facts["ok"], facts["wallet"], facts["status"]) == (True, wallet, "completed")
    assert (facts["stock_before"] - facts["stock_after"], facts["clickhouse_orders"]) == (story.QUANTITY, 1)
