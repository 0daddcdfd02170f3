"""`ncc` as an operator types it: every command, its JSON, and a sentence for each mistake."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.nostr.nip19 import encode_npub, encode_nsec
from schemas.nostr.nip49 import encrypt_key
from schemas.nostr.secp256k1 import SecretKey
from tests.integration.test_hostile_input import signed
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import CANARY_STREET, Shop, invoice_of
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


def ncc(*words: str, home: Path | None = None, code: int = 0) -> str:
    """Run the program; gives what it printed on both streams, and checks how it ended."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NCC_")} | {"COLUMNS": "200"}
    if home is not None:
        environment["NCC_HOME"] = str(home)
    done = subprocess.run(
        [sys.executable, "-m", "services.cli.main", *words], capture_output=True, text=True, env=environment, timeout=90
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, f"ncc {' '.join(words)} ended with {done.returncode}: {said}"
    assert "Traceback" not in said
    return said


def ncc_json(*words: str, home: Path) -> Any:
    """The same with --json, decoded."""
    return json.loads(ncc(*words, "--json", home=home))


async def test_every_listing_is_a_table_for_people_and_json_for_programs(stack: RunningStack) -> None:
    """One order is walked through with the program alone, and every listing shows it."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        order_id = await shop.order(buyer)
        request = await buyer.wait_for(order_id, "2")
        preimage = (await run("wallet", "pay", invoice_of(request))).strip()
        assert len(bytes.fromhex(preimage)) == 32
        await buyer.wait_for(order_id, "3", "confirmed")
        row = await shop.until(lambda: shop.order_row(order_id), "the order")
        ref = str(row["ref"])

        assert "ShippingMoved" in await run("order", "ship", ref[:12], "--tracking", "T-9", "--carrier", "DHL")
        assert "nothing changed" in await run("order", "ship", ref[:12])
        await run("order", "deliver", ref)
        await run("order", "complete", ref)
        refused = await run("order", "cancel", ref, code=2)
        assert "illegal_transition" in refused

        shown = await run("order", "show", ref)
        for word in (CANARY_STREET, "T-9", "OrderPlaced", "PaymentSettled", "payment_request"):
            assert word in shown
        listed = await asyncio.to_thread(lambda: ncc_json("orders", home=home))
        assert order_id in {order["order_id"] for order in listed}
        assert shop.product in {
            row["coordinate"] for row in await asyncio.to_thread(lambda: ncc_json("stock", home=home))
        }
        for words in (
            ("orders",),
            ("stock",),
            ("reviews",),
            ("reviews", "--by", "product"),
            ("reviews", "--by", "merchant"),
            ("merchant", "list"),
            ("merchant", "check"),
            ("quarantine", "list"),
            ("status",),
            ("topics",),
        ):
            assert await run(*words)
            assert isinstance(await asyncio.to_thread(lambda words=words: ncc_json(*words, home=home)), list)
        counted = await asyncio.to_thread(
            lambda: ncc_json("sql", f"SELECT count() AS n FROM orders_now WHERE order_id = '{order_id}'", home=home)
        )
        assert [{"n": int(row["n"])} for row in counted] == [{"n": 1}]
        assert "wrong" not in await run("doctor")
        mine = await run("merchant", "show", encode_npub(shop.merchant.public_key))
        assert shop.merchant.public_key in mine


@pytest.mark.req("INV-11")
async def test_another_system_keeps_the_count_until_it_gives_it_back(stack: RunningStack) -> None:
    """What it says is published; an old version and a stranger are refused in a sentence, and change nothing."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:

        async def published(number: str) -> bool | None:
            return await shop.published_stock() == number or None

        assert "4 on hand" in await run("set-stock", shop.product, "4", "--source", "erp", "--version", "17")
        await shop.until(lambda: published("4"), "the new number on the relay")
        assert "stale_version" in await run(
            "set-stock", shop.product, "9", "--source", "erp", "--version", "16", code=2
        )
        assert "erp keeps the count" in await run("set-stock", shop.product, "9", code=2)
        assert "nothing changed" in await run("set-stock", shop.product, "4", "--source", "erp", "--version", "17")
        assert "no listing" in await run("set-stock", "30402:mug", "4", code=1)

        assert "0 on hand" in await run("set-stock", shop.product, "0", "--source", "erp", "--version", "18")
        await shop.until(lambda: published("0"), "nothing left on the relay")
        sold_out = "SELECT quantity FROM events WHERE type = 'StockRanLow' AND coordinate = {c:String}"
        await shop.until(lambda: shop.operator.sql(sold_out, c=shop.product), "word of it")
        said = await asyncio.to_thread(ncc_json, "doctor", home=home)
        assert any("sold out" in finding["finding"] for finding in said)
        assert "listings count again" in await run("set-stock", shop.product, "--source", "erp", "--version", "19")


@pytest.mark.req("ID-10")
@pytest.mark.parametrize("form", ["nsec", "hex", "ncryptsec"])
def test_a_merchants_key_is_read_from_a_file_in_any_form(stack: RunningStack, tmp_path: Path, form: str) -> None:
    """The public key is printed; the key itself is in an encrypted file with mode 0600 and nowhere else."""
    key = SecretKey.from_bytes(secrets.token_bytes(32))
    texts = {"nsec": encode_nsec(key), "hex": key.reveal().hex()}
    texts["ncryptsec"] = encrypt_key(key, "open sesame", 12, secrets.token_bytes(16), secrets.token_bytes(24))
    file, passphrase = tmp_path / "key", tmp_path / "passphrase"
    file.write_text(texts[form] + "\n")
    passphrase.write_text("open sesame\n")

    said = ncc(
        "merchant",
        "add",
        f"by-{form}",
        "--key-file",
        str(file),
        "--passphrase-file",
        str(passphrase),
        home=stack.home.root,
    )

    assert said.strip() == key.public_key
    kept = stack.home.keys / f"{key.public_key}.ncryptsec"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().startswith("ncryptsec1")


def test_without_a_key_file_a_key_is_made(stack: RunningStack) -> None:
    """A new shop needs nothing but a name."""
    public_key = ncc("merchant", "add", "fresh", home=stack.home.root).strip()

    assert (stack.home.keys / f"{public_key}.ncryptsec").exists()


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("order", "show", "no-such-order"), 1, "ncc orders"),
        (("order", "ship", "no-such-order"), 1, "ncc orders"),
        (("merchant", "show", "nobody"), 1, "ncc merchant list"),
        (("merchant", "add", "x", "--wallet", "gold"), 1, "--wallet simulated"),
        (("merchant", "add", "x", "--relay", "http://example.com"), 1, "--relay"),
        (("merchant", "add", "x", "--key-file", "/nonexistent/key"), 1, "cannot be read"),
        (("wallet", "pay", "lnbcrt1nonsense"), 2, ""),
        (("quarantine", "show", "nothing"), 1, "no quarantine record"),
        (("quarantine", "replay", "nothing"), 1, "nothing to replay"),
        (("sql", "DROP TABLE events"), 1, ""),
        (("sql", "SELECT nonsense FROM events"), 1, ""),
        (("up",), 3, ""),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
)
def test_a_mistake_gets_one_sentence(stack: RunningStack, words: tuple[str, ...], code: int, sentence: str) -> None:
    """What, where, what to do; never a traceback."""
    said = ncc(*words, home=stack.home.root, code=code)

    assert sentence in said
    assert len(said.strip().splitlines()) <= 3


@pytest.mark.parametrize("words", [("orders",), ("status",), ("merchant", "list"), ("sql", "SELECT 1")])
def test_without_a_stack_every_command_says_how_to_start_one(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Nothing runs in this folder."""
    assert "ncc up" in ncc(*words, home=tmp_path, code=3)


def test_up_refuses_settings_it_cannot_use(tmp_path: Path) -> None:
    """Rates and relays are read before anything is started."""
    assert "USD=1000" in ncc("up", "--rates", "nonsense", home=tmp_path, code=2)
    assert "relay" in ncc("up", "--relay", "ftp://x", home=tmp_path, code=2).lower()


def test_every_query_the_readme_shows_is_answered(stack: RunningStack) -> None:
    """What a newcomer copies works."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    shown = re.findall(r'ncc sql "([^"]+)"', readme)

    assert len(shown) > 1
    for query in shown:
        assert isinstance(ncc_json("sql", query, home=stack.home.root), list)


@pytest.mark.req("EVT-09")
async def test_quarantined_input_becomes_a_fact_once_its_cause_is_cured(stack: RunningStack) -> None:
    """A listing whose author is no merchant yet is quarantined; added, and replayed, it is a listing, once."""
    home = stack.home.root
    async with Shop(stack) as neighbour, ScriptedRelay() as relay:
        await neighbour.add(relays=(relay.url,))
        await neighbour.until(lambda: _listening(relay), "a subscription")
        guest = Shop(stack)
        listing = signed(guest.merchant.secret, Kind.PRODUCT, (("d", "x"), ("title", "X"), ("price", "1", "SAT")), "")
        for guest_of_relay in relay.guests:
            for name in list(guest_of_relay.queries)[:1]:
                await guest_of_relay.show(name, to_json(listing))

        async def quarantined() -> str | None:
            rows = await neighbour.operator.sql(
                "SELECT id FROM quarantine_now WHERE relay = {r:String} AND reason = 'foreign_author'", r=relay.url
            )
            return str(rows[0]["id"]) if rows else None

        record = await neighbour.until(quarantined, "the quarantine record")
        shown = await asyncio.to_thread(ncc, "quarantine", "show", record, home=home)
        assert listing.id in shown
        await guest.add()
        await asyncio.sleep(1.0)
        for _ in range(2):
            await asyncio.to_thread(ncc, "quarantine", "replay", record, home=home)

        async def listed() -> list[dict[str, Any]] | None:
            rows = await neighbour.operator.sql(
                "SELECT type FROM events WHERE coordinate = {c:String}", c=f"30402:{guest.merchant.public_key}:x"
            )
            return rows or None

        await neighbour.until(listed, "the listing")
        await asyncio.sleep(1.0)
        assert sorted(row["type"] for row in (await listed() or [])) == ["ListingRecorded", "StockSet"]
        await guest.merchant.close()
        await guest.operator.close()


async def _listening(relay: ScriptedRelay) -> bool | None:
    return True if any(guest.queries for guest in relay.guests) else None


async def test_a_trial_order_shows_what_a_buyer_is_answered(stack: RunningStack) -> None:
    """Request and cancellation with their times and words; exit 1 and the reason where nobody is asked to pay."""
    home = stack.home.root
    async with Shop(stack) as shop:
        key = shop.merchant.public_key
        tried = await asyncio.to_thread(lambda: ncc_json("try", key, home=home))
        assert [(step["who"], step["what"]) for step in tried["steps"]] == [
            ("buyer", "order"),
            ("shop", "payment request"),
            ("buyer", "cancel"),
            ("shop", "cancelled"),
        ]
        assert (tried["outcome"], tried["amount_sats"]) == ("asked_for_payment", 18_280)
        refused = await asyncio.to_thread(ncc, "try", key, "--country", "FR", home=home, code=1)
        assert "not asked to pay" in refused
        assert "FR" in refused
        nobody = await asyncio.to_thread(ncc, "try", key, "--item", "30402:x:y", home=home, code=2)
        assert "no listing of" in nobody
