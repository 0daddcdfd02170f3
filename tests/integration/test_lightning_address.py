"""A shop's lightning address on the running stack: wallets resolve it, pay, and the order it was for is confirmed."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.bolt11 import decode
from schemas.lnurl import MadeInvoice, read_address, read_made, read_terms, read_verified
from schemas.lnurl_served import description_hash
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, to_json
from services.demo.people import Buyer
from services.embedded.ports import free_port
from tests.integration.test_command_line import ncc, ncc_json
from tests.schemas.nostr.given import an_event
from tests.support.shop import Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


class Wallet:
    """The few lines of a wallet that pays lightning addresses (LUD-16, LUD-06, LUD-21)."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, address: str, sats: int | None = None, zap: str = "") -> MadeInvoice:
        """An invoice for so much, or for the only amount that the address takes; held against what was said.

        With the text of a zap request it commits to that (NIP-57).
        """
        terms = read_terms((await self._http.get(read_address(address).url("http"))).content)
        amount_msat = terms.min_msat if sats is None else sats * 1_000
        assert terms.min_msat <= amount_msat <= terms.max_msat
        url = httpx.URL(terms.callback_url(amount_msat, ""))
        made = read_made((await self._http.get(url.copy_merge_params({"nostr": zap} if zap else {}))).content)
        invoice = decode(made.text)
        said = description_hash(zap) if zap else terms.description_hash
        assert (invoice.amount_msat, invoice.description_hash) == (amount_msat, said)
        return made

    async def is_settled(self, made: MadeInvoice) -> bool:
        """Whether the service says that an invoice was paid."""
        assert made.verify is not None
        state = read_verified((await self._http.get(made.verify)).content)
        assert (state.text, state.preimage) == (made.text, None)
        return state.is_settled


def zap_request(shop: Shop) -> str:
    """Somebody zaps the shop, and wants the receipt on the shop's relay."""
    tags = (("p", shop.merchant.public_key), ("relays", shop.relay))
    return to_json(an_event(kind=Kind.ZAP_REQUEST, tags=tags, content=""))


async def zap_receipt(shop: Shop) -> Event | None:
    """The one on the relay."""
    found = await shop.merchant.fetch(Kind.ZAP_RECEIPT, shop.merchant.public_key)
    return found[0] if found else None


async def reason_of(http: httpx.AsyncClient, url: str) -> str:
    """Why a call is refused."""
    answer: dict[str, Any] = (await http.get(url)).json()
    assert answer["status"] == "ERROR", answer
    return str(answer["reason"])


def addresses_of(message: Any) -> list[str]:
    """The lightning addresses that a payment request offers."""
    return [tag[2] for tag in message.rumor.tags if tag[:2] == ("payment", "lightning") and "@" in tag[2]]


async def give_address(shop: Shop, name: str, host: str) -> str:
    """The operator says that an address is the shop's."""
    address = f"{name}@{host}"
    path = f"/merchants/{shop.merchant.public_key}/settings"
    await shop.operator.call("PUT", path, {"lightning_address": address})
    return address


async def came_over(shop: Shop) -> int | None:
    """Sats that ClickHouse has of the address's money."""
    query = "SELECT sum(amount_msat) AS msat FROM events FINAL WHERE merchant = {m:String} AND type = 'AddressPaid'"
    rows = await shop.operator.sql(query, m=shop.merchant.public_key)
    return int(rows[0]["msat"] or 0) // 1_000 or None


async def test_an_address_is_paid_to_and_an_orders_own_address_confirms_the_order(tmp_path: Path) -> None:
    """The bare address gives invoices of the shop's wallet; an order's leads to its request, pinned to what is due."""
    door = f"http://127.0.0.1:{free_port()}"
    with RunningStack(tmp_path, environment={"NCC_SERVICE_URL": door}) as stack:
        async with Shop(stack) as shop, httpx.AsyncClient(timeout=60, trust_env=False) as http:
            name = f"shop-{secrets.token_hex(3)}"
            address = await give_address(shop, name, door.removeprefix("http://"))
            wallet = Wallet(http)

            zap = zap_request(shop)
            bare = await wallet.ask(address, 21, zap)
            assert not await wallet.is_settled(bare)
            await shop.pay(bare.text)
            assert await shop.until(lambda: came_over(shop), "the money over the address") == 21
            assert await wallet.is_settled(bare)
            receipt = await shop.until(lambda: zap_receipt(shop), "the zap receipt on the relay")
            assert {("bolt11", bare.text), ("description", zap)} <= set(receipt.tags)

            buyer = await shop.buyer()
            order_id = await shop.order(buyer)
            request = await buyer.wait_for(order_id, "2")
            (own,) = addresses_of(request)
            made = await wallet.ask(own)
            assert made.text == invoice_of(request)
            due_msat = decode(made.text).amount_msat
            other = f"{door}/lnurlp/{own.partition('@')[0]}?amount={(due_msat or 0) + 1_000}"
            assert await reason_of(http, other) == "bad_amount"

            await shop.pay(made.text)
            await buyer.wait_for(order_id, "3", "confirmed")
            row = await shop.until(lambda: _confirmed(shop, order_id), "the order in ClickHouse")
            assert (row["payment"], row["paid_msat"], row["owed_msat"]) == ("paid", due_msat, 0)
            assert await wallet.is_settled(made)
            assert await reason_of(http, read_address(own).url("http")) == "not_payable"
            await _settle_the_queue(shop, buyer, wallet, address)
            await _balance(shop)


async def _settle_the_queue(shop: Shop, buyer: Buyer, wallet: Wallet, address: str) -> None:
    """What came for nobody is kept; what a buyer paid before the shop had answered is entered for the order."""
    home = shop.stack.home.root
    (kept,) = await shop.until(lambda: _waiting(shop), "the payment in the queue")
    assert await asyncio.to_thread(ncc, "payments", "close", kept[:12], "kept", home=home)
    order_id = await shop.order(buyer)
    due_msat = decode(invoice_of(await buyer.wait_for(order_id, "2"))).amount_msat or 0
    await shop.pay((await wallet.ask(address, due_msat // 1_000)).text)
    (paid,) = await shop.until(lambda: _waiting(shop, kept), "the buyer's payment in the queue")
    await shop.until(lambda: shop.order_row(order_id), "the order in ClickHouse")
    assert "AddressAssigned" in await asyncio.to_thread(ncc, "payments", "assign", paid[:12], order_id, home=home)
    await buyer.wait_for(order_id, "3", "confirmed")
    await shop.until(lambda: _confirmed(shop, order_id), "its confirmation in ClickHouse")
    assert "No payment waits" in await asyncio.to_thread(ncc, "payments", "list", home=home)
    assert "no payment waits as" in await asyncio.to_thread(ncc, "payments", "close", paid, "kept", home=home, code=1)


async def _balance(shop: Shop) -> None:
    """Every fact stands on two accounts: they add up to nothing, and to what the orders and the wallet say."""
    home, name = shop.stack.home.root, f"shop-{shop.merchant.public_key[:8]}"
    accounts = await asyncio.to_thread(ncc_json, "ledger", name, home=home)
    held = {row["account"]: int(row["msat"]) for row in accounts}
    assert sum(held.values()) == held["address"] == 0
    assert held["kept"] == -21_000
    sql = "SELECT sum(paid_msat) AS msat FROM orders_now WHERE merchant = {m:String}"
    (row,) = await shop.operator.sql(sql, m=shop.merchant.public_key)
    assert -held["orders"] == int(row["msat"]) == held["wallet"] - 21_000
    assert "AddressAssigned" in await asyncio.to_thread(ncc, "ledger", name, "--entries", home=home)


async def _waiting(shop: Shop, but: str = "") -> list[str] | None:
    sql = "SELECT intent_id FROM unassigned_payments WHERE merchant = {m:String} AND intent_id != {b:String}"
    rows = await shop.operator.sql(sql, m=shop.merchant.public_key, b=but)
    return [str(row["intent_id"]) for row in rows] or None


async def _confirmed(shop: Shop, order_id: str) -> dict[str, Any] | None:
    row = await shop.order_row(order_id)
    return row if row and row["status"] == "confirmed" else None
