"""`python -m tests.simulation.sabotage`: plant each bug and see who catches it, and after how many seeds.

This measures the simulator and the tests, not the product.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.simulation.history import run_many
from tests.simulation.planted import Bug, planted
from tests.simulation.planted_roles import BUGS

SEEDS_MAX = 10_000
TEST_TIMEOUT_S = 300
ROOT = Path(__file__).parents[2]
VARIABLE = "NCC_PLANTED"


@dataclass(frozen=True, slots=True)
class Catch:
    """Who caught a bug: the simulator after so many seeds, a test, or nobody."""

    bug: str
    breaks: str
    by: str
    seeds: int
    said: str


def hunt(bug: Bug, seeds_max: int, start: int = 0) -> Catch:
    """Run histories with the bug until one fails; where the bug names a test, that test."""
    if bug.test:
        return _by_test(bug)
    with planted(bug):
        for count, result in enumerate(run_many(range(start, start + seeds_max)), 1):
            if result.failure is not None:
                return Catch(bug.name, bug.breaks, "simulator", count, result.failure.said)
    return Catch(bug.name, bug.breaks, "", seeds_max, "")


def _by_test(bug: Bug) -> Catch:
    """The named test in a process of its own, where a plug-in plants the bug."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "tests.simulation.plant", bug.test]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, VARIABLE: bug.name},
        capture_output=True,
        text=True,
        check=False,
        timeout=TEST_TIMEOUT_S,
    )
    failed = next((line for line in run.stdout.splitlines() if line.startswith("FAILED")), "")
    name = failed.removeprefix("FAILED ").split(" - ")[0]
    return Catch(bug.name, bug.breaks, bug.test if run.returncode == 1 and name else "", 0, name)


def _hunt_named(task: tuple[str, int]) -> Catch:
    return hunt(next(bug for bug in BUGS if bug.name == task[0]), task[1])


def main() -> int:
    """Exit code 0 where every bug was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.sabotage", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help=f"histories a bug at most (default {SEEDS_MAX})")
    parser.add_argument("--only", help="only bugs whose name holds this")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console = Console(stderr=options.json)
    tasks = [(bug.name, options.seeds) for bug in BUGS if not options.only or options.only in bug.name]
    caught: list[Catch] = []
    with multiprocessing.get_context("fork").Pool(options.processes) as pool, Progress(console=console) as bar:
        task = bar.add_task("sabotage", total=len(tasks))
        for catch in pool.imap(_hunt_named, tasks):
            caught.append(catch)
            bar.advance(task)
    if options.json:
        print(json.dumps([asdict(catch) for catch in caught]))
    else:
        table = Table("bug", "what it breaks", "caught by", "seeds", "how")
        for catch in caught:
            by = catch.by or "NOBODY"
            table.add_row(
                catch.bug, catch.breaks, by, str(catch.seeds or "-"), catch.said, style="" if catch.by else "red"
            )
        console.print(table)
    missed = [catch.bug for catch in caught if not catch.by]
    console.print(f"{len(caught) - len(missed)} of {len(caught)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
