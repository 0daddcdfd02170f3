"""Whole histories from seeds: nothing breaks, the same seed is the same history, and a failing one becomes small."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.codec import encode
from tests.simulation.actions import ACTIONS
from tests.simulation.coverage import missing
from tests.simulation.fleet import regressions, remember, run_fleet
from tests.simulation.history import Failure, Result, kind_of, run, run_seed, smaller, told
from tests.simulation.plan import CALM, FAULTS, RAILS, Action, Plan, Rail, draw
from tests.simulation.planted import planted
from tests.simulation.planted_roles import BUGS
from tests.simulation.sabotage import ROOT, hunt

FAST_SEEDS = 200
ALL_SEEDS = 20_000
SEEN_FAST = ("oversell", "any batch", "no fence", "trust hints", "fold again", "know by id", "try once", "swallow")


def journal_of(result: Result) -> list[tuple[int, bytes]]:
    """What was committed, as bytes."""
    return [(partition, encode(record)) for partition, record in result.journal]


def test_histories_of_the_first_seeds_and_of_those_that_failed_once_break_nothing() -> None:
    """Kills, lies, lost positions and late money included; the message of a failure says how to see it again."""
    tally = run_fleet([*regressions(), *range(FAST_SEEDS)], processes=1)

    assert [told(smaller(failure, 50)) for failure in tally.failures[:2]] == []
    assert tally.steps >= 100 * tally.histories


@pytest.mark.real
def test_twenty_thousand_histories_break_nothing_and_pass_everything() -> None:
    """Every crash point, refusal and legal move among them, on every core."""
    tally = run_fleet([*regressions(), *range(ALL_SEEDS)], processes=os.cpu_count() or 1)

    assert [told(smaller(failure)) for failure in tally.failures[:2]] == []
    assert missing(tally.coverage) == []


def test_a_seed_is_one_history() -> None:
    """Run again, it commits the same bytes in the same order."""
    for seed in range(6):
        assert journal_of(run_seed(seed)) == journal_of(run_seed(seed))


def test_a_seed_is_the_same_history_in_another_process() -> None:
    """Nothing depends on the order of sets, on addresses in memory, or on the machine's clock."""
    program = (
        "import hashlib\nfrom schemas.codec import encode\nfrom tests.simulation.history import run_seed\n"
        "found = [encode(record) for seed in range(8) for _, record in run_seed(seed).journal]\n"
        "print(hashlib.sha256(b''.join(found)).hexdigest())"
    )

    def said(hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert said("1") == said("2")


@pytest.mark.parametrize("rail", [Rail.CHAIN, Rail.ECASH])
def test_a_seed_with_another_rail_is_one_history_too(rail: Rail) -> None:
    """Addresses, blinded ecash and the mint's answers follow from the seed as everything does."""
    seeds = [seed for seed in range(60) if draw(seed).config.rail is rail][:3]
    for seed in seeds:
        assert journal_of(run_seed(seed)) == journal_of(run_seed(seed))


def test_values_that_never_became_bytes_make_the_same_history_as_bytes() -> None:
    """Most histories hand values over as they are; the codec changes nothing about them."""
    for seed in range(100, 106):
        plan = draw(seed)
        shared, as_bytes = (Plan(replace(plan.config, as_bytes=flag), plan.actions) for flag in (False, True))
        assert journal_of(run(shared)) == journal_of(run(as_bytes))


def test_real_cryptography_breaks_nothing_either() -> None:
    """Signed events, sealed and wrapped messages, BOLT-11 invoices."""
    for seed in range(200, 203):
        plan = draw(seed)
        result = run(Plan(replace(plan.config, is_real=True), plan.actions))
        assert result.failure is None


def test_every_action_that_is_drawn_can_be_done() -> None:
    """And none is forgotten in the draw."""
    more = {kind for weights in RAILS.values() for kind in weights}
    assert CALM.keys() | FAULTS.keys() | more == ACTIONS.keys()


def test_histories_differ_in_their_faults_and_some_have_none() -> None:
    """Each seed draws which faults it has, and how often."""
    plans = [draw(seed) for seed in range(200)]

    kinds = [{action.kind for action in plan.actions} & FAULTS.keys() for plan in plans]
    assert any(not found for found in kinds)
    assert any(len(found) >= 8 for found in kinds)
    assert min(len(plan.actions) for plan in plans) >= 100


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.name in SEEN_FAST], ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: object) -> None:
    """A few of the sabotage list at every check; `make sabotage` hunts all of them."""
    found = next(one for one in BUGS if one is bug)

    assert hunt(found, 400).by == "simulator"


def test_a_planted_bug_is_taken_out_again() -> None:
    """What a hunt leaves behind would be the next test's failure."""
    for bug in BUGS:
        before = [getattr(owner, name) for owner, name, _ in bug.plant()]
        with planted(bug):
            pass
        assert [getattr(owner, name) for owner, name, _ in bug.plant()] == before


def test_a_failing_history_is_made_small() -> None:
    """Every action that the breach does not need is left out."""
    bug = next(bug for bug in BUGS if bug.name == "keep holds")
    with planted(bug):
        result = next(found for seed in range(100) if (found := run_seed(seed)).failure is not None)
        assert result.failure is not None
        small = smaller(result.failure)

    assert len(small.plan.actions) <= 5
    assert kind_of(small.said) == kind_of(result.failure.said)
    assert f"seed {small.seed}: {small.said}" in told(small)


def test_making_small_stops_after_its_tries() -> None:
    """A history that is slow to shrink is shown as it is."""
    actions = tuple(Action("pass", number, 0, number) for number in range(64))
    failure = Failure(1, "always", 64, Plan(draw(1).config, actions))
    tries: list[int] = []

    def never(plan: Plan) -> Result:
        tries.append(len(plan.actions))
        return Result()

    assert smaller(failure, 10, never) == failure
    assert len(tries) == 10


def test_failing_seeds_are_kept_once(tmp_path: Path) -> None:
    """A list for ever: one line a seed, with the words of its breach."""
    path = tmp_path / "regressions.txt"
    path.write_text("# why\n")
    failure = Failure(7, "I2: oversold", 3, draw(7))

    remember([failure], path)
    remember([failure], path)

    assert regressions(path) == [7]
    assert path.read_text() == "# why\n7 I2: oversold\n"
