"""Where a buyer is reached: at the relays they name, or, without any, as the operator has decided."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.secp256k1 import SecretKey
from services import directory as directory_module
from services.config import RoutePolicy
from services.directory import LOOKUP_TIMEOUT_S, Directory, Route
from services.relays import Publisher
from tests.schemas.nostr import given
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.builders import NOW_S

BUYER, SHOP = given.BUYER, given.MERCHANT
GONE = "ws://127.0.0.1:9"
"""A relay that nobody listens at."""


def said(kind: Kind, *tags: tuple[str, ...], by: SecretKey = BUYER, at: int = NOW_S) -> str:
    """A list as its author signed it."""
    unsigned = UnsignedEvent(pubkey=by.public_key, created_at=at, kind=kind, tags=tags, content="")
    return to_json(sign_event(unsigned, by))


def inbox(*urls: str, by: SecretKey = BUYER, at: int = NOW_S) -> str:
    return said(Kind.INBOX_RELAYS, *(("relay", url) for url in urls), by=by, at=at)


def trusting(*urls: str) -> Callable[[str], bool]:
    """The operator vouches for these and for nothing else."""
    return lambda url: url.rstrip("/") in urls


async def route(relay: ScriptedRelay, policy: RoutePolicy = RoutePolicy.FALLBACK, ask: tuple[str, ...] = ()) -> Route:
    """Where the buyer is reached, as this relay knows them."""
    async with Publisher(is_trusted=lambda _url: True) as relays:
        return await Directory(relays, trusting(relay.url), policy).route(BUYER.public_key, (*ask, relay.url))


@pytest.mark.req("REL-14")
async def test_the_newest_list_that_the_buyer_signed_counts() -> None:
    """An older one, somebody else's, and one whose signature is another's are no lists of theirs."""
    forged = json.loads(inbox("wss://forged.example", at=NOW_S + 9)) | {"sig": "0" * 128}
    async with ScriptedRelay(
        inbox("wss://old.example", at=NOW_S - 9),
        inbox("wss://new.example"),
        inbox("wss://shop.example", by=SHOP, at=NOW_S + 9),
        json.dumps(forged),
    ) as relay:
        assert await route(relay) == Route(("wss://new.example",))


async def test_of_a_strangers_relays_only_public_ones_are_dialled_and_not_all_of_them() -> None:
    """Machines of the own network are reached only where the operator vouches for them (attack 79)."""
    many = [f"wss://r{number}.example" for number in range(9)]
    async with ScriptedRelay() as relay:
        relay.texts.append(inbox("ws://10.0.0.1", "wss://192.168.0.7", many[0], relay.url, *many[1:]))
        found = await route(relay)

        assert found.relays[0].rstrip("/") == relay.url
        assert set(found.relays[1:]) <= set(many)
        assert 2 <= len(found.relays) <= 5


@pytest.mark.req("REL-15")
async def test_without_an_inbox_list_a_strict_operator_has_no_way_and_another_falls_back() -> None:
    """First to where the buyer reads, then to where the order came from; and it is said that this is a fallback."""
    async with ScriptedRelay() as relay:
        assert await route(relay, RoutePolicy.STRICT) == Route(())
        assert await route(relay) == Route((relay.url,), compat=True)

        relay.texts.append(
            said(Kind.RELAY_LIST, ("r", "wss://reads.example", "read"), ("r", "wss://w.example", "write"))
        )
        assert await route(relay, RoutePolicy.STRICT) == Route(())
        assert await route(relay) == Route(("wss://reads.example",), compat=True)


async def test_a_relay_that_cannot_be_asked_does_not_hide_what_another_knows() -> None:
    """The list is where one of them has it."""
    async with ScriptedRelay(inbox("wss://new.example")) as relay:
        assert await route(relay, ask=(GONE,)) == Route(("wss://new.example",))


async def test_a_list_is_asked_for_once_and_kept_for_a_while() -> None:
    """A buyer who is told five things costs one question."""
    async with ScriptedRelay(inbox("wss://new.example")) as relay, Publisher(is_trusted=lambda _url: True) as relays:
        directory = Directory(relays, trusting(relay.url))
        for _ in range(5):
            await directory.route(BUYER.public_key, (relay.url,))
        assert len(relay.frames("REQ")) == 1


@pytest.mark.req("REL-14")
async def test_a_merchants_copies_go_to_the_own_inbox_and_public_events_where_the_author_writes() -> None:
    """Without lists of their own, both go to the operator's relays, which are asked."""
    async with ScriptedRelay() as relay, Publisher(is_trusted=lambda _url: True) as relays:
        places = Directory(relays, trusting(relay.url), RoutePolicy.STRICT)
        assert await places.copies(SHOP.public_key, (relay.url,)) == (relay.url,)
        assert await places.public(SHOP.public_key, (relay.url,)) == (relay.url,)

        written = (
            ("r", "wss://writes.example", "write"),
            ("r", "wss://reads.example", "read"),
            ("r", "wss://both.example"),
        )
        relay.texts += [inbox("wss://mine.example", by=SHOP), said(Kind.RELAY_LIST, *written, by=SHOP)]
        places = Directory(relays, trusting(relay.url))
        assert await places.copies(SHOP.public_key, (relay.url,)) == ("wss://mine.example",)
        named = await places.public(SHOP.public_key, (relay.url,))
        assert named == (relay.url, "wss://writes.example", "wss://both.example")


@pytest.mark.req("REL-19")
async def test_a_relay_that_never_ends_its_answer_holds_nobody_up_for_long() -> None:
    """Another one knows the inbox; the silent one has a moment more."""
    async with ScriptedRelay(sends_eose=False) as silent, ScriptedRelay(inbox("wss://new.example")) as relay:
        began_s = time.monotonic()
        assert await route(relay, ask=(silent.url,)) == Route(("wss://new.example",))
        assert time.monotonic() - began_s < LOOKUP_TIMEOUT_S / 2


async def test_those_who_ask_at_once_share_one_question() -> None:
    """A burst of messages to one buyer is one look-up."""
    async with ScriptedRelay(inbox("wss://new.example")) as relay, Publisher(is_trusted=lambda _url: True) as relays:
        directory = Directory(relays, trusting(relay.url))
        found = await asyncio.gather(*(directory.route(BUYER.public_key, (relay.url,)) for _ in range(20)))
        assert set(found) == {Route(("wss://new.example",))}
        assert len(relay.frames("REQ")) == 1


async def test_an_answer_only_just_too_old_is_used_while_a_new_one_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next message goes where the list says now."""
    monkeypatch.setattr(directory_module, "FOUND_TTL_S", 0.0)
    async with ScriptedRelay(inbox("wss://old.example")) as relay, Publisher(is_trusted=lambda _url: True) as relays:
        directory = Directory(relays, trusting(relay.url))
        await directory.route(BUYER.public_key, (relay.url,))
        relay.texts.append(inbox("wss://new.example", at=NOW_S + 9))
        assert await directory.route(BUYER.public_key, (relay.url,)) == Route(("wss://old.example",))
        await asyncio.sleep(0.3)
        assert await directory.route(BUYER.public_key, (relay.url,)) == Route(("wss://new.example",))
