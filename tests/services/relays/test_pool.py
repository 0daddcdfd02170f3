"""Reading relays: what comes in goes on untouched, and nothing is lost."""

import asyncio
from dataclasses import replace

import pytest

from services.relays.reports import Completion, RawSighting, RelayReport, ReportKind
from services.relays.subscriptions import LOOK_BACK_S
from tests.services.relays.scripted_relay import (
    Guest,
    ScriptedRelay,
    an_event,
)
from tests.services.relays.support import CONNECTION, READ, WRAPS, Sink, a_pool, until

# What comes in


async def test_an_event_reaches_the_sink_as_the_relay_wrote_it() -> None:
    """Odd key order, unknown field, broken signature: the same text, with relay, subscription and time."""
    odd = '{ "zzz": [1.50], "sig":"broken","kind":1059 , "created_at":7,"tags":[["p","%s"]]}' % ("aa" * 32)
    sink = Sink()
    async with ScriptedRelay() as relay, a_pool(sink, now_ms=lambda: 1_234) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        await relay.say_to_all(f' ["EVENT" , "{{q}}",{odd} ]')
        await until(lambda: sink.sightings)
    assert sink.sightings == [RawSighting(relay.url, "orders", 1_234, odd, "")]


async def test_each_relays_sighting_counts_once() -> None:
    """The same event from two relays is two sightings, and after a reconnect none more."""
    event, sink = an_event(1), Sink()
    async with ScriptedRelay(event) as one, ScriptedRelay(event) as two, a_pool(sink) as pool:
        pool.want({one.url: (WRAPS,), two.url: (WRAPS,)})
        await until(lambda: len(sink.sightings) == 2)
        one.hang_up()
        await until(lambda: pool.status()[one.url].duplicates == 1)
        await until(lambda: pool.status()[one.url].reconnects == 1)
    assert {sighting.relay for sighting in sink.sightings} == {one.url, two.url}
    assert sink.texts == [event, event]


async def test_an_event_nobody_asked_for_is_counted_and_left_out() -> None:
    """A relay cannot push events under a query name of its own."""
    sink = Sink()
    async with ScriptedRelay() as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        await relay.guests[0].show("made-up", an_event(1))
        await relay.add(an_event(2))
        await until(lambda: sink.sightings)
        assert pool.status()[relay.url].unsolicited == 1
    assert sink.texts == [an_event(2)]


@pytest.mark.req("REL-18")
async def test_too_big_and_broken_frames_are_counted_and_the_socket_goes_on() -> None:
    """A 5 MB frame and a broken one cost a counter and a report each."""
    sink = Sink()
    reports: list[RelayReport] = []
    async with ScriptedRelay() as relay, a_pool(sink, report=reports.append) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        await relay.say_to_all('["NOTICE","' + "x" * 5_000_000 + '"]')
        await relay.say_to_all('["EVENT"')
        await relay.add(an_event(1))
        await until(lambda: sink.sightings)
        status = pool.status()[relay.url]
    assert (status.too_big, status.bad_frames, status.reconnects) == (1, 1, 0)
    assert reports == [
        RelayReport(relay.url, ReportKind.FRAME_TOO_BIG, "dropped", 5_000_013),
        RelayReport(relay.url, ReportKind.BAD_FRAME, "not JSON", 8),
    ]


async def test_a_frame_beyond_the_hard_cap_closes_the_relay_and_backs_off() -> None:
    """It is counted, and each new connection waits longer than the one before."""
    settings = replace(CONNECTION, frame_hard_max_bytes=200_000)

    async def flood(guest: Guest) -> None:
        await guest.connection.send("x" * 300_000)

    async with (
        ScriptedRelay(on_connect=flood) as relay,
        a_pool(Sink(), connection_settings=settings) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: pool.status()[relay.url].too_big >= 2)
        assert "over 200000 bytes" in pool.status()[relay.url].last_error


# Nothing is lost


@pytest.mark.req("REL-04")
async def test_a_stalled_sink_stops_reading_and_loses_nothing() -> None:
    """While the sink stalls the relay is left waiting; afterwards every event is there, once."""
    sink = Sink()
    async with ScriptedRelay() as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        sink.is_open.clear()

        async def send_all() -> None:
            for number in range(3_000):
                await relay.add(an_event(number).replace("no.", "x" * 4_000))

        sending = asyncio.create_task(send_all())
        await asyncio.sleep(0.5)
        # Twelve megabytes do not fit into the buffers between the two.
        assert not sending.done()
        assert pool.status()[relay.url].received < 3_000
        sink.is_open.set()
        await until(lambda: len(sink.sightings) == 3_000, timeout_s=10)
        assert pool.status()[relay.url].reconnects == 0
    assert sink.ids() == {f"{number:064x}" for number in range(3_000)}


async def test_a_stall_of_ours_is_no_dead_relay() -> None:
    """Pings cannot be answered to one who does not read, so none is missed."""
    settings = replace(READ, ping_interval_s=0.05, pong_timeout_s=0.05)
    sink = Sink()
    async with ScriptedRelay(*map(an_event, range(50))) as relay, a_pool(sink, settings=settings) as pool:
        sink.is_open.clear()
        pool.want({relay.url: (WRAPS,)})
        await asyncio.sleep(0.4)
        sink.is_open.set()
        await until(lambda: len(sink.sightings) == 50)
        assert relay.connections_ever == 1


async def test_what_a_failing_sink_did_not_take_comes_again() -> None:
    """The connection is dropped, so that the relay shows the event once more."""
    taken: list[str] = []
    failures = [OSError("broker away"), OSError("broker away")]

    async def sink(sighting: RawSighting) -> None:
        if failures:
            raise failures.pop()
        taken.append(sighting.text)

    async with ScriptedRelay(an_event(1)) as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: taken)
        assert pool.status()[relay.url].last_error == "OSError"
        assert pool.status()[relay.url].reconnects == 2
    assert taken == [an_event(1)]


@pytest.mark.req("REL-10")
async def test_a_relay_that_shows_a_hundred_at_a_time_is_read_to_its_end() -> None:
    """950 events behind a cap of 100 per REQ are all seen, and each passed on once."""
    texts = [an_event(number, created_at=10_000 + number // 3) for number in range(950)]
    sink = Sink()
    async with ScriptedRelay(*texts, page_max=100) as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: len(sink.sightings) >= 950)
        await until(lambda: len(relay.frames("CLOSE")) == len(relay.frames("REQ")) - 1)
    assert sorted(sink.texts) == sorted(texts)


@pytest.mark.req("REL-10")
async def test_what_was_published_during_an_outage_is_read_afterwards() -> None:
    """The relay is away, an event is stored meanwhile, and it is seen after the reconnect."""
    sink = Sink()
    async with ScriptedRelay() as relay, a_pool(sink) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        await relay.stop()
        await until(lambda: not pool.status()[relay.url].is_connected)
        relay.texts.append(an_event(1))
        await asyncio.sleep(0.2)
        await relay.start()
        await until(lambda: sink.sightings)
        await until(lambda: pool.status()[relay.url].reconnects == 1)
    assert sink.texts == [an_event(1)]


async def test_a_reconnect_asks_from_two_days_before_the_last_completeness() -> None:
    """A wrap dated 47 hours into the past, published during the outage, comes in."""
    now_s = 1_700_000_000
    old, late = an_event(1, created_at=now_s - 400_000), an_event(2, created_at=now_s - 47 * 3_600)
    sink = Sink()
    completions: list[Completion] = []

    async def on_complete(completion: Completion) -> None:
        completions.append(completion)

    async with (
        ScriptedRelay(old) as relay,
        a_pool(sink, now_ms=lambda: now_s * 1_000, on_complete=on_complete) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: completions)
        relay.texts.append(late)
        relay.hang_up()
        await until(lambda: len(sink.sightings) == 2)
    assert [frame[2].get("since") for frame in relay.frames("REQ")] == [None, now_s - LOOK_BACK_S]
    assert completions[0] == Completion(relay.url, "orders", WRAPS.cursor_key, now_s)
    assert sink.texts == [old, late]


async def test_a_restart_resumes_at_the_stored_cursor() -> None:
    """The caller stored (relay, key) → time, and gets it asked for."""
    async with ScriptedRelay() as relay:
        stored = {(relay.url, WRAPS.cursor_key): 1_700_000_000}
        async with a_pool(Sink(), last_complete=lambda url, key: stored.get((url, key))) as pool:
            pool.want({relay.url: (WRAPS,)})
            await until(lambda: relay.received)
    assert relay.received[0][2]["since"] == 1_700_000_000 - LOOK_BACK_S


async def test_completeness_waits_for_the_sink() -> None:
    """A cursor never runs ahead of events that are not yet in safe hands."""
    sink = Sink()
    completions: list[Completion] = []

    async def on_complete(completion: Completion) -> None:
        completions.append(completion)

    async with ScriptedRelay(an_event(1)) as relay, a_pool(sink, on_complete=on_complete) as pool:
        sink.is_open.clear()
        pool.want({relay.url: (WRAPS,)})
        await asyncio.sleep(0.2)
        assert not completions
        sink.is_open.set()
        await until(lambda: completions)


async def test_answered_pings_move_the_cursor_of_a_quiet_socket() -> None:
    """A connection that stays up for days leaves little to read again after it."""
    completions: list[int] = []

    async def on_complete(completion: Completion) -> None:
        completions.append(completion.until_s)

    clock = iter(range(1, 1_000_000))
    settings = replace(READ, ping_interval_s=0.03)
    async with (
        ScriptedRelay() as relay,
        a_pool(Sink(), settings=settings, on_complete=on_complete, now_ms=lambda: next(clock) * 1_000) as pool,
    ):
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: len(completions) > 3)
    assert completions == sorted(set(completions))


async def test_a_relay_that_does_not_answer_pings_is_left_and_tried_again() -> None:
    """A half-open connection does not look alive for ever."""
    settings = replace(READ, ping_interval_s=0.05, pong_timeout_s=0.1)
    async with ScriptedRelay() as relay, a_pool(Sink(), settings=settings) as pool:
        pool.want({relay.url: (WRAPS,)})
        await until(lambda: relay.guests and relay.guests[0].queries)
        relay.guests[0].connection.transport.pause_reading()
        await until(lambda: relay.connections_ever == 2)
        assert "pings" in pool.status()[relay.url].last_error
