"""Money in parts and money taken back, on real parts: confirmed once, and not sent before a person says so."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


async def test_a_part_and_the_rest_confirm_once_and_money_taken_back_stops_the_parcel(stack: RunningStack) -> None:
    """The buyer reads what is missing, then one confirmation; after a reversal shipping is refused with a sentence."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        invoice = invoice_of(await buyer.wait_for(order_id, "2"))

        async def is_payment(state: str) -> dict[str, object] | None:
            row = await shop.order_row(order_id)
            return row if row is not None and row["payment"] == state else None

        assert "waits for the rest" in await run("wallet", "pay", invoice, "--sats", "10")
        partial = await shop.until(lambda: is_payment("partial"), "the part")
        assert (partial["status"], partial["paid_msat"]) == ("pending", 10_000)
        await run("wallet", "pay", invoice)
        await buyer.wait_for(order_id, "3", "confirmed")
        paid = await shop.until(lambda: is_payment("paid"), "the rest")
        assert paid["paid_msat"] == paid["total_msat"]

        ref = str(paid["ref"])
        await run("wallet", "reverse", invoice)
        reversed_ = await shop.until(lambda: is_payment("reversed"), "the reversal")
        assert (reversed_["paid_msat"], reversed_["reversed_msat"]) == (0, paid["total_msat"])
        refused = await run("order", "ship", ref, code=2)
        assert "its payment was taken back" in refused
        listed = await asyncio.to_thread(lambda: ncc_json("orders", "--attention", home=home))
        assert [row["attention"] for row in listed if row["ref"] == ref] == ["payment_reversed"]

        assert "PaymentImplied" in await run("order", "waive", ref)
        assert "ShippingMoved" in await run("order", "ship", ref)
        confirmed = [message for message in buyer.of_order(order_id) if message.tag("status") == "confirmed"]
        assert len(confirmed) == 1
