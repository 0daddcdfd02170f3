"""Vendors call the running stack: forged, unknown, five times, twice by itself; and what they say is looked up."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.bip21 import address_in
from schemas.bolt11 import decode
from services.demo.wallets.lnbits_server import lnbits_server
from services.embedded.ports import free_port
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.scripted_btcpay import KEY, STORE, ScriptedBtcpay
from tests.support.scripted_nodes import Clock, Ledger
from tests.support.scripted_phoenixd import LIMITED, ScriptedPhoenixd
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

SECRET = "what phoenix.conf says of webhooks"
QUIET_S = 2.0


class Today(Clock):
    """The clock that everybody has."""

    def __call__(self) -> int:
        return int(time.time())


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningStack, str]]:
    """A stack whose buyers' door is open, and the door's address."""
    door = f"http://127.0.0.1:{free_port()}"
    with RunningStack(tmp_path_factory.mktemp("home"), environment={"NCC_SERVICE_URL": door}) as stack:
        yield stack, door


def a_file(folder: Path, name: str, text: str) -> str:
    """A file with one line."""
    (folder / name).write_text(text + "\n")
    return str(folder / name)


async def settlements(shop: Shop) -> int:
    """How often the journal settled a payment of this shop."""
    query = "SELECT count() AS n FROM events FINAL WHERE merchant = {m:String} AND type = 'PaymentSettled'"
    return int((await shop.operator.sql(query, m=shop.merchant.public_key))[0]["n"])


@pytest.mark.case("F11", "F12", "P4", "P7")
@pytest.mark.req("PAY-16")
async def test_a_notice_is_proven_looked_up_and_believed_in_nothing(
    called: tuple[RunningStack, str], tmp_path: Path
) -> None:
    """Forged: 401. Signed but unpaid: no change. Unknown: 2xx. Paid and told five times: one confirmation."""
    stack, door = called
    home, phoenixd = stack.home.root, ScriptedPhoenixd(Ledger(clock=Today()), is_deaf=True)

    async def run(*words: str) -> Any:
        return await asyncio.to_thread(ncc_json, *words, home=home)

    async with phoenixd.serve() as url, Shop(stack) as shop, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        name = f"shop-{shop.merchant.public_key[:8]}"
        files = ["--key-file", a_file(tmp_path, "password", LIMITED)]
        files += ["--webhook-secret-file", a_file(tmp_path, "secret", SECRET)]
        added = await run("wallet", "add", name, "phoenixd", "--url", url, *files)
        hook = (await run("wallet", "check", name))["webhook"]
        assert hook == added["webhook"]
        assert hook.startswith(f"{door}/hooks/")

        async def tell(ref: str, secret: str = SECRET, to: str = hook) -> int:
            said = {"type": "payment_received", "timestamp": 7, "amountSat": 21_000_000, "externalId": ref}
            raw = json.dumps({**said, "paymentHash": "ab" * 32}, indent=2).encode()
            signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
            answer = await http.post(to, content=raw, headers={"X-Phoenix-Signature": signature})
            assert answer.content == b""
            return answer.status_code

        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        invoice = invoice_of(await buyer.wait_for(order_id, "2"))
        ref = next(entry.label for entry in phoenixd.ledger.entries if entry.text == invoice)

        assert await tell(ref, secret="guessed") == 401
        assert await tell(ref, to=f"{door}/hooks/{'x' * 32}") == 404
        assert await tell(ref) == 202
        assert await tell("a" * 24) == 202
        await asyncio.sleep(QUIET_S)
        row = await shop.until(lambda: shop.order_row(order_id), "the order in ClickHouse")
        assert (row["status"], row["payment"], await settlements(shop)) == ("pending", "requested", 0)

        await phoenixd.ledger.pay(invoice)
        assert [await tell(ref) for _ in range(5)] == [202] * 5
        await buyer.wait_for(order_id, "3", "confirmed")
        await shop.until(lambda: _paid(shop, order_id), "the payment in ClickHouse")
        await asyncio.sleep(QUIET_S)
        row = await shop.until(lambda: _paid(shop, order_id), "the payment in ClickHouse")
        assert (await settlements(shop), row["paid_msat"]) == (1, decode(invoice).amount_msat)

        checked = await run("wallet", "check", name)
        assert checked["webhook_calls"] == {"forged": 1, "hinted": 7}
        assert "a notice of nothing that is open" in (home / "logs" / "payments.log").read_text()
        logs = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
        assert [hook.rpartition("/")[2] in logs, SECRET in logs] == [False, False]


@pytest.mark.case("P4", "P9")
@pytest.mark.req("PAY-16")
async def test_lnbits_itself_calls_twice_and_confirms_once(called: tuple[RunningStack, str], tmp_path: Path) -> None:
    """It is told the address with each invoice; its body is JSON in a JSON string, and comes two times."""
    stack, door = called
    home = stack.home.root
    (tmp_path / "lnbits").mkdir()
    with lnbits_server(tmp_path / "lnbits") as server:
        payer, keys = server.new_wallet(1_000_000), server.new_wallet()
        async with Shop(stack) as shop:
            name = f"shop-{shop.merchant.public_key[:8]}"
            words = ("--url", server.url, "--key-file", a_file(tmp_path, "key", keys.invoice), "--called-at", door)
            await asyncio.to_thread(ncc, "wallet", "add", name, "lnbits", *words, home=home)

            buyer = await shop.buyer()
            order_id = await shop.order(buyer)
            await server.pay(payer, invoice_of(await buyer.wait_for(order_id, "2")))
            await buyer.wait_for(order_id, "3", "confirmed")

            async def calls() -> dict[str, int] | None:
                checked = await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home)
                return checked["webhook_calls"] if checked["webhook_calls"] else None

            await shop.until(calls, "LNbits' call")
            await asyncio.sleep(QUIET_S)
            assert await calls() == {"hinted": 2}
            assert await settlements(shop) == 1


async def test_an_order_is_paid_into_a_btcpay_store_that_calls(
    called: tuple[RunningStack, str], tmp_path: Path
) -> None:
    """Added with one command, asked over its API, and confirmed as soon as BTCPay calls."""
    stack, _ = called
    home, btcpay = stack.home.root, ScriptedBtcpay(Ledger(clock=Today()))
    async with btcpay.serve() as url, Shop(stack) as shop, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        name = f"shop-{shop.merchant.public_key[:8]}"
        words = ["--url", url, "--store", STORE, "--key-file", a_file(tmp_path, "key", KEY)]
        words += ["--webhook-secret-file", a_file(tmp_path, "secret", SECRET)]
        added = await asyncio.to_thread(ncc_json, "wallet", "add", name, "btcpay", *words, home=home)
        assert (added["network"], added["warnings"]) == ("bcrt", [])

        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        invoice = invoice_of(await buyer.wait_for(order_id, "2"))
        entry = next(entry for entry in btcpay.ledger.entries if entry.text == invoice)
        await btcpay.ledger.pay(invoice)
        raw, headers = btcpay.notice(entry, "InvoiceSettled", SECRET, overPaid=False)
        assert (await http.post(added["webhook"], content=raw, headers=headers)).status_code == 202
        await buyer.wait_for(order_id, "3", "confirmed")
        row = await shop.until(lambda: _paid(shop, order_id), "the payment in ClickHouse")
        assert row["paid_msat"] == decode(invoice).amount_msat


async def test_an_order_is_paid_on_the_chain_into_a_btcpay_store_that_calls(
    called: tuple[RunningStack, str], tmp_path: Path
) -> None:
    """Seen, then settled; the store gives the address, and the trial took none that an order has."""
    stack, _ = called
    home, btcpay = stack.home.root, ScriptedBtcpay(Ledger(clock=Today()))
    async with btcpay.serve() as url, Shop(stack) as shop, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        name = f"shop-{shop.merchant.public_key[:8]}"
        words = ["--url", url, "--store", STORE, "--key-file", a_file(tmp_path, "key", KEY), "--on-chain"]
        words += ["--webhook-secret-file", a_file(tmp_path, "secret", SECRET)]
        added = await asyncio.to_thread(ncc_json, "wallet", "add", name, "btcpay", *words, home=home)
        assert (added["network"], added["warnings"]) == ("bcrt", [])

        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        request = await buyer.wait_for(order_id, "2")
        address = next(address_in(tag[2]) for tag in request.rumor.tags if tag[:2] == ("payment", "bitcoin"))
        trial, entry = btcpay.ledger.entries
        assert (trial.text != address, entry.text) == (True, address)
        coin = btcpay.send(address, entry.amount_msat // 1_000)
        for kind in ("InvoiceReceivedPayment", "InvoiceSettled"):
            raw, headers = btcpay.notice(entry, kind, SECRET)
            assert (await http.post(added["webhook"], content=raw, headers=headers)).status_code == 202
            await asyncio.sleep(QUIET_S)
            btcpay.mark(coin, "Settled")
        await buyer.wait_for(order_id, "3", "confirmed")
        row = await shop.until(lambda: _paid(shop, order_id), "the payment in ClickHouse")
        assert row["paid_msat"] == entry.amount_msat


async def _paid(shop: Shop, order_id: str) -> dict[str, Any] | None:
    row = await shop.order_row(order_id)
    return row if row and row["payment"] == "paid" else None
