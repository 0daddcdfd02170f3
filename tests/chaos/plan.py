"""Seed → schedule: which faults happen when, to whom and for how long, drawn before anything runs.

Kills are the clock of a run: it is over when the last one has been done. Everything else happens between them, so
that a fault mostly meets processes that have not recovered from the one before.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import count

ROLES = ("ingest", "intake", "decider", "views", "payments", "publisher", "metrics", "api", "auditor")
BROKER, RELAY = "kafka", "relay"
LIAR, WALLET = "liar", "wallet"


class Kind(StrEnum):
    """What is done."""

    KILL = "kill -9"
    PAUSE = "pause"
    """SIGSTOP, later SIGCONT."""
    RESTART = "restart"
    """SIGTERM: the broker is asked to end, and is started again."""
    FLAP = "hangs up"
    """The lying relay cuts every connection off, once or again and again."""
    AWAY = "is away"
    REFUSE = "refuses"
    """It answers OK false, with one reason or another."""
    FORGET = "forgets"
    """It answers OK true and keeps nothing."""
    SILENT = "is silent"
    """It keeps everything and answers nothing."""
    DELAY = "delays"
    REPEAT = "repeats"
    """It shows everything again, several times."""
    LOCK = "time-outs"
    """Nobody can write into the wallet for a while."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `lasts_s` is 0 where it is a moment."""

    at_s: float
    kind: Kind
    target: str
    lasts_s: float = 0.0

    @property
    def name(self) -> str:
        """How tables call it."""
        return f"{self.target}: {self.kind.value}"


KILLED = {**dict.fromkeys(ROLES, 2), BROKER: 1, RELAY: 1}
"""Who is killed how often, by weight."""
PAUSED = {**dict.fromkeys(ROLES, 2), "metrics": 4, BROKER: 1, RELAY: 1}
OTHERS = {
    Kind.PAUSE: 10,
    Kind.RESTART: 1,
    Kind.LOCK: 3,
    Kind.FLAP: 2,
    Kind.AWAY: 1,
    Kind.REFUSE: 2,
    Kind.FORGET: 2,
    Kind.SILENT: 2,
    Kind.DELAY: 2,
    Kind.REPEAT: 2,
}
"""What else happens how often, by weight."""
EVERY_S = 2.6
"""Between two kills, on average."""
OTHERS_EVERY_S = 3.3
SHARED_PAUSE_MAX_S = 6.0
"""The broker and the honest relay serve everybody."""
KILLS_A_MINUTE_MAX = {**dict.fromkeys(ROLES, 4), RELAY: 4, BROKER: 2}
"""Of one process: with the fifth within a minute the supervisor gives a child long rests, which is not our subject.
The broker needs some ten seconds to come back, and should be there for more than half of the time."""
FORGET_MARGIN_S = 25.0
"""A relay that says yes and forgets is believed, and the honest one is told once it can be reached: with pauses of up
to a minute, which would be longer than a buyer here waits. So the honest one is left alone around that."""
LOCK_REST_S = 20.0
"""Between two time-outs of the wallet: locks that wait for each other would make one of a minute."""


def draw(seed: int, kills: int, every_s: float = EVERY_S) -> tuple[Fault, ...]:
    """The schedule of a seed, in order of time."""
    dice = random.Random(f"chaos {seed}")
    clock_s, locked_s, faults = 0.0, -LOCK_REST_S, list[Fault]()
    moments: list[float] = []
    for _ in range(kills):
        clock_s += 0.1 if dice.random() < 0.12 else dice.uniform(0.3, 1.9) * every_s
        moments.append(clock_s)
    for number in count(1):
        at_s = (number + dice.uniform(-0.4, 0.4)) * OTHERS_EVERY_S * every_s / EVERY_S
        if at_s >= clock_s:
            break
        other, free_s = _other(dice, at_s), locked_s + LOCK_REST_S
        if other.kind is Kind.LOCK and other.at_s < free_s:
            continue
        if other.kind is Kind.LOCK:
            locked_s = other.at_s + other.lasts_s
        faults.append(other)
    calm = [(one.at_s - FORGET_MARGIN_S, one.at_s + one.lasts_s + FORGET_MARGIN_S) for one in _forgotten(faults)]
    faults = [one for one in faults if one.target != RELAY or not _within(calm, one.at_s)]
    last: dict[str, list[float]] = {}
    for at_s in moments:
        recent = {name for name, most in KILLS_A_MINUTE_MAX.items() if _lately(last.get(name, ()), at_s) >= most}
        weights = {name: weight for name, weight in KILLED.items() if name not in recent}
        if _within(calm, at_s):
            weights.pop(RELAY, None)
        target = _drawn(dice, weights)
        last.setdefault(target, []).append(at_s)
        faults.append(Fault(at_s, Kind.KILL, target))
    return tuple(sorted(faults, key=lambda one: one.at_s))


def _other(dice: random.Random, at_s: float) -> Fault:
    kind = _drawn(dice, OTHERS)
    match kind:
        case Kind.PAUSE:
            target = _drawn(dice, PAUSED)
            most_s = SHARED_PAUSE_MAX_S if target in (BROKER, RELAY) else 20.0
            return Fault(at_s, kind, target, dice.uniform(1.0, most_s))
        case Kind.RESTART:
            return Fault(at_s, kind, BROKER)
        case Kind.LOCK:
            return Fault(at_s, kind, WALLET, dice.uniform(1.0, 15.0))
        case Kind.FLAP | Kind.REPEAT:
            return Fault(at_s, kind, LIAR, dice.choice((0.0, 5.0)))
        case _:
            return Fault(at_s, kind, LIAR, dice.uniform(2.0, 12.0))


def _lately(times: Iterable[float], at_s: float) -> int:
    return sum(at_s - time_s < 60 for time_s in times)


def _forgotten(faults: list[Fault]) -> list[Fault]:
    return [one for one in faults if one.kind is Kind.FORGET]


def _within(spans: list[tuple[float, float]], at_s: float) -> bool:
    return any(begin <= at_s <= end for begin, end in spans)


def _drawn[T](dice: random.Random, weights: dict[T, int]) -> T:
    return dice.choices(list(weights), list(weights.values()))[0]
