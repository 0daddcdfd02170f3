"""`ncc`: every command, and what each is for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.topics import TOPICS
from services.cli import audit, quarantine, shop, signer, wallet
from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, table
from services.cli.up import up
from services.config import Role, Settings
from services.home import Home as HomeFolder

app = typer.Typer(
    name="ncc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Nostr Commerce Coordinator: shops on Nostr that sell by themselves.",
)
app.command()(up)
app.add_typer(shop.merchant_app, name="merchant")
app.command()(shop.orders)
app.add_typer(shop.order_app, name="order")
app.command()(shop.stock)
app.command()(shop.reviews)
app.add_typer(wallet.wallet_app, name="wallet")
app.add_typer(signer.signer_app, name="signer")
app.add_typer(quarantine.quarantine_app, name="quarantine")
app.command()(shop.sql)
app.command()(audit.audit)

DEMO_START_S = 90


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
        as_json([finding.__dict__ for finding in findings])
    else:
        table(
            "Examination",
            ("", "what", "finding", "what to do"),
            (("[green]ok[/green]" if f.ok else "[red]wrong[/red]", f.what, f.finding, f.advice) for f in findings),
            "",
        )
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
def demo(
    home: Home = None,
    stay: Annotated[bool, typer.Option("--stay", help="Leave the stack running and say how to use it.")] = False,
    fresh: Annotated[bool, typer.Option(help="Use a new folder, removed at the end unless --stay.")] = True,
) -> None:
    """Start a whole stack and play one order from the listing to the review."""
    from services.demo.story import StoryFailed, play

    keep = stay or not fresh
    folder = (home or Path()) if keep else Path(tempfile.mkdtemp(prefix="ncc-demo-"))
    OUT.print(f"[bold]A whole shop, for real[/bold] — Kafka, relay, ClickHouse and every role, in {folder}")
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "up", "--home", str(folder), "--rates", "USD=1000"],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as stack_process:
        try:
            _wait_ready(folder, stack_process)
            OUT.print(f"  [green]✓[/green] everything answers after {time.perf_counter() - started:.1f} s\n")
            facts = asyncio.run(play(Stack(folder)))
        except StoryFailed as failed:
            _stop(stack_process)
            fail(f"the demo stopped: {failed}; the logs are in {folder}/logs")
        except BaseException:
            _stop(stack_process)
            raise
        if stay:
            _how_to_use(folder, stack_process.pid)
            as_json(facts)
            sys.stdout.flush()
            os._exit(0)  # leave without waiting for the stack, which has its own session
        _stop(stack_process)
    if not keep:
        _remove(folder)
    OUT.print("\nEverything was stopped; no process is left.")
    as_json(facts)


def _wait_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + DEMO_START_S
    while HomeFolder(folder).ready() is None:
        if process.poll() is not None:
            fail(f"the stack did not start: see {folder}/logs, or run `ncc up --home {folder}` to watch it")
        if time.monotonic() > give_up_s:
            _stop(process)
            fail(f"the stack did not answer within {DEMO_START_S} s: see {folder}/logs")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the stack as Ctrl-C would; the supervisor takes everything down with it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _how_to_use(folder: Path, pid: int) -> None:
    ncc = Path(sys.executable).with_name("ncc")
    OUT.print(f"\nThe stack stays up (process {pid}). Look around:")
    for words in ("status", "orders", "stock", "reviews", 'sql "SELECT * FROM sales"'):
        OUT.print(f"  {ncc} {words} --home {folder}", soft_wrap=True)
    OUT.print(f"Stop it with: kill {pid}")


def main() -> None:
    """The program's entry point: a mistake is one sentence, never a traceback."""
    app()


if __name__ == "__main__":
    main()
