"""How the command line speaks: calm tables for people, JSON for programs, one sentence for a mistake."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


def fail(sentence: str, code: int = 1) -> NoReturn:
    """Say what went wrong, where, and what to do, in one sentence; then end."""
    ERR.print(f"[red]ncc:[/red] {sentence}", soft_wrap=True)
    raise typer.Exit(code)


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, default=str, ensure_ascii=False) + "\n")


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str, whole: Collection[str] = ()
) -> None:
    """A table a person can read; an empty one is a sentence that says how to get rows.

    Columns named in `whole` are never folded.
    """
    grid = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        right = column in {"sats", "stock", "held", "sold", "available", "pid", "restarts", "lag", "MB", "ms", "score"}
        grid.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=column in whole)
    count = 0
    for row in rows:
        grid.add_row(*("" if cell is None else str(cell) for cell in row))
        count += 1
    OUT.print(grid if count else f"[dim]{empty}[/dim]")


def decided(decision: Mapping[str, Any], name: str, json_: bool, refused: str) -> None:
    """What became of a wish about something of this name; where it was refused, `refused` says so and all ends."""
    if json_:
        as_json(decision)
    elif decision["decided"] == "done":
        OUT.print(f"{name}: {', '.join(decision['events'])}")
    elif decision["decided"] == "nothing_new":
        OUT.print(f"{name}: that was so already; nothing changed")
    if decision["decided"] == "refused":
        fail(f"{refused}: {decision['reason']} ({decision['detail']})", 2)


def sats(msat: object) -> str:
    """Millisatoshi as sats, with thousands apart."""
    return "" if msat in (None, "") else f"{int(str(msat)) // 1_000:,}"


def fields(title: str, values: Mapping[str, object]) -> None:
    """One thing, field by field."""
    grid = Table(title=title, title_justify="left", box=None, show_header=False, pad_edge=False)
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for name, value in values.items():
        if value not in (None, "", [], ()):
            grid.add_row(name.replace("_", " "), str(value))
    OUT.print(grid)
