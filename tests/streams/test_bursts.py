"""Checks how many messages of one sender a shop reads in a minute."""

from __future__ import annotations

from schemas import limits
from streams.bursts import MINUTE_MS, Bursts
from tests.support.builders import BUYER, MERCHANT, NOW_MS, OTHER_BUYER, OTHER_MERCHANT


def test_messages_at_the_figure_are_read_and_the_next_is_not() -> None:
    """Other senders, and the same sender at another shop, are read all the same."""
    bursts, most = Bursts(), limits.SENDER_BURST.most

    assert [bursts.is_one_too_many(MERCHANT, BUYER, f"r{n}", NOW_MS) for n in range(most + 1)] == [False] * most + [
        True
    ]
    assert not bursts.is_one_too_many(MERCHANT, OTHER_BUYER, "r", NOW_MS)
    assert not bursts.is_one_too_many(OTHER_MERCHANT, BUYER, "r", NOW_MS)


def test_a_message_that_was_read_is_read_again() -> None:
    """A record that is repeated after a crash leads to the same command as the first time."""
    bursts = Bursts(most=1)
    bursts.is_one_too_many(MERCHANT, BUYER, "first", NOW_MS)

    assert bursts.is_one_too_many(MERCHANT, BUYER, "second", NOW_MS)
    assert not bursts.is_one_too_many(MERCHANT, BUYER, "first", NOW_MS)


def test_the_next_minute_starts_anew_and_an_older_record_is_counted_with_those_of_now() -> None:
    """By the records' own time; nothing is kept of minutes that are over."""
    bursts = Bursts(most=1)
    bursts.is_one_too_many(MERCHANT, BUYER, "first", NOW_MS)

    assert not bursts.is_one_too_many(MERCHANT, BUYER, "second", NOW_MS + MINUTE_MS)
    assert bursts.is_one_too_many(MERCHANT, BUYER, "third", NOW_MS)
