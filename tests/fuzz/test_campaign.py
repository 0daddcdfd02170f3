"""The search finds what is there to be found, and finds nothing in our own readers."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.campaign import campaign
from tests.fuzz.target import INPUTS_MIN
from tests.fuzz.targets import TARGETS

SECONDS = float(os.environ.get("NCC_FUZZ_SECONDS", "3"))
"""How long each target is searched in the tests; `make fuzz SECONDS=600` is for the nights."""


@pytest.mark.real
def test_a_search_of_every_target_finds_nothing() -> None:
    """Each is searched for some seconds from its corpus on; what is found is written into the tree and named here."""
    outcomes = campaign(list(TARGETS.values()), SECONDS, seed=1)

    assert [(one.target, found.complaint) for one in outcomes for found in one.found] == []
    assert [one.trouble for one in outcomes if one.trouble] == []
    assert [one for one in outcomes if one.executions < INPUTS_MIN] == []


def test_the_command_names_the_targets_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown target is refused, and the answer lists the known ones."""
    with pytest.raises(SystemExit) as ended:
        main(["--target", "nothing"])

    assert ended.value.code == 2
    assert "wrap" in capsys.readouterr().err
