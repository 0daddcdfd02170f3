"""`ncc demo`: a whole stack plays a story: one order from the listing to the review, or a market of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail
from services.demo import market, story
from services.demo.story import StoryFailed
from services.demo.wallets.till import TILLS
from services.embedded.ports import free_port
from services.home import Home as HomeFolder
from services.payments.credentials import CASHU
from services.payments.wallets import SIMULATED

app = typer.Typer()

DEMO_START_S = 90
STORIES: Final[dict[str, Callable[[Stack, str], Coroutine[Any, Any, dict[str, Any]]]]] = {
    "order": story.play,
    "market": lambda stack, _: market.play(stack),
}


@app.command()
def demo(
    home: Home = None,
    stay: Annotated[bool, typer.Option("--stay", help="Leave the stack running and say how to use it.")] = False,
    fresh: Annotated[bool, typer.Option(help="Use a new folder, removed at the end unless --stay.")] = True,
    name: Annotated[
        str,
        typer.Option("--story", help="`order`: one order from the listing to the review; `market`: every answer."),
    ] = "order",
    wallet: Annotated[
        str, typer.Option(help="What the shop is paid into: simulated, lnbits or cashu (`make peers`), or nwc.")
    ] = SIMULATED,
    json_: Json = False,
) -> None:
    """Start a whole stack and play a story on it."""
    if name not in STORIES:
        fail(f"there is no story {name!r}: choose one of {', '.join(STORIES)}", 2)
    if wallet not in TILLS:
        fail(f"there is no wallet {wallet!r} for a story: choose one of {', '.join(TILLS)}", 2)
    if wallet != SIMULATED and name != "order":
        fail(f"the story {name!r} is paid with simulated money: leave out --wallet {wallet}", 2)
    OUT.quiet = json_
    keep = stay or not fresh
    folder = (home or Path()) if keep else Path(tempfile.mkdtemp(prefix="ncc-demo-"))
    OUT.print(f"[bold]A whole shop, for real[/bold] — Kafka, relay, ClickHouse and every role, in {folder}")
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "up", "--home", str(folder), "--rates", "USD=1000"],
        env=_environment(wallet),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as stack_process:
        try:
            _wait_ready(folder, stack_process)
            OUT.print(f"  [green]✓[/green] everything answers after {time.perf_counter() - started:.1f} s\n")
            facts = asyncio.run(STORIES[name](Stack(folder), wallet))
        except StoryFailed as failed:
            _stop(stack_process)
            fail(f"the demo stopped: {failed}; the logs are in {folder}/logs")
        except BaseException:
            _stop(stack_process)
            raise
        if stay:
            if wallet != SIMULATED:
                OUT.print(f"\nThe {wallet} wallet was stopped with the story: `ncc wallet add SHOP simulated` goes on.")
            _how_to_use(folder, stack_process.pid)
            as_json(facts)
            sys.stdout.flush()
            os._exit(0 if facts["ok"] else 1)  # leave without waiting for the stack, which has its own session
        _stop(stack_process)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    OUT.print("\nEverything was stopped; no process is left.")
    if json_ or name == "order":
        as_json(facts)
    if not facts["ok"]:
        fail(f"not answered as expected: {', '.join(facts['wrong'])}")


def _environment(wallet: str) -> dict[str, str]:
    """Ecash is posted at the buyers' door, so that is open where a story is paid in it."""
    door = {"NCC_SERVICE_URL": f"http://127.0.0.1:{free_port()}"} if wallet == CASHU else {}
    return {**os.environ, **door}


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
