"""`ncc listing`, `ncc shipping`, `ncc collection`: what a shop has published, and how to change it from here."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from schemas.nostr.kinds import Kind
from services.cli import documents
from services.cli.client import Stack
from services.cli.merchant import find_merchant
from services.cli.options import Home, Json
from services.cli.output import ERR, OUT, as_json, fail, table

KINDS: Final = {"listing": Kind.PRODUCT, "shipping": Kind.SHIPPING_OPTION, "collection": Kind.COLLECTION}
NAMES: Final = {
    "listing": "Listings (kind 30402)",
    "shipping": "Shipping options (30406)",
    "collection": "Collections (30405)",
}
ADVICE: Final = {
    "unpriceable_currency": "price it in sats, or give the stack a rate for the currency (NCC_RATES)",
    "dangling_reference": "publish what it points at, or take the reference away",
    "orphan_variation": "publish its main listing again, as a variable one",
    "physical_without_shipping": "give it shipping, or make it digital",
    "measure_missing": "say it in the listing, or set default_weight_g or default_sides_cm",
    "pickup_without_place": "give it a location or a geohash",
    "rule_unreadable": "write the rule again with `ncc shipping set`",
    "read_with_warnings": "write these fields again with `ncc listing set`",
}
"""What to do about each finding."""
PROBLEMS: Final = {
    "already_there": "use `set` to change it",
    "not_there": "`list` shows what is published",
    "changed_meanwhile": "somebody changed it just now: look at it again",
}

Shop = Annotated[str | None, typer.Option("--shop", help="Name, hex or npub; needed where there are several shops.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="Its id, the `d` of the event.")]
app = typer.Typer()


def the_merchant(stack: Stack, who: str | None) -> dict[str, Any]:
    """The shop that is meant: the one there is, where none is named."""
    if who is not None:
        return find_merchant(stack, who)
    rows: list[dict[str, Any]] = stack.get("/merchants")
    if not rows:
        fail("there is no shop yet: add one with `ncc merchant add NAME`")
    if len(rows) > 1:
        fail(f"there are several shops: say which with --shop ({', '.join(row['name'] for row in rows)})", 2)
    return rows[0]


def done(what: str, decision: dict[str, Any], said: str) -> bool:
    """Tell what became of a wish; False where it was refused."""
    match decision["decided"]:
        case "done":
            OUT.print(f"{escape(what)} {said}")
        case "nothing_new":
            OUT.print(f"{escape(what)} is like that already")
        case _:
            more = PROBLEMS.get(decision["reason"], decision["detail"])
            ERR.print(f"[red]ncc:[/red] {escape(what)} was not published ({decision['reason']}): {escape(more)}")
            return False
    return True


def _make(noun: str) -> typer.Typer:
    kind = KINDS[noun]
    group = typer.Typer(no_args_is_help=True, help=f"{NAMES[noun]}: what is published, and how to change it.")

    @group.command("list")
    def list_(shop: Shop = None, home: Home = None, json_: Json = False) -> None:
        """Everything of the shop that is published."""
        stack = Stack(home or Path())
        rows = stack.get(f"/catalogue/{the_merchant(stack, shop)['public_key']}", noun=noun)
        if json_:
            as_json(rows)
            return
        columns, cells = _columns(noun)
        empty = f"Nothing is published yet: write a document and `ncc {noun} add FILE`."
        table(NAMES[noun], columns, (cells(row) for row in rows), empty)

    @group.command("show")
    def show(id_: Id, shop: Shop = None, home: Home = None, json_: Json = False) -> None:
        """One of them as the document it could be written as; --json with its address and event."""
        stack = Stack(home or Path())
        row = _find(stack, the_merchant(stack, shop), noun, id_)
        if json_:
            as_json(row)
        else:
            typer.echo(documents.write(row["document"]), nl=False)

    @group.command("add")
    def add(
        files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML or JSON; - is standard input.")],
        shop: Shop = None,
        home: Home = None,
        json_: Json = False,
    ) -> None:
        """Publish new ones from documents; all files are checked before anything is published."""
        found = [one for file in files for one in _checked(lambda file=file: documents.read_file(file, kind))]  # type: ignore[misc]
        stack = Stack(home or Path())
        _put(stack, the_merchant(stack, shop), noun, found, json_, "is published", expects="")

    @group.command("set")
    def set_(
        id_: Id,
        values: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE…", help="See `show`.")] = None,
        file: Annotated[Path | None, typer.Option(help="A whole document instead of single fields.")] = None,
        shop: Shop = None,
        home: Home = None,
        json_: Json = False,
    ) -> None:
        """Change fields of one that is published; an empty value takes a field away."""
        if (file is None) is not bool(values):
            fail("say either NAME=VALUE or --file", 2)
        stack = Stack(home or Path())
        merchant = the_merchant(stack, shop)
        if file is not None:
            found = _checked(lambda: documents.read_file(file, kind))
            if [one.document.id for one in found] != [id_]:
                fail(f"{file} is no document of the id {id_}", 2)
            _find(stack, merchant, noun, id_)
            _put(stack, merchant, noun, found, json_, "is published anew")
            return
        changes = dict(_checked(lambda: [documents.setting(text) for text in values or ()]))
        body = {"document": {**changes, "id": id_}, "fields": sorted(changes)}
        _put_one(stack, merchant, noun, body, json_, "is published anew")

    @group.command("delete")
    def delete(
        id_: Id,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
        shop: Shop = None,
        home: Home = None,
        json_: Json = False,
    ) -> None:
        """Ask every relay to forget it (NIP-09); it is off sale at once."""
        stack = Stack(home or Path())
        merchant = the_merchant(stack, shop)
        if not yes and not json_ and not typer.confirm(f"Delete {noun} {id_} of {merchant['name']} from the relays?"):
            raise typer.Exit(1)
        path = f"/catalogue/{merchant['public_key']}/{noun}"
        decision = stack.delete(path, id=id_, request=secrets.token_hex(16))
        if json_:
            as_json(decision)
        elif not done(id_, decision, "is deleted"):
            raise typer.Exit(1)

    @group.command("lint")
    def lint(shop: Shop = None, home: Home = None, json_: Json = False) -> None:
        """What is published and does not sell as it is meant to; ends with 1 where there is something."""
        stack = Stack(home or Path())
        show_findings(stack, the_merchant(stack, shop), json_, kind)

    return group


def show_findings(stack: Stack, merchant: dict[str, Any], json_: bool, kind: Kind | None = None) -> None:
    """Findings as a table or JSON; ends with 1 where there are any (CAT-13)."""
    rows = stack.get(f"/catalogue/{merchant['public_key']}/findings")
    rows = [row for row in rows if kind is None or row["coordinate"].startswith(f"{int(kind)}:")]
    if json_:
        as_json([{**row, "advice": ADVICE.get(row["flaw"], "")} for row in rows])
    else:
        cells = ((short(row["coordinate"]), row["flaw"], row["detail"], ADVICE.get(row["flaw"], "")) for row in rows)
        table(f"Findings of {merchant['name']}", ("what", "finding", "about", "what to do"), cells, "Nothing to mend.")
    if rows:
        raise typer.Exit(1)


def short(coordinate: str) -> str:
    """An address as a noun and an id."""
    kind, _, rest = coordinate.partition(":")
    noun = next((noun for noun, one in KINDS.items() if str(int(one)) == kind), kind)
    return f"{noun} {rest.partition(':')[2]}"


def _columns(noun: str) -> tuple[tuple[str, ...], Callable[[dict[str, Any]], tuple[object, ...]]]:
    match noun:
        case "listing":
            return ("id", "title", "price", "stock", "state", "odd"), lambda row: (
                row["id"],
                row["title"],
                row["document"]["price"],
                row["document"].get("stock"),
                "sold" if row["document"].get("sold") else row["document"].get("visibility", "on-sale"),
                ", ".join(row["warnings"]),
            )
        case "shipping":
            return ("id", "title", "price", "service", "countries", "odd"), lambda row: (
                row["id"],
                row["title"],
                row["document"]["price"],
                row["document"].get("service"),
                ", ".join(row["document"].get("countries", ())) or "all",
                ", ".join(row["warnings"]),
            )
        case _:
            return ("id", "title", "members", "shipping", "odd"), lambda row: (
                row["id"],
                row["title"],
                len(row["document"].get("members", ())),
                ", ".join(row["document"].get("shipping", ())),
                ", ".join(row["warnings"]),
            )


def _find(stack: Stack, merchant: dict[str, Any], noun: str, id_: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = stack.get(f"/catalogue/{merchant['public_key']}", noun=noun)
    found = next((row for row in rows if row["id"] == id_), None)
    if found is None:
        fail(f"there is no {noun} {id_}: `ncc {noun} list` shows them")
    return found


def _checked[T](read: Callable[[], T]) -> T:
    try:
        return read()
    except documents.DocumentRefused as refused:
        fail(escape(str(refused)), 2)


def _put(
    stack: Stack,
    merchant: dict[str, Any],
    noun: str,
    found: list[documents.Found],
    json_: bool,
    said: str,
    expects: str | None = None,
) -> None:
    """Publish documents one after another; ends with 1 where one of them was refused."""
    if not found:
        fail("there is no document in there: write at least an id, a title and a price", 2)
    answers: list[dict[str, Any]] = []
    path = f"/catalogue/{merchant['public_key']}/{noun}"
    for one in found:
        body = {"document": one.fields, "expects": expects}
        answers += stack.put(path, body)
    _tell(answers, json_, said)


def _put_one(stack: Stack, merchant: dict[str, Any], noun: str, body: dict[str, Any], json_: bool, said: str) -> None:
    _tell(stack.put(f"/catalogue/{merchant['public_key']}/{noun}", body), json_, said)


def _tell(answers: list[dict[str, Any]], json_: bool, said: str) -> None:
    if json_:
        as_json(answers)
    for one in () if json_ else answers:
        done(one["id"], one, said)
    if any(one["decided"] == "refused" for one in answers):
        raise typer.Exit(1)


for _noun in KINDS:
    app.add_typer(_make(_noun), name=_noun)
