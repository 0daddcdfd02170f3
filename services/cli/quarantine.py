"""`ncc quarantine`: what could not be used, the original, and reading it again once its cause is cured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import ERR, OUT, as_json, fail, fields, table

BATCH = 500
"""Records asked for at once: each batch reads the quarantine topic once."""

Reason = Annotated[str, typer.Option(help="Only those with this reason, for example bad_sig.")]
Stage = Annotated[str, typer.Option(help="Only those of this stage: ingest, intake or decider.")]

quarantine_app = typer.Typer(no_args_is_help=True, help="What could not be used, and replaying it.")
app = typer.Typer()
app.add_typer(quarantine_app, name="quarantine")


@quarantine_app.command("list")
def quarantine_list(
    home: Home = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    reason: Reason = "",
    stage: Stage = "",
    json_: Json = False,
) -> None:
    """The newest quarantined input."""
    rows = Stack(home or Path()).get("/quarantine", limit=limit, reason=reason, stage=stage)
    if json_:
        as_json(rows)
        return
    table(
        "Quarantine",
        ("id", "reason", "detail", "stage", "relay", "when"),
        ((r["id"], r["reason"], r["detail"], r["stage"], r["relay"], _time(r["at"])) for r in rows),
        "Nothing is in quarantine." if not (reason or stage) else "Nothing like that is in quarantine.",
    )


@quarantine_app.command("show")
def quarantine_show(id_: Annotated[str, typer.Argument(metavar="ID")], home: Home = None, json_: Json = False) -> None:
    """One record with its original text, or with the place where it stands."""
    record = Stack(home or Path()).get(f"/quarantine/{id_}")
    if json_:
        as_json(record)
    else:
        fields(f"Quarantined {id_}", record)


@quarantine_app.command("replay")
def quarantine_replay(
    id_: Annotated[str | None, typer.Argument(metavar="ID")] = None,
    home: Home = None,
    reason: Reason = "",
    stage: Stage = "",
    json_: Json = False,
) -> None:
    """Read a record again from the start, or all of a reason or stage, after the cause was cured."""
    stack = Stack(home or Path())
    if id_ is not None:
        if reason or stage:
            fail("give either an ID or a --reason or --stage, not both", 2)
        answer = stack.post(f"/quarantine/{id_}/replay")
        as_json(answer) if json_ else OUT.print(f"{id_} is being read again")
        return
    if not (reason or stage):
        fail("say what to read again: an ID, a --reason or a --stage (`ncc quarantine list` shows them)", 2)
    ids: list[str] = stack.get("/quarantine-ids", reason=reason, stage=stage)
    became = replay_all(stack, ids, quiet=json_)
    if json_:
        as_json({"found": len(ids), **became})
        return
    again, kept = became.get("read_again", 0), len(ids) - became.get("read_again", 0)
    OUT.print(f"{again} of {len(ids)} are being read again" if ids else "Nothing like that is in quarantine.")
    if kept:
        OUT.print(f"{kept} have nothing that was kept to read")


def replay_all(stack: Stack, ids: list[str], quiet: bool) -> Counter[str]:
    """Have all read again, in batches, with a bar; gives how many ended in which way."""
    became: Counter[str] = Counter()
    columns: tuple[Any, ...] = (TextColumn("reading again"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=ERR, transient=True, disable=quiet or not ids) as progress:
        task = progress.add_task("", total=len(ids))
        for first in range(0, len(ids), BATCH):
            answers: dict[str, str] = stack.post("/quarantine-replays", {"ids": ids[first : first + BATCH]})
            became.update(answers.values())
            progress.advance(task, len(answers))
    return became


def _time(value: object) -> str:
    """A time as ClickHouse gives it, to the second."""
    return str(value).replace("T", " ")[:19]
