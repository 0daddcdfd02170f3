"""Which back-end was held to which law of the payment contract, against whom, and how that ended.

Each test of the contract leaves three words in its report. What the runs of one `make test` saw gathers in
`build/contract.json`, and its last run prints the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rich.columns import Columns
from rich.console import Console
from rich.table import Table

KEPT: Final = Path(__file__).parents[2] / "build" / "contract.json"
WORDS: Final = ("back_end", "peer", "law")
REAL, SCRIPTED = "real", "scripted"

Seen = dict[str, dict[str, str]]
"""Back-end and peer, like `lnbits, real` → law → `passed` or `failed`; one failure of a law's cases is a failure."""


def seen_in(reports: Iterable[Any]) -> Seen:
    """What pytest's reports (`user_properties`, `outcome`) say of the contract."""
    found: Seen = {}
    for report in reports:
        said = dict(report.user_properties)
        if not all(word in said for word in WORDS):
            continue
        laws = found.setdefault(f"{said['back_end']}, {said['peer']}", {})
        if laws.get(said["law"]) != "failed":
            laws[said["law"]] = report.outcome
    return found


def keep(seen: Seen, path: Path = KEPT) -> Seen:
    """Add this run's part to what the runs before it saw, and give all of it."""
    whole: Seen = json.loads(path.read_text()) if path.exists() else {}
    for back_end, laws in seen.items():
        whole.setdefault(back_end, {}).update(laws)
    if seen:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(whole, indent=1))
    return whole


def show(seen: Mapping[str, Mapping[str, str]], console: Console) -> None:
    """Print laws by back-ends, a mark for each that was tried; a column is a number, whose back-end stands below."""
    columns = dict(enumerate(sorted(seen), 1))
    laws = list(dict.fromkeys(law for column in columns.values() for law in seen[column]))
    table = Table(title="The payment contract", title_justify="left", box=None)
    table.add_column("every back-end is held to", no_wrap=True)
    for number in columns:
        table.add_column(str(number), justify="right")
    for law in laws:
        table.add_row(sentence(law), *(_mark(seen[column].get(law)) for column in columns.values()))
    console.print(table)
    console.print(
        Columns([f"{number} {column}" for number, column in columns.items()], padding=(0, 3)), highlight=False
    )


def sentence(law: str) -> str:
    """A test's name as the sentence it is."""
    return law.removeprefix("test_").replace("_", " ")


def _mark(outcome: str | None) -> str:
    match outcome:
        case None:
            return ""
        case "passed":
            return "[green]✓[/green]"
        case _:
            return "[red]✗[/red]"
