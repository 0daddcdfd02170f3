"""The figures by name: their unit, their budget, and what a measured value means against it.

Budgets are those of the design's table of speed and size; nothing here measures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

type Value = float | None
"""One measured number; None where what was waited for did not happen in time."""
type Values = dict[str, Value]
"""A figure's numbers by their part (`p50`, a role's name), or one under the empty name."""


class Verdict(StrEnum):
    """A value against its budget."""

    OK = "ok"
    NEAR = "within 2×"
    OVER = "over"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much, and which side of it is good; `then` is the design's second, harder step."""

    limit: float
    is_floor: bool = False
    then: float | None = None
    note: str = ""

    def verdict(self, value: Value) -> Verdict:
        """`within 2×` is the wrong side by no more than a factor of two; no value at all is over."""
        if value is None:
            return Verdict.OVER
        if value == 0:
            return Verdict.OVER if self.is_floor else Verdict.OK
        excess = self.limit / value if self.is_floor else value / self.limit
        if excess <= 1:
            return Verdict.OK
        return Verdict.NEAR if excess <= 2 else Verdict.OVER

    def text(self) -> str:
        """As the table shows it."""
        text = f"{'≥' if self.is_floor else '≤'} {number(self.limit)}"
        if self.then is not None:
            text += f", then {number(self.then)}"
        return f"{text} {self.note}".rstrip()


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that is measured, the budgets of its parts, and the stage of a run that gives it.

    `budget` is for every part that `parts` does not name; None is no budget.
    """

    name: str
    stage: str
    budget: Budget | None = None
    parts: Mapping[str, Budget] | None = None

    def budget_of(self, part: str) -> Budget | None:
        """The budget of one part."""
        return (self.parts or {}).get(part, self.budget)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    figure: str
    part: str
    value: Value
    budget: str
    verdict: Verdict

    @property
    def label(self) -> str:
        """The figure's name and part."""
        return f"{self.figure} {self.part}".rstrip()


FIGURES = (
    Figure("wraps_per_second", "wraps"),
    Figure("wrap_floor_per_second", "wraps"),
    Figure("wraps_to_floor_ratio", "wraps", Budget(0.5, is_floor=True)),
    Figure("decisions_per_second", "domain", Budget(10_000, is_floor=True, note="a core")),
    Figure("fold_records_per_second", "domain"),
    Figure("checkpoint_start_seconds", "domain", Budget(5, note="whatever the journal's length")),
    Figure("startup_seconds", "startup"),
    Figure("idle_memory_mb", "memory", parts={"all": Budget(2_000)}),
    Figure("order_to_payment_request_ms", "latency", parts={"p50": Budget(60), "p99": Budget(150)}),
    Figure("orders_per_second", "load", Budget(250, is_floor=True, then=500)),
    Figure("cpu_ms_per_order", "load", parts={"all": Budget(7, then=4, note="roles and broker")}),
    Figure("recovery_seconds", "recovery", Budget(10)),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
STAGES = tuple(dict.fromkeys(figure.stage for figure in FIGURES))
"""The stages in the order they are run."""
STACK_STAGES = frozenset({"startup", "memory", "latency", "load", "recovery"})
"""Those that need a running stack."""


def stages_of(names: Iterable[str]) -> tuple[str, ...]:
    """The stages that give these figures, in order; all of them for no name. Raises ValueError for an unknown one."""
    chosen = list(names)
    unknown = sorted(set(chosen) - BY_NAME.keys())
    if unknown:
        raise ValueError(f"unknown figure {', '.join(unknown)}: choose from {', '.join(BY_NAME)}")
    wanted = {BY_NAME[name].stage for name in chosen} or set(STAGES)
    return tuple(stage for stage in STAGES if stage in wanted)


def rows(measured: Mapping[str, Values], names: Iterable[str] = ()) -> list[Row]:
    """The table's lines in the order of `FIGURES`, of the named figures or of all that were measured."""
    chosen = set(names) or measured.keys()
    found: list[Row] = []
    for figure in FIGURES:
        if figure.name not in chosen:
            continue
        for part, value in measured.get(figure.name, {}).items():
            budget = figure.budget_of(part)
            text = budget.text() if budget else ""
            found.append(Row(figure.name, part, value, text, budget.verdict(value) if budget else Verdict.NONE))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def number(value: Value) -> str:
    """Three figures that count, thousands apart; a dash for what did not happen."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}".rstrip("0").rstrip(".")
