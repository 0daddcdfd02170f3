"""A merchant who publishes everything from here: documents in, signed events on relays, and the other way round."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from tests.integration.test_command_line import ncc, ncc_json
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

POST = """\
id: post
title: Post
price: 5 USD
countries: [DE, NO]
weight_max: 30 kg
"""
TEA = """\
id: tea
title: Tea
price: 10.90 USD
description: |
  Green,
  from the hill.
stock: 7
weight: 100 g
images: [https://pictures.example/tea.png]
categories: [Drinks]
shipping: [post]
"""
SECRET_TITLE = "A teapot nobody knows of"


def newest(events: list[Event], d: str) -> Event | None:
    """The newest version of one address."""
    return next((event for event in events if ("d", d) in event.tags), None)


@pytest.mark.req("CAT-08")
@pytest.mark.req("CAT-13")
async def test_a_shop_is_published_changed_exported_imported_and_deleted_from_documents(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Each step is seen on the relay; a round trip through a folder changes nothing."""
    home = stack.home.root
    (tmp_path / "post.yaml").write_text(POST)
    (tmp_path / "tea.yaml").write_text(TEA)
    (tmp_path / "bad.yaml").write_text(TEA.replace("100 g", "100 stone").replace("id: tea", "id: bad"))

    async with Shop(stack) as shop:
        who = ("--shop", shop.merchant.public_key)

        async def run(*words: str, code: int = 0) -> str:
            return await asyncio.to_thread(ncc, *words, *who, home=home, code=code)

        async def said(*words: str) -> Any:
            return json.loads(await run(*words, "--json"))

        async def on_relay(kind: Kind, d: str) -> Event | None:
            return newest(await shop.merchant.fetch(kind, shop.merchant.public_key), d)

        wrong = await run("listing", "add", str(tmp_path / "tea.yaml"), str(tmp_path / "bad.yaml"), code=2)
        assert "bad.yaml, line 8: weight" in wrong
        assert await on_relay(Kind.PRODUCT, "tea") is None

        await run("shipping", "add", str(tmp_path / "post.yaml"))
        assert "is published" in await run("listing", "add", str(tmp_path / "tea.yaml"))
        tea = await shop.until(lambda: on_relay(Kind.PRODUCT, "tea"), "the listing on the relay")
        assert ("price", "10.90", "USD") in tea.tags
        assert tea.content == "Green,\nfrom the hill.\n"
        assert "like that already" in await run("listing", "add", str(tmp_path / "tea.yaml"))
        (tmp_path / "other.yaml").write_text(TEA.replace("title: Tea", "title: Other tea"))
        assert "already_there" in await run("listing", "add", str(tmp_path / "other.yaml"), code=1)

        await run("listing", "set", "tea", "price=12 USD", "summary=Fine")

        async def dearer() -> Event | None:
            event = await on_relay(Kind.PRODUCT, "tea")
            return event if event and ("price", "12", "USD") in event.tags else None

        changed = await shop.until(dearer, "the new price on the relay")
        assert ("stock", "7") in changed.tags
        assert changed.created_at > tea.created_at

        async def has_summary() -> dict[str, Any] | None:
            rows = {row["id"]: row for row in await said("listing", "list")}
            return rows if "summary" in rows.get("tea", {}).get("document", {}) else None

        assert "mug" in await shop.until(has_summary, "the new version in the list")
        assert "12 USD" in await run("listing", "show", "tea")

        folder = tmp_path / "shop"
        await run("shop", "export", str(folder))
        assert {row["state"] for row in await said("shop", "import", str(folder), "--dry-run")} == {"same"}
        file = folder / "listings" / "tea.yaml"
        file.write_text(file.read_text().replace("price: 12 USD", "price: 13 XYZ").replace("stock: 7", "stock: 99"))
        assert "price" in await run("shop", "import", str(folder), "--dry-run")
        assert "1 published" in await run("shop", "import", str(folder), "--yes")

        async def finding() -> list[dict[str, str]] | None:
            path = f"/catalogue/{shop.merchant.public_key}/findings"
            found = [row for row in await shop.operator.call("GET", path) if row["coordinate"].endswith(":tea")]
            return found or None

        rows = await shop.until(finding, "a finding about the currency")
        assert {(row["flaw"], row["detail"]) for row in rows} == {("unpriceable_currency", "XYZ")}
        assert "NCC_RATES" in await run("shop", "lint", code=1)
        kept = await shop.until(lambda: on_relay(Kind.PRODUCT, "tea"), "the listing")
        assert ("stock", "7") in kept.tags

        assert "is deleted" in await run("listing", "delete", "tea", "--yes")

        async def deletion() -> Event | None:
            events = await shop.merchant.fetch(Kind.DELETION, shop.merchant.public_key)
            return events[0] if events else None

        gone = await shop.until(deletion, "the deletion on the relay")
        assert gone.tags == (("a", f"30402:{shop.merchant.public_key}:tea"), ("k", "30402"))


@pytest.mark.req("CAT-10")
@pytest.mark.req("T37-01")
@pytest.mark.req("T37-02")
async def test_a_draft_is_private_until_it_is_published_and_then_gone(stack: RunningStack, tmp_path: Path) -> None:
    """It stands on the drafts' relay alone, as ciphertext; published, it is a listing, and the draft is emptied."""
    home = stack.home.root
    file = tmp_path / "pot.yaml"
    file.write_text(f"id: pot\ntitle: {SECRET_TITLE}\nprice: 30 USD\n")
    async with ScriptedRelay() as private, Shop(stack) as shop:
        await shop.add((private.url,))
        key = shop.merchant.public_key
        who = ("--shop", key)

        async def run(*words: str, code: int = 0) -> str:
            return await asyncio.to_thread(ncc, *words, *who, home=home, code=code)

        def kept() -> list[Event]:
            events = [Event.model_validate(frame[1]) for frame in private.frames("EVENT")]
            return [event for event in events if event.kind == Kind.DRAFT_WRAP]

        async def drafts() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(await run("draft", "list", "--json"))
            return found

        words = ("merchant", "relays", key, "--list", "drafts", "--relay", private.url)
        assert "drafts list" in await asyncio.to_thread(ncc, *words, home=home)
        await run("draft", "save", "listing", str(file))

        async def saved() -> list[Event] | None:
            return kept() or None

        (draft,) = await shop.until(saved, "the draft on its relay")
        assert ("k", "30402") in draft.tags
        assert draft.content
        assert SECRET_TITLE not in draft.content
        assert await shop.merchant.fetch(Kind.DRAFT_WRAP, key) == []

        async def listed() -> dict[str, Any] | None:
            return next((row for row in await drafts() if row["title"] == SECRET_TITLE), None)

        row = await shop.until(listed, "the draft in the list")
        assert (row["id"], row["noun"]) == ("pot", "listing")
        assert "price: 30 USD" in await run("draft", "show", "pot")
        assert "pot" not in [one["id"] for one in json.loads(await run("listing", "list", "--json"))]

        assert "is published" in await run("draft", "publish", "pot")

        async def public() -> Event | None:
            return newest(await shop.merchant.fetch(Kind.PRODUCT, key), "pot")

        assert ("title", SECRET_TITLE) in (await shop.until(public, "the listing on the relay")).tags

        async def emptied() -> bool | None:
            return kept()[-1].content == "" or None

        await shop.until(emptied, "the emptied draft")

        async def forgotten() -> bool | None:
            return await drafts() == [] or None

        await shop.until(forgotten, "no draft in the list")
        assert "no draft" in await run("draft", "discard", "pot", code=1)


async def test_an_inbox_list_is_published_and_another_clients_is_not_replaced_unasked(stack: RunningStack) -> None:
    """Without one, the shop's own relays are named; over another one only with --yes."""
    home = stack.home.root
    async with Shop(stack) as shop:
        key = shop.merchant.public_key

        async def inbox() -> tuple[tuple[str, ...], ...] | None:
            events = await shop.merchant.fetch(Kind.INBOX_RELAYS, key)
            return events[0].tags if events else None

        await asyncio.to_thread(ncc, "merchant", "relays", key, home=home)
        assert await shop.until(inbox, "the list on the relay") == (("relay", shop.relay),)
        words = ("merchant", "relays", key, "--relay", "wss://other.example")
        assert "--yes" in await asyncio.to_thread(ncc, *words, home=home, code=1)
        await asyncio.to_thread(ncc, *words, "--yes", home=home)

        async def replaced() -> bool | None:
            return await inbox() == (("relay", "wss://other.example"),) or None

        await shop.until(replaced, "the new list")
        shown = await asyncio.to_thread(ncc_json, "merchant", "relays", key, "--show", home=home)
        assert shown["drafts"] is None
