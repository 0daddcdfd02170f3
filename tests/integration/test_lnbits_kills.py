"""Orders paid through a real LNbits while the payments role is killed every two seconds of its life.

Forty of them in the tests; `NCC_PAID_ORDERS=200` is the whole proof, and takes four minutes.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.demo.people import Buyer
from services.demo.wallets.lnbits_server import Keys, LnbitsServer, lnbits_server
from services.payments.port import reference
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

ORDERS_EACH = 5
BUYERS = int(os.environ.get("NCC_PAID_ORDERS", "40")) // ORDERS_EACH
ORDERS = BUYERS * ORDERS_EACH
LIFE_S = 2.0
AT_ONCE = 10
"""Buyers who order at the same time; each of them goes on to the next order when one is confirmed."""


@asynccontextmanager
async def kills_of(stack: RunningStack, role: str) -> AsyncGenerator[list[int]]:
    """Kill a role two seconds after it came up, whatever it is at, again and again; gives the processes that died."""
    killed: list[int] = []

    async def strike() -> None:
        while True:
            await asyncio.sleep(LIFE_S)
            killed.append(stack.kill(role))
            await asyncio.to_thread(stack.wait_up, role, killed[-1])

    striking = asyncio.ensure_future(strike())
    try:
        yield killed
    finally:
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)
    await asyncio.to_thread(stack.wait_up, role, killed[-1])


@pytest.mark.case("P2", "P37")
@pytest.mark.req("PAY-17")
async def test_all_are_confirmed_once_and_the_books_are_those_of_lnbits(
    tmp_path: Path,
) -> None:
    """One invoice made and shown for each order, one confirmation; what LNbits lists as settled is what is entered."""
    (tmp_path / "lnbits").mkdir()
    with RunningStack(tmp_path / "home", is_patient=True) as stack, lnbits_server(tmp_path / "lnbits") as server:
        payer, keys = server.new_wallet(ORDERS * 100_000), server.new_wallet()
        async with Shop(stack, stock=ORDERS) as shop:
            await paid_into(shop, server, keys, tmp_path)
            buyers = [await shop.buyer() for _ in range(BUYERS)]
            room, bought = asyncio.Semaphore(AT_ONCE), list[tuple[Buyer, str]]()
            async with kills_of(stack, "payments") as killed, asyncio.TaskGroup() as everybody:
                for buyer in buyers:
                    everybody.create_task(_buy(shop, server, payer, buyer, room, bought))
            assert len(killed) >= 3

            assert len(bought) == ORDERS
            for buyer, order_id in bought:
                assert len(buyer.of_order(order_id, "2")) == 1, "one request was shown"
                assert len(buyer.of_order(order_id, "3", "confirmed")) == 1, "and confirmed once"
            entered = await shop.until(lambda: _entered(shop), "every settlement in ClickHouse")
            there = server.call("GET", f"/api/v1/payments?limit={ORDERS * 3}", headers={"X-Api-Key": keys.invoice})
            settled = Counter({one["external_id"]: one["amount"] for one in there if one["status"] == "success"})
            assert settled == entered
            accounts = await asyncio.to_thread(ncc_json, "ledger", home=stack.home.root)
            held = {row["account"]: int(row["msat"]) for row in accounts if row["merchant"] == shop.merchant.public_key}
            assert held == {"wallet": sum(settled.values()), "orders": -sum(settled.values())}
            requested = [one["external_id"] for one in there if one["external_id"] in settled]
            assert len(requested) == ORDERS, "none was made twice"


async def paid_into(shop: Shop, server: LnbitsServer, keys: Keys, folder: Path) -> None:
    """The shop is paid into this wallet from now on."""
    key_file = folder / "key"
    key_file.write_text(keys.invoice + "\n")
    name = f"shop-{shop.merchant.public_key[:8]}"
    words = ("wallet", "add", name, "lnbits", "--url", server.url, "--key-file", str(key_file))
    await asyncio.to_thread(ncc, *words, home=shop.stack.home.root)


async def _buy(
    shop: Shop,
    server: LnbitsServer,
    payer: Keys,
    buyer: Buyer,
    room: asyncio.Semaphore,
    bought: list[tuple[Buyer, str]],
) -> None:
    """Order, pay and wait for the confirmation, one after another."""
    for _ in range(ORDERS_EACH):
        async with room:
            order_id = await shop.order(buyer)
            await server.pay(payer, invoice_of(await buyer.wait_for(order_id, "2")))
            await buyer.wait_for(order_id, "3", "confirmed")
            bought.append((buyer, order_id))


async def _entered(shop: Shop) -> Counter[str] | None:
    """What the journal has as received, msat by the name that LNbits knows each request by; None until all is there."""
    rows: list[dict[str, Any]] = await shop.operator.sql(
        "SELECT subject, amount_msat FROM events WHERE type = 'PaymentSettled' AND merchant = {m:String}",
        m=shop.merchant.public_key,
    )
    found = Counter({reference(str(row["subject"])): int(row["amount_msat"]) for row in rows})
    return found if len(found) == len(rows) == ORDERS else None
