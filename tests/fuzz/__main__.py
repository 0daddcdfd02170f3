"""`python -m tests.fuzz`: search the targets for inputs that break them, and print one table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.fuzz.campaign import Outcome, campaign
from tests.fuzz.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Search; the status is 1 where anything was found, 2 where a search could not be made."""
    chosen = _parser().parse_args(arguments)
    targets = [TARGETS[name] for name in chosen.target or TARGETS]
    progress = Console(stderr=True, highlight=False)

    def tell(outcome: Outcome) -> None:
        progress.print(
            f"fuzz    {outcome.target}: {outcome.executions} executions, {len(outcome.found)} findings", soft_wrap=True
        )

    outcomes = campaign(targets, chosen.seconds, chosen.seed, keep=chosen.keep, tell=tell)
    if chosen.json:
        print(json.dumps([_plain(outcome) for outcome in outcomes], indent=2))
    else:
        _show(outcomes)
    for outcome in outcomes:
        if outcome.trouble:
            progress.print(f"fuzz    {outcome.target}: {outcome.trouble}", soft_wrap=True, markup=False)
    if any(outcome.trouble for outcome in outcomes):
        return 2
    return 1 if any(outcome.found for outcome in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each target is searched (60)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="where the search's own chance begins (1)")
    parser.add_argument("--keep", action="store_true", help="take what reaches new branches into the kept corpus")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    return parser


def _plain(outcome: Outcome) -> dict[str, object]:
    return {
        "target": outcome.target,
        "executions": outcome.executions,
        "per_second": round(outcome.per_second),
        "read_bytes": outcome.read_bytes,
        "features": outcome.features,
        "corpus": outcome.corpus,
        "findings": [{"complaint": found.complaint, "size_bytes": len(found.data)} for found in outcome.found],
        "trouble": outcome.trouble,
    }


def _show(outcomes: Sequence[Outcome]) -> None:
    out = Console(highlight=False)
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("target", "executions", "exec/s", "features", "corpus", "findings"):
        grid.add_column(title, justify="left" if title == "target" else "right")
    for one in outcomes:
        grid.add_row(
            one.target,
            f"{one.executions:,}",
            f"{one.per_second:,.0f}",
            f"{one.features:,}",
            str(one.corpus),
            str(len(one.found)),
        )
    out.print(grid)
    for one in outcomes:
        for found in one.found:
            out.print(f"{one.target}: {found.complaint} ({len(found.data)} bytes)", soft_wrap=True, markup=False)


if __name__ == "__main__":
    sys.exit(main())
