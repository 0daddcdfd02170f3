"""Orders paid by nutzaps over a relay, on a running stack with a real mint; the list's key was made elsewhere."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from schemas.cashu.tokens import Token, write_token
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.nostr.secp256k1 import SecretKey
from services.demo.people import Buyer, Person
from services.demo.wallets.ecash_purse import EcashPurse, said
from services.demo.wallets.nutshell_mint import nutshell_mint
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


@pytest.mark.req("PAY-11")
@pytest.mark.case("F10")
async def test_a_nutzap_pays_the_order_it_names_and_whoever_copies_its_proofs_pays_nothing(tmp_path: Path) -> None:
    """The same event again counts once, a broken one is set aside, a gift is a letter; logs have nothing of any."""
    folder, key = tmp_path / "mint", SecretKey(secrets.token_bytes(32))
    folder.mkdir()
    key_file = tmp_path / "lock-key"
    key_file.write_text(key.reveal().hex())
    with nutshell_mint(folder) as mint, RunningStack(tmp_path / "home") as stack:
        home, purse = stack.home.root, EcashPurse(mint.url)
        async with Shop(stack) as shop:
            me = shop.merchant.public_key
            name = f"shop-{me[:8]}"
            options = ("--mint", mint.url, "--lock-key-file", str(key_file))
            await asyncio.to_thread(ncc, "wallet", "add", name, "cashu", *options, home=home)
            lock = (await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home))["lock_key"]
            assert lock == f"02{key.public_key}"
            await shop.merchant.publish(Kind.NUTZAP_INFO, (("relay", shop.relay), ("pubkey", lock)))
            await shop.until(lambda: _count(shop, "PreferenceRecorded"), "the mint list in the journal")

            buyer, rival = await shop.buyer(), await shop.buyer()
            order_id, rivals = await shop.order(buyer), await shop.order(rival)
            sats = [await _asked_sats(one, asked) for one, asked in ((buyer, order_id), (rival, rivals))]
            assert sats[0] == sats[1]
            token, gift = await purse.token(sats[0], lock), await purse.token(3, lock)
            zap = await buyer.publish(Kind.NUTZAP, _tags(me, mint.url, token), f"For {order_id}, thanks!")
            await buyer.wait_for(order_id, "3", "confirmed")
            await buyer.put(zap)
            await rival.publish(Kind.NUTZAP, _tags(me, mint.url, token), rivals)
            await shop.until(lambda: _told(rival, "(already_used)"), "the word to whoever copied it")
            await buyer.publish(Kind.NUTZAP, _tags(me, mint.url, token)[:2])
            await shop.until(lambda: _set_aside(home), "the broken one in the quarantine")
            given = await Person(shop.relay).publish(Kind.NUTZAP, _tags(me, mint.url, gift), "For you")
            await shop.until(lambda: _count(shop, "MessageReceived"), "the gift in the inbox")

            rows = {one: await shop.order_row(one) for one in (order_id, rivals)}
            assert [(row["paid_msat"], row["status"]) for row in rows.values() if row] == [
                (sats[0] * 1_000, "confirmed"),
                (0, "pending"),
            ]
            held = (await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home))["mints"]
            assert [one["sats"] for one in held] == [sats[0]]
            kept = tmp_path / "gift"
            redeem = ("wallet", "redeem", name, "--token-file", str(kept))
            for text in (to_json(given), f"{write_token(gift)}\nFor you\n"):  # it counts once
                kept.write_text(text)
                assert (await asyncio.to_thread(ncc_json, *redeem, home=home))["sats"] == 3
            kept.write_text("{}")
            assert "neither a token nor an event" in await asyncio.to_thread(ncc, *redeem, home=home, code=2)
            held = (await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home))["mints"]
            assert [one["sats"] for one in held] == [sats[0] + 3]
            for log in (home / "logs").rglob("*"):
                text = log.read_text(errors="replace") if log.is_file() else ""
                assert not any(proof.secret in text for proof in (*token.proofs, *gift.proofs))


def _tags(merchant: str, mint: str, token: Token) -> tuple[tuple[str, ...], ...]:
    """What a wallet writes into a nutzap."""
    proofs = (("proof", json.dumps(said(proof))) for proof in token.proofs)
    return (("p", merchant), ("u", mint), ("unit", "sat"), *proofs)


async def _asked_sats(buyer: Buyer, order_id: str) -> int:
    shown = await buyer.wait_for(order_id, "2")
    (amount,) = [tag[1] for tag in shown.rumor.tags if tag[0] == "amount"]
    return int(amount)


async def _count(shop: Shop, event: str) -> int | None:
    return len(await shop.operator.sql("SELECT 1 FROM events WHERE type = {type:String}", type=event)) or None


async def _told(buyer: Buyer, word: str) -> bool | None:
    return any(word in message.rumor.content for message in buyer.messages) or None


async def _set_aside(home: Path) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = await asyncio.to_thread(ncc_json, "quarantine", "list", home=home)
    return [row for row in rows if row["reason"] == "bad_nutzap"] or None
