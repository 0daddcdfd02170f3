"""`python -m tests.chaos`: kill, pause and lie to a whole running stack, and see that nobody is the worse for it."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.chaos.plan import EVERY_S
from tests.chaos.run import Result, Told, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where every promise was kept, 1 where one was broken."""
    chosen = _parser().parse_args(arguments)
    console = Console(stderr=chosen.json, highlight=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it, the stack is stopped first
    folder = Path(tempfile.mkdtemp(prefix="ncc-chaos-"))
    with Progress(
        TextColumn("chaos"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        console=console,
    ) as bar:  # fmt: skip
        task = bar.add_task("starting", total=chosen.kills)

        def tell(told: Told) -> None:
            words = f"kills, {told.faults - told.kills} other faults, {told.orders} orders: {told.doing}"
            bar.update(task, completed=told.kills, description=words)

        result = asyncio.run(run(folder / "home", chosen.seed, chosen.kills, chosen.every, tell))
    if chosen.json:
        print(json.dumps(result.plain()))
    else:
        show(console, result)
    if not result.breaches:
        if chosen.keep:
            console.print(f"what was left is in {folder}", soft_wrap=True)
        else:
            shutil.rmtree(folder)
        return 0
    for breach in result.breaches:
        console.print(f"[red]{breach}[/red]", soft_wrap=True)
    console.print(f"seed {chosen.seed} with {chosen.kills} kills; what was left is in {folder}", soft_wrap=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how many processes are killed (20)")
    parser.add_argument("--seed", type=int, default=1, help="which schedule (1)")
    parser.add_argument(
        "--every", type=float, default=EVERY_S, help=f"seconds between two kills, on average ({EVERY_S})"
    )
    parser.add_argument("--keep", action="store_true", help="leave the logs and the timeline of a run that went well")
    parser.add_argument("--json", action="store_true", help="figures for programs on stdout")
    return parser


def show(console: Console, result: Result) -> None:
    """One table of faults, and what the buyers had of it."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("fault", "times", "answers again after", "work goes on after"):
        grid.add_column(title, justify="left" if title == "fault" else "right")
    for line in result.lines:
        grid.add_row(line.name, str(line.count), _seconds(line.back_worst_s), _seconds(line.order_worst_s))
    console.print(grid)
    outcomes = ", ".join(f"{count} {what}" for what, count in sorted(result.outcomes.items()))
    console.print(
        f"{result.kills} kills and {result.faults - result.kills} other faults in {result.seconds:.0f} s; "
        f"{sum(result.orders.values())} orders: {outcomes}; {result.messages} messages; "
        f"everything was done {result.drain_s:.1f} s after the last fault"
    )
    console.print("every promise was kept" if not result.breaches else f"{len(result.breaches)} breaches")


def _seconds(worst_s: float | None) -> str:
    return "" if worst_s is None else f"{worst_s:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
