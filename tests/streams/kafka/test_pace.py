"""The pace of departures, by how many records a second there are."""

from __future__ import annotations

import pytest

from streams.kafka import pace
from streams.kafka.pace import LEAST_S, Pace


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that a pace looks at."""
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def run(pace: Pace, clock: Clock, per_s: int, seconds: int) -> None:
    for _ in range(seconds * 10):
        clock.now_s += 0.1
        pace.took(per_s // 10)


def test_few_records_wait_for_nobody(clock: Clock) -> None:
    """Ten a second depart at the shortest distance."""
    quiet = Pace(most_s=0.25)
    run(quiet, clock, per_s=10, seconds=10)
    assert quiet.between_s == LEAST_S


def test_more_records_gather_longer_up_to_a_limit(clock: Clock) -> None:
    """A hundred a second wait up to 150 ms; a thousand no longer than the most."""
    busy = Pace(most_s=0.25)
    run(busy, clock, per_s=100, seconds=10)
    assert busy.between_s == pytest.approx(0.15, rel=0.05)
    run(busy, clock, per_s=1_000, seconds=10)
    assert busy.between_s == 0.25


def test_a_pause_makes_the_next_ones_quick_again(clock: Clock) -> None:
    """What was decided minutes ago is no load."""
    busy = Pace(most_s=0.25)
    run(busy, clock, per_s=1_000, seconds=10)
    clock.now_s += 60
    busy.took(1)
    assert busy.between_s == LEAST_S
