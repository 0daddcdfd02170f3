"""Seed → plan: what a history is made of and everything that is to happen in it, drawn before anything runs.

An action names things by place and takes them modulo what is there, so any part of a plan is a plan as well:
that is what makes a failing one small.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from schemas.shops import ShopSettings, Switchable
from tests.simulation.clock import Dice

VERSION = 3
"""Part of every draw: another version of the plan makes other histories of the same seeds."""


ADDRESS = "shop@shop.example"
LATE_S = 3_000
"""How long after a request's end people still pay it; it is watched for an hour."""


class Rail(StrEnum):
    """What the first shop of a history, and the third, are paid over."""

    LIGHTNING = "lightning"
    CHAIN = "chain"
    ECASH = "ecash"


FINAL_WAIT_S = 1_500
"""How long orders of a history with a shop on the chain wait for money that is on its way."""


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
    rail: Rail = Rail.LIGHTNING

    @property
    def settings(self) -> ShopSettings:
        """The rules of every shop in it: half of them ask for reviews, a fifth take no orders in chat messages.

        A third have a lightning address that is served here, a third take late money where nothing has changed;
        orders do not wait a day for the chain.
        """
        off = () if self.seed % 5 else (Switchable.K14,)
        address = "" if self.seed % 3 else ADDRESS
        late = 0 if self.seed % 3 == 1 else None
        settings = ShopSettings(
            invite_review=self.seed % 2 == 0, dialects_off=off, lightning_address=address, late_accepted_percent=late
        )
        if self.rail is not Rail.CHAIN:
            return settings
        return settings.model_copy(update={"final_wait_s": FINAL_WAIT_S})


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


RAILS: dict[Rail, dict[str, int]] = {
    Rail.CHAIN: {"on_chain": 45, "order": 18, "round": 30, "wait": 16},
    Rail.ECASH: {"hand_in": 40, "change_mint": 12, "order": 15, "round": 33},
}
"""What more happens where a shop is paid over another rail, drawn from dice of its own: no other history changes."""
MORE = 30
"""Of a hundred actions of such a history, how many are preceded by one of these."""


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
    return _on_its_rail(Plan(_config(seed, dice, is_calm), tuple(actions)), is_calm)


def _on_its_rail(plan: Plan, is_calm: bool) -> Plan:
    """A sixth of all histories have a shop on the chain, a sixth one that takes ecash; the others stay as they are."""
    dice = Dice(plan.config.seed * 1_000_003 + 500_009)
    rail = {0: Rail.CHAIN, 1: Rail.ECASH}.get(dice.below(6))
    if rail is None:
        return plan
    kinds = [
        kind for kind, weight in RAILS[rail].items() for _ in range(weight) if kind != "change_mint" or not is_calm
    ]
    actions: list[Action] = []
    for action in plan.actions:
        if dice.chance(MORE):
            actions.append(Action(dice.one_of(kinds), dice.below(997), dice.below(991), dice.bits()))
        actions.append(action)
    return Plan(replace(plan.config, rail=rail), tuple(actions))


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
