"""A lightning address that is served here, resolved and paid by a real LNbits wallet and by an LNURL client library."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.lnurl import read_address
from services.demo.wallets.lnbits_server import ENVIRONMENT, Keys, LnbitsServer, lnbits_server
from services.embedded.ports import free_port
from tests.integration.test_lightning_address import addresses_of, came_over, give_address
from tests.integration.test_lnbits_kills import paid_into
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

CLIENT = """
import asyncio, json, sys
import lnurl

async def main(url, msat):
    code = lnurl.encode(url)
    terms = await lnurl.handle(code)
    answer = await lnurl.execute_pay_request(terms, int(msat) or int(terms.minSendable))
    print(json.dumps({"lnurl": str(code), "min": int(terms.minSendable), "max": int(terms.maxSendable),
                      "invoice": str(answer.pr), "says": terms.metadata.text}))

asyncio.run(main(*sys.argv[1:]))
"""
"""The library is LNbits' own (`lnurl`), in its own environment: it resolves, asks, and checks the amount."""


async def resolved(url: str, msat: int = 0) -> dict[str, Any]:
    """What the client library makes of an address's URL; 0 asks for the least that it takes."""
    python = str(ENVIRONMENT / "bin" / "python")
    command = [python, "-c", CLIENT, url, str(msat)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def paid_to(server: LnbitsServer, payer: Keys, lnurl: str, msat: int) -> dict[str, Any]:
    """What LNbits says once its wallet has paid an LNURL: it resolves, asks, checks and pays by itself."""
    async with httpx.AsyncClient(timeout=60, trust_env=False, headers={"X-Api-Key": payer.admin}) as http:
        answer = await http.post(f"{server.url}/api/v1/payments/lnurl", json={"lnurl": lnurl, "amount": msat})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_lnbits_and_a_client_library_pay_the_address_and_an_order_that_is_bound_to_it(tmp_path: Path) -> None:
    """The money is the shop's own LNbits wallet's: the order's address confirms it, the bare one is entered."""
    (tmp_path / "lnbits").mkdir()
    door = f"http://127.0.0.1:{free_port()}"
    with (
        RunningStack(tmp_path / "home", environment={"NCC_SERVICE_URL": door}) as stack,
        lnbits_server(tmp_path / "lnbits") as server,
    ):
        payer, keys = server.new_wallet(1_000_000), server.new_wallet()
        async with Shop(stack) as shop:
            await paid_into(shop, server, keys, tmp_path)
            address = await give_address(shop, f"shop-{secrets.token_hex(3)}", door.removeprefix("http://"))
            bare = await resolved(read_address(address).url("http"), 21_000)
            assert address in bare["says"]
            await server.pay(payer, bare["invoice"])
            assert await shop.until(lambda: came_over(shop), "the money over the address") == 21

            buyer = await shop.buyer()
            for pays_by_itself in (True, False):
                order_id = await shop.order(buyer)
                request = await buyer.wait_for(order_id, "2")
                (own,) = addresses_of(request)
                found = await resolved(read_address(own).url("http"))
                assert found["min"] == found["max"]
                assert found["invoice"] == invoice_of(request)
                if pays_by_itself:
                    done = await paid_to(server, payer, found["lnurl"], found["min"])
                    assert (done["status"], done["bolt11"]) == ("success", found["invoice"])
                else:
                    await server.pay(payer, found["invoice"])
                await buyer.wait_for(order_id, "3", "confirmed")
