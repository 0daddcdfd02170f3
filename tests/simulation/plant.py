"""A pytest plug-in that plants the bug named in the environment, for the hunt of `tests.simulation.sabotage`."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from tests.simulation.planted import planted
from tests.simulation.planted_roles import BUGS

_PLANTED = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Plant it before the first test."""
    name = os.environ.get("NCC_PLANTED")
    for bug in BUGS:
        if bug.name == name:
            _PLANTED.enter_context(planted(bug))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take it out again."""
    _PLANTED.close()
