"""An order's conversation on real parts: held, sent in parcels, refunded, handed over, turned away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.nostr.kinds import Kind
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

LINK = "https://example.com/song?key=7"


@pytest.mark.req("NCC-09", "C-35")
async def test_a_person_takes_an_order_over_and_gives_it_back(stack: RunningStack) -> None:
    """Nothing reaches the buyer meanwhile, and then one word; a paused shop answers with its own."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer, 2)
        request = await buyer.wait_for(order_id, "2")
        ref = str((await shop.until(lambda: shop.order_row(order_id), "the order"))["ref"])
        assert "OrderHeld" in await run("order", "hold", ref)
        assert "nothing changed" in await run("order", "hold", ref)
        await run("wallet", "pay", invoice_of(request))

        async def is_paid() -> bool | None:
            row = await shop.order_row(order_id)
            return (row is not None and row["status"] == "confirmed" and bool(row["on_hold"])) or None

        await shop.until(is_paid, "the payment of an order on hold")
        assert [message.tag("type") for message in buyer.of_order(order_id)] == ["2"]
        assert "ReplyPromised" in await run("order", "release", ref)
        await buyer.wait_for(order_id, "3", "confirmed")

        await run("order", "ship", ref, "--tracking", "A")
        await run("order", "ship", ref, "--tracking", "B")
        await run("order", "deliver", ref, "--tracking", "A")

        async def parcels() -> bool | None:
            row = await shop.order_row(order_id)
            return (row is not None and list(row["parcel_states"]) == ["delivered", "shipped"]) or None

        await shop.until(parcels, "both parcels")
        paid_sats = int((await shop.until(lambda: shop.order_row(order_id), "the order"))["paid_msat"]) // 1_000
        assert "RefundRecorded" in await run("order", "refund", ref, "--sats", "400", "--rail", "cash")
        too_much = await run("order", "refund", ref, "--sats", str(paid_sats), "--rail", "cash", code=2)
        assert "refund_too_high" in too_much
        await run("order", "refund", ref, "--sats", str(paid_sats - 400), "--rail", "cash", "--reference", "R1")
        await buyer.wait_for(order_id, "3", "cancelled")

        name = f"shop-{shop.merchant.public_key[:8]}"
        assert "takes no orders" in await run("merchant", "pause", name, "--text", "Back on 3 August.")
        turned_away = await shop.order(buyer)
        assert (await buyer.wait_for(turned_away, "3", "cancelled")).rumor.content == "Back on 3 August."
        assert "takes orders again" in await run("merchant", "resume", name)
        await buyer.wait_for(await shop.order(buyer), "2")


@pytest.mark.req("SU-06")
async def test_a_digital_order_is_handed_over_by_itself(stack: RunningStack, tmp_path: Path) -> None:
    """Paid, sent as a private message, complete; the text is in no listing of the operator's and in no table."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:
        tags = (("d", "song"), ("title", "A song"), ("price", "10", "SATS"), ("type", "simple", "digital"))
        await shop.merchant.publish(Kind.PRODUCT, tags)
        song = f"30402:{shop.merchant.public_key}:song"
        text = tmp_path / "song.txt"
        text.write_text(LINK + "\n")
        assert "is sent to whoever pays" in await run("goods", "set", song, str(text))
        assert "no listing" in await run("goods", "set", "song", str(text), code=1)
        assert "cannot be read" in await run("goods", "set", song, str(tmp_path / "nothing"), code=2)
        listed = await asyncio.to_thread(lambda: ncc_json("goods", "list", home=home))
        assert song in {row["coordinate"] for row in listed}

        buyer = await shop.buyer()
        await buyer.order(shop.merchant.public_key, "the-song", ((song, 1),))
        await run("wallet", "pay", invoice_of(await buyer.wait_for("the-song", "2")))
        await buyer.wait_for("the-song", "3", "completed")
        messages = [m for m in buyer.messages if m.rumor.kind == Kind.CHAT_MESSAGE and m.tag("subject") == "the-song"]
        assert [LINK in message.rumor.content for message in messages] == [True]
        ref = str((await shop.until(lambda: shop.order_row("the-song"), "the order"))["ref"])
        assert LINK not in await run("order", "show", ref)
        assert "nobody" in await run("goods", "remove", song)
