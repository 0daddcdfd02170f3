"""Quarantine on a real broker: input of every stage is read again and becomes what it should, never two of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.codec import decode, encode
from schemas.messages import Command, Event
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.orders import OrderMoved, OrderPlaced, OrderStatus, ShippingMoved, ShippingStatus
from schemas.quarantine import Quarantined
from schemas.shops import OpenShop, ShopSettings
from schemas.topics import COMMANDS, QUARANTINE, RAW
from streams.decider import Decider
from streams.domain import payments
from streams.intake import Intake
from streams.kafka import Kafka
from streams.reading import Reader
from streams.replay import Replay, Replayed
from streams.sinks import Sinks
from tests.integration.test_command_line import ncc
from tests.integration.test_hostile_input import a_key as a_secret
from tests.integration.test_hostile_input import an_order_rumor, sealed, show_all, signed, wrapped
from tests.services.relays.scripted_relay import ScriptedRelay
from tests.streams.test_reading import Keeper
from tests.support import builders, cluster
from tests.support.builders import an_id
from tests.support.cluster import merchant_in, offers, order_key, orders, said, until
from tests.support.shop import Shop
from tests.support.stack import RunningStack
from tests.support.steps import cancelled, paid, parcel, receipt, requested

pytestmark = pytest.mark.real

ANN = merchant_in(0)


@asynccontextmanager
async def deciding(kafka: Kafka) -> AsyncIterator[None]:
    """A decider in this process."""
    decider = Decider(kafka, builders.no_rates)
    running = asyncio.create_task(decider.run())
    try:
        await until(lambda: decider.is_ready or running.done(), "the decider to open its partitions")
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def replaying(kafka: Kafka) -> AsyncIterator[Replay]:
    """What the API's role does for `ncc quarantine`."""
    producer = await kafka.producer()
    try:
        yield Replay(kafka, Sinks(producer))
        await producer.flush()
    finally:
        await producer.stop()


async def aside(kafka: Kafka) -> list[Quarantined]:
    """Every quarantine record, repeats among them."""
    found = await cluster.read(kafka, QUARANTINE, committed_only=True, settled=True)
    return [decode(Quarantined, record.value) for records in found.values() for record in records]


async def events(kafka: Kafka) -> list[Event]:
    """Everything the journal of the first partition says."""
    return [event for record in (await cluster.journal(kafka))[0] for event in record.events]


async def decided(kafka: Kafka, commands: int) -> None:
    """Wait until so many commands of the first partition are covered."""
    await until(lambda: cluster.caught_up(kafka, 0, commands), f"{commands} commands to be decided")


@pytest.mark.req("OPS-07")
@pytest.mark.req("EVT-09")
async def test_a_refused_move_is_decided_again_once_the_order_stands_otherwise(kafka: Kafka) -> None:
    """A parcel that came before the money is refused; replayed after the payment, it is on its way, once."""
    key = order_key(ANN, 0)
    early = said(ANN, parcel(ShippingStatus.SHIPPED, key=key))
    async with deciding(kafka), replaying(kafka) as replay:
        await cluster.send(kafka, [offers(ANN), *orders(ANN, [0]), early])
        await decided(kafka, 3)
        (record,) = await aside(kafka)
        assert (record.reason, record.stage, record.topic) == ("illegal_transition", "decider", COMMANDS.name)
        assert record.original is None

        assert await replay.replay([record.id]) == {record.id: Replayed.READ_AGAIN}
        await decided(kafka, 4)
        assert {r.id for r in await aside(kafka)} == {record.id}, "bad again is the same record"

        await cluster.send(kafka, [said(ANN, requested(10, key)), said(ANN, paid(10, key))])
        for _ in range(2):
            await replay.replay([record.id])
        await decided(kafka, 8)

    made = [event for event in await events(kafka) if isinstance(event, OrderMoved | ShippingMoved)]
    assert [event.to for event in made] == [OrderStatus.CONFIRMED, ShippingStatus.SHIPPED]
    assert {r.id for r in await aside(kafka)} == {record.id}


@pytest.mark.req("OPS-07")
async def test_what_is_no_command_falls_under_the_id_it_has(kafka: Kafka) -> None:
    """Read again and no better, it does not double; the commands around it are decided."""
    async with deciding(kafka), replaying(kafka) as replay:
        producer = await kafka.producer()
        await producer.write(COMMANDS, ANN, b"\x00 no command")
        await producer.stop()
        await cluster.send(kafka, [offers(ANN)])
        await decided(kafka, 2)
        (record,) = await aside(kafka)

        assert await replay.replay([record.id]) == {record.id: Replayed.READ_AGAIN}
        await until(lambda: _records(kafka, 2), "the second record")

    assert {r.id for r in await aside(kafka)} == {record.id}


async def _records(kafka: Kafka, count: int) -> bool:
    return len(await aside(kafka)) >= count


@pytest.mark.req("EVT-09")
async def test_messages_that_were_only_counted_can_be_had_decided_when_the_shop_takes_them(kafka: Kafka) -> None:
    """Forty orders of one key: twenty-one are known, nineteen wait aside; with other rules each is placed, once."""
    crowd = "b1" * 32
    buyer = order_key(ANN, 0).buyer
    many = []
    for number in range(40):
        command = orders(ANN, [number], crowd)[0]
        assert command.body.type == "PlaceOrder"
        key = command.body.order.model_copy(update={"buyer": buyer})
        body = command.body.model_copy(update={"order": key, "rumor_id": an_id(f"many {number}")})
        many.append(said(ANN, body))
    async with deciding(kafka), replaying(kafka) as replay:
        await cluster.send(kafka, [offers(ANN), *many])
        await decided(kafka, 41)
        silent = [r for r in await aside(kafka) if r.reason == "too_many_orders"]
        assert len(silent) == 19
        assert len([e for e in await events(kafka) if isinstance(e, OrderPlaced)]) == 21

        trusting = OpenShop(settings=ShopSettings().without_limits())
        await cluster.send(kafka, [said(ANN, trusting)])
        became = await replay.replay([r.id for r in silent])
        assert set(became.values()) == {Replayed.READ_AGAIN}
        await replay.replay([r.id for r in silent])
        await decided(kafka, 41 + 1 + 2 * 19)

    placed = [e.order.order_id for e in await events(kafka) if isinstance(e, OrderPlaced)]
    assert sorted(placed) == sorted(f"order-{n}" for n in range(40))


@pytest.mark.req("OPS-07")
async def test_a_command_that_deciding_fails_on_stops_nobody_and_is_decided_after_the_cure(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours in one rule costs that command alone; its words are not kept."""
    parked = said(ANN, receipt(order_key(ANN, 7)))
    with monkeypatch.context() as fault:

        def fail(*_: object) -> None:
            raise ZeroDivisionError("Jane Doe, 1 Example Street")

        fault.setattr(payments, "report", fail)
        async with deciding(kafka):
            await cluster.send(kafka, [offers(ANN), parked, *orders(ANN, [0])])
            await decided(kafka, 3)
    (record,) = await aside(kafka)
    assert record.reason == "not_decided"
    assert record.detail.startswith("ZeroDivisionError in ")
    assert "Jane" not in encode(record).decode()

    async with deciding(kafka), replaying(kafka) as replay:
        await replay.replay([record.id])
        await decided(kafka, 4)
    assert [event.type for event in await events(kafka)][-1] == "CommandParked"


@pytest.mark.req("OPS-07")
@pytest.mark.req("EVT-09")
async def test_a_raw_event_is_read_again_with_its_first_time_and_that_of_the_replay(kafka: Kafka) -> None:
    """What was dated ahead yesterday is an order today, placed at the time of the replay."""
    merchant, buyer = a_secret(), a_secret()
    ahead = an_order_rumor(buyer.public_key, merchant.public_key, created_at=int(time.time()) + 895)
    text = to_json(wrapped(to_json(sealed(buyer, merchant.public_key, ahead)), merchant.public_key)).encode()
    reader = Reader(lambda key: 0 if key == merchant.public_key else None, Keeper(merchant), Keeper(merchant))
    producer = await kafka.producer()
    first_ms = time.time_ns() // 1_000_000 - 10_000
    try:
        intake = Intake(reader, producer)
        await intake.handle(text, {"received_ms": str(first_ms).encode()}, lambda: None)
        await producer.flush()
        (record,) = await aside(kafka)
        assert record.reason == "future_dated"
        async with replaying(kafka) as replay:
            assert await replay.find(record.id) == record
            await replay.replay([record.id])
        raw = [r for records in (await cluster.read(kafka, RAW, committed_only=False)).values() for r in records]
        headers = dict(raw[0].headers)
        assert headers["received_ms"] == str(first_ms).encode()
        await intake.handle(raw[0].value, headers, lambda: None)
        await producer.flush()
    finally:
        await producer.stop()

    found = await cluster.read(kafka, COMMANDS, committed_only=False)
    (command,) = (decode(Command, record.value) for records in found.values() for record in records)
    assert command.body.type == "PlaceOrder"
    assert command.at_ms == int(headers["replayed_ms"]) >= first_ms + 10_000


async def test_a_wish_that_cannot_be_met_says_why(kafka: Kafka) -> None:
    """An id nobody knows, a frame whose bytes were not kept, a command that Kafka has forgotten."""
    gone = Quarantined(
        id="c0" * 16,
        reason="frame_too_big",
        detail="",
        stage="ingest",
        merchant=None,
        relay="wss://r",
        at_ms=1,
        original=None,
    )
    async with deciding(kafka), replaying(kafka) as replay:
        producer = await kafka.producer()
        await producer.write(QUARANTINE, gone.id, gone)
        await producer.write(COMMANDS, ANN, b"no command")
        await producer.stop()
        await cluster.send(kafka, [offers(ANN)])
        await decided(kafka, 2)
        forgotten = next(r for r in await aside(kafka) if r.reason == "not_a_command")
        await cluster.forget_records(kafka, COMMANDS, 0, before_offset=1)

        assert await replay.replay(["ab" * 16, "no id", gone.id, forgotten.id]) == {
            "ab" * 16: Replayed.UNKNOWN,
            "no id": Replayed.UNKNOWN,
            gone.id: Replayed.NOT_KEPT,
            forgotten.id: Replayed.NOT_KEPT,
        }


async def test_a_parked_message_that_was_given_up_finds_its_order_when_replayed(kafka: Kafka) -> None:
    """An orphan is not lost: the order came late, and the operator has the cancellation decided."""
    key = order_key(ANN, 0)
    settings = OpenShop(settings=ShopSettings(parked_ttl_s=1))
    async with deciding(kafka), replaying(kafka) as replay:
        await cluster.send(kafka, [said(ANN, settings), offers(ANN), said(ANN, cancelled(key=key))])
        await until(lambda: _records(kafka, 1), "the orphan", timeout_s=15)
        (record,) = await aside(kafka)
        assert record.reason == "orphan"
        await cluster.send(kafka, orders(ANN, [0]))
        await replay.replay([record.id])

        async def ended() -> bool:
            return any(isinstance(e, OrderMoved) for e in await events(kafka))

        await until(ended, "the cancellation")
    (made,) = (event for event in await events(kafka) if isinstance(event, OrderMoved))
    assert (made.order, made.to) == (key, OrderStatus.CANCELLED)


@pytest.mark.req("OPS-07")
@pytest.mark.req("EVT-09")
async def test_ncc_lists_shows_and_replays_all_of_a_reason_and_says_how_many(stack: RunningStack) -> None:
    """Three listings of a shop that was not there yet: read again together, each becomes one listing and no more."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as neighbour, ScriptedRelay() as relay:
        await neighbour.add(relays=(relay.url,))
        await neighbour.until(lambda: _listening(relay), "a subscription")
        guest = Shop(stack)
        names = [f"late-{n}" for n in range(3)]
        tags = [(("d", name), ("title", name), ("price", "1", "SAT")) for name in names]
        await show_all(relay, [to_json(signed(guest.merchant.secret, Kind.PRODUCT, one, "")) for one in tags])

        async def waiting() -> list[str] | None:
            sql = "SELECT id FROM quarantine_now WHERE relay = {r:String} AND reason = 'foreign_author'"
            rows = await neighbour.operator.sql(sql, r=relay.url)
            return [str(row["id"]) for row in rows] if len(rows) == 3 else None

        ids = await neighbour.until(waiting, "three quarantine records")
        listed = await run("quarantine", "list", "--reason", "foreign_author", "--stage", "intake")
        assert all(name in listed for name in ids)
        assert "bad_sig" not in listed
        assert "late-" in await run("quarantine", "show", ids[0])
        assert "Nothing like that" in await run("quarantine", "list", "--reason", "no_such_reason")

        await guest.add()
        await asyncio.sleep(1.0)
        for _ in range(2):
            said_words = await run("quarantine", "replay", "--reason", "foreign_author")
            assert "are being read again" in said_words

        async def offered() -> list[str] | None:
            sql = "SELECT type FROM events WHERE startsWith(coordinate, {c:String}) AND type = 'ListingRecorded'"
            rows = await neighbour.operator.sql(sql, c=f"30402:{guest.merchant.public_key}:late-")
            return [str(row["type"]) for row in rows] if len(rows) >= 3 else None

        await neighbour.until(offered, "the listings")
        await asyncio.sleep(1.0)
        assert len(await offered() or []) == 3
        assert "say what to read again" in await run("quarantine", "replay", code=2)
        assert "not both" in await run("quarantine", "replay", ids[0], "--reason", "bad_sig", code=2)
        assert "there is no quarantine record" in await run("quarantine", "replay", "ab" * 16, code=1)
        await guest.merchant.close()
        await guest.operator.close()


async def test_a_merchant_sets_what_buyers_may_do_and_a_later_add_keeps_it(stack: RunningStack) -> None:
    """From the next order on; an unknown setting or a figure that is none is a sentence, and nothing changes."""
    home = stack.home.root

    async def run(*words: str, code: int = 0) -> str:
        return await asyncio.to_thread(ncc, *words, home=home, code=code)

    async with Shop(stack) as shop:
        name = f"shop-{shop.merchant.public_key[:8]}"
        assert "buyer_open_orders_max = 1" in await run("merchant", "set", name, "buyer_open_orders_max=1")
        assert "there is no setting" in await run("merchant", "set", name, "moon=1", code=1)
        assert "buyer_open_orders_max" in await run("merchant", "set", name, "buyer_open_orders_max=few", code=1)
        assert "NAME=VALUE" in await run("merchant", "set", name, "buyer_open_orders_max", code=2)
        await shop.add()

        buyer = await shop.buyer()
        await buyer.wait_for(await shop.order(buyer), "2")
        told = await buyer.wait_for(await shop.order(buyer), "3", "cancelled")
        assert "you have 1 open orders" in told.rumor.content
        assert "buyer open orders max" in await run("merchant", "show", name)

        await run("merchant", "set", name, "buyer_open_orders_max=5", f"denied={buyer.public_key}")
        told = await buyer.wait_for(await shop.order(buyer), "3", "cancelled")
        assert "the shop declined" in told.rumor.content


async def _listening(relay: ScriptedRelay) -> bool | None:
    return True if any(guest.queries for guest in relay.guests) else None
