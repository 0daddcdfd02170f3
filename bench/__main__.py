"""`python -m bench`: measure, print one table, write `build/bench.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import BY_NAME, STAGES, Row, Values, Verdict, number, rows, stages_of
from bench.run import Run, run

OUTPUT = Path("build") / "bench.json"
QUICK = 0.1
LONG = {"load": 10.0, "recovery": 14.0, "latency": 12.0, "startup": 4.0, "memory": 2.0}
"""How much of the bar a stage takes, where it is more than one."""
_STYLES = {Verdict.OK: "green", Verdict.NEAR: "yellow", Verdict.OVER: "red", Verdict.NONE: ""}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit code says whether everything was measured, not how well."""
    chosen = _parser().parse_args(arguments)
    try:
        stages = stages_of(chosen.only)
    except ValueError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began_s = time.monotonic()
    measured = _measure(stages, QUICK if chosen.quick else 1.0)
    table = rows(measured.values, chosen.only)
    document = as_document(measured, table, chosen.quick, time.monotonic() - began_s)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")
    if chosen.json:
        print(json.dumps(document))
    else:
        show(measured, table)
    if measured.failure:
        print(f"bench: {measured.failure}", file=sys.stderr)
        return 1
    return 0


def as_document(measured: Run, table: Sequence[Row], is_quick: bool, took_s: float) -> dict[str, object]:
    """What `build/bench.json` holds: the machine, each figure with its parts, verdicts, and what lies behind."""
    return {
        "machine": measured.machine,
        "quick": is_quick,
        "took_s": round(took_s, 1),
        "figures": {name: _plain(measured.values[name]) for name in BY_NAME if name in measured.values},
        "verdicts": {row.label: row.verdict.value for row in table if row.verdict is not Verdict.NONE},
        "details": measured.details,
        "failure": measured.failure,
    }


def show(measured: Run, table: Sequence[Row]) -> None:
    """The table for people, and the sentences that belong to it."""
    out = Console(highlight=False)
    machine = measured.machine
    out.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Python {machine['python']}; "
        f"before the run {machine['busy_cores_before']} cores were busy (load {machine['load_before']})",
        soft_wrap=True,
    )
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("figure")
    grid.add_column("value", justify="right")
    grid.add_column("budget")
    grid.add_column("verdict")
    for row in table:
        style = _STYLES[row.verdict]
        grid.add_row(row.label, number(row.value), row.budget, f"[{style}]{row.verdict}[/]" if style else "")
    out.print(grid)
    load, again = measured.details.get("load"), measured.details.get("recovery")
    if isinstance(load, dict):
        out.print(f"orders_per_second was limited by {load['limited_by']}.", soft_wrap=True)
        out.print("Cores by process under load:", _shares(load["cores_by_process"]), soft_wrap=True)
        out.print(f"Other programs kept {load['cores_by_other_programs']} cores busy meanwhile.")
        out.print(f"{load['orders_unanswered']} orders were not answered.")
    if isinstance(again, dict):
        out.print(f"Between the kills {again['orders_unanswered']} of {again['orders']} orders were not answered.")
    out.print(f"Written to {OUTPUT}.")


def _measure(stages: Sequence[str], scale: float) -> Run:
    """Run behind a bar on standard error."""
    weights = {stage: LONG.get(stage, 1.0) for stage in stages}
    columns = (TextColumn("bench"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2) as progress:
        task = progress.add_task("starting", total=sum(weights.values()))

        def report(stage: str, share: float) -> None:
            before = sum(weights[earlier] for earlier in STAGES[: STAGES.index(stage)] if earlier in weights)
            progress.update(task, description=stage, completed=before + weights[stage] * share)

        return asyncio.run(run(stages, scale, report))


def _plain(values: Values) -> object:
    """One number, or numbers by part; four figures are as many as mean anything."""
    plain = {part: None if value is None else float(f"{value:.4g}") for part, value in values.items()}
    return plain[""] if plain.keys() == {""} else plain


def _shares(cores: object) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in cores.items()) if isinstance(cores, dict) else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what the design promises.")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"only these: {', '.join(BY_NAME)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the load, for a first look")
    parser.add_argument("--json", action="store_true", help="print the document instead of the table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
