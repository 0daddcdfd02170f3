"""What a soak reports: sums over rounds, the worst of each fault, and what it did not reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.chaos.soak import Soak


def a_round(**changed: Any) -> dict[str, Any]:
    """What a run of chaos says of itself."""
    said = {
        "seed": 1_000,
        "kills": 60,
        "faults": 100,
        "orders": {"pays at once": 200, "never pays": 10},
        "outcomes": {"confirmed": 200, "pending": 10},
        "messages": 410,
        "drain_s": 4.5,
        "lines": [{"name": "decider: kill -9", "count": 7, "back_worst_s": 1.5, "order_worst_s": 9.0}],
        "breaches": [],
    }
    return {**said, **changed}


@pytest.fixture
def soak(tmp_path: Path) -> Soak:
    """One that has not begun."""
    return Soak(1, 1, tmp_path, Console(quiet=True))


def test_rounds_add_up_and_the_worst_is_kept(soak: Soak, tmp_path: Path) -> None:
    """For people as Markdown, for programs as JSON."""
    soak._note_chaos(a_round())
    line = {"name": "decider: kill -9", "count": 3, "back_worst_s": None, "order_worst_s": 12.0}
    soak._note_chaos(a_round(lines=[line], drain_s=2.0))
    soak.write()

    table = (tmp_path / "soak.md").read_text()
    assert "| chaos | 500 kills | 120 |" in table
    assert "| decider: kill -9 | 10 | 1.5 s | 12.0 s |" in table
    assert "420 orders were placed under 120 kills and 80 other faults; 400 were confirmed" in table
    assert "within 4.5 s" in table
    plain = json.loads((tmp_path / "soak.json").read_text())
    assert {part["name"]: part["reached"] for part in plain["parts"]} == {"chaos": 120, "simulation": 0, "fuzzing": 0}


def test_each_line_of_the_simulation_replaces_the_one_before(soak: Soak) -> None:
    """They say everything since the start."""
    for histories in (50, 100):
        failures = [{"seed": 7, "said": "I2: oversold"}] * (histories // 100)
        soak._note_histories(
            {"histories": histories, "steps": 5, "records": 6, "cpu_s": 1.0, "coverage": {}, "failures": failures}
        )

    assert soak.simulation.reached == 100
    assert soak.simulation.breaches == ["seed 7: I2: oversold"]


def test_a_breach_of_a_round_names_its_seed(soak: Soak) -> None:
    """So that it can be played again."""
    soak._note_chaos(a_round(breaches=["order o was confirmed twice"]))

    assert soak.chaos.breaches == ["seed 1000 with 60 kills: order o was confirmed twice"]


async def test_a_program_that_fails_is_a_breach_and_ends_its_part(soak: Soak) -> None:
    """Its last words are in the log that the breach names."""
    said = await soak._said(soak.chaos, ("http.server", "--unknown"), 60)

    assert said == {}
    assert "no figures: see chaos.log" in soak.chaos.breaches[0]


async def test_a_program_that_takes_too_long_is_ended(soak: Soak) -> None:
    """Nothing of it is left, and nothing is noted: the time was over."""
    assert await soak._said(soak.simulation, ("http.server", "0", "--bind", "127.0.0.1"), 1) is None
    assert soak.simulation.breaches == []
