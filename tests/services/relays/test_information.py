"""What a relay says of itself: believed within reason, asked seldom, and never a reason not to read it."""

import json
import time

import pytest

from services.relays.information import DOCUMENT_BYTES_MAX, RelayInformation, limits_in
from services.relays.subscriptions import RelayLimits
from tests.services.relays.scripted_relay import ScriptedRelay

USUAL = RelayLimits()


def saying(**limitation: object) -> str:
    """A relay's document with these limits."""
    return json.dumps({"name": "a relay", "supported_nips": [1, 11], "limitation": limitation})


def asking(is_trusted: bool = True) -> RelayInformation:
    """Somebody who has asked nobody yet."""
    return RelayInformation(is_trusted=lambda _url: is_trusted)


@pytest.mark.req("REL-02")
async def test_a_relays_own_limits_are_read_from_its_document() -> None:
    """Bytes, subscriptions, filters, and the smaller of what cuts an answer off."""
    document = saying(max_message_length=2_000, max_subscriptions=5, max_filters=3, max_limit=80, default_limit=50)
    async with ScriptedRelay(document=document) as relay:
        found = await asking().limits(relay.url)
    assert found == RelayLimits(message_max_bytes=2_000, subscriptions_max=5, filters_max=3, page_events=50)


async def test_an_answer_counts_for_a_day_and_its_absence_for_an_hour() -> None:
    """A relay that reconnects every minute is not asked every minute."""
    clock = [0.0]
    information = RelayInformation(is_trusted=lambda _url: True, now_s=lambda: clock[0])
    async with ScriptedRelay() as relay:
        asked = []
        for at_s in (0, 3_599, 3_601):
            clock[0] = at_s
            assert await information.limits(relay.url) == USUAL
            asked.append(relay.documents_asked)
        relay.document = saying(max_subscriptions=7)
        for at_s in (10_000, 90_000, 97_000):
            clock[0] = at_s
            assert (await information.limits(relay.url)).subscriptions_max == 7
            asked.append(relay.documents_asked)
    assert asked == [1, 1, 2, 3, 3, 4]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "no JSON",
        "[]",
        "[" * 60_000,
        json.dumps({"limitation": []}),
        saying(max_message_length="many", max_subscriptions=True, max_filters=-1, max_limit=0.5),
        saying(max_limit=1_000_000, default_limit=None),
    ],
)
async def test_a_document_that_says_nothing_usable_means_the_usual_limits(document: str) -> None:
    """Broken, of another shape, or promising more than is asked for."""
    async with ScriptedRelay(document=document) as relay:
        assert await asking().limits(relay.url) == USUAL


def test_no_figure_can_make_a_relay_unreadable() -> None:
    """One byte a message is not believed, nor a gigabyte."""
    least = limits_in({"limitation": dict.fromkeys(("max_message_length", "max_subscriptions", "max_limit"), 1)})
    most = limits_in({"limitation": dict.fromkeys(("max_message_length", "max_subscriptions"), 10**12)})

    assert (least.message_max_bytes, least.subscriptions_max, least.page_events) == (1_024, 2, 1)
    assert (most.message_max_bytes, most.subscriptions_max) == (65_536, 200)


async def test_a_description_at_the_cap_is_read_and_a_longer_one_is_not() -> None:
    """Nobody fills our memory with words about themselves."""
    frame = len(json.dumps({"x": "", "limitation": {"max_subscriptions": 9}}))
    for size, expected in ((DOCUMENT_BYTES_MAX, 9), (DOCUMENT_BYTES_MAX + 1, USUAL.subscriptions_max)):
        document = json.dumps({"x": "x" * (size - frame), "limitation": {"max_subscriptions": 9}})
        async with ScriptedRelay(document=document) as relay:
            assert (await asking().limits(relay.url)).subscriptions_max == expected


async def test_an_untrusted_address_is_asked_nothing() -> None:
    """What a stranger names must be public for this door too."""
    async with ScriptedRelay(document=saying(max_subscriptions=9)) as relay:
        assert await asking(is_trusted=False).limits(relay.url) == USUAL
        assert (relay.documents_asked, relay.connections_ever) == (0, 0)


async def test_a_relay_that_is_not_there_costs_a_moment() -> None:
    """No error reaches whoever asks."""
    began_s = time.monotonic()
    assert await asking().limits("ws://127.0.0.1:9") == USUAL
    assert time.monotonic() - began_s < 5
