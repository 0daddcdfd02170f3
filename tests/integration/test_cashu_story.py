"""Orders paid in ecash of a real mint, on a running stack: taken, refused, and taken out again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.cashu.requests import read_request
from schemas.cashu.tokens import Token, read_token
from services.demo import story
from services.demo.people import Buyer
from services.demo.wallets.ecash_purse import EcashPurse, NotTaken, said
from services.demo.wallets.nutshell_mint import nutshell_mint
from services.embedded.ports import free_port
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


async def test_a_shop_is_paid_in_ecash_and_refuses_what_is_none(tmp_path: Path) -> None:
    """A spent token is reported and then failed, one of another mint is not swapped; a good one confirms the order."""
    folder, home = tmp_path / "mint", tmp_path / "home"
    folder.mkdir()
    door = f"http://127.0.0.1:{free_port()}"
    with (
        nutshell_mint(folder) as mint,
        RunningStack(home, environment={"NCC_SERVICE_URL": door}) as stack,
    ):
        home = stack.home.root
        purse = EcashPurse(mint.url)
        async with Shop(stack) as shop:
            name = f"shop-{shop.merchant.public_key[:8]}"
            await asyncio.to_thread(ncc, "wallet", "add", name, "cashu", "--mint", mint.url, home=home)
            buyer = await shop.buyer()
            order_id = await shop.order(buyer)
            shown = await buyer.wait_for(order_id, "2")
            (text,) = [tag[2] for tag in shown.rumor.tags if tag[:2] == ("payment", "ecash")]
            asked = read_request(text)
            assert asked.amount is not None
            assert asked.post_to is not None
            assert asked.post_to.startswith(f"{door}/ecash/{shop.merchant.public_key}/")

            spent, good = await purse.token(asked.amount), await purse.token(asked.amount, asked.lock_key)
            await _spend(purse, spent)
            for bad, why in (
                (spent, "spent"),
                (Token("https://evil.example", "sat", good.proofs[:1]), "foreign_mint"),
                (
                    await purse.token(
                        asked.amount, "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
                    ),
                    "foreign_lock",
                ),
            ):
                with pytest.raises(NotTaken, match=why):
                    await purse.post(asked, bad)
            await shop.until(lambda: _told(buyer, "(spent)"), "the word to the buyer")
            assert (await shop.until(lambda: _row(shop, order_id), "the order"))["status"] == "pending"

            assert await purse.post(asked, good) == {"state": "settled"}
            await buyer.wait_for(order_id, "3", "confirmed")
            row = await shop.until(lambda: _row(shop, order_id, "confirmed"), "the order in ClickHouse")
            assert (row["payment"], row["paid_msat"], row["owed_msat"]) == ("paid", asked.amount * 1_000, 0)

            checked = await asyncio.to_thread(ncc_json, "wallet", "check", name, home=home)
            assert [(one["mint"], one["sats"]) for one in checked["mints"]] == [(mint.url, asked.amount)]
            assert checked["lock_key"] == asked.lock_key
            file = tmp_path / "token"
            await asyncio.to_thread(ncc, "wallet", "withdraw", name, "--file", str(file), home=home)
            taken = read_token(file.read_text())
            assert (taken.amount, file.stat().st_mode & 0o777) == (asked.amount, 0o600)
            assert "no ecash" in await asyncio.to_thread(ncc, "wallet", "withdraw", name, home=home, code=1)
            again = await asyncio.to_thread(ncc_json, "wallet", "withdraw", name, "--again", home=home)
            assert read_token(again["tokens"][0]) == taken
            await _spend(purse, taken)
            for token in (good, taken):
                assert _hits(home, token) == []
        facts = await story.play(await asyncio.to_thread(lambda: stack.client), "cashu")
        assert (facts["ok"], facts["wallet"], facts["status"]) == (True, "cashu", "completed")


async def _told(buyer: Buyer, word: str) -> bool | None:
    return True if any(word in message.rumor.content for message in buyer.messages) else None


async def _row(shop: Shop, order_id: str, status: str = "") -> dict[str, Any] | None:
    row = await shop.order_row(order_id)
    return row if row and status in ("", row["status"]) else None


async def _spend(purse: EcashPurse, token: Token) -> None:
    """Swap it for other ecash, as whoever has it may."""
    fresh = await purse.blinded(token.amount)
    inputs = [{key: value for key, value in said(proof).items() if key != "dleq"} for proof in token.proofs]
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        (await http.post(f"{purse.mint}/v1/swap", json={"inputs": inputs, "outputs": fresh})).raise_for_status()


def _hits(home: Path, token: Token) -> list[str]:
    """Files of the whole home, Kafka's and ClickHouse's among them, that have a secret of the token in them."""
    secrets_ = [proof.secret.encode() for proof in token.proofs]
    return [
        str(path)
        for path in home.rglob("*")
        if path.is_file() and "peers" not in path.parts and any(one in path.read_bytes() for one in secrets_)
    ]
