"""Publisher and payments when a merchant is frozen: what is under way stops, what is owed is done after the thaw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.deliveries import Delivery
from schemas.payments import (
    PaymentDropped,
    PaymentRequested,
    intent_id,
)
from schemas.replies import ReplyPromised, StatusReply, WireStatus
from services.directory import Directory, Route
from services.payments.simulated import SimulatedWallet
from services.publisher import PublisherRole
from services.relays import Outcome, PublishResult
from services.relays import Publisher as RelayPublisher
from services.signer.port import Signer
from tests.support.builders import MERCHANT as ANN
from tests.support.builders import NOW_S, a_key, an_event, an_id
from tests.support.builders import OTHER_MERCHANT as BOB
from tests.support.outbox import MemoryOutbox
from tests.support.till import Till, a_record, until


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    """A role that has caught up with an empty partition."""
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    made = Till(wallet)
    await made.role.begin(0)
    await made.role.caught_up(0)
    yield made
    await made.role.close()
    wallet.close()


async def test_a_frozen_merchants_money_is_not_looked_for_until_the_thaw(till: Till) -> None:
    """A neighbour's is; and what was paid meanwhile is found at once."""
    await till.role.take(0, 0, till.wanted(0, ANN))
    await till.role.take(0, 1, till.wanted(1, BOB))
    anns, bobs = await till.requested(2, ANN), await till.requested(3, BOB)
    assert await till.role.freeze(0, ANN) is None

    await till.wallet.pay(anns.text)
    await till.wallet.pay(bobs.text)
    await until(lambda: till.observed(BOB))
    assert not till.observed(ANN)
    assert till.role.needed_from(0, 9) == 0, "the request stays open, and the position with it"

    await till.role.thaw(0, ANN)
    await until(lambda: till.observed(ANN))


async def test_a_request_wanted_while_frozen_is_made_after_the_thaw(till: Till) -> None:
    """The brake hands it on during the release; nothing is asked of the wallet before that is through."""
    await till.role.freeze(0, ANN)
    await till.role.take(0, 1, till.wanted(1, ANN))
    await till.role.take(0, 2, till.wanted(2, BOB))
    await until(lambda: till.requests(BOB))
    assert till.requests(ANN) == []

    await till.role.thaw(0, ANN)
    await until(lambda: till.requests(ANN))


async def test_a_request_that_was_dropped_meanwhile_is_not_made(till: Till) -> None:
    """Everything that waited is read before anything is done."""
    await till.role.freeze(0, ANN)
    await till.role.take(0, 1, till.wanted(1, ANN))
    key = a_key(merchant=ANN)
    await till.role.take(0, 2, a_record(2, ANN, PaymentDropped(order=key, intent_id=intent_id(key, 1))))
    await till.role.thaw(0, ANN)
    await asyncio.sleep(0.1)

    assert till.said == []
    assert till.role.needed_from(0, 3) == 3


async def test_a_freeze_ends_with_the_partition(till: Till) -> None:
    """Whoever has it next reads the freeze again; it may be over by the time it comes back here."""
    await till.role.freeze(0, ANN)
    await till.role.end(0)
    await till.role.begin(0)
    await till.role.caught_up(0)
    await till.role.take(0, 1, till.wanted(1, ANN))

    await until(lambda: till.requests(ANN))


@pytest.mark.case("P5")
async def test_money_is_found_by_a_process_that_starts_after_the_request_expired(till: Till) -> None:
    """It came in time; the freeze lasted longer than the request, and the process did not last as long as either."""
    wanted = till.wanted(0, ANN, ttl_s=2)
    await till.role.take(0, 0, wanted)
    made = await till.requested(1, ANN)
    await till.role.freeze(0, ANN)
    await till.wallet.pay(made.text)
    await asyncio.sleep(2.5)

    successor = Till(till.wallet)
    await successor.role.begin(0)
    await successor.role.take(0, 0, wanted)
    requested = PaymentRequested.model_validate(made.model_dump(exclude={"type"}))
    await successor.role.take(0, 1, a_record(1, ANN, requested))
    await successor.role.freeze(0, ANN)
    await successor.role.caught_up(0)
    await asyncio.sleep(0.1)
    assert successor.said == []
    await successor.role.thaw(0, ANN)
    await until(lambda: successor.observed(ANN))
    await successor.role.close()


class Post:
    """The publisher over relays that answer only when they are let."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.sent: list[str] = []
        self.outbox = MemoryOutbox()
        signer = SimpleNamespace(
            seal_and_wrap=lambda rumor, to, effect: an_event(
                1059, ("p", to), author=an_id(effect), content=rumor.pubkey
            )
        )
        self.role = PublisherRole(
            cast(Signer, signer),
            cast(RelayPublisher, self),
            cast(Directory, self),
            lambda _key: None,
            ("wss://relay.example",),
            self.outbox,
            self.outbox,
        )

    @property
    def delivered(self) -> list[Delivery]:
        """The delivery records."""
        return self.outbox.delivered

    async def route(self, _recipient: str, ask: Any) -> Route:
        """Everybody reads where we write."""
        return Route(tuple(ask))

    async def copies(self, _merchant: str, ask: Any) -> tuple[str, ...]:
        """The merchant too."""
        return tuple(ask)

    async def publish(self, relay: str, event_id: str, text: str, _timeout_s: float) -> Any:
        """A relay that takes everything, in its own time."""
        await self.open.wait()
        self.sent.append(text)
        return PublishResult(relay, Outcome.ACCEPTED, "", 1)

    async def promise(self, offset: int, merchant: str, number: int = 1) -> None:
        """The journal promises the merchant's buyer a message."""
        reply = StatusReply(status=WireStatus.CONFIRMED, text="Thank you.")
        promised = ReplyPromised(
            order=a_key(merchant=merchant), number=number, dialect="gamma", answers=an_id("r"), at_s=NOW_S, reply=reply
        )
        self.outbox.journal[offset] = a_record(offset, merchant, promised)
        await self.role.take(0, offset, self.outbox.journal[offset])


async def test_a_message_under_way_stops_and_holds_its_place() -> None:
    """A neighbour's goes out; the frozen one starts again from the record it is owed by, as the same bytes."""
    post = Post()
    await post.role.begin(0)
    await post.promise(3, ANN)
    await post.promise(4, BOB)
    await post.promise(5, ANN, number=2)
    await asyncio.sleep(0)

    assert await post.role.freeze(0, ANN) == 3
    post.open.set()
    await until(lambda: post.delivered)
    await asyncio.sleep(0.05)
    assert {delivery.merchant for delivery in post.delivered} == {BOB}
    assert not any(ANN in text for text in post.sent)

    await post.role.thaw(0, ANN)
    await post.promise(3, ANN)
    await post.promise(5, ANN, number=2)
    await until(lambda: len(post.delivered) == 3)
    assert [d.effect_id[-2:] for d in post.delivered if d.merchant == ANN] == [":1", ":2"]
    assert not post.role.failure.done()
    assert await post.role.freeze(0, ANN) is None
