"""The lying relay tells the lies it is told to tell, and the truth otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.relays import Outcome, Publisher
from services.relays.line import LineSettings
from services.relays.pace import Backoff
from tests.chaos.liar import Liar
from tests.chaos.plan import Kind
from tests.services.relays.scripted_relay import an_event, id_of

SOON = Backoff(first_s=0.02, most_s=0.05)
EVENT = an_event(1)


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    """One on loopback."""
    relay = Liar()
    await relay.start()
    yield relay
    await relay.stop()


@pytest.fixture
async def client() -> AsyncIterator[Publisher]:
    """Somebody who publishes and asks."""
    settings = LineSettings(ok_timeout_s=0.3, retry=SOON, reconnect=SOON)
    async with Publisher(is_trusted=lambda _url: True, settings=settings) as publisher:
        yield publisher


async def put(client: Publisher, liar: Liar, timeout_s: float = 0.6) -> Outcome:
    """What becomes of an event."""
    return (await client.publish(liar.url, id_of(EVENT), EVENT, timeout_s)).outcome


async def stored(client: Publisher, liar: Liar) -> int:
    """How many events it shows."""
    return len(await client.fetch(liar.url, ({"kinds": [1059], "#p": ["aa" * 32]},), limit=10, timeout_s=2))


async def telling(liar: Liar, kind: Kind, lasts_s: float = 30.0) -> asyncio.Task[None]:
    """A lie that has begun."""
    task = asyncio.ensure_future(liar.lie(kind, lasts_s))
    await asyncio.sleep(0.05)
    return task


async def test_untold_it_is_honest(liar: Liar, client: Publisher) -> None:
    """It keeps what it takes, and knows it again."""
    assert await put(client, liar) is Outcome.ACCEPTED
    assert await put(client, liar) is Outcome.DUPLICATE
    assert await stored(client, liar) == 1


async def test_it_forgets_what_it_says_it_has(liar: Liar, client: Publisher) -> None:
    """OK true, and nothing is there."""
    lie = await telling(liar, Kind.FORGET)
    assert await put(client, liar) is Outcome.ACCEPTED
    lie.cancel()

    assert await stored(client, liar) == 0


async def test_it_keeps_and_says_nothing(liar: Liar, client: Publisher) -> None:
    """The publisher cannot know; after that the event is a duplicate."""
    lie = await telling(liar, Kind.SILENT)
    assert await put(client, liar) is Outcome.TIMEOUT
    lie.cancel()
    await liar.heal()

    assert await put(client, liar) is Outcome.DUPLICATE


async def test_it_refuses_and_keeps_nothing(liar: Liar, client: Publisher) -> None:
    """Some reasons are worth another try, some are final; either way it is not there."""
    lie = await telling(liar, Kind.REFUSE)
    assert await put(client, liar) in (Outcome.REFUSED, Outcome.TIMEOUT)
    lie.cancel()

    assert await stored(client, liar) == 0


async def test_it_is_away_and_comes_back_to_the_same_address(liar: Liar, client: Publisher) -> None:
    """What it held it still holds."""
    assert await put(client, liar) is Outcome.ACCEPTED
    url = liar.url
    lie = await telling(liar, Kind.AWAY, 0.5)
    assert await put(client, liar, timeout_s=0.2) in (Outcome.UNREACHABLE, Outcome.TIMEOUT)
    await lie

    assert liar.url == url
    assert await stored(client, liar) == 1


async def test_healed_it_listens_and_tells_the_truth(liar: Liar, client: Publisher) -> None:
    """Whatever was under way."""
    lie = await telling(liar, Kind.AWAY)
    lie.cancel()
    await liar.heal()

    assert await put(client, liar) is Outcome.ACCEPTED
