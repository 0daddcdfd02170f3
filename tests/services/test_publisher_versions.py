"""The publisher and events that replace each other: only the newest version of each is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.catalogue import Template
from schemas.deliveries import DeliveryState
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import event_id
from schemas.publishing import PublicationPromised
from services import telling
from tests.services.relays.scripted_relay import ScriptedRelay, accept
from tests.services.test_directory import said
from tests.services.test_frozen_effects import a_record, until
from tests.services.test_publisher import SHOP, office, silence
from tests.support.builders import NOW_S


async def test_of_a_listing_only_the_newest_version_reaches_a_relay_that_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions that were replaced before anybody had them are neither published nor said to have failed."""
    monkeypatch.setattr(telling, "PUBLISH_TIMEOUT_S", 0.1)
    monkeypatch.setattr(telling, "PAUSE_FIRST_S", 0.05)
    home = ScriptedRelay()
    await home.start()
    await home.stop()
    async with office(tmp_path, home.url) as made:
        versions = []
        for offset in (1, 2, 3):
            versions.append(await made.revise(offset, stock=9 - offset))
            await asyncio.sleep(0.4)
        await home.start()
        await until(lambda: made.log.delivered and made.role.needed_from(0, 9) == 9)
    await home.stop()
    assert {frame[1]["id"] for frame in home.frames("EVENT")} == {versions[-1]}
    assert [(d.event_id, d.state) for d in made.log.delivered] == [(versions[-1], DeliveryState.DELIVERED)]


async def test_a_version_left_in_the_outbox_gives_way_to_the_next(tmp_path: Path) -> None:
    """One relay has it, the other is silent; the new version goes to both, and the old one is owed to nobody."""
    async with (
        ScriptedRelay(on_event=silence) as mute,
        ScriptedRelay(said(Kind.RELAY_LIST, ("r", mute.url, "write"), by=SHOP)) as lists,
        office(tmp_path, lists.url) as made,
    ):
        first = await made.revise(1, stock=8)
        await until(lambda: made.log.kept)
        second = await made.revise(2, stock=7)
        mute.on_event = accept
        await until(lambda: not made.log.kept and made.role.needed_from(0, 9) == 9)
        last = {delivery.event_id: delivery for delivery in made.log.delivered}
    assert [o.outcome for o in last[second].outcomes] == ["accepted", "accepted"]
    assert last[first].state is DeliveryState.DELIVERED


def published(relay: ScriptedRelay) -> list[int]:
    """The kinds of what came to a relay, in their order."""
    return [int(frame[1]["kind"]) for frame in relay.frames("EVENT")]


def a_publication(kind: int, created_at: int, relays: tuple[str, ...] = (), d: str = "tea") -> PublicationPromised:
    """An event of the shop's that the journal fixes."""
    tags = (("a", f"30402:{SHOP.public_key}:{d}"), ("k", "30402")) if kind == Kind.DELETION else (("d", d),)
    return PublicationPromised(
        coordinate=f"{kind}:{SHOP.public_key}:{d}",
        event_id=event_id(SHOP.public_key, created_at, kind, tags, "x"),
        template=Template(kind=kind, created_at=created_at, tags=tags, content="x"),
        relays=relays,
        cause="operator 1",
    )


@pytest.mark.req("T37-02")
async def test_a_draft_goes_to_the_relays_it_is_promised_to_and_to_no_other(tmp_path: Path) -> None:
    """Everything else of the shop's goes to its own; each has a delivery record that says what it was."""
    async with ScriptedRelay() as private, ScriptedRelay() as home, office(tmp_path, home.url) as made:
        owed = (
            a_publication(Kind.DRAFT_WRAP, NOW_S, (private.url,)),
            a_publication(Kind.PRODUCT, NOW_S),
            a_publication(Kind.DELETION, NOW_S),
        )
        await made.role.take(0, 1, a_record(1, SHOP.public_key, *owed))
        await until(lambda: len(made.log.delivered) == 3)

        assert published(private) == [Kind.DRAFT_WRAP]
        assert sorted(published(home)) == [Kind.DELETION, Kind.PRODUCT]
        assert {(one.what, one.event_id) for one in made.log.delivered} == {
            (what, one.event_id) for what, one in zip(("draft", "listing", "deletion"), owed, strict=True)
        }
        assert {one.state for one in made.log.delivered} == {DeliveryState.DELIVERED}


async def test_a_publication_with_a_newer_one_behind_it_is_left_out(tmp_path: Path) -> None:
    """The newer one says all that the older one did."""
    async with ScriptedRelay() as home, office(tmp_path, home.url) as made:
        older, newer = a_publication(Kind.PRODUCT, NOW_S), a_publication(Kind.PRODUCT, NOW_S + 1)
        await made.role.take(0, 1, a_record(1, SHOP.public_key, older, newer))
        await until(lambda: made.log.delivered)
        assert [frame[1]["id"] for frame in home.frames("EVENT")] == [newer.event_id]
