"""What runs beside what: tests that share a broker or a stack stay together, and every other file by itself."""

from __future__ import annotations

import pytest
from rich.console import Console

from tests.support import contract_table

SHARED = ("stack", "broker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name each test's group for `--dist loadgroup`; what a group shares is then started once."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        group = next((shared for shared in SHARED if shared in used), str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Keep what was seen of the payment contract; the run with real parts, which is the last, shows all of it."""
    reports = [report for how in ("passed", "failed") for report in terminalreporter.stats.get(how, [])]
    seen = contract_table.keep(contract_table.seen_in(reports))
    if seen and config.getoption("markexpr") == "real" and len(reports) > 1:
        contract_table.show(seen, Console(width=150))
