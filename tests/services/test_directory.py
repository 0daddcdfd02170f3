"""Where a buyer is reached: at the relays they name, or, without any, as the operator has decided."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.secp256k1 import SecretKey
from services.config import RoutePolicy
from services.directory import Directory, Route
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
