"""The publisher over real sockets: who is told what, in which order, and what holds up whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from schemas.deliveries import Delivery, DeliveryState
from schemas.nostr.nip01 import Event
from schemas.nostr.nip59 import Rumor, open_wrap
from schemas.replies import ReplyPromised, StatusReply, WireStatus
from schemas.signing import SignerDenies
from schemas.values import OrderKey
from services import publisher
from services.config import RoutePolicy
from services.directory import Directory
from services.publisher import PublisherRole
from services.relays import Publisher
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from tests.schemas.nostr import given
from tests.services.relays.scripted_relay import Guest, ScriptedRelay
from tests.services.test_directory import inbox
from tests.services.test_frozen_effects import a_record, until
from tests.support.builders import NOW_S, an_id

BUYER, SHOP = given.BUYER, given.MERCHANT


class Log:
    """Delivery records, in memory."""

    def __init__(self) -> None:
        self.delivered: list[Delivery] = []

    async def put_delivery(self, delivery: Delivery) -> None:
        """Note it."""
        self.delivered.append(delivery)


class Office:
    """A publisher role, its signer and what it noted."""

    def __init__(self, folder: Path, relays: Publisher, home: str, policy: RoutePolicy) -> None:
        keystore = Keystore(folder / "keys", folder / "passphrase")
        keystore.add(SHOP)
        self.log, self.said = Log(), list[str]()
        self.signer = Moody(keystore)
        directory = Directory(relays, lambda _url: True, policy)
        self.role = PublisherRole(
            self.signer, relays, directory, lambda _key: None, (home,), self.log, self.said.append
        )

    async def promise(self, offset: int, number: int) -> None:
        """The journal owes the buyer another word about the same order."""
        promised = ReplyPromised(
            order=OrderKey(merchant=SHOP.public_key, buyer=BUYER.public_key, order_id="1"),
            number=number,
            dialect="gamma",
            answers=an_id("r"),
            at_s=NOW_S,
            reply=StatusReply(status=WireStatus.CONFIRMED, text=f"Word {number}."),
        )
        await self.role.take(0, offset, a_record(offset, SHOP.public_key, promised))


class Moody(LocalSigner):
    """A signer that denies while it is told to."""

    denies = False

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """As ever, or not now."""
        if self.denies:
            raise SignerDenies("locked for the night")
        return super().seal_and_wrap(rumor, recipient, effect_id)


@asynccontextmanager
async def office(folder: Path, home: str, policy: RoutePolicy = RoutePolicy.FALLBACK) -> AsyncIterator[Office]:
    """A publisher that holds one partition."""
    async with Publisher(is_trusted=lambda _url: True) as relays:
        made = Office(folder, relays, home, policy)
        await made.role.begin(0)
        try:
            yield made
        finally:
            await made.role.end(0)


def words_to_buyer(relay: ScriptedRelay) -> list[str]:
    """What the buyer reads on this relay, in the order it came."""
    events = [Event.model_validate(frame[1]) for frame in relay.frames("EVENT")]
    return [open_wrap(event, BUYER).rumor.content for event in events if ("p", BUYER.public_key) in event.tags]


async def silence(_relay: ScriptedRelay, _guest: Guest, _event: dict[str, Any]) -> None:
    """An event is taken without a word."""


@pytest.mark.req("REL-15")
@pytest.mark.parametrize("policy", RoutePolicy)
async def test_the_delivery_record_says_that_there_was_no_way_or_that_it_was_a_fallback(
    policy: RoutePolicy, tmp_path: Path
) -> None:
    """Strict: nothing for the buyer is published, and the record says so; fallback: it is, and marked."""
    async with ScriptedRelay() as relay, office(tmp_path, relay.url, policy) as made:
        await made.promise(0, 1)
        await until(lambda: made.log.delivered)
        (record,), words = made.log.delivered, words_to_buyer(relay)

    if policy is RoutePolicy.STRICT:
        assert (record.state, record.compat_route, words) == (DeliveryState.NO_ROUTE, False, [])
    else:
        assert (record.state, record.compat_route, words) == (DeliveryState.DELIVERED, True, ["Word 1."])


async def test_a_silent_relay_of_the_merchants_holds_no_word_to_the_buyer_up(tmp_path: Path) -> None:
    """Only the merchant's own copies wait there; the buyer reads one after another."""
    async with (
        ScriptedRelay() as buyers,
        ScriptedRelay(inbox(buyers.url), on_event=silence) as home,
        office(tmp_path, home.url) as made,
    ):
        for number in (1, 2, 3):
            await made.promise(number, number)
        await until(lambda: len(words_to_buyer(buyers)) == 3)

        assert words_to_buyer(buyers) == ["Word 1.", "Word 2.", "Word 3."]
        assert made.log.delivered == []
        assert made.role.needed_from(0, 9) == 1, "the copies are owed still, and the position with them"


@pytest.mark.req("ID-12")
async def test_what_the_signer_denies_stays_owed_and_is_said_to_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is published and nothing dies; once it signs again, the message goes out and the word is taken back."""
    monkeypatch.setattr(publisher, "ASK_AGAIN_S", 0.05)
    async with ScriptedRelay() as relay, office(tmp_path, relay.url) as made:
        made.signer.denies = True
        await made.promise(4, 1)
        await until(lambda: made.said)
        await asyncio.sleep(0.2)
        assert "locked for the night" in made.said[-1]
        assert relay.frames("EVENT") == []
        assert (made.role.needed_from(0, 9), made.role.failure.done()) == (4, False)

        made.signer.denies = False
        await until(lambda: made.log.delivered)
        assert words_to_buyer(relay) == ["Word 1."]
        assert made.said[-1] == ""
