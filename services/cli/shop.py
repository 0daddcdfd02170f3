"""`ncc shop`: a whole shop as a folder of documents, out and in again; and everything in it that wants mending."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import track

from schemas.market.documents import ListingDocument
from services.cli import documents, moving
from services.cli.client import Stack
from services.cli.offers import KINDS, Shop, done, show_findings, the_merchant
from services.cli.options import Home, Json
from services.cli.output import ERR, OUT, as_json, fail, table

shop_app = typer.Typer(no_args_is_help=True, help="A whole shop: export, import, lint.")
app = typer.Typer()
app.add_typer(shop_app, name="shop")

FOLDERS: Final = {"shipping": "shipping", "collection": "collections", "listing": "listings"}
"""By noun, its folder, in the order of an import: what is pointed at comes first."""
Folder = Annotated[Path, typer.Argument(metavar="FOLDER")]


@dataclass(frozen=True, slots=True)
class Change:
    """What an import would do about one document."""

    noun: str
    id: str
    state: str
    what: str
    fields: dict[str, Any]
    expects: str


@shop_app.command("export")
def shop_export(folder: Folder, shop: Shop = None, home: Home = None, json_: Json = False) -> None:
    """Write every listing, option and collection as a YAML file; files of an earlier export are written over."""
    stack = Stack(home or Path())
    rows = stack.get(f"/catalogue/{the_merchant(stack, shop)['public_key']}")
    written: list[str] = []
    try:
        for row in rows:
            file = folder / FOLDERS[row["noun"]] / f"{_file_name(row['id'])}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(documents.write(row["document"]), encoding="utf-8")
            written.append(str(file))
    except OSError as error:
        fail(f"{folder} cannot be written ({type(error).__name__}): give a folder of your own")
    if json_:
        as_json(written)
    else:
        OUT.print(f"{len(written)} documents in {folder}")


@shop_app.command("import")
def shop_import(
    folder: Annotated[Path | None, typer.Argument(metavar="FOLDER", help="As `ncc shop export` writes it.")] = None,
    from_relays: Annotated[
        bool, typer.Option("--from-relays", help="What the merchant has on relays instead.")
    ] = False,
    relay: Annotated[
        list[str] | None, typer.Option(help="Such a relay; may be given again. The shop's own without it.")
    ] = None,
    table_: Annotated[
        Path | None, typer.Option("--csv", help="A table of products instead: id, title, price, stock, and so on.")
    ] = None,
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Keep what is converted as drafts, to look at first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    stock: Annotated[bool, typer.Option("--stock", help="Set the stock of listings already there too.")] = False,
    shop: Shop = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Publish what a folder has and the shop has not, or has otherwise; nothing is deleted.

    The stock of a listing that is there stays as it is without --stock: a file does not know what was sold since.
    From relays, stalls and products (30017, 30018) are converted; what is here already stays as it is.
    """
    if [folder is not None, from_relays, table_ is not None].count(True) != 1:
        fail("say what to import: a FOLDER, --from-relays or --csv FILE", 2)
    if folder is None:
        wish = moving.Wish(yes=yes, is_dry=dry_run, drafts=drafts, json_=json_)
        moving.import_(Stack(home or Path()), shop, table_, relay or [], wish)
        return
    found = _read(folder)
    stack = Stack(home or Path())
    merchant = the_merchant(stack, shop)
    rows = stack.get(f"/catalogue/{merchant['public_key']}")
    changes = compare(found, {(row["noun"], row["id"]): row for row in rows}, stock)
    wanted = [change for change in changes if change.state != "same"]
    if not json_:
        cells = ((change.noun, change.id, change.state, change.what) for change in changes)
        table(f"Import into {merchant['name']}", ("what", "id", "state", "fields"), cells, "No documents in there.")
    if not wanted or dry_run:
        if json_:
            as_json([_shown(change) for change in changes])
        return
    if not (yes or json_) and not typer.confirm(f"Publish {len(wanted)} of {len(changes)}?"):
        raise typer.Exit(1)
    answers = _publish(stack, merchant["public_key"], wanted, stock, json_)
    refused = [one for one in answers if one["decided"] == "refused"]
    if json_:
        as_json(answers)
    else:
        for one in refused:
            done(one["id"], one, "")
        OUT.print(f"{len(answers) - len(refused)} published, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


@shop_app.command("lint")
def shop_lint(shop: Shop = None, home: Home = None, json_: Json = False) -> None:
    """Everything that is published and does not sell as it is meant to; ends with 1 where there is something."""
    stack = Stack(home or Path())
    show_findings(stack, the_merchant(stack, shop), json_)


def compare(
    found: list[tuple[str, documents.Found]], published: dict[tuple[str, str], dict[str, Any]], with_stock: bool
) -> list[Change]:
    """What is new, changed or the same, document by document."""
    changes: list[Change] = []
    for noun, one in found:
        row = published.get((noun, one.document.id))
        if row is None:
            changes.append(Change(noun, one.document.id, "new", "", one.fields, ""))
            continue
        model, after = type(one.document), one.document
        try:
            before = model.model_validate(row["document"])
        except ValidationError:
            changes.append(Change(noun, one.document.id, "changed", "it is odd", one.fields, row["event_id"]))
            continue
        if isinstance(before, ListingDocument) and not with_stock:
            after = after.model_copy(update={"stock": before.stock})
        names = [name for name in model.model_fields if getattr(before, name) != getattr(after, name)]
        state = "changed" if names else "same"
        changes.append(Change(noun, one.document.id, state, ", ".join(names), one.fields, row["event_id"]))
    return changes


def _read(folder: Path) -> list[tuple[str, documents.Found]]:
    """Every document of a folder, all of them checked; ends with every mistake in them."""
    found: list[tuple[str, documents.Found]] = []
    wrong: list[str] = []
    for noun, name in FOLDERS.items():
        for file in sorted((folder / name).glob("*")) if (folder / name).is_dir() else ():
            if file.suffix not in documents.SUFFIXES:
                continue
            try:
                found += [(noun, one) for one in documents.read_file(file, KINDS[noun])]
            except documents.DocumentRefused as refused:
                wrong.append(str(refused))
    if not found and not wrong:
        fail(f"{folder} has no documents: they are in {', '.join(FOLDERS.values())}, as `ncc shop export` writes them")
    names = [(noun, one.document.id) for noun, one in found]
    wrong += [f"{noun} {id_} is there twice" for noun, id_ in dict.fromkeys(names) if names.count((noun, id_)) > 1]
    for sentence in wrong[:-1]:
        ERR.print(f"[red]ncc:[/red] {escape(sentence)}", soft_wrap=True)
    if wrong:
        fail(escape(wrong[-1]), 2)
    return found


def _publish(stack: Stack, merchant: str, wanted: list[Change], with_stock: bool, quiet: bool) -> list[dict[str, Any]]:
    """One after another; each only over the very version that was compared with."""
    answers: list[dict[str, Any]] = []
    for change in track(wanted, "Publishing", console=ERR, disable=quiet):
        keeps_stock = change.state == "changed" and change.noun == "listing" and not with_stock
        body = {"document": change.fields, "expects": change.expects, "keeps_stock": keeps_stock}
        answers += stack.put(f"/catalogue/{merchant}/{change.noun}", body)
    return answers


def _shown(change: Change) -> dict[str, str]:
    return {"noun": change.noun, "id": change.id, "state": change.state, "fields": change.what}


def _file_name(id_: str) -> str:
    """A file's name that no id can lead out of its folder, and that no two share."""
    name = quote(id_, safe=" ()+,=@")
    assert unquote(name) == id_
    return name.replace(".", "%2E") if name.startswith(".") else name
