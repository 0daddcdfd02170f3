"""Pool and publisher against nostr-sdk's relay: a real one, written by others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from nostr_sdk import (
    Event,
    EventBuilder,
    Keys,
    Kind,
    LocalRelay,
    RateLimit,
    RelayBuilder,
    RelayBuilderNip42,
    RelayBuilderNip42Mode,
    Tag,
    Timestamp,
)

from services.relays.pool import RelayPool
from services.relays.publish import Outcome, Publisher, PublishResult
from services.relays.subscriptions import Subscription
from tests.services.relays.support import CONNECTION, LINE, READ, Sink, everyone, until

pytestmark = pytest.mark.real

MERCHANT_SECRET, BUYER_SECRET = "11" * 32, "22" * 32
START_S = 1_700_000_000
NOTES = Subscription("notes", ({"kinds": [1], "authors": [Keys.parse(BUYER_SECRET).public_key().to_hex()]},))


def a_note(number: int) -> Event:
    """Return a signed event, the same for the same number."""
    time = Timestamp.from_secs(START_S + number)
    return EventBuilder(Kind(1), f"no. {number}").custom_created_at(time).sign_with_keys(Keys.parse(BUYER_SECRET))


async def authenticate(url: str, challenge: str) -> list[str]:
    """Sign the challenge for the merchant (NIP-42)."""
    tags = [Tag.parse(["relay", url]), Tag.parse(["challenge", challenge])]
    return [EventBuilder(Kind(22_242), "").tags(tags).sign_with_keys(Keys.parse(MERCHANT_SECRET)).as_json()]


@asynccontextmanager
async def a_relay(
    shape: Callable[[RelayBuilder], RelayBuilder] = lambda builder: builder,
) -> AsyncIterator[str]:
    """Run a relay on loopback and give its address."""
    builder = RelayBuilder().addr("127.0.0.1")
    relay = LocalRelay(shape(builder.rate_limit(RateLimit(max_reqs=100, notes_per_minute=1_000_000))))
    await relay.run()
    try:
        yield str(await relay.url())
    finally:
        relay.shutdown()


@asynccontextmanager
async def a_path_cut_once(url: str, after_bytes: int) -> AsyncIterator[str]:
    """Lead to a relay by a path whose first connection ends after so many bytes were sent to it."""
    limits = iter([after_bytes])

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, limit: int | None) -> None:
        passed = 0
        with suppress(ConnectionError):
            while (limit is None or passed < limit) and (data := await source.read(65_536)):
                target.write(data)
                await target.drain()
                passed += len(data)

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay_reader, relay_writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        there = asyncio.create_task(pass_on(reader, relay_writer, next(limits, None)))
        back = asyncio.create_task(pass_on(relay_reader, writer, None))
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        for end in (writer, relay_writer):
            end.transport.abort()

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    async with server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def publish_all(publisher: Publisher, url: str, notes: list[Event]) -> list[PublishResult]:
    """Publish all at once over one line."""
    sending = (publisher.publish(url, note.id().to_hex(), note.as_json(), 20.0) for note in notes)
    return await asyncio.gather(*sending)


def a_publisher() -> Publisher:
    """Return a publisher that trusts loopback and can authenticate."""
    return Publisher(
        authenticate=authenticate,
        is_trusted=everyone,
        settings=replace(LINE, ok_timeout_s=5.0),
        connection_settings=CONNECTION,
    )


def a_pool(sink: Sink) -> RelayPool:
    """Return a pool that trusts loopback and can authenticate."""
    return RelayPool(
        sink, authenticate=authenticate, is_trusted=everyone, settings=READ, connection_settings=CONNECTION
    )


async def test_what_is_published_is_read_live_paged_and_asked_for() -> None:
    """Three hundred events behind a cap of 120 per REQ, one more live, and the newest by a question."""
    notes = [a_note(number) for number in range(300)]
    sink = Sink()
    capped = a_relay(lambda builder: builder.default_filter_limit(120).max_filter_limit(120))
    async with capped as url, a_publisher() as publisher, a_pool(sink) as pool:
        results = await publish_all(publisher, url, notes)
        assert {result.outcome for result in results} == {Outcome.ACCEPTED}
        assert {result.outcome for result in await publish_all(publisher, url, notes[:1])} == {Outcome.DUPLICATE}
        pool.want({url: (NOTES,)})
        await until(lambda: len(sink.sightings) == 300)
        live = a_note(1_000)
        await publish_all(publisher, url, [live])
        await until(lambda: len(sink.sightings) == 301)
        (newest,) = await publisher.fetch(url, ({"kinds": [1]},), 1, 5.0)
    assert sink.ids() == {note.id().to_hex() for note in [*notes, live]}
    assert Event.from_json(newest).id().to_hex() == live.id().to_hex()
    assert all(Event.from_json(text).verify() for text in sink.texts[:10])


@pytest.mark.req("REL-12")
async def test_a_relay_that_demands_authentication_is_read_and_written() -> None:
    """The relay checks our signed answer to its challenge, then takes the event and shows it."""
    demand = RelayBuilderNip42(mode=RelayBuilderNip42Mode.BOTH)
    sink = Sink()
    async with (
        a_relay(lambda builder: builder.nip42(demand)) as url,
        a_publisher() as publisher,
        a_pool(sink) as pool,
    ):
        pool.want({url: (NOTES,)})
        (result,) = await publish_all(publisher, url, [a_note(1)])
        assert result.outcome == Outcome.ACCEPTED
        await until(lambda: sink.sightings)
    assert sink.ids() == {a_note(1).id().to_hex()}


async def test_a_relay_that_closes_after_thousands_of_messages_loses_none() -> None:
    """Seven thousand events in one go: the line is cut in between, every event is stored all the same."""
    notes = [a_note(number) for number in range(7_000)]
    half = sum(len(note.as_json()) for note in notes) // 2
    async with a_relay() as url, a_path_cut_once(url, half) as path, a_publisher() as publisher:
        results = await publish_all(publisher, path, notes)
        assert all(result.is_stored for result in results)
        assert max(result.attempts for result in results) > 1
        assert min(result.attempts for result in results) == 1
