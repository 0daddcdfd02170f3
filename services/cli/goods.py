"""`ncc goods`: what buyers of a digital listing are sent once they have paid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas import limits
from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, table

goods_app = typer.Typer(no_args_is_help=True, help="What buyers of a digital listing are sent once they have paid.")
app = typer.Typer()
app.add_typer(goods_app, name="goods")

Listing = Annotated[str, typer.Argument(help="Its address, as `ncc stock` shows it.")]


@goods_app.command("set")
def goods_set(
    listing: Listing,
    file: Annotated[Path, typer.Argument(help="File with the text or the link.")],
    home: Home = None,
    json_: Json = False,
) -> None:
    """Send this text to everyone who pays for the listing; an order of nothing else is then complete."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {type(error).__name__}", 2)
    if not 1 <= len(text) <= limits.GOODS_TEXT.most:
        fail(f"{file} has {len(text)} characters: give 1 to {limits.GOODS_TEXT.most}, or a link to more", 2)
    _set(home, listing, text, json_, "is sent to whoever pays from now on")


@goods_app.command("remove")
def goods_remove(listing: Listing, home: Home = None, json_: Json = False) -> None:
    """Send nothing by itself any more."""
    _set(home, listing, None, json_, "is sent to nobody by itself any more")


def _set(home: Path | None, listing: str, text: str | None, json_: bool, told: str) -> None:
    decision = Stack(home or Path()).put("/goods", {"coordinate": listing, "text": text})
    if json_:
        as_json(decision)
    else:
        OUT.print(f"{listing}: {told if decision['decided'] == 'done' else 'that was so already; nothing changed'}")


@goods_app.command("list")
def goods_list(home: Home = None, json_: Json = False) -> None:
    """Listings whose buyers are sent something; the text itself is sealed."""
    rows = Stack(home or Path()).get("/goods")
    if json_:
        as_json(rows)
        return
    table(
        "Goods",
        ("listing", "set"),
        ((row["coordinate"], str(row["set_at"]).replace("T", " ")[:19]) for row in rows),
        "Nothing is sent by itself: set a text with `ncc goods set LISTING FILE`.",
    )
