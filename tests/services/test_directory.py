"""Where a buyer is reached: at the relays they name, or, without any, as the operator has decided."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.deliveries import Delivery, DeliveryState
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.secp256k1 import SecretKey
from schemas.replies import ReplyPromised, StatusReply, WireStatus
from schemas.values import OrderKey
from services.config import RoutePolicy
from services.directory import Directory, Route
from services.publisher import PublisherRole
from services.relays import Publisher
from services.signer.keystore import Keystore
from services.signer.local import LocalSigner
from tests.schemas.nostr import given
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.services.test_frozen_effects import a_record, until
from tests.support.builders import NOW_S, an_id

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


class Log:
    """Delivery records, in memory."""

    def __init__(self) -> None:
        self.delivered: list[Delivery] = []

    async def put_delivery(self, delivery: Delivery) -> None:
        """Note it."""
        self.delivered.append(delivery)


@pytest.mark.req("REL-15")
@pytest.mark.parametrize("policy", RoutePolicy)
async def test_the_delivery_record_says_that_there_was_no_way_or_that_it_was_a_fallback(
    policy: RoutePolicy, tmp_path: Any
) -> None:
    """Strict: nothing for the buyer is published, and the operator is told; fallback: it is, and marked."""
    keystore = Keystore(tmp_path / "keys", tmp_path / "passphrase")
    keystore.add(SHOP)
    log = Log()
    async with ScriptedRelay() as relay, Publisher(is_trusted=lambda _url: True) as relays:
        directory = Directory(relays, trusting(relay.url), policy)
        role = PublisherRole(LocalSigner(keystore), relays, directory, lambda _key: None, (relay.url,), log)
        await role.begin(0)
        promised = ReplyPromised(
            order=OrderKey(merchant=SHOP.public_key, buyer=BUYER.public_key, order_id="1"),
            number=1,
            dialect="gamma",
            answers=an_id("r"),
            at_s=NOW_S,
            reply=StatusReply(status=WireStatus.CONFIRMED, text="Thank you."),
        )
        await role.take(0, 0, a_record(0, SHOP.public_key, promised))
        await until(lambda: log.delivered)
        to_buyer = [frame for frame in relay.frames("EVENT") if ["p", BUYER.public_key] in frame[1]["tags"]]

    (record,) = log.delivered
    if policy is RoutePolicy.STRICT:
        assert (record.state, record.compat_route, to_buyer) == (DeliveryState.NO_ROUTE, False, [])
    else:
        assert (record.state, record.compat_route, len(to_buyer)) == (DeliveryState.DELIVERED, True, 1)
