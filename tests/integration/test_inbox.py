"""People's messages over real relays: read and answered with the program, and nowhere in plain text."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from services.demo.people import Buyer
from tests.support.shop import ADDRESS, CANARY_STREET, Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

QUESTION = f"Can it go to {CANARY_STREET} instead?"


def ncc(home: Path, *words: str, said: str = "") -> str:
    """Run the program with a text on its input; gives what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NCC_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.cli.main", *words],
        capture_output=True,
        text=True,
        input=said,
        env=environment | {"NCC_HOME": str(home), "COLUMNS": "200"},
        timeout=90,
        check=True,
    )
    return done.stdout


async def heard(buyer: Buyer, kind: int) -> Any:
    """The first message of a kind that the buyer gets."""
    async with asyncio.timeout(60):
        while True:
            for message in buyer.messages:
                if message.rumor.kind == kind:
                    return message.rumor
            await asyncio.sleep(0.1)


@pytest.mark.req("MSG-05")
@pytest.mark.req("MSG-12")
async def test_a_buyers_question_is_read_and_answered_with_the_program(stack: RunningStack) -> None:
    """The buyer unwraps a kind 14 with the order's id as subject; what they take back is marked and moves nothing."""
    home = stack.home.root
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        await buyer.wait_for(order_id, "2")
        question = await buyer.send(shop.merchant.public_key, Kind.CHAT_MESSAGE, (("subject", order_id),), QUESTION)

        async def conversation() -> Any:
            rows = json.loads(await asyncio.to_thread(ncc, home, "inbox", "--json"))
            return next((row for row in rows if row["buyer"] == buyer.public_key), None)

        row = await shop.until(conversation, "the question in the inbox")
        assert (row["waits"], row["order_id"], row["messages"]) == (True, order_id, 1)
        assert QUESTION in await asyncio.to_thread(ncc, home, "inbox", "show", buyer.public_key[:16])

        await asyncio.to_thread(
            ncc, home, "inbox", "answer", buyer.public_key, "--order", order_id, said="It can, no extra cost.\n"
        )
        answer = await heard(buyer, Kind.CHAT_MESSAGE)
        assert answer.content == "It can, no extra cost."
        assert ("subject", order_id) in answer.tags
        assert ("e", question.id) in answer.tags

        first = next(one for one in await _rumors(shop, order_id))
        await buyer.send(shop.merchant.public_key, Kind.DELETION, (("e", question.id), ("e", first)))

        async def marked() -> Any:
            order = await shop.order_row(order_id)
            return order if order is not None and order["message_deleted"] else None

        order = await shop.until(marked, "the mark on the order")
        assert order["status"] == "pending"
        assert "(taken back)" in await asyncio.to_thread(ncc, home, "inbox", "show", buyer.public_key)


async def _rumors(shop: Shop, order_id: str) -> list[str]:
    """The rumors that placed an order, as its replies name them."""
    named: list[str] = []
    for buyer in shop._buyers:
        for message in buyer.of_order(order_id):
            named += [tag[1] for tag in message.rumor.tags if tag[0] == "e"]
    return named


@pytest.mark.req("MSG-07")
async def test_an_order_that_everybody_can_read_is_answered_in_a_wrap_and_marked(stack: RunningStack) -> None:
    """Published in the open by the buyer's client; the merchant sees that it was."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = f"open-{secrets.token_hex(6)}"
        tags = shop.order_tags(order_id, ADDRESS.replace(CANARY_STREET, "1 Open Road"))
        await buyer.publish(Kind.ORDER, tags)
        request = await buyer.wait_for(order_id, "2")
        assert request.rumor.kind == Kind.ORDER

        row = await shop.until(lambda: shop.order_row(order_id), "the order")

    assert row["leaky"]
