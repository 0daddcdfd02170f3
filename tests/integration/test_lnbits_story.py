"""An order paid with a real LNbits wallet, in a shop that was swapped to it while the stack ran."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.bolt11 import Network, decode
from services.demo.wallets.lnbits_server import Keys, lnbits_server
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("PAY-22")
async def test_a_shop_is_swapped_to_lnbits_and_paid_there(stack: RunningStack, tmp_path: Path) -> None:
    """One command changes the wallet: the next invoice is LNbits', its payment confirms, its key is nowhere."""
    home = stack.home.root
    folder, key_file = tmp_path / "lnbits", tmp_path / "key"
    folder.mkdir()

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    with lnbits_server(folder) as server:
        payer, keys = server.new_wallet(1_000_000), server.new_wallet()
        async with Shop(stack) as shop:
            name = f"shop-{shop.merchant.public_key[:8]}"
            buyer = await shop.buyer()
            simulated = await shop.order(buyer)
            held = invoice_of(await buyer.wait_for(simulated, "2"))
            assert decode(held).network is Network.REGTEST

            key_file.write_text(keys.invoice + "\n")
            options = ("--url", server.url, "--key-file", str(key_file))
            await _wait_for_order(shop, simulated)
            assert "--despite-open" in await run("wallet", "add", name, "lnbits", *options, code=1)
            await shop.pay(held)
            await buyer.wait_for(simulated, "3", status="confirmed")
            await shop.until(lambda: _paid(shop, simulated), "the payment in ClickHouse")

            await run("wallet", "add", name, "lnbits", *options)
            checked = await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home)
            assert (checked["network"], checked["may"], checked["warnings"]) == ("bc", ["receive"], [])
            order_id = await shop.order(buyer)
            invoice = invoice_of(await buyer.wait_for(order_id, "2"))
            assert decode(invoice).network is Network.BITCOIN
            await server.pay(payer, invoice)
            await buyer.wait_for(order_id, "3", status="confirmed")
            assert _hits(home, keys) == []

            assert "here" in await run("wallet", "list")
            await run("wallet", "remove", name, "--despite-open")
            assert "missing" in await run("wallet", "list")
            assert name in await run("doctor", code=1)
            await run("wallet", "add", name, "simulated")
            assert "not needed" in await run("wallet", "list")


async def _wait_for_order(shop: Shop, order_id: str) -> None:
    await shop.until(lambda: shop.order_row(order_id), f"order {order_id} in ClickHouse")


async def _paid(shop: Shop, order_id: str) -> bool | None:
    row = await shop.order_row(order_id)
    return True if row and row["payment"] == "paid" else None


def _hits(home: Path, keys: Keys) -> list[str]:
    """Files of the whole home, Kafka's and ClickHouse's among them, that have a key in them."""
    return [
        str(path)
        for path in home.rglob("*")
        if path.is_file() and any(key.encode() in path.read_bytes() for key in (keys.invoice, keys.admin))
    ]
