"""Subscriptions: cut to a relay's limits, resumed with look-back, paged to the end."""

import json

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from services.relays.frames import req_message
from services.relays.subscriptions import (
    LOOK_BACK_S,
    Group,
    RelayLimits,
    Subscription,
    label,
    next_until,
    plan,
    resume_since,
)

MERCHANTS = [f"{number:064x}" for number in range(40)]
LIMITS = RelayLimits(message_max_bytes=1_000, subscriptions_max=20)


def values_of(groups: tuple[Group, ...], key: str) -> list[str]:
    """Return the values asked for under a key, over all groups."""
    return [value for group in groups for ask in group for value in json.loads(ask.filter_text)[key]]


def test_a_long_filter_is_cut_into_reqs_that_fit() -> None:
    """Forty merchants in REQs of at most 1,000 bytes: every one asked for, exactly once."""
    groups = plan([Subscription("orders", ({"kinds": [1059], "#p": MERCHANTS},))], LIMITS)
    assert sorted(values_of(groups, "#p")) == MERCHANTS
    for group in groups:
        message = req_message("q12345", [ask.bounded(1_700_000_000, 1_700_000_000) for ask in group])
        assert len(message.encode()) <= LIMITS.message_max_bytes


def test_subscriptions_share_reqs_only_when_there_are_too_many() -> None:
    """Three keep a REQ each; forty share as many as the relay allows less one for paging."""
    many = [Subscription(f"m{n}", ({"kinds": [1059], "#p": [key]},)) for n, key in enumerate(MERCHANTS)]
    assert len(plan(many[:3], LIMITS)) == 3
    groups = plan(many, LIMITS)
    assert len(groups) < LIMITS.subscriptions_max
    assert sorted(values_of(groups, "#p")) == MERCHANTS
    assert label(groups[0]).startswith("m0+m1")


def test_a_filter_that_cannot_be_cut_is_left_whole() -> None:
    """There is nothing to halve; the relay's refusal will tell."""
    (group,) = plan([Subscription("long", ({"search": "x" * 2_000},))], LIMITS)
    assert len(group) == 1


def test_other_filters_make_another_cursor() -> None:
    """What was complete for one merchant is not complete for two; key order does not matter."""
    one = Subscription("orders", ({"kinds": [1059], "#p": ["a"]},))
    same = Subscription("orders", ({"#p": ["a"], "kinds": [1059]},))
    two = Subscription("orders", ({"kinds": [1059], "#p": ["a", "b"]},))
    assert one.cursor_key == same.cursor_key != two.cursor_key


def test_resuming_looks_back_two_days_and_more() -> None:
    """A wrap dated 47 hours into the past, sent while we were away, lies after `since`."""
    away_since_s = 1_700_000_000
    since_s = resume_since(away_since_s, LOOK_BACK_S)
    assert since_s is not None
    assert since_s <= away_since_s - 48 * 3_600 < away_since_s + 600 - 47 * 3_600
    assert resume_since(None, LOOK_BACK_S) is None


def test_a_bound_of_the_callers_is_only_made_tighter() -> None:
    """Our `since` does not widen theirs."""
    ((ask,),) = plan([Subscription("s", ({"since": 500, "until": 900},))], LIMITS)
    assert ask.bounded(100, 950) == {"since": 500, "until": 900}
    assert ask.bounded(600, 700) == {"since": 600, "until": 700}


@pytest.mark.parametrize(
    ("until_s", "oldest_s", "count", "since_s", "following"),
    [
        (None, None, 0, None, None),  # nothing stored
        (None, 50, 99, None, None),  # less than a page: not cut off
        (None, 50, 100, None, 50),  # a page: go on at its oldest second
        (50, 40, 3, None, 40),  # it moved: go on, even a small cap is read to its end
        (50, 50, 1, None, None),  # only the second itself came again: the end
        (50, 50, 100, None, 49),  # a page of one second: step over it
        (50, 40, 100, 45, None),  # beyond what was asked for
    ],
)
def test_paging_goes_on_until_nothing_older_comes(
    until_s: int | None, oldest_s: int | None, count: int, since_s: int | None, following: int | None
) -> None:
    """The next page begins at the oldest second seen, and there is one as long as that moves."""
    assert next_until(until_s, oldest_s, count, since_s, page_events=100) == following


@seed(3)
@given(
    times=st.lists(st.integers(0, 400), max_size=300).map(sorted),
    cap=st.integers(10, 60),
)
def test_paging_sees_every_event_a_capped_relay_holds(times: list[int], cap: int) -> None:
    """As long as no single second holds a whole page, nothing is left out."""
    events = [pair for n, pair in enumerate(enumerate(times)) if n < 9 or times[n - 9] < times[n]]
    seen: set[tuple[int, int]] = set()
    until_s: int | None = None
    while True:
        within = [one for one in events if until_s is None or one[1] <= until_s]
        page = sorted(within, key=lambda one: -one[1])[:cap]
        seen.update(page)
        oldest_s = min((at for _, at in page), default=None)
        until_s = next_until(until_s, oldest_s, len(page), None, page_events=cap)
        if until_s is None:
            break
    assert seen == set(events)
