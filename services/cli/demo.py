"""`ncc demo`: a whole stack plays one order, from the listing to the review."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import Stack
from services.cli.options import Home
from services.cli.output import OUT, as_json, fail
from services.demo.story import StoryFailed, play
from services.home import Home as HomeFolder

app = typer.Typer()

DEMO_START_S = 90


@app.command()
def demo(
    home: Home = None,
    stay: Annotated[bool, typer.Option("--stay", help="Leave the stack running and say how to use it.")] = False,
    fresh: Annotated[bool, typer.Option(help="Use a new folder, removed at the end unless --stay.")] = True,
) -> None:
    """Start a whole stack and play one order from the listing to the review."""
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
        shutil.rmtree(folder, ignore_errors=True)
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


def _how_to_use(folder: Path, pid: int) -> None:
    ncc = Path(sys.executable).with_name("ncc")
    OUT.print(f"\nThe stack stays up (process {pid}). Look around:")
    for words in ("status", "orders", "stock", "reviews", 'sql "SELECT * FROM sales"'):
        OUT.print(f"  {ncc} {words} --home {folder}", soft_wrap=True)
    OUT.print(f"Stop it with: kill {pid}")
