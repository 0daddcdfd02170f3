"""How processor time between two readings is shared out, and what is said to limit a load."""

from __future__ import annotations

import os

import pytest

from bench.usage import Reading, Spent, between, limiting, memory_mb, read


def test_time_that_is_nobody_of_ours_is_other_programs() -> None:
    """What the machine was busy with beyond our processes, others did."""
    before = Reading(0.0, {"kafka": 10.0, "relay": 1.0}, 100.0)
    after = Reading(2.0, {"kafka": 11.0, "relay": 1.5}, 103.0)

    spent = between(before, after)

    assert spent.cores() == {"kafka": 0.5, "relay": 0.25}
    assert spent.others_cores == pytest.approx(0.75)


def test_a_process_that_was_started_anew_is_left_out() -> None:
    """Its counter begins again, so its difference would mean nothing; one that is gone has none either."""
    before = Reading(0.0, {"kafka": 10.0, "relay": 1.0}, 100.0)
    after = Reading(2.0, {"kafka": 0.2, "api": 3.0}, 101.0)

    assert between(before, after).by_name == {}


def test_a_full_machine_is_the_limit_before_any_process() -> None:
    """With all cores busy the busiest process is named, but it is not the limit alone."""
    spent = Spent(10.0, {"publisher": 9.0, "kafka": 6.0}, 4.0)

    said = limiting(spent, 2)

    assert said == "the machine: 1.90 of 2 cores busy, 0.40 by other programs; the most by publisher (0.90)"


def test_one_process_with_a_core_to_itself_is_the_limit_while_others_idle() -> None:
    """A role of one thread cannot use the second core."""
    spent = Spent(10.0, {"kafka": 3.0, "intake": 9.5}, 0.0)

    assert limiting(spent, 2) == "intake: it keeps one core busy (0.95) while 0.75 of 2 are idle"


def test_idle_cores_mean_that_something_waits() -> None:
    """Nobody is busy, so the time goes into waiting for one another."""
    spent = Spent(10.0, {"kafka": 3.0, "intake": 2.0}, 0.0)

    assert limiting(spent, 2) == "waiting, not computing: 0.50 of 2 cores busy, the most by kafka (0.30)"


def test_a_process_that_is_gone_is_not_read() -> None:
    """A role killed between two looks at the status file is no error."""
    reading = read({"myself": os.getpid(), "gone": 2**22 + 1})

    assert reading.by_name.keys() == {"myself"}


def test_this_process_takes_some_memory() -> None:
    """The figure is in megabytes: more than a few, less than the machine has."""
    assert 5 < memory_mb(os.getpid()) < 4_000
