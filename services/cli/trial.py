"""`ncc try`: a trial order at a shop of one's own, to see what a buyer sees."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.limits import TITLE
from services.cli.client import Stack
from services.cli.merchant import find_merchant
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, table
from services.demo.trial import Trial, TrialFailed, try_shop

app = typer.Typer()


@app.command("try")
def try_(
    who: Annotated[str, typer.Argument(help="Name, hex or npub of the shop.")],
    item: Annotated[str | None, typer.Option(help="Address of a listing; without it the first that is there.")] = None,
    country: Annotated[str | None, typer.Option(help="Where it is to be sent, for example DE.")] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Order something as a stranger would, see every answer and how soon it came, and cancel before paying."""
    stack = Stack(home or Path())
    merchant = find_merchant(stack, who)
    address = item or _first_item(stack, merchant)
    if not address.startswith(f"30402:{merchant['public_key']}:"):
        fail(f"--item {address[: TITLE.most]} is no listing of {merchant['name']}: `ncc stock` shows them", 2)
    try:
        trial = asyncio.run(try_shop(stack.ready["relay"], merchant["public_key"], address, country))
    except TrialFailed as failed:
        fail(str(failed))
    if json_:
        as_json(asdict(trial))
    else:
        _show(merchant, trial)
    if trial.outcome != "asked_for_payment":
        raise typer.Exit(1)


def _first_item(stack: Stack, merchant: dict[str, Any]) -> str:
    """The first listing of the shop that is published and not sold out."""
    rows = [row for row in stack.get("/stock") if row["merchant"] == merchant["public_key"] and not row["withdrawn"]]
    there = [row for row in rows if row["on_hand"] is None or int(row["on_hand"]) > int(row["held"])]
    if not there:
        fail(f"{merchant['name']} has nothing in stock to order: publish a listing, then try again")
    return str(there[0]["coordinate"])


def _show(merchant: dict[str, Any], trial: Trial) -> None:
    table(
        f"A trial order at {merchant['name']}",
        ("who", "what", "ms", "said"),
        ((step.who, step.what, f"{step.ms:,.0f}" if step.ms else "", step.text) for step in trial.steps),
        "Nothing was said.",
    )
    if trial.outcome == "asked_for_payment":
        OUT.print(f"[green]A buyer is asked for {trial.amount_sats:,} sats[/green]; the trial was cancelled, unpaid.")
    else:
        OUT.print(f"[yellow]A buyer is not asked to pay: the order is {trial.outcome}[/yellow], for the reason above.")
