"""Orders paid in ecash that comes in messages, on a running stack whose buyers' door is shut, with a real mint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from schemas.cashu.requests import read_request
from schemas.cashu.tokens import Token, write_token
from schemas.nostr.kinds import Kind
from schemas.nostr.nip19 import decode_nprofile
from services.demo.people import Buyer, Person
from services.demo.wallets.ecash_purse import EcashPurse, payload
from services.demo.wallets.nutshell_mint import nutshell_mint
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("PAY-11")
async def test_ecash_in_a_message_pays_and_what_is_not_taken_is_told_to_buyer_and_merchant(tmp_path: Path) -> None:
    """Of a foreign mint, and not locked though the list has a key: refused. A wallet's message for the request pays."""
    folder = tmp_path / "mint"
    folder.mkdir()
    with nutshell_mint(folder) as mint, RunningStack(tmp_path / "home") as stack:
        home, purse = stack.home.root, EcashPurse(mint.url)
        async with Shop(stack) as shop:
            me = shop.merchant.public_key
            name = f"shop-{me[:8]}"
            await asyncio.to_thread(ncc, "wallet", "add", name, "cashu", "--mint", mint.url, home=home)
            key = (await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home))["lock_key"]
            await shop.merchant.publish(Kind.NUTZAP_INFO, (("pubkey", key),))
            await shop.until(lambda: _listed(shop), "the mint list in the journal")
            buyer = await shop.buyer()
            order_id = await shop.order(buyer)
            shown = await buyer.wait_for(order_id, "2")
            (text,) = [tag[2] for tag in shown.rumor.tags if tag[:2] == ("payment", "ecash")]
            asked = read_request(text)
            assert asked.amount is not None
            assert (asked.post_to, asked.lock_key) == (None, key)
            assert decode_nprofile(asked.nostr_to or "").pubkey == me

            good, open_ = await purse.token(asked.amount, key), await purse.token(asked.amount)
            foreign = Token("https://evil.example", "sat", (await purse.token(1)).proofs)
            await buyer.send(me, Kind.CHAT_MESSAGE, (), write_token(foreign))
            await shop.until(lambda: _told(buyer, "(foreign_mint)"), "the word on the foreign mint")
            receipt = (("order", order_id), ("payment", "ecash", mint.url, write_token(open_)))
            await buyer.send(me, Kind.PAYMENT_RECEIPT, receipt)
            await shop.until(lambda: _told(buyer, "(not_locked)"), "the word on the lock")
            await shop.until(lambda: _row(shop, order_id, "not_locked"), "the reason with the order")
            attention = await asyncio.to_thread(ncc_json, "orders", "--attention", home=home)
            assert [(one["order_id"], one["attention"]) for one in attention] == [(order_id, "token_refused")]

            wallet = Person(shop.relay)
            await wallet.send(me, Kind.CHAT_MESSAGE, (), payload(asked.id or "", good))
            await buyer.wait_for(order_id, "3", "confirmed")
            row = await shop.until(lambda: _row(shop, order_id, ""), "the order in ClickHouse")
            assert row["paid_msat"] == asked.amount * 1_000
            assert await asyncio.to_thread(ncc_json, "orders", "--attention", home=home) == []
            await wallet.close()
            for token in (good, open_):
                assert _hits(home, token) == []


async def _listed(shop: Shop) -> bool | None:
    rows = await shop.operator.sql("SELECT 1 FROM events WHERE type = 'PreferenceRecorded'")
    return True if rows else None


async def _told(buyer: Buyer, word: str) -> bool | None:
    return True if any(word in message.rumor.content for message in buyer.messages) else None


async def _row(shop: Shop, order_id: str, refused: str) -> dict[str, Any] | None:
    row = await shop.order_row(order_id)
    is_there = row is not None and row["token_refused"] == refused and (refused or row["status"] == "confirmed")
    return row if is_there else None


def _hits(home: Path, token: Token) -> list[str]:
    """Files of the whole home, Kafka's and ClickHouse's among them, that have a secret of the token in them."""
    secrets_ = [proof.secret.encode() for proof in token.proofs]
    return [
        str(path) for path in home.rglob("*") if path.is_file() and any(one in path.read_bytes() for one in secrets_)
    ]
