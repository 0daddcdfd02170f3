"""Schedules follow from their seeds, and keep to what can be asked of a stack."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from tests.chaos.plan import BROKER, FORGET_MARGIN_S, KILLS_A_MINUTE_MAX, LOCK_REST_S, RELAY, ROLES, Kind, draw

SEEDS = range(1, 21)


def test_a_seed_is_a_schedule() -> None:
    """The same one draws the same faults, another one others."""
    assert draw(7, 50) == draw(7, 50)
    assert draw(7, 50) != draw(8, 50)


def test_as_many_processes_are_killed_as_was_asked_for_and_fast() -> None:
    """Faults come in order of time, and on average a kill every few seconds."""
    for seed in SEEDS:
        faults = draw(seed, 100)
        kills = [fault for fault in faults if fault.kind is Kind.KILL]

        assert len(kills) == 100
        assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
        assert kills[-1].at_s / 100 < 3.5


def test_every_process_and_every_kind_of_fault_has_its_turn() -> None:
    """Over a few seeds each role, the broker and the relay are killed and paused, and each lie is told."""
    drawn = Counter((fault.kind, fault.target) for seed in SEEDS for fault in draw(seed, 100))
    for name in (*ROLES, BROKER, RELAY):
        assert drawn[Kind.KILL, name] > 0
        assert drawn[Kind.PAUSE, name] > 0

    assert {kind for kind, _ in drawn} == set(Kind)


def test_no_process_is_killed_more_often_than_its_supervisor_takes_for_a_mishap() -> None:
    """Within any minute each has its limit."""
    for seed in SEEDS:
        kills = [fault for fault in draw(seed, 200) if fault.kind is Kind.KILL]
        for name, most in KILLS_A_MINUTE_MAX.items():
            times = [kill.at_s for kill in kills if kill.target == name]
            assert all(sum(0 <= later - first < 60 for later in times) <= most for first in times)


def test_the_wallet_rests_between_two_time_outs() -> None:
    """One that begins while another lasts would wait for it, and both together last too long."""
    for seed in SEEDS:
        locks = [fault for fault in draw(seed, 200) if fault.kind is Kind.LOCK]

        assert len(locks) > 3
        assert all(one.at_s + one.lasts_s + LOCK_REST_S <= other.at_s for one, other in pairwise(locks))


def test_the_honest_relay_is_left_alone_while_the_other_forgets_what_it_takes() -> None:
    """Where both were wrong nobody could know of the message."""
    for seed in SEEDS:
        faults = draw(seed, 200)
        for lie in (fault for fault in faults if fault.kind is Kind.FORGET):
            begin, end = lie.at_s - FORGET_MARGIN_S, lie.at_s + lie.lasts_s + FORGET_MARGIN_S

            assert not [fault for fault in faults if fault.target == RELAY and begin <= fault.at_s <= end]
