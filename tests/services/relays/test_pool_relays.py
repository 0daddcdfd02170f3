"""Many relays: what they refuse, which of them are read, and that none stands in another's way."""

import asyncio
import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from services.relays.information import RelayInformation
from services.relays.reports import Completion, RawSighting
from services.relays.subscriptions import RelayLimits, Subscription
from tests.services.relays.scripted_relay import (
    CHALLENGE,
    Guest,
    ScriptedRelay,
    an_auth_event,
    an_event,
    dribble,
    id_of,
)
from tests.services.relays.support import READ, WRAPS, Sink, a_pool, until

M1, M2 = "01" * 32, "02" * 32


# Refusals


@pytest.mark.req("REL-12")
async def test_every_identity_authenticates_and_the_query_is_repeated() -> None:
    """CLOSED auth-required → an AUTH for each merchant, with the address dialled → REQ → the wrap."""
    asked: list[tuple[str, str]] = []

    async def authenticate(url: str, challenge: str) -> list[str]:
        asked.append((url, challenge))
        return [an_auth_event(pubkey, url, challenge) for pubkey in (M1, M2)]

    sink = Sink()
    async with (
        ScriptedRelay(an_event(1), identities=(M1, M2)) as relay,
        a_pool(sink, authenticate=authenticate) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: sink.sightings)
    assert asked == [(relay.url, CHALLENGE)]
    assert [frame[0] for frame in relay.received[:4]] == ["REQ", "AUTH", "AUTH", "REQ"]
    assert [frame[1]["pubkey"] for frame in relay.frames("AUTH")] == [M1, M2]


async def test_a_relay_that_asks_nothing_learns_no_identity() -> None:
    """A challenge alone is remembered, not answered."""

    async def challenge(guest: Guest) -> None:
        await guest.say("AUTH", CHALLENGE)

    async def authenticate(_url: str, _challenge: str) -> list[str]:
        raise AssertionError("nobody asked")

    sink = Sink()
    async with (
        ScriptedRelay(an_event(1), on_connect=challenge) as relay,
        a_pool(sink, authenticate=authenticate) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: sink.sightings)
        assert not relay.frames("AUTH")


async def test_a_signer_that_was_locked_is_asked_again() -> None:
    """No identity now may be one later; the query waits and comes back."""
    answers: list[list[str]] = []

    async def authenticate(url: str, challenge: str) -> list[str]:
        answers.append([] if len(answers) < 2 else [an_auth_event(M1, url, challenge)])
        return answers[-1]

    sink = Sink()
    async with (
        ScriptedRelay(an_event(1), identities=(M1,)) as relay,
        a_pool(sink, authenticate=authenticate) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: sink.sightings)
        assert relay.connections_ever == 1


async def test_a_query_closed_for_another_reason_is_repeated_after_a_wait() -> None:
    """An overloaded relay gets its REQ again."""
    async with ScriptedRelay() as relay, a_pool(Sink()) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: len(relay.frames("REQ")) == 1)
        await relay.say_to_all('["CLOSED","{q}","error: too busy"]')
        await until(lambda: len(relay.frames("REQ")) == 2)
        assert pool.status()[relay.url].last_error == "closed: error: too busy"


# What is wanted


@pytest.mark.req("REL-02")
async def test_two_spellings_and_forty_merchants_make_one_socket() -> None:
    """All tenants' filters go over one connection, in REQs within the relay's limits."""
    limits = RelayLimits(message_max_bytes=1_200, subscriptions_max=8)
    document = json.dumps({"limitation": {"max_message_length": 1_200, "max_subscriptions": 8}})
    information = RelayInformation(is_trusted=lambda _url: True)
    keys = [f"{number:064x}" for number in range(40)]
    asked = tuple(Subscription(f"m{key[-2:]}", ({"kinds": [1059], "#p": [key]},)) for key in keys)
    async with ScriptedRelay(document=document) as relay, a_pool(Sink(), limits=information.limits) as pool:
        pool.want({relay.url: asked[:20], relay.url.upper().replace("WS", "Ws") + "/": asked[20:]})
        await until(lambda: sum(len(frame) - 2 for frame in relay.frames("REQ")) == 40)
        assert len(pool.status()) == 1
        assert relay.connections_ever == 1
        reqs = relay.frames("REQ")
        assert all(len(json.dumps(req)) <= limits.message_max_bytes for req in reqs)
        assert len(reqs) < limits.subscriptions_max
        assert {key for req in reqs for one in req[2:] for key in one["#p"]} == set(keys)


@pytest.mark.req("REL-01")
async def test_sockets_follow_the_wanted_relays() -> None:
    """A relay added at run time is connected and asked, a removed one closed, the third left alone."""
    sink = Sink()
    async with ScriptedRelay() as one, ScriptedRelay() as two, ScriptedRelay(an_event(3)) as three:
        async with a_pool(sink) as pool:
            pool.want({one.url: (WRAPS,), two.url: (WRAPS,)})
            await until(lambda: one.guests and two.guests)
            began = time.monotonic()
            pool.want({two.url: (WRAPS,), three.url: (WRAPS,)})
            await until(lambda: sink.ids(three.url))
            await until(lambda: not one.guests)
            assert time.monotonic() - began < 10
            assert set(pool.status()) == {two.url, three.url}
            assert two.connections_ever == 1
        assert not two.guests
        assert not three.guests


async def test_new_subscriptions_reach_an_open_socket() -> None:
    """Another merchant on the same relay costs a REQ, not a connection."""
    shop = Subscription("shop", ({"kinds": [30402]},))
    sink = Sink()
    async with ScriptedRelay(an_event(1, kind=30402)) as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: len(relay.frames("REQ")) == 1)
        pool.want({relay.url: (WRAPS, shop)})
        await until(lambda: sink.sightings)
        pool.want({relay.url: (shop,)})
        await until(lambda: relay.frames("CLOSE"))
        assert relay.connections_ever == 1
    assert relay.frames("CLOSE") == [["CLOSE", "q1"]]
    assert sink.sightings[0].subscription == "shop"


async def test_an_address_that_must_not_be_dialled_harms_no_other() -> None:
    """Junk and inner addresses come back with a reason, the rest is read."""
    sink = Sink()
    relay = ScriptedRelay(an_event(1))
    async with relay, a_pool(sink, is_trusted=lambda url: url == relay.url) as pool:
        refused = pool.want({"junk": (WRAPS,), "ws://10.0.0.1": (WRAPS,), "wss://a@b.c": (WRAPS,), relay.url: (WRAPS,)})
        await until(lambda: sink.sightings)
        assert set(pool.status()) == {relay.url}
    assert [one.address for one in refused] == ["junk", "ws://10.0.0.1", "wss://a@b.c"]


# Neighbours


@pytest.mark.req("REL-19")
async def test_slow_lying_and_flooding_relays_do_not_delay_a_good_one() -> None:
    """One dribbles a byte a second, one lies, one floods; the good one's events take well under a second."""
    seen_at: dict[str, float] = {}

    async def sink(sighting: RawSighting) -> None:
        seen_at[sighting.event_id] = time.monotonic()

    async def lie(guest: Guest) -> None:
        for number in range(2_000):
            await guest.connection.send(f'["EVENT","x{number}",{{}}]')
            await guest.connection.send('["EVENT",')

    slow, liar, flooder, good = (ScriptedRelay() for _ in range(4))
    slow.on_connect = lambda guest: dribble(guest, '["NOTICE","' + "x" * 1_000 + '"]')
    liar.on_connect = lie
    settings = replace(READ, frames_per_s=500.0, frames_burst=500.0)
    async with slow, liar, flooder, good, a_pool(sink, settings=settings) as pool:
        pool.want({relay.url: (WRAPS,) for relay in (slow, liar, flooder, good)})
        await until(lambda: good.guests and good.guests[0].queries and flooder.guests)

        async def flood() -> None:
            for number in range(100_000, 200_000):
                await flooder.add(an_event(number))

        flooding = asyncio.create_task(flood())
        delays_s = []
        for number in range(20):
            text = an_event(number)
            sent_at = time.monotonic()
            await good.add(text)
            await until(lambda text=text: id_of(text) in seen_at)  # type: ignore[misc]
            delays_s.append(seen_at[id_of(text)] - sent_at)
        flooding.cancel()
        status = pool.status()
        assert status[liar.url].bad_frames > 0
        assert status[liar.url].unsolicited > 0
        # The flood is paused, not dropped: what was read is what the rate allows.
        assert 0 < status[flooder.url].received < 3_000
    assert sorted(delays_s)[18] < 5.0


async def test_a_lazy_relay_is_never_complete_and_its_events_still_come() -> None:
    """Without EOSE there is no cursor, and the query is asked again."""
    completions: list[Completion] = []

    async def on_complete(completion: Completion) -> None:
        completions.append(completion)

    sink = Sink()
    settings = replace(READ, eose_timeout_s=0.1)
    async with (
        ScriptedRelay(an_event(1), sends_eose=False) as relay,
        a_pool(sink, settings=settings, on_complete=on_complete) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: len(relay.frames("REQ")) >= 2)
        await relay.add(an_event(2))
        await until(lambda: len(sink.sightings) == 2)
        assert pool.status()[relay.url].last_eose_ms is None
    assert not completions


async def test_an_early_eose_does_not_lose_what_comes_after_it() -> None:
    """A lying EOSE makes the relay look complete too soon, but every event is passed on."""
    sink = Sink()
    async with ScriptedRelay(sends_eose=False) as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        await relay.say_to_all('["EOSE","{q}"]')
        await relay.add(an_event(1))
        await until(lambda: sink.sightings)


async def test_a_relay_that_flaps_is_called_less_and_less_often() -> None:
    """A connection that lives for a moment does not reset the back-off."""
    calls: list[float] = []

    async def hang_up(guest: Guest) -> None:
        calls.append(time.monotonic())
        guest.connection.transport.abort()

    async with ScriptedRelay(on_connect=hang_up) as relay, a_pool(Sink()) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: len(calls) >= 5)
    waits = [after - before for before, after in pairwise(calls)]
    assert waits[3] > waits[0]
    assert waits[3] >= 0.07
