"""Checks whose turn it is: lanes are taken in turn, in their own order, and bounded in bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.turns import Turns, lane_of
from tests.support.builders import MERCHANT, OTHER_MERCHANT

LOUD, QUIET = MERCHANT.encode(), OTHER_MERCHANT.encode()


def test_one_shops_flood_does_not_stand_before_another_shops_message() -> None:
    """Five thousand for M, then one for M2: it is the second to be taken."""
    turns: Turns[str] = Turns(1_000_000)
    for number in range(5_000):
        turns.put(LOUD, f"flood {number}", 100)
    turns.put(QUIET, "an order", 100)

    assert [turns.take() for _ in range(3)] == ["flood 0", "an order", "flood 1"]


def test_it_is_full_by_bytes_and_has_room_again_once_something_was_taken() -> None:
    """A few large ones fill it like many small ones."""
    turns: Turns[int] = Turns(10)
    turns.put(LOUD, 1, 9)
    assert not turns.is_full
    turns.put(LOUD, 2, 1)
    assert turns.is_full

    turns.take()

    assert not turns.is_full
    assert turns


def test_where_nothing_waits_there_is_nothing_to_take() -> None:
    """And no lane is kept."""
    turns: Turns[int] = Turns(10)
    turns.put(LOUD, 1, 1)
    turns.take()

    assert not turns
    with pytest.raises(LookupError):
        turns.take()


@settings(derandomize=True, max_examples=100, deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.booleans()), max_size=60))
def test_nothing_is_lost_doubled_or_taken_out_of_its_lanes_order(steps: list[tuple[bytes, bool]]) -> None:
    """However putting and taking alternate."""
    turns: Turns[tuple[bytes, int]] = Turns(10_000)
    put: list[tuple[bytes, int]] = []
    taken: list[tuple[bytes, int]] = []
    for number, (lane, take) in enumerate(steps):
        turns.put(lane, (lane, number), 1)
        put.append((lane, number))
        if take:
            taken.append(turns.take())
    while turns:
        taken.append(turns.take())

    assert sorted(taken) == sorted(put)
    for lane in (b"a", b"b", b"c"):
        assert [n for key, n in taken if key == lane] == [n for key, n in put if key == lane]


@pytest.mark.parametrize(
    ("text", "lane"),
    [
        (f'{{"tags":[["p","{MERCHANT}"]]}}', MERCHANT),
        (f'{{"tags": [[ "e", "x" ], ["p" , "{MERCHANT}", "wss://r"]]}}', MERCHANT),
        ('{"tags":[]}', ""),
        ('{"tags":[["p","npub"]]}', ""),
        (f'{{"tags":[["p","{OTHER_MERCHANT}"],["p","{MERCHANT}"]]}}', MERCHANT),
        (f'{{"tags":[["p","{OTHER_MERCHANT}"]]}}', ""),
        ("", ""),
    ],
)
def test_a_wraps_lane_is_the_shop_of_ours_that_it_names(text: str, lane: str) -> None:
    """What names nobody here shares one lane, so that made-up keys bring no turns of their own."""
    assert lane_of(text.encode(), lambda key: key == MERCHANT) == lane.encode()
