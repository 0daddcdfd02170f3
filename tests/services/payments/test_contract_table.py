"""The contract's table says what runs saw, and a failure is not covered by what passed beside it."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

from rich.console import Console

from tests.support.contract_table import REAL, SCRIPTED, keep, seen_in, sentence, show


def said(back_end: str, peer: str, law: str, outcome: str) -> SimpleNamespace:
    """A report of one case."""
    return SimpleNamespace(outcome=outcome, user_properties=[("back_end", back_end), ("peer", peer), ("law", law)])


def test_one_failed_case_fails_its_law_for_its_back_end_alone() -> None:
    """Whatever order the cases come in; reports of other tests are nothing."""
    reports = [
        said("one", REAL, "test_a", "failed"),
        said("one", REAL, "test_a", "passed"),
        said("two", SCRIPTED, "test_a", "passed"),
        SimpleNamespace(outcome="passed", user_properties=[]),
    ]

    assert seen_in(reports) == {"one, real": {"test_a": "failed"}, "two, scripted": {"test_a": "passed"}}


def test_the_runs_of_one_make_test_add_up(tmp_path: Path) -> None:
    """The last one shows what each has seen; a run that saw nothing writes nothing."""
    path = tmp_path / "build" / "contract.json"
    assert keep({}, path) == {}
    assert not path.exists()

    keep({"one, real": {"test_a_law": "passed"}}, path)
    whole = keep({"two, scripted": {"test_a_law": "failed"}}, path)
    text = io.StringIO()
    show(whole, Console(file=text, width=100))

    (row,) = [line for line in text.getvalue().splitlines() if sentence("test_a_law") in line]
    assert (row.count("✓"), row.count("✗")) == (1, 1)
