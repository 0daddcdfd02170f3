"""Publishing: every answer of a relay has its consequence, and hundreds share one socket."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from services.relays.errors import BadRelayUrl, Forbidden, Refused, TimedOut, Unreachable
from services.relays.line import LineSettings
from services.relays.publish import NextStep, Outcome, Publisher, PublishResult, next_step
from tests.services.relays.scripted_relay import (
    Guest,
    ScriptedRelay,
    accept,
    an_auth_event,
    an_event,
    answers,
    id_of,
)
from tests.services.relays.support import CONNECTION, LINE, everyone, until

M1, M2 = "01" * 32, "02" * 32
EVENT = an_event(1)
PATIENT = replace(LINE, ok_timeout_s=30.0, auth_timeout_s=30.0)
"""For what is not about waiting: a busy machine may take long over hundreds of events."""


@asynccontextmanager
async def a_publisher(*, settings: LineSettings = LINE, **ports: Any) -> AsyncIterator[Publisher]:
    """Open a publisher that trusts loopback and is quick."""
    defaults = {"is_trusted": everyone, "draw": lambda: 0.5, "connection_settings": CONNECTION}
    async with Publisher(settings=settings, **{**defaults, **ports}) as publisher:
        yield publisher


async def publish(publisher: Publisher, relay: ScriptedRelay, timeout_s: float = 3.0) -> PublishResult:
    """Publish the one event."""
    return await publisher.publish(relay.url, id_of(EVENT), EVENT, timeout_s)


async def authenticate(url: str, challenge: str) -> list[str]:
    """Answer a challenge for two merchants."""
    return [an_auth_event(pubkey, url, challenge) for pubkey in (M1, M2)]


@pytest.mark.req("REL-13")
@pytest.mark.parametrize(
    ("is_accepted", "message", "step"),
    [
        (True, "", NextStep.ACCEPTED),
        (True, "pow: difficulty 25>=24", NextStep.ACCEPTED),
        (True, "duplicate: already have this event", NextStep.DUPLICATE),
        (False, "duplicate: already have this event", NextStep.DUPLICATE),
        (False, "rate-limited: slow down", NextStep.RETRY),
        (False, "error: could not connect to the database", NextStep.RETRY),
        (False, "auth-required: who are you", NextStep.AUTHENTICATE),
        (False, "pow: difficulty 26 is less than 30", NextStep.REFUSED),
        (False, "blocked: you are banned", NextStep.REFUSED),
        (False, "restricted: not allowed to write", NextStep.REFUSED),
        (False, "invalid: created_at too far off", NextStep.REFUSED),
        (False, "replaced: have newer event", NextStep.REFUSED),
        (False, "deleted: user requested deletion", NextStep.REFUSED),
        (False, "mute: no one was listening", NextStep.REFUSED),
        (False, "something new: what", NextStep.RETRY),
        (False, "", NextStep.RETRY),
    ],
)
def test_each_ok_has_its_next_step(is_accepted: bool, message: str, step: NextStep) -> None:
    """The prefixes of NIP-01 and NIP-42, strfry's own, and words nobody knows."""
    assert next_step(is_accepted, message) == step


@pytest.mark.req("REL-13")
@pytest.mark.parametrize(
    ("first", "outcome", "attempts"),
    [
        ((True, ""), Outcome.ACCEPTED, 1),
        ((False, "duplicate: have it"), Outcome.DUPLICATE, 1),
        ((False, "rate-limited: slow down"), Outcome.ACCEPTED, 2),
        ((False, "error: disk"), Outcome.ACCEPTED, 2),
        ((False, "blocked: no"), Outcome.REFUSED, 1),
        ((False, "restricted: no"), Outcome.REFUSED, 1),
        ((False, "invalid: no"), Outcome.REFUSED, 1),
        ((False, "pow: 30 bits please"), Outcome.REFUSED, 1),
    ],
)
async def test_a_scripted_answer_leads_to_its_outcome(first: tuple[bool, str], outcome: Outcome, attempts: int) -> None:
    """Success and refusal are final, trouble is tried again with the same bytes."""
    async with ScriptedRelay(on_event=answers(first, (True, ""))) as relay, a_publisher() as publisher:
        result = await publish(publisher, relay)
    assert (result.outcome, result.attempts) == (outcome, attempts)
    assert result.is_stored == (outcome is not Outcome.REFUSED)
    assert len(relay.frames("EVENT")) == attempts
    assert all(frame == relay.received[0] for frame in relay.received)


@pytest.mark.req("REL-13")
async def test_no_answer_in_time_is_tried_again() -> None:
    """A lost OK is asked for by sending the same event; the relay then says duplicate."""
    calls = 0

    async def forget_the_first(relay: ScriptedRelay, guest: Guest, event: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            relay.accepted.add(event["id"])
        else:
            await accept(relay, guest, event)

    async with ScriptedRelay(on_event=forget_the_first) as relay, a_publisher() as publisher:
        result = await publish(publisher, relay)
    assert result == PublishResult(relay.url, Outcome.DUPLICATE, "duplicate: have it", 2)


@pytest.mark.req("REL-12")
async def test_a_refused_event_is_sent_again_after_authentication() -> None:
    """OK false auth-required → AUTH for each identity → the same event → accepted."""
    async with (
        ScriptedRelay(identities=(M1, M2), auth_to_write=True) as relay,
        a_publisher(authenticate=authenticate) as publisher,
    ):
        result = await publish(publisher, relay)
    assert result.outcome == Outcome.ACCEPTED
    assert [frame[0] for frame in relay.received] == ["EVENT", "AUTH", "AUTH", "EVENT"]


async def test_hundreds_that_need_authentication_share_one() -> None:
    """Three hundred refused at once cause one round of AUTH."""
    async with (
        ScriptedRelay(identities=(M1, M2), auth_to_write=True) as relay,
        a_publisher(authenticate=authenticate, settings=PATIENT) as publisher,
    ):
        events = [an_event(number) for number in range(300)]
        results = await asyncio.gather(*(publisher.publish(relay.url, id_of(event), event, 60.0) for event in events))
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert len(relay.frames("AUTH")) == 2


async def test_without_an_identity_the_relay_asks_for_the_event_is_refused() -> None:
    """There is nothing to retry with."""
    async with ScriptedRelay(identities=(M1,), auth_to_write=True) as relay, a_publisher() as publisher:
        result = await publish(publisher, relay)
    assert result.outcome == Outcome.REFUSED
    assert result.message.startswith("auth-required")


async def test_a_relay_that_never_answers_is_a_timeout() -> None:
    """Whether it has the event is unknown."""

    async def say_nothing(_relay: ScriptedRelay, _guest: Guest, _event: dict[str, Any]) -> None:
        return

    async with ScriptedRelay(on_event=say_nothing) as relay, a_publisher() as publisher:
        result = await publish(publisher, relay, timeout_s=0.8)
    assert result.outcome == Outcome.TIMEOUT
    assert result.attempts >= 2


async def test_a_relay_that_keeps_saying_slow_down_is_a_timeout_with_its_word() -> None:
    """The last word tells the operator why."""
    relay = ScriptedRelay(on_event=answers((False, "rate-limited: slow down")))
    async with relay, a_publisher() as publisher:
        result = await publish(publisher, relay, timeout_s=0.4)
    assert (result.outcome, result.message) == (Outcome.TIMEOUT, "rate-limited: slow down")
    assert 2 <= result.attempts < 20


async def test_nobody_listening_is_unreachable_after_the_time_given() -> None:
    """It is tried again until the time is up, not a moment longer."""
    relay = ScriptedRelay()
    async with relay:
        pass
    async with a_publisher() as publisher:
        began = time.monotonic()
        result = await publish(publisher, relay, timeout_s=0.4)
    assert 0.3 < time.monotonic() - began < 1.5
    assert result.outcome == Outcome.UNREACHABLE
    assert 2 <= result.attempts < 30


async def test_a_relay_that_comes_back_gets_the_event() -> None:
    """An outage shorter than the time given goes unnoticed."""
    relay = ScriptedRelay()
    async with relay:
        pass
    async with a_publisher() as publisher:
        publishing = asyncio.create_task(publish(publisher, relay))
        await asyncio.sleep(0.15)
        async with relay:
            result = await publishing
    assert result.outcome == Outcome.ACCEPTED


@pytest.mark.parametrize("address", ["junk", "ws://10.0.0.1", "wss://localhost"])
async def test_an_address_that_must_not_be_dialled_is_refused_at_once(address: str) -> None:
    """No time is spent on a stranger's inner address."""
    async with a_publisher(is_trusted=lambda _url: False) as publisher:
        result = await publisher.publish(address, id_of(EVENT), EVENT, 5.0)
    assert result.outcome == Outcome.REFUSED


async def test_hundreds_under_way_share_one_socket() -> None:
    """Answers in another order than the events find their own."""
    held: list[tuple[Guest, str]] = []

    async def answer_backwards(_relay: ScriptedRelay, guest: Guest, event: dict[str, Any]) -> None:
        held.append((guest, event["id"]))
        if len(held) == 500:
            for one, event_id in reversed(held):
                await one.say("OK", event_id, True, "")

    settings = replace(LINE, ok_timeout_s=5.0)
    relay = ScriptedRelay(on_event=answer_backwards)
    async with relay, a_publisher(settings=settings) as publisher:
        events = [an_event(number) for number in range(500)]
        results = await asyncio.gather(*(publisher.publish(relay.url, id_of(event), event, 5.0) for event in events))
    assert {(result.outcome, result.attempts) for result in results} == {(Outcome.ACCEPTED, 1)}
    assert relay.connections_ever == 1


async def test_a_relay_that_closes_after_so_many_messages_is_not_noticed() -> None:
    """A thousand events over sockets that live for 300 messages: all stored, none refused."""
    async with ScriptedRelay(guests_max_messages=300) as relay, a_publisher() as publisher:
        relay.on_event = answers((True, ""))
        events = [an_event(number) for number in range(1_000)]
        results = await asyncio.gather(*(publisher.publish(relay.url, id_of(event), event, 10.0) for event in events))
    assert {result.outcome for result in results} == {Outcome.ACCEPTED}
    assert relay.connections_ever >= 4
    assert {frame[1]["id"] for frame in relay.frames("EVENT")} == {id_of(event) for event in events}


async def test_one_event_published_twice_at_once_goes_over_the_wire_once() -> None:
    """Both callers get the one answer."""

    async def answer_late(_relay: ScriptedRelay, guest: Guest, event: dict[str, Any]) -> None:
        await asyncio.sleep(0.1)
        await guest.say("OK", event["id"], True, "")

    async with ScriptedRelay(on_event=answer_late) as relay, a_publisher() as publisher:
        results = await asyncio.gather(publish(publisher, relay), publish(publisher, relay))
    assert [result.outcome for result in results] == [Outcome.ACCEPTED] * 2
    assert len(relay.frames("EVENT")) == 1


async def test_one_callers_end_is_not_the_others() -> None:
    """The first gives up while both wait for one answer; the second gets it."""

    async def answer_late(_relay: ScriptedRelay, guest: Guest, event: dict[str, Any]) -> None:
        await asyncio.sleep(0.15)
        await guest.say("OK", event["id"], True, "")

    async with ScriptedRelay(on_event=answer_late) as relay, a_publisher() as publisher:
        first = asyncio.create_task(publish(publisher, relay, timeout_s=0.05))
        await until(lambda: relay.received)
        second = await publish(publisher, relay)
        assert (await first).outcome == Outcome.TIMEOUT
    assert second.outcome == Outcome.ACCEPTED


async def test_a_lying_ok_for_another_event_settles_nothing() -> None:
    """Only the answer with the event's own id counts."""

    async def answer_for_another(_relay: ScriptedRelay, guest: Guest, event: dict[str, Any]) -> None:
        await guest.say("OK", "ff" * 32, False, "blocked: no")
        await guest.say("OK", event["id"], True, "")

    async with ScriptedRelay(on_event=answer_for_another) as relay, a_publisher() as publisher:
        assert (await publish(publisher, relay)).outcome == Outcome.ACCEPTED


async def test_an_idle_socket_is_closed_and_opened_again_when_needed() -> None:
    """A relay written to once a day costs no connection in between."""
    settings = replace(LINE, idle_s=0.1)
    async with ScriptedRelay() as relay, a_publisher(settings=settings) as publisher:
        assert (await publish(publisher, relay)).outcome == Outcome.ACCEPTED
        await until(lambda: not relay.guests)
        assert (await publish(publisher, relay)).outcome == Outcome.DUPLICATE
    assert relay.connections_ever == 2


async def test_closing_ends_what_is_under_way() -> None:
    """A publish that waits is told so instead of being cancelled or left hanging."""

    async def say_nothing(_relay: ScriptedRelay, _guest: Guest, _event: dict[str, Any]) -> None:
        return

    async with ScriptedRelay(on_event=say_nothing) as relay:
        async with a_publisher() as publisher:
            publishing = asyncio.create_task(publish(publisher, relay, timeout_s=30.0))
            await until(lambda: relay.received)
        async with asyncio.timeout(2):
            assert (await publishing).outcome == Outcome.TIMEOUT
        await until(lambda: not relay.guests)


# Asking


async def test_fetch_returns_the_newest_stored_events() -> None:
    """One question, as many texts as asked for, untouched; the query is closed."""
    texts = [an_event(number, kind=10050, created_at=number) for number in range(5)]
    async with ScriptedRelay(*texts) as relay, a_publisher() as publisher:
        found = await publisher.fetch(relay.url, ({"kinds": [10050]},), 2, 2.0)
        assert found == [texts[4], texts[3]]
        assert await publisher.fetch(relay.url, ({"kinds": [10002]},), 2, 2.0) == []
        await until(lambda: len(relay.frames("CLOSE")) == 2)
    assert relay.frames("REQ")[0][2] == {"kinds": [10050], "limit": 2}


async def test_fetch_takes_no_more_than_the_limit_from_a_flooding_relay() -> None:
    """A relay that ignores the limit does not fill memory."""

    async def flood(guest: Guest) -> None:
        for number in range(1_000):
            await guest.show("f1", an_event(number))

    async with ScriptedRelay(on_connect=flood, sends_eose=False) as relay, a_publisher() as publisher:
        await publish(publisher, relay)
        relay.texts = [an_event(number) for number in range(50)]
        assert len(await publisher.fetch(relay.url, ({"kinds": [1059]},), 7, 2.0)) == 7


async def test_fetch_authenticates_when_asked_to() -> None:
    """CLOSED auth-required → AUTH → the question again."""
    async with (
        ScriptedRelay(EVENT, identities=(M1, M2)) as relay,
        a_publisher(authenticate=authenticate) as publisher,
    ):
        assert await publisher.fetch(relay.url, ({"kinds": [1059]},), 5, 2.0) == [EVENT]


async def test_fetch_tells_silence_absence_and_refusal_apart() -> None:
    """Nothing stored is an empty answer; no answer, no relay, a no and a bad address are errors."""
    question = ({"kinds": [1059]},)
    lazy, strict, gone = ScriptedRelay(sends_eose=False), ScriptedRelay(identities=(M1,)), ScriptedRelay()
    async with lazy, strict, a_publisher() as publisher:
        async with gone:
            pass
        with pytest.raises(TimedOut):
            await publisher.fetch(lazy.url, question, 5, 0.2)
        with pytest.raises(Unreachable):
            await publisher.fetch(gone.url, question, 5, 0.2)
        with pytest.raises(Refused):
            await publisher.fetch(strict.url, question, 5, 2.0)
        with pytest.raises(BadRelayUrl):
            await publisher.fetch("junk", question, 5, 0.2)
        lazy.texts.append(EVENT)
        assert await publisher.fetch(lazy.url, question, 5, 0.2) == [EVENT]
    async with a_publisher(is_trusted=lambda _url: False) as publisher:
        with pytest.raises(Forbidden):
            await publisher.fetch("ws://10.0.0.1", question, 5, 0.5)
