"""What runs beside what: tests that share a broker or a stack stay together, and every other file by itself."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from xdist.scheduler import LoadScopeScheduling

from tests.support import contract_table

ROOT = Path(__file__).parents[1]
SHARED = {
    "stack": re.compile(r"\bstack: RunningStack\b"),
    "broker": re.compile(r"\b(broker: EmbeddedKafka|kafka: Kafka)\b"),
}
"""What a file's tests ask for by this, one process starts once for all of them."""


class Together(LoadScopeScheduling):  # type: ignore[misc,unused-ignore]
    """Gives all tests of a group to one process."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


@cache
def group_of(path: str) -> str:
    """The group of a test file."""
    said = (ROOT / path).read_text()
    return next((group for group, asked in SHARED.items() if asked.search(said)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Whatever `--dist` says; grouping by marks needs names that pytest does not let plugins change any more."""
    return Together(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Keep what was seen of the payment contract; the run with real parts, which is the last, shows all of it."""
    reports = [report for how in ("passed", "failed") for report in terminalreporter.stats.get(how, [])]
    seen = contract_table.keep(contract_table.seen_in(reports))
    if seen and config.getoption("markexpr") == "real" and len(reports) > 1:
        contract_table.show(seen, Console(width=150))
