"""An order that is paid by hand on a running stack: asked for in words, entered in parts, confirmed, called back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.demo.people import Buyer
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

ACCOUNT = "AT61 1904 3002 3457 3201"


@pytest.mark.req("PAY-12")
async def test_what_the_merchant_enters_pays_the_order_and_nothing_else_does(tmp_path: Path) -> None:
    """The buyer reads where to pay; a part leaves the order open, the rest confirms it, and its loss is shown."""
    words = tmp_path / "instructions"
    words.write_text(f"To Ann's Teas\n{ACCOUNT}\n")
    with RunningStack(tmp_path / "home") as stack:
        home = stack.home.root
        async with Shop(stack) as shop:
            name = f"shop-{shop.merchant.public_key[:8]}"
            await asyncio.to_thread(ncc, "wallet", "add", name, "manual", "--instructions-file", str(words), home=home)
            buyer = await shop.buyer()
            order_id = await shop.order(buyer)
            shown = await buyer.wait_for(order_id, "2")
            (text,) = [tag[2] for tag in shown.rumor.tags if tag[:2] == ("payment", "fiat")]
            row = await shop.until(lambda: shop.order_row(order_id), "the order")
            msat, ref = row["total_msat"], row["ref"]
            assert (msat, text) == (18_280_000, f"18.28 USD, Order {ref}\nTo Ann's Teas\n{ACCOUNT}")
            assert text in shown.rumor.content

            entered = await asyncio.to_thread(ncc_json, "wallet", "received", name, ref[:10], "18.00", home=home)
            assert (entered["there"], entered["missing"]) == ("18.00 USD", "0.28 USD")
            row = await shop.until(lambda: _row(shop, order_id, payment="partial"), "the part")
            assert (row["status"], row["paid_msat"]) == ("pending", 18_000_000)
            await shop.until(
                lambda: _told(buyer, "18 USD arrived so far; 0.28 USD are missing."), "the word on the part"
            )
            too_much = await asyncio.to_thread(ncc, "wallet", "received", name, f"Order {ref}", "1", home=home, code=2)
            assert "0.28 USD are missing" in too_much

            await asyncio.to_thread(ncc, "wallet", "received", name, f"Order {ref}", home=home)
            await buyer.wait_for(order_id, "3", "confirmed")
            row = await shop.until(lambda: _row(shop, order_id, payment="paid"), "the order in ClickHouse")
            assert (row["status"], row["paid_msat"], row["owed_msat"]) == ("confirmed", msat, 0)
            twice = await asyncio.to_thread(ncc, "wallet", "received", name, ref, home=home, code=2)
            assert "is there already" in twice

            await asyncio.to_thread(ncc, "wallet", "received", name, ref, "--taken-back", home=home)
            await shop.until(lambda: _row(shop, order_id, payment="reversed"), "the loss")
            nobody = await asyncio.to_thread(ncc, "wallet", "received", name, "ffff", home=home, code=2)
            assert "nobody was asked to pay for an order ffff by hand" in nobody


async def _told(buyer: Buyer, words: str) -> bool | None:
    return any(words in message.rumor.content for message in buyer.messages) or None


async def _row(shop: Shop, order_id: str, *, payment: str) -> dict[str, Any] | None:
    row = await shop.order_row(order_id)
    return row if row and row["payment"] == payment else None
