"""A shop moves in with one command: its key, its relays, its inbox list, what it says and sells, and a trial order."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip19 import encode_nsec
from services.demo.people import Person, open_catalogue
from services.embedded.ports import free_port
from tests.integration.test_command_line import ncc, ncc_json
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


def key_file(folder: Path, person: Person) -> str:
    """A person's key as a file."""
    file = folder / "shop.key"
    file.write_text(encode_nsec(person.secret) + "\n")
    return str(file)


def by_name(said: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Each step's state and sentence."""
    return {step["name"]: (step["state"], step["said"]) for step in said["steps"]}


@pytest.mark.req("C-41")
@pytest.mark.req("T65-01")
async def test_a_fresh_merchant_is_ready_in_one_command(stack: RunningStack, tmp_path: Path) -> None:
    """Profile and goods are on the relay; the list that buyers look for is not, and is published; a trial is paid."""
    merchant = Person(stack.client.ready["relay"])
    await merchant.publish(Kind.METADATA, (), '{"name": "Kettle and Co"}')
    await open_catalogue(merchant, 5)
    words = ("merchant", "add", "kettle", "--key-file", key_file(tmp_path, merchant), "--try")

    said = await asyncio.to_thread(ncc_json, *words, home=stack.home.root)

    steps = by_name(said)
    assert said["is_ready"], steps
    assert list(steps) == ["key", "shop", "relays", "profile", "inbox", "preferences", "listings", "trial"]
    assert {state for state, _ in steps.values()} == {"done"}, steps
    assert "Kettle and Co" in steps["profile"][1]
    assert "asked for" in steps["trial"][1]
    (published,) = await merchant.fetch(Kind.INBOX_RELAYS, merchant.public_key)
    assert read_inbox_relays(published) == (merchant.relay,)
    await merchant.close()


@pytest.mark.req("T65-01")
async def test_a_list_that_another_client_wrote_stays_when_the_shop_moves_in(
    stack: RunningStack, tmp_path: Path
) -> None:
    """It is found on the relay before anything is published, and named."""
    merchant = Person(stack.client.ready["relay"])
    written = await merchant.publish(Kind.INBOX_RELAYS, (("relay", "wss://inbox.example"),))
    words = ("merchant", "add", "moved", "--key-file", key_file(tmp_path, merchant))

    said = await asyncio.to_thread(ncc_json, *words, home=stack.home.root)

    assert by_name(said)["inbox"] == ("done", "the inbox list (10050) names wss://inbox.example")
    assert by_name(said)["profile"][0] == by_name(said)["listings"][0] == "todo"
    assert said["is_ready"]
    await asyncio.sleep(2)
    assert await merchant.fetch(Kind.INBOX_RELAYS, merchant.public_key) == [written]
    await merchant.close()


async def test_what_cannot_be_done_now_is_said_and_undoes_nothing(stack: RunningStack, tmp_path: Path) -> None:
    """A relay that may have the list is away: the shop is there, the list waits, and the command says what to run."""
    merchant = Person(stack.client.ready["relay"])
    away = f"ws://127.0.0.1:{free_port()}"
    words = ("merchant", "add", "waits", "--key-file", key_file(tmp_path, merchant), "--relay", away)

    told = await asyncio.to_thread(ncc, *words, home=stack.home.root, code=1)

    assert merchant.public_key in told
    assert f"may be at {away}" in told
    assert "ncc merchant relays waits" in told
    assert await merchant.fetch(Kind.INBOX_RELAYS, merchant.public_key) == []
    shown = await asyncio.to_thread(ncc_json, "merchant", "show", "waits", home=stack.home.root)
    assert shown["public_key"] == merchant.public_key
    await merchant.close()


async def test_a_trial_without_goods_says_what_is_missing(stack: RunningStack) -> None:
    """A new key's shop has nothing to order; all else is there."""
    words = ("merchant", "add", "empty", "--try", "--json")
    told = await asyncio.to_thread(ncc, *words, home=stack.home.root, code=1)

    said, _, aside = told.partition("\n")
    steps = by_name(json.loads(said))
    assert "trial" in aside
    assert steps["trial"][0] == "failed"
    assert "ncc try empty" in steps["trial"][1]
    assert steps["inbox"][0] == "done"
