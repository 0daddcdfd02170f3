"""What a merchant publishes is read, kind by kind, and what points at it too, while everything runs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from schemas import topics
from schemas.codec import decode
from schemas.messages import Command
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.quarantine import Quarantined
from services.demo.people import Person
from streams.kafka import Kafka
from streams.topic_reader import read_all
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real

COUNTED = {0, 10_002, 10_050, 30_403, 31_234}
"""Kinds that say where to look, or are nobody else's business: seen and counted, and neither command nor quarantine."""


def one_of_each(shop: Shop) -> dict[int, tuple[tuple[str, ...], ...]]:
    """Every kind of REL-08, as a merchant may publish it."""
    key = shop.merchant.public_key
    return {
        0: (),
        5: (("a", f"30402:{key}:never"), ("k", "30402")),
        10_002: (("r", shop.relay),),
        10_019: (("relay", shop.relay), ("mint", "https://mint.example", "sat"), ("pubkey", "aa" * 32)),
        10_050: (("relay", shop.relay),),
        30_017: (("d", "stall"),),
        30_018: (("d", "stall-mug"),),
        30_019: (("d", "market"),),
        30_020: (("d", "auction"),),
        30_402: (("d", "cup"), ("title", "Cup"), ("price", "10", "SATS"), ("stock", "1")),
        30_403: (("d", "draft"), ("title", "Not yet"), ("price", "10", "SATS")),
        30_405: (("d", "all"), ("title", "All")),
        30_406: (("d", "van"), ("title", "Van"), ("price", "1", "SATS"), ("country", "DE"), ("service", "standard")),
        31_234: (("d", "note"), ("k", "30402")),
        31_989: (("d", "30402"), ("a", f"31990:{'cc' * 32}:app", shop.relay, "web")),
    }


async def found(kafka: Kafka, topic: topics.Topic) -> list[bytes]:
    """The values a topic holds now."""
    return [record.value async for record in read_all(kafka, topic) if record.value]


@pytest.mark.req("REL-08")
async def test_one_event_of_each_kind_a_merchant_publishes_becomes_a_command_or_is_set_aside(
    stack: RunningStack,
) -> None:
    """Whatever the kind, the event is in the log, and either leads to a command, to a record in quarantine with a
    stable reason, or is counted as none of the shop's business."""
    ready = stack.home.ready()
    assert ready is not None
    kafka = Kafka(ready.kafka, ready.partitions, "test")
    async with ScriptedRelay() as relay, Shop(stack) as shop:
        kind_of: dict[str, int] = {}
        for kind, tags in one_of_each(shop).items():
            key, now_s = shop.merchant.public_key, int(time.time())
            unsigned = UnsignedEvent(pubkey=key, created_at=now_s, kind=kind, tags=tags, content="{}")
            event = sign_event(unsigned, shop.merchant.secret)
            kind_of[event.id] = kind
            relay.texts.append(to_json(event))
        await shop.add(relays=(relay.url,))

        async def read() -> dict[int, str] | None:
            """What each kind led to, once all but the counted ones led somewhere."""
            ended: dict[int, str] = {}
            for value in await found(kafka, topics.COMMANDS):
                command = decode(Command, value)
                if command.source in kind_of:
                    ended[kind_of[command.source]] = command.body.type
            for value in await found(kafka, topics.QUARANTINE):
                kept = decode(Quarantined, value)
                for event_id, kind in kind_of.items():
                    if kept.original and event_id in kept.original:
                        ended[kind] = kept.reason
            return ended if set(kind_of.values()) - COUNTED <= set(ended) else None

        ended = await shop.until(read, "every kind to lead somewhere")
        logged = {record.key.decode() async for record in read_all(kafka, topics.RAW) if record.key}

    assert kind_of.keys() <= logged
    listed = {30_402: "RecordListing", 30_405: "RecordCollection", 30_406: "RecordShippingOption", 5: "RecordDeletion"}
    assert {kind: ended[kind] for kind in listed} == listed
    assert {ended[kind] for kind in range(30_017, 30_021)} == {"unknown_kind"}


@pytest.mark.req("REL-09")
async def test_a_review_of_a_listing_that_came_later_is_read_without_a_restart(stack: RunningStack) -> None:
    """The listing appears while everything runs; then a stranger's review of it is in the table."""
    async with Shop(stack) as shop:
        key, reviewer = shop.merchant.public_key, Person(shop.relay)
        coordinate = f"30402:{key}:bowl"
        tags = (("d", "bowl"), ("title", "Bowl"), ("price", "10", "SATS"), ("stock", "1"))
        await shop.merchant.publish(Kind.PRODUCT, tags)
        listed = "SELECT * FROM inventory_now WHERE coordinate = {c:String}"
        await shop.until(lambda: rows(shop, listed, coordinate), "the listing")
        await reviewer.publish(Kind.REVIEW, (("d", f"a:{coordinate}"), ("rating", "1", "thumb")), "Round.")
        reviewed = "SELECT * FROM reviews_now WHERE product = {c:String}"
        (row,) = await shop.until(lambda: rows(shop, reviewed, coordinate), "the review")
        await reviewer.close()

    assert row["author"] == reviewer.public_key


async def rows(shop: Shop, sql: str, coordinate: str) -> list[dict[str, Any]] | None:
    """What ClickHouse has about an address, once it has something."""
    return await shop.operator.sql(sql, c=coordinate) or None
