"""`ncc draft`: what only its merchant can read, until it is published."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import documents
from services.cli.client import Stack
from services.cli.offers import KINDS, Id, Shop, done, the_merchant
from services.cli.options import Home, Json
from services.cli.output import as_json, fail, table

draft_app = typer.Typer(no_args_is_help=True, help="Drafts (NIP-37): kept encrypted, private until published.")
app = typer.Typer()
app.add_typer(draft_app, name="draft")

File = Annotated[Path, typer.Argument(metavar="FILE", help="One document in YAML or JSON; - is standard input.")]


@draft_app.command("list")
def draft_list(shop: Shop = None, home: Home = None, json_: Json = False) -> None:
    """Every draft of the shop, those of other clients too."""
    stack = Stack(home or Path())
    rows = stack.get(f"/drafts/{the_merchant(stack, shop)['public_key']}")
    if json_:
        as_json(rows)
        return
    cells = (
        (row["id"], row["noun"], row.get("title"), _day(row["saved_at"]), _day(row["expires_at"]), row["wrong"])
        for row in rows
    )
    columns = ("id", "of", "title", "saved", "expires", "odd")
    table("Drafts", columns, cells, "No drafts: write a document and `ncc draft save listing FILE`.")


@draft_app.command("show")
def draft_show(id_: Id, shop: Shop = None, home: Home = None, json_: Json = False) -> None:
    """A draft as a document, to be edited and saved again."""
    stack = Stack(home or Path())
    rows = stack.get(f"/drafts/{the_merchant(stack, shop)['public_key']}")
    row = next((one for one in rows if one["id"] == id_), None)
    if row is None:
        fail(f"there is no draft {id_}: `ncc draft list` shows them")
    if json_:
        as_json(row)
    elif row["document"] is None:
        fail(f"the draft {id_} cannot be shown as a document: {row['wrong'] or row['noun']}")
    else:
        typer.echo(documents.write(row["document"]), nl=False)


@draft_app.command("save")
def draft_save(
    noun: Annotated[str, typer.Argument(help="listing, shipping or collection.")],
    file: File,
    shop: Shop = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Keep a document as a draft, new or over an older one of its id; relays see ciphertext for ninety days."""
    if noun not in KINDS:
        fail(f"a draft is of a {', '.join(KINDS)}: not of a {noun!r}", 2)
    try:
        found = documents.read_file(file, KINDS[noun])
    except documents.DocumentRefused as refused:
        fail(str(refused), 2)
    if len(found) != 1:
        fail(f"{file} has {len(found)} documents: a draft is one", 2)
    stack = Stack(home or Path())
    path = f"/drafts/{the_merchant(stack, shop)['public_key']}/{noun}"
    _tell(found[0].document.id, stack.put(path, {"document": found[0].fields}), json_, "is kept as a draft")


@draft_app.command("publish")
def draft_publish(id_: Id, shop: Shop = None, home: Home = None, json_: Json = False) -> None:
    """Make it public, and empty the draft in the same step."""
    stack = Stack(home or Path())
    path = f"/drafts/{the_merchant(stack, shop)['public_key']}/publish"
    _tell(id_, stack.post(path, id=id_, request=secrets.token_hex(16)), json_, "is published")


@draft_app.command("discard")
def draft_discard(id_: Id, shop: Shop = None, home: Home = None, json_: Json = False) -> None:
    """Empty it on every relay that keeps it."""
    stack = Stack(home or Path())
    path = f"/drafts/{the_merchant(stack, shop)['public_key']}"
    _tell(id_, stack.delete(path, id=id_, request=secrets.token_hex(16)), json_, "is discarded")


def _tell(id_: str, decision: dict[str, Any], json_: bool, said: str) -> None:
    if json_:
        as_json(decision)
    elif not done(id_, decision, said):
        raise typer.Exit(1)


def _day(seconds: int | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
