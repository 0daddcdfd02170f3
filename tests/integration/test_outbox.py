"""What relays are owed, on a real broker and a real stack: it outlives the publisher that was killed."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import topics
from schemas.codec import decode
from schemas.deliveries import Delivery, DeliveryState, Owed
from schemas.nostr.kinds import Kind
from services.demo.people import Buyer
from streams.kafka import Kafka
from streams.outbox import OutboxTopic
from streams.topic_reader import read_all
from tests.services.relays.scripted_relay import Guest, ScriptedRelay, accept
from tests.support.builders import MERCHANT, NOW_MS
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


async def silence(_relay: ScriptedRelay, _guest: Guest, _event: dict[str, Any]) -> None:
    """An event is taken without a word."""


def owed(effect_id: str, *relays: str) -> Owed:
    """A message that these relays are owed."""
    delivery = Delivery(
        effect_id=effect_id,
        merchant=MERCHANT,
        order_ref=None,
        what="listing",
        event_id="e1" * 32,
        sequence=1,
        state=DeliveryState.DELIVERED,
        at_ms=NOW_MS,
    )
    return Owed(delivery=delivery, offset=4, since_ms=NOW_MS, relays=relays)


async def test_the_newest_word_about_each_effect_counts_and_an_end_is_an_end(kafka: Kafka) -> None:
    """Beside the journal partition it belongs to; other partitions' owners see nothing of it."""
    producer = await kafka.producer()
    try:
        outbox = OutboxTopic(kafka, producer)
        await outbox.put_owed(2, "one", owed("one", "wss://a.example", "wss://b.example"))
        await outbox.put_owed(2, "two", owed("two", "wss://a.example"))
        await outbox.put_owed(2, "one", owed("one", "wss://b.example"))
        await outbox.put_owed(2, "two", None)
        found, elsewhere = await outbox.owed(2), await outbox.owed(1)
    finally:
        await producer.stop()

    assert found == [owed("one", "wss://b.example")]
    assert elsewhere == []


@pytest.mark.req("REL-13")
async def test_a_publisher_killed_between_two_acknowledgements_asks_only_the_relay_that_is_left(
    stack: RunningStack,
) -> None:
    """The buyer reads at two relays. One has said yes when the publisher dies; only the other hears from the next."""
    async with ScriptedRelay() as yes, ScriptedRelay(on_event=silence) as mute, Shop(stack) as shop:
        await shop.add(relays=(yes.url, mute.url))
        buyer = Buyer(shop.relay)
        await buyer.publish(Kind.INBOX_RELAYS, (("relay", yes.url), ("relay", mute.url)))

        def wraps(relay: ScriptedRelay) -> list[str]:
            """The buyer's wraps that were sent to a relay, each as often as it was."""
            sent = (frame[1] for frame in relay.frames("EVENT"))
            return [one["id"] for one in sent if ["p", buyer.public_key] in one["tags"]]

        async def left() -> list[Owed]:
            """What is owed to anybody now."""
            ready = stack.home.ready()
            assert ready is not None
            found: dict[bytes, Owed] = {}
            async for record in read_all(Kafka(ready.kafka, ready.partitions, "test"), topics.OUTBOX):
                found.pop(record.key, None)
                if record.value:
                    found[record.key] = decode(Owed, record.value)
            return [one for one in found.values() if one.delivery.merchant == shop.merchant.public_key]

        async def is_kept() -> list[Owed] | None:
            return await left() or None

        await shop.order(buyer)
        (kept,) = await shop.until(is_kept, "the outbox to know of the silent relay")
        assert [url.rstrip("/") for url in kept.relays] == [mute.url]
        down = stack.kill("publisher")
        stack.wait_up("publisher", down)
        mute.on_event = accept

        async def is_over() -> bool | None:
            return not await left() or None

        await shop.until(is_over, "the silent relay to be told")
        assert len(wraps(yes)) == 1, "it had acknowledged before the kill"
        assert set(wraps(mute)) == set(wraps(yes)), "the same bytes, whoever made them"
        await buyer.close()
