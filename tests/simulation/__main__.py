"""`python -m tests.simulation`: simulate whole histories from seeds, and say what they passed and broke."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.coverage import SEEDS_ENOUGH, expected, missing
from tests.simulation.fleet import Tally, regressions, remember, run_fleet
from tests.simulation.history import run_seed, smaller, told

FAILURES_SHOWN = 3


def main() -> int:
    """Exit code 0 where nothing broke, 1 for a breach or a counter at zero."""
    options = _options()
    console = Console(stderr=options.json)
    if options.seed is not None:
        return _one(options.seed, console)
    cores = options.processes or os.cpu_count() or 1
    first = options.start
    seeds = [*(seed for seed in regressions() if not options.start), *range(first, first + options.seeds)]
    began_s = time.monotonic()
    with Progress(
        TextColumn("simulate"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as bar:
        task = bar.add_task("histories", total=len(seeds))
        shown = said = 0

        def see(seen: Tally) -> None:
            nonlocal shown, said
            if not console.is_terminal and (tenths := 10 * seen.histories // len(seeds)) > said:
                said = tenths
                bar.console.print(
                    f"{seen.histories:,} histories in {time.monotonic() - began_s:,.0f} s", soft_wrap=True
                )
            for failure in seen.failures[shown:]:
                bar.console.print(f"seed {failure.seed}: {failure.said}", markup=False, highlight=False, soft_wrap=True)
            shown = len(seen.failures)
            bar.update(task, completed=seen.histories)

        tally = run_fleet(seeds, cores, see)
    took_s = time.monotonic() - began_s
    gaps = missing(tally.coverage) if tally.histories >= SEEDS_ENOUGH else []
    if options.json:
        print(json.dumps(_figures(tally, took_s, cores, gaps)))
    else:
        _show(console, tally, took_s, cores, gaps)
    for failure in tally.failures[:FAILURES_SHOWN]:
        console.print(told(smaller(failure)), markup=False, highlight=False)
    if options.keep:
        remember(tally.failures)
    return 1 if tally.failures or gaps else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many histories (default 2000)")
    parser.add_argument("--start", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="run this one history, and make it small if it fails")
    parser.add_argument("--processes", type=int, default=0, help="default: one for each core")
    parser.add_argument("--json", action="store_true", help="figures for programs on stdout")
    parser.add_argument("--keep", action="store_true", help="add failing seeds to the list that is run first")
    return parser.parse_args()


def _one(seed: int, console: Console) -> int:
    result = run_seed(seed)
    if result.failure is None:
        console.print(f"seed {seed}: {result.steps} steps, {len(result.journal)} records, nothing broke")
        return 0
    console.print(told(smaller(result.failure)), markup=False, highlight=False)
    return 1


def _figures(tally: Tally, took_s: float, cores: int, gaps: list[str]) -> dict[str, object]:
    return {
        "histories": tally.histories,
        "steps": tally.steps,
        "records": tally.records,
        "seconds": round(took_s, 2),
        "histories_per_s": round(tally.histories / max(took_s, 1e-9), 1),
        "histories_per_cpu_s": round(tally.histories / max(tally.cpu_s, 1e-9), 1),
        "processes": cores,
        "failures": [{"seed": failure.seed, "said": failure.said} for failure in tally.failures],
        "missing": gaps,
        "coverage": dict(sorted(tally.coverage.items())),
    }


def _show(console: Console, tally: Tally, took_s: float, cores: int, gaps: list[str]) -> None:
    table = Table("what was passed", "times", title=f"{tally.histories} histories", title_justify="left")
    for name in expected():
        table.add_row(name, f"{tally.coverage[name]:,}", style="red" if not tally.coverage[name] else "")
    console.print(table)
    console.print(
        f"{tally.steps:,} steps and {tally.records:,} journal records in {took_s:.0f} s on {cores} processes: "
        f"{tally.histories / took_s:.0f} histories a second, {tally.histories / max(tally.cpu_s, 1e-9):.0f} a core"
    )
    if gaps:
        console.print(f"never passed: {', '.join(gaps)}", style="red")
    console.print(f"{len(tally.failures)} breaches" if tally.failures else "nothing broke")


if __name__ == "__main__":
    sys.exit(main())
