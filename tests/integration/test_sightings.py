"""What relays show reaches the log as they showed it, and leads to one order, however often and late it is shown."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from typing import Any

import pytest

from schemas import topics
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import seal, wrap
from schemas.nostr.secp256k1 import SecretKey
from services.demo.people import Buyer
from streams.kafka import Kafka, Record
from streams.topic_reader import read_all
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.support.shop import Shop
from tests.support.stack import RunningStack

pytestmark = pytest.mark.real


def an_order_wrap(shop: Shop, buyer: Buyer, order_id: str, wrapped_s_ago: int = 0) -> Event:
    """An order for one mug of now, in a wrap dated as long ago as that."""
    tags = (
        ("p", shop.merchant.public_key),
        ("subject", "order-info"),
        ("type", "1"),
        ("order", order_id),
        ("amount", "1"),
        ("item", shop.product, "1"),
        ("shipping", shop.shipping),
        ("address", "Jane Doe\n17 Canary Street\n10115 Berlin\nGermany"),
    )
    now_s = int(time.time())
    rumor = make_rumor(buyer.public_key, now_s, Kind.ORDER, tags, "")
    recipient = shop.merchant.public_key
    sealed = seal(rumor, buyer.secret, recipient, now_s, secrets.token_bytes(32), secrets.token_bytes(32))
    one_time = SecretKey(secrets.token_bytes(32))
    return wrap(sealed, recipient, one_time, now_s - wrapped_s_ago, secrets.token_bytes(32), secrets.token_bytes(32))


async def raw_records(stack: RunningStack, event_id: str) -> list[Record[bytes, bytes]]:
    """Every sighting of an event in `ncc.raw`."""
    ready = stack.home.ready()
    assert ready is not None
    kafka = Kafka(ready.kafka, ready.partitions, "test")
    return [record async for record in read_all(kafka, topics.RAW) if record.key == event_id.encode()]


@pytest.mark.req("REL-03")
async def test_an_event_is_logged_as_the_relay_wrote_it_before_anybody_judges_it(stack: RunningStack) -> None:
    """Odd key order, an unknown field, a broken signature: the same text in the log, then in quarantine, no order."""
    async with ScriptedRelay() as relay, Shop(stack) as shop:
        await shop.add(relays=(relay.url,))
        buyer = await shop.buyer()
        event = json.loads(to_json(an_order_wrap(shop, buyer, "a broken one")))
        odd = {"sig": "0" * 128, "x-client": "somebody's", **{k: event[k] for k in sorted(event) if k != "sig"}}
        text = json.dumps(odd, separators=(", ", ":  "))
        began_ms = time.time_ns() // 1_000_000
        await relay.add(text)

        async def quarantined() -> list[dict[str, Any]] | None:
            sql = "SELECT * FROM quarantine_now WHERE reason = 'bad_sig' AND relay LIKE {r:String}"
            return await shop.operator.sql(sql, r=f"{relay.url}%") or None

        await shop.until(quarantined, "the quarantine record")
        (record,) = await raw_records(stack, event["id"])
        headers = dict(record.headers)
        assert record.value.decode() == text
        assert headers["relay"].decode().rstrip("/") == relay.url
        assert headers["subscription"].decode().startswith("inbox")
        assert began_ms <= int(headers["received_ms"]) <= time.time_ns() // 1_000_000
        assert await shop.order_row("a broken one") is None


@pytest.mark.req("REL-05")
async def test_many_sightings_of_one_order_are_logged_each_and_answered_once(stack: RunningStack) -> None:
    """The same wrap from two relays, and from one of them again after it hung up: one order, one payment request."""
    async with ScriptedRelay() as relay, Shop(stack) as shop:
        await shop.add(relays=(relay.url,))
        buyer = await shop.buyer()
        order_id = f"order-{secrets.token_hex(6)}"
        event = an_order_wrap(shop, buyer, order_id)
        await buyer.put(event)
        await relay.add(to_json(event))
        await buyer.wait_for(order_id, "2")
        asked = len(relay.frames("REQ"))
        relay.hang_up()

        async def shown_again() -> bool | None:
            return len(relay.frames("REQ")) > asked or None

        await shop.until(shown_again, "the relay to be asked again")
        later = await shop.order(buyer)  # once this is answered, all of the former was read
        await buyer.wait_for(later, "2")
        row = await shop.until(lambda: shop.order_row(order_id), "the order")

        async def counted() -> Counter[str] | None:
            sql = "SELECT type FROM events WHERE order_ref = {ref:String} AND line = 0"
            found = Counter(one["type"] for one in await shop.operator.sql(sql, ref=row["ref"]))
            return found if "PaymentRequested" in found else None

        found = await shop.until(counted, "what followed from it")
        assert (found["OrderPlaced"], found["PaymentWanted"], found["PaymentRequested"]) == (1, 1, 1)
        assert len(buyer.of_order(order_id)) == 1
        sightings = await raw_records(stack, event.id)
        assert len({dict(record.headers)["relay"] for record in sightings}) == 2


@pytest.mark.req("REL-07")
async def test_a_wrap_dated_two_days_back_is_read_by_an_ingest_that_was_away(stack: RunningStack) -> None:
    """Wraps carry random past dates: one of 47 hours ago, published while ingest was down, still becomes an order."""
    async with Shop(stack) as shop:
        buyer = await shop.buyer()
        before = await shop.order(buyer)
        await buyer.wait_for(before, "2")
        order_id = f"order-{secrets.token_hex(6)}"
        down = stack.kill("ingest")
        await buyer.put(an_order_wrap(shop, buyer, order_id, wrapped_s_ago=47 * 3_600))
        stack.wait_up("ingest", down)
        await buyer.wait_for(order_id, "2")
