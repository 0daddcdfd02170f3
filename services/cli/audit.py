"""`ncc audit`: reads the whole journal with the auditor's eyes, then holds ClickHouse against it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.audit.books import Books
from services.audit.invariants import INVARIANTS, Breach, Place
from services.audit.stores import Comparison, compare
from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import ERR, OUT, as_json, fail, table
from streams.from_start import FromStart
from streams.kafka import Kafka, KafkaError

app = typer.Typer()

SETTLE_S = 15.0
"""How long a difference to ClickHouse has to last: it follows the journal a moment later."""
NAMED_MAX = 50


class Reader:
    """The books of every partition (`streams.from_start.BytesHandler`), and every breach in the order it is met."""

    def __init__(self) -> None:
        self.books: dict[int, Books] = {}
        self.breaches: list[Breach] = []
        self.count = 0
        self.met: Callable[[Breach], None] | None = None
        """Who is told of each breach from now on."""

    async def begin(self, partition: int) -> None:
        """Open a partition's books."""
        self.books[partition] = Books()

    async def take(self, partition: int, values: list[bytes]) -> None:
        """Enter records."""
        for value in values:
            for breach in self.books[partition].enter_bytes(value):
                self.breaches.append(breach)
                if self.met is not None:
                    self.met(breach)
        self.count += len(values)
        await asyncio.sleep(0)

    async def caught_up(self, partition: int) -> None:
        """Go on."""

    async def end(self, partition: int) -> None:
        """The books are wanted after the reading."""


@app.command()
def audit(
    home: Home = None,
    json_: Json = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on and name each new breach until Ctrl-C.")] = False,
) -> None:
    """Hold the whole journal, and ClickHouse against it, to the invariants; exit code 1 where one is broken."""
    stack = Stack(home or Path())
    kafka = Kafka(stack.ready["kafka"], int(stack.ready["partitions"]), "ncc-audit")
    reader = Reader()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_audit(kafka, reader, stack, json_, follow))
    except KafkaError as error:
        fail(f"no Kafka answers at {stack.ready['kafka']} ({type(error).__name__}): see `ncc status`", 3)
    if reader.breaches:
        raise typer.Exit(1)


async def _audit(kafka: Kafka, reader: Reader, stack: Stack, json_: bool, follow: bool) -> None:
    """Read what stands in the journal, hold ClickHouse against it, say it, and go on where that is wanted."""
    source = FromStart(kafka, None, reader)
    following = asyncio.ensure_future(source.run())
    try:
        await _wait(source, following, reader, is_shown=not json_)
        found = await _compare(reader.books, stack)
        reader.breaches += found.breaches
        (_print_json if json_ else _print)(reader, found)
        reader.met = _say_json if json_ else _say
        if follow:
            await following
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _wait(source: FromStart, following: asyncio.Future[None], reader: Reader, is_shown: bool) -> None:
    """Until everything that stood in the journal is read, with a bar for a person who waits."""
    columns = (
        TextColumn("[bold]ncc audit[/bold]"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERR, transient=True, disable=not (is_shown and ERR.is_terminal)) as progress:
        bar = progress.add_task("", total=None)
        while not source.is_caught_up:
            await asyncio.wait([following], timeout=0.1)
            if following.done():
                following.result()
            left = sum((await source.lag()).values())
            progress.update(bar, completed=reader.count, total=reader.count + left)


async def _compare(books: dict[int, Books], stack: Stack) -> Comparison:
    """What disagrees with ClickHouse, or is late, and goes on so; between two looks the books follow the journal.

    The questions hold the event loop up on purpose: the books must not change while they are compared.
    """

    def ask(sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = stack.post("/sql", {"sql": sql})
        return rows

    give_up_s = time.monotonic() + SETTLE_S
    while True:
        found = compare(books, ask)
        now_ms = time.time_ns() // 1_000_000
        found.breaches += [late for kept in books.values() for late in kept.overdue(now_ms)]
        if not (found.breaches or found.behind) or time.monotonic() > give_up_s:
            return found
        await asyncio.sleep(0.5)


def _say(breach: Breach) -> None:
    OUT.print(f"[red]{breach.merchant[:8]}[/red] {breach}", soft_wrap=True)


def _say_json(breach: Breach) -> None:
    as_json(_plain(breach))
    sys.stdout.flush()


def _print(reader: Reader, found: Comparison) -> None:
    breaches = reader.breaches
    table(
        f"Audit of {reader.count:,} journal records",
        ("invariant", "what it says", "checked", "breaches"),
        (
            (
                row["code"],
                row["meaning"],
                "in tests alone" if row["place"] == Place.TESTS.value else f"{row['checked']:,}",
                f"[red]{row['breaches']}[/red]" if row["breaches"] else "",
            )
            for row in _rows(reader, found)
        ),
        "",
    )
    for breach in breaches[:NAMED_MAX]:
        _say(breach)
    if len(breaches) > NAMED_MAX:
        OUT.print(f"… and {len(breaches) - NAMED_MAX:,} more: `ncc audit --json` names all")
    for merchant, why in _frozen(reader).items():
        OUT.print(f"[yellow]{merchant[:8]}[/yellow] is frozen: {why}", soft_wrap=True)
    if found.behind:
        OUT.print(f"ClickHouse is behind the journal in {len(found.behind)} partitions: see `ncc status`")
    if not breaches:
        OUT.print("Every invariant holds.")


def _print_json(reader: Reader, found: Comparison) -> None:
    as_json(
        {
            "records": reader.count,
            "invariants": _rows(reader, found),
            "breaches": [_plain(breach) for breach in reader.breaches],
            "frozen": _frozen(reader),
            "behind": found.behind,
        }
    )


def _rows(reader: Reader, found: Comparison) -> list[dict[str, Any]]:
    broken = Counter(breach.code for breach in reader.breaches)
    checked = Counter(found.checked)
    for books in reader.books.values():
        checked.update(books.checked)
    return [
        {
            "code": one.code,
            "meaning": one.meaning,
            "place": one.place.value,
            "checked": checked[one.code],
            "breaches": broken[one.code],
        }
        for one in INVARIANTS.values()
    ]


def _frozen(reader: Reader) -> dict[str, str]:
    return {merchant: why for books in reader.books.values() for merchant, why in books.frozen.items()}


def _plain(breach: Breach) -> dict[str, Any]:
    return {
        "code": breach.code,
        "merchant": breach.merchant,
        "sequence": breach.sequence,
        "sentence": breach.sentence,
    }
