"""A running stack seen from outside: what its processes say, what is wrong, and one role alone."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.topics import TOPICS
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, table
from services.config import Role, Settings
from services.home import Home as HomeFolder

app = typer.Typer()


@app.command()
def run(role: Role) -> None:
    """Run one role against a given Kafka, told by NCC_ variables (the multi-process form)."""
    from services.roles.run import run_role

    sys.exit(run_role(role, Settings()))


@app.command()
def health(role: Role, home: Home = None) -> None:
    """Whether a role here is alive and answers; for container health checks."""
    path = (home or Path()) / "run" / f"{role.value}.alive"
    try:
        said = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        fail(f"{role.value} has said nothing in {home}: it is not running there", 1)
    age_s = time.time() - said["at_ms"] / 1_000
    if age_s > 10:
        fail(f"{role.value} was last alive {age_s:.0f} s ago", 1)
    if not said["ready"]:
        fail(f"{role.value} is alive but not ready", 1)
    OUT.print(f"{role.value} answers")


@app.command()
def status(home: Home = None, json_: Json = False) -> None:
    """Every process of the stack: state, restarts, lag, last error."""
    from services.cli.doctor import lags_of, notices_of

    folder = HomeFolder(home or Path())
    try:
        children: list[dict[str, Any]] = json.loads(folder.status_file.read_text())["children"]
    except (FileNotFoundError, json.JSONDecodeError, KeyError):
        fail(f"nothing runs in {folder.root}: start it with `ncc up --home {folder.root}`", 3)
    lags, notices = lags_of(folder), notices_of(folder)
    for child in children:
        child["lag"] = lags.get(child["name"])
        child["notice"] = notices.get(child["name"])
    if json_:
        as_json(children)
        return
    table(
        "Processes",
        ("name", "pid", "state", "restarts", "lag", "MB", "notice, or last error"),
        (
            (
                c["name"],
                c["pid"],
                c["state"],
                c["restarts"],
                sum(c["lag"].values()) if c["lag"] else "",
                c["memory_mb"],
                c["notice"] or c["last_error"],
            )
            for c in children
        ),
        "No process.",
    )


@app.command()
def topics(
    home: Home = None, create: Annotated[bool, typer.Option(help="Create what is missing.")] = True, json_: Json = False
) -> None:
    """Create and check the Kafka topics; a wrong partition count is refused with what to do."""
    from services.cli.doctor import check_topics

    ready = HomeFolder(home or Path()).ready()
    settings = Settings() if ready is None else Settings(kafka=ready.kafka, partitions=ready.partitions)
    states = asyncio.run(check_topics(settings, create))
    rows = [
        {"topic": s.topic.name, "partitions": s.partitions, "cleanup": s.topic.cleanup.value, "why": s.topic.why}
        for s in states
    ]
    if json_:
        as_json(rows)
        return
    table(
        "Topics",
        ("topic", "partitions", "cleanup", "why"),
        ((r["topic"], r["partitions"] or "missing", r["cleanup"], r["why"]) for r in rows),
        "",
    )
    assert len(rows) == len(TOPICS)


@app.command()
def doctor(home: Home = None, json_: Json = False) -> None:
    """What is wrong here, and what to do about it."""
    from services.cli.doctor import examine

    findings = asyncio.run(examine(HomeFolder(home or Path())))
    if json_:
        as_json([asdict(finding) for finding in findings])
    else:
        table(
            "Examination",
            ("", "what", "finding", "what to do"),
            (("[green]ok[/green]" if f.ok else "[red]wrong[/red]", f.what, f.finding, f.advice) for f in findings),
            "",
        )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
