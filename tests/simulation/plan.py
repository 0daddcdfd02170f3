"""Seed → plan: what a history is made of and everything that is to happen in it, drawn before anything runs.

An action names things by place and takes them modulo what is there, so any part of a plan is a plan as well:
that is what makes a failing one small.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from schemas.shops import ShopSettings, Switchable
from tests.simulation.clock import Dice

VERSION = 3
"""Part of every draw: another version of the plan makes other histories of the same seeds."""


ADDRESS = "shop@shop.example"
LATE_S = 3_000
"""How long after a request's end people still pay it; it is watched for an hour."""


class Action(NamedTuple):
    """One thing that happens; `salt` seeds whatever it has to draw itself."""

    kind: str
    a: int
    b: int
    salt: int


@dataclass(frozen=True, slots=True)
class Config:
    """What a whole history has in common; percentages are those of its faults."""

    seed: int
    partitions: int
    merchants: int
    buyers: int
    relays: int
    as_bytes: bool
    is_real: bool
    has_metrics: bool
    has_ingest: bool
    has_checkpoints: bool
    holds_sends: int
    lazy: int
    wallet_fails: int
    wallet_loses: int
    wallet_lies: int
    wallet_rejects: int
    store_fails: int
    own_copies: int

    @property
    def settings(self) -> ShopSettings:
        """The rules of every shop in it: half of them ask for reviews, a fifth take no orders in chat messages.

        A third have a lightning address that is served here.
        """
        off = () if self.seed % 5 else (Switchable.K14,)
        address = "" if self.seed % 3 else ADDRESS
        return ShopSettings(invite_review=self.seed % 2 == 0, dialects_off=off, lightning_address=address)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole history before it runs."""

    config: Config
    actions: tuple[Action, ...]


CALM: dict[str, int] = {
    "turn": 500,
    "round": 110,
    "order": 75,
    "pay": 110,
    "receipt": 12,
    "buyer_move": 16,
    "merchant_move": 30,
    "operator_move": 24,
    "give_back": 10,
    "parcel": 34,
    "listing": 16,
    "option": 4,
    "delete": 5,
    "review": 8,
    "unreview": 4,
    "letter": 16,
    "unsay": 5,
    "answer": 8,
    "over_address": 40,
    "pass": 60,
    "wait": 6,
}
"""What happens without any fault, by weight."""
SYSTEM = frozenset({"turn", "round", "pass", "wait"})
"""What is no person's doing: four of five histories have a quarter of the people, and so more of this."""
FAULTS: dict[str, int] = {
    "replay": 30,
    "hostile": 10,
    "poison": 3,
    "kill": 22,
    "crash": 30,
    "pause": 12,
    "join": 8,
    "forget_position": 6,
    "stale": 8,
    "fail_transaction": 12,
    "relay": 26,
    "rates": 10,
    "skew": 6,
    "wallet_forgets": 2,
    "forge": 8,
    "flood": 1,
    "past": 12,
    "freeze": 6,
    "thaw": 8,
}
"""What else may go wrong; each history draws which of them it has."""


def draw(seed: int) -> Plan:
    """The plan of a seed."""
    dice = Dice(seed * 1_000_003 + VERSION)
    is_calm = dice.below(12) == 0
    is_busy = dice.below(5) == 0
    weights = {name: weight if is_busy or name in SYSTEM else max(1, weight // 4) for name, weight in CALM.items()}
    if not is_calm:
        for name, weight in FAULTS.items():
            if dice.below(5) < 3:
                weights[name] = weight * (1 + dice.below(3))
    names, totals = tuple(weights), tuple(accumulate(weights.values()))
    count = 100 + dice.below(30)
    most = totals[-1]
    actions: list[Action] = []
    for _ in range(count):
        drawn, salt = dice.bits(), dice.bits()
        actions.append(
            Action(names[bisect_right(totals, drawn % most)], (drawn >> 20) % 997, (drawn >> 40) % 991, salt)
        )
    return Plan(_config(seed, dice, is_calm), tuple(actions))


def _config(seed: int, dice: Dice, is_calm: bool) -> Config:
    def rate(most: int) -> int:
        """No fault of this kind in half of the histories."""
        drawn = dice.below(2 * most + 1)
        return 0 if is_calm or drawn <= most else drawn - most

    return Config(
        seed=seed,
        partitions=dice.one_of((1, 1, 2)),
        merchants=dice.one_of((1, 1, 1, 1, 1, 2, 2, 3)),
        buyers=1 + dice.below(3),
        relays=dice.one_of((1, 1, 2, 2, 3)),
        as_bytes=dice.below(12) == 0,
        is_real=dice.below(100) == 0,
        has_metrics=dice.below(6) == 0,
        has_ingest=dice.below(4) == 0,
        has_checkpoints=dice.below(20) == 0,
        holds_sends=rate(60),
        lazy=rate(80),
        wallet_fails=rate(40),
        wallet_loses=rate(30),
        wallet_lies=rate(20),
        wallet_rejects=rate(10),
        store_fails=rate(30),
        own_copies=dice.one_of((0, 0, 100)),
    )
