"""Runs one seed's history, safety phase and ending, and makes a failing one as small as it can be."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from schemas import crash_points
from schemas.messages import JournalRecord
from tests.simulation.actions import ACTIONS
from tests.simulation.clock import Dice
from tests.simulation.ending import converge
from tests.simulation.opening import open_shops
from tests.simulation.patches import installed
from tests.simulation.plan import Action, Plan, draw
from tests.simulation.rules import Breach
from tests.simulation.world import World

GARBAGE_EVERY = 25
TRIES_MAX = 400
"""Runs spent on making a failing history small."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken invariant, in words, and the plan that breaks it."""

    seed: int
    said: str
    step: int
    plan: Plan


@dataclass(slots=True)
class Result:
    """What one history passed, and whether it broke anything."""

    steps: int = 0
    journal: list[tuple[int, JournalRecord]] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None


def run(plan: Plan) -> Result:
    """Run a plan to its end, or to its first breach."""
    result = Result()
    world = World(plan.config, result.coverage)
    result.journal = world.books.records
    step = 0
    with installed(world.clock, plan.config.as_bytes, plan.config.is_real):
        crash_points.arm(world.at_point)
        try:
            open_shops(world)
            for action in plan.actions:
                step += 1
                world.clock.advance(30)
                ACTIONS[action.kind](world, action, Dice(action.salt))
                world.check()
            converge(world)
        except Breach as breach:
            result.failure = Failure(plan.config.seed, str(breach), step, plan)
        finally:
            crash_points.arm(None)
            world.close()
    result.steps = step
    return result


def run_many(seeds: Iterable[int]) -> Iterator[Result]:
    """The histories of many seeds; the garbage collector, which would cost a fifth, comes by now and then.

    It leaves out what was there before, and a history leaves little behind: `World.close` takes apart what it made.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
    gc.disable()
    try:
        for number, seed in enumerate(seeds, 1):
            yield run_seed(seed)
            if number % GARBAGE_EVERY == 0:
                gc.collect()
    finally:
        gc.enable()


def run_seed(seed: int) -> Result:
    """The history of a seed."""
    return run(draw(seed))


def kind_of(said: str) -> str:
    """The invariant and the first words of a breach: what a smaller history must still break."""
    return " ".join("".join(c for c in said if not c.isdigit()).split()[:6])


def smaller(failure: Failure, tries_max: int = TRIES_MAX, rerun: Callable[[Plan], Result] = run) -> Failure:
    """The same breach with as few actions as can be found (delta debugging)."""
    best, tries, chunk = failure, 0, max(1, len(failure.plan.actions) // 2)
    while chunk and tries < tries_max:
        at, is_smaller = 0, False
        while at < len(best.plan.actions) and tries < tries_max:
            actions: tuple[Action, ...] = best.plan.actions[:at] + best.plan.actions[at + chunk :]
            tries += 1
            found = rerun(Plan(failure.plan.config, actions)).failure
            if found is not None and kind_of(found.said) == kind_of(failure.said):
                best, is_smaller = found, True
            else:
                at += chunk
        if not is_smaller or chunk > 1:
            chunk //= 2
    return best


def told(failure: Failure) -> str:
    """A failure for reading: seed, words, and the actions that lead there."""
    config = failure.plan.config
    lines = [
        f"seed {failure.seed}: {failure.said}",
        f"  at step {failure.step} of {len(failure.plan.actions)}; "
        f"{config.partitions} partitions, {config.merchants} merchants, {config.relays} relays, "
        f"{'bytes' if config.as_bytes else 'shared values'}, {'real' if config.is_real else 'cheap'} cryptography, "
        f"paid over {config.rail}",
    ]
    lines += [f"  {number:3} {a.kind} {a.a} {a.b} {a.salt}" for number, a in enumerate(failure.plan.actions, 1)]
    return "\n".join(lines)
