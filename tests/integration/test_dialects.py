"""Orders of other clients' dialects on real parts: each paid to confirmed in its own, or a letter where it is off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from services.demo.people import Buyer, Message
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import ADDRESS, Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

KINDS = {"k15": Kind.FILE_MESSAGE, "k14": Kind.CHAT_MESSAGE}


async def order(shop: Shop, buyer: Buyer, dialect: str, order_id: str) -> None:
    """A mug, as a client of that dialect asks for it."""
    tags = (
        ("subject", "order-info"),
        ("order", order_id),
        *((("type", "1"),) if dialect == "k14" else ()),
        ("item", shop.product, "1"),
        ("shipping", shop.shipping),
        ("address", ADDRESS),
    )
    await buyer.send(shop.merchant.public_key, KINDS[dialect], tags, "One mug, please.")


async def heard(shop: Shop, buyer: Buyer, order_id: str, is_it: Callable[[Message], bool]) -> Message:
    """The first message about this order that is so."""

    async def look() -> Message | None:
        return next((message for message in buyer.of_order(order_id) if is_it(message)), None)

    return await shop.until(look, f"a message about {order_id}")


async def test_an_order_of_another_dialect_is_paid_to_confirmed_in_that_dialect(stack: RunningStack) -> None:
    """Asked for, paid and confirmed; nothing the buyer gets about it is of another kind."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        for dialect, kind in KINDS.items():
            order_id = f"in-{dialect}"
            await order(shop, buyer, dialect, order_id)
            request = await heard(shop, buyer, order_id, lambda m: m.tag("subject") == "order-payment")
            await shop.pay(invoice_of(request))
            await heard(shop, buyer, order_id, lambda m: m.tag("status") == "confirmed")
            assert {message.rumor.kind for message in buyer.of_order(order_id)} == {kind}

            async def confirmed(order_id: str = order_id) -> dict[str, Any] | None:
                row = await shop.order_row(order_id)
                return row if row is not None and row["status"] == "confirmed" else None

            assert (await shop.until(confirmed, f"{order_id} confirmed"))["dialect"] == dialect


async def test_a_dialect_that_is_switched_off_is_a_letter_with_a_notice(stack: RunningStack) -> None:
    """The operator switches it with a command, reads the letter in the inbox, and finds the notice."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:
        buyer, name = await shop.buyer(), f"shop-{shop.merchant.public_key[:8]}"
        await run("merchant", "set", name, "dialects_off=k16", code=1)
        await run("merchant", "set", name, "dialects_off=k14")
        await order(shop, buyer, "k14", "a-letter")

        async def letter() -> dict[str, Any] | None:
            rows = await shop.operator.sql("SELECT name FROM messages_now WHERE buyer = {b:String}", b=buyer.public_key)
            return rows[0] if rows else None

        await shop.until(letter, "the letter")
        shown = await asyncio.to_thread(lambda: ncc_json("inbox", "show", buyer.public_key, home=home))
        (message,) = shown["messages"]
        assert message["text"].startswith("One mug, please.\nitem: ")
        assert ADDRESS in message["text"]

        async def notice() -> dict[str, Any] | None:
            rows = await shop.operator.sql(
                "SELECT * FROM quarantine_now WHERE reason = 'dialect_off' AND merchant = {m:String}",
                m=shop.merchant.public_key,
            )
            return rows[0] if rows else None

        await shop.until(notice, "the notice")
        assert await shop.order_row("a-letter") is None
        await order(shop, buyer, "k15", "still-heard")
        await heard(shop, buyer, "still-heard", lambda m: m.tag("subject") == "order-payment")
