"""A refund paid out on real parts: the buyer's message, two people's words, and a payments role that is killed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.nostr.kinds import Kind
from services.demo.wallets.lnbits_server import Keys, LnbitsServer, lnbits_server
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


def an_invoice(server: LnbitsServer, wallet: Keys, sats: int) -> str:
    """One of the buyer's own wallet."""
    body = {"out": False, "amount": sats, "memo": "my money back", "expiry": 600}
    return str(server.call("POST", "/api/v1/payments", body, {"X-Api-Key": wallet.invoice})["bolt11"])


@pytest.mark.case("F13", "P32")
@pytest.mark.req("C-01")
async def test_a_buyer_is_paid_back_once_though_the_payments_role_is_killed(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Paid by LNbits, sent back by LNbits: one payment, one word to the buyer, and books that the auditor accepts."""
    home = stack.home.root
    (tmp_path / "lnbits").mkdir()

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    with lnbits_server(tmp_path / "lnbits") as server:
        buyers, keys = server.new_wallet(1_000_000), server.new_wallet(100_000)
        (tmp_path / "key").write_text(keys.invoice)
        (tmp_path / "spend").write_text(keys.admin)
        (tmp_path / "token").write_text(await run("payouts", "approver", "add", "anna"))
        async with Shop(stack) as shop:
            name = f"shop-{shop.merchant.public_key[:8]}"
            wallet = ("wallet", "add", name, "lnbits", "--url", server.url, "--key-file", str(tmp_path / "key"))
            await run(*wallet)
            buyer = await shop.buyer()
            order_id = await shop.order(buyer)
            await server.pay(buyers, invoice_of(await buyer.wait_for(order_id, "2")))
            await buyer.wait_for(order_id, "3", "confirmed")
            row = await shop.until(lambda: shop.order_row(order_id), "the order")
            ref = str(row["ref"])
            assert "--spend-key-file" in await run("order", "pay-back", ref, "--sats", "21", code=1)
            await run(*wallet, "--spend-key-file", str(tmp_path / "spend"), "--despite-open")

            assert "invoice over 21 sats" in await run("order", "pay-back", ref, "--sats", "21", code=2)
            text = an_invoice(server, buyers, 21)
            await buyer.send(shop.merchant.public_key, Kind.CHAT_MESSAGE, (("subject", order_id),), f"Here: {text}")

            async def is_asked_for() -> bool | None:
                said = await asyncio.to_thread(lambda: ncc_json("order", "show", ref, home=home))
                return any(fact["type"] == "RefundInvoiceOffered" for fact in said["history"]) or None

            await shop.until(is_asked_for, "the buyer's invoice")
            await run("order", "pay-back", ref, "--sats", "21")

            async def waits() -> bool | None:
                rows = await asyncio.to_thread(lambda: ncc_json("orders", "--attention", home=home))
                return any((one["ref"], one["attention"]) == (ref, "payout_to_approve") for one in rows) or None

            await shop.until(waits, "the pay-out to wait for its approval")
            operators = str(home / "token")
            assert "approver" in await run("order", "approve", ref, "--sats", "21", "--token-file", operators, code=1)
            approving = asyncio.ensure_future(
                run("order", "approve", ref, "--sats", "21", "--token-file", str(tmp_path / "token"))
            )
            for _ in range(3):
                killed = stack.kill("payments")
                await asyncio.to_thread(stack.wait_up, "payments", killed)
            assert "PayoutApproved" in await approving

            async def is_refunded() -> bool | None:
                now = await shop.order_row(order_id)
                return True if now and int(now["refunded_msat"]) == 21_000 and now["payout"] == "" else None

            await shop.until(is_refunded, "the refund")
            rows = server.call("GET", "/api/v1/payments?limit=50", headers={"X-Api-Key": keys.invoice})
            assert [row["amount"] for row in rows if row["amount"] < 0] == [-21_000]
            found = await asyncio.to_thread(lambda: ncc_json("audit", home=home))
            assert (found["breaches"], found["frozen"]) == ([], {})
            assert any("21 sats by lightning" in one.rumor.content for one in buyer.messages)
