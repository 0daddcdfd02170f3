"""`ncc shop import --from-relays` and `--csv`: a shop that was kept elsewhere, and whether all of it arrived (C-42)."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.progress import track

from schemas.market.describing import MODELS, READERS
from schemas.market.migrating import COLUMNS, Moved, NotMoved, from_rows, from_stalls, unknown_columns
from schemas.market.reading import MarketRefused
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, to_json
from services.api.raw_events import HANDED_MAX
from services.cli.client import Stack
from services.cli.documents import FILE_BYTES_MAX
from services.cli.looking import Seen, look
from services.cli.offers import the_merchant
from services.cli.output import ERR, OUT, as_json, fail, table
from services.relays import BadRelayUrl, Publisher, normalise_relay_url

NOUNS: Final[dict[int, str]] = {
    Kind.PRODUCT: "listing",
    Kind.COLLECTION: "collection",
    Kind.SHIPPING_OPTION: "shipping",
}
KIND_WORDS: Final[dict[int, str]] = {
    Kind.PRODUCT: "listings (30402)",
    Kind.COLLECTION: "collections (30405)",
    Kind.SHIPPING_OPTION: "shipping options (30406)",
}
HERE: Final = ("same", "imported")
OWN: Final = tuple(Kind(kind) for kind in NOUNS)
NIP15: Final = (Kind.STALL, Kind.STALL_PRODUCT)
ARRIVES_WITHIN_S: Final = 60.0
PUT_TIMEOUT_S: Final = 20.0
_OLD_ORDERS = (
    "SELECT count() AS n, countIf(status NOT IN ('completed', 'cancelled')) AS open FROM orders_now"
    " WHERE merchant = {m:String} AND reason = 'past'"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of the source: what it is there and here, and what became of it.

    `state` is `new`, `same`, `imported`, `draft`, or `not imported`, and `why` says why not or what was left out.
    """

    kind: str
    source: str
    noun: str
    id: str
    state: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """How it is to be done."""

    yes: bool
    is_dry: bool
    drafts: bool
    json_: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: signed events to hand on as they are, documents to publish, and what is settled already."""

    events: tuple[Event, ...]
    documents: tuple[Moved, ...]
    settled: tuple[Item, ...]


def import_(stack: Stack, who: str | None, table_: Path | None, relays: list[str], wish: Wish) -> None:
    """From a table, or else from relays: the ones named, or the shop's own."""
    merchant = the_merchant(stack, who)
    if table_ is not None:
        carry_out(stack, merchant, from_csv(stack, merchant, table_), wish)
        return
    try:
        named = [normalise_relay_url(url) for url in relays]
    except BadRelayUrl as error:
        fail(f"--relay: {error}", 2)
    own = (*merchant["relays"], *stack.get("/places")["own_relays"])
    carry_out(stack, merchant, from_relays(stack, merchant, named or list(dict.fromkeys(own))), wish)


def from_relays(stack: Stack, merchant: dict[str, Any], relays: list[str]) -> Plan:
    """Everything the merchant has on these relays: own listings as they are, stalls and products converted."""
    seen = look(relays, merchant["public_key"], (*OWN, *NIP15))
    if not seen.answering:
        first = relays[0] if relays else "no relay is named"
        fail(f"no relay answers ({first}: {escape(seen.silent.get(first, ''))}): name others with --relay")
    for relay, why in seen.silent.items():
        ERR.print(f"[yellow]ncc:[/yellow] {relay} does not answer ({escape(why)}): what it has is not counted")
    return plan(seen, _here(stack, merchant))


def plan(seen: Seen, here: dict[tuple[str, str], dict[str, Any]]) -> Plan:
    """What of the source is here already, and what is to come."""
    settled: list[Item] = []
    events: list[Event] = []
    taken: set[tuple[str, str]] = set()
    for event in seen.of(*OWN):
        noun, d = NOUNS[event.kind], Coordinate.of(event).d
        try:
            READERS[event.kind](event)
        except MarketRefused as refused:
            settled.append(replace(_of_event(event), state="not imported", why=str(refused)))
            continue
        taken.add((noun, d))
        row = here.get((noun, d))
        if row is None or (row["created_at"], event.id) < (event.created_at, row["event_id"]):
            events.append(event)
        else:
            why = "" if row["event_id"] == event.id else "a newer version is here"
            settled.append(replace(_of_event(event), state="same", why=why))
    found = from_stalls(seen.of(Kind.STALL), seen.of(Kind.STALL_PRODUCT))
    documents, converted = _divide(found, taken, here)
    return Plan(tuple(events), documents, (*settled, *converted))


def from_csv(stack: Stack, merchant: dict[str, Any], file: Path) -> Plan:
    """Every row of a table of products."""
    rows = list(_rows(file))
    documents, settled = _divide(list(from_rows(rows)), set(), _here(stack, merchant))
    if not documents and not settled:
        fail(f"{file} has no rows: its first line names columns, like id,title,price,stock")
    return Plan((), documents, tuple(settled))


def carry_out(stack: Stack, merchant: dict[str, Any], plan: Plan, wish: Wish) -> None:
    """Import, see what arrived, and show the source beside it; ends with 1 where they differ."""
    coming = [*map(_of_event, plan.events), *(_of_document(one) for one in plan.documents)]
    if wish.is_dry or not coming:
        _show(merchant, [*plan.settled, *coming], _old_orders(stack, merchant), wish)
        _end(plan.settled)
        return
    if not (wish.yes or wish.json_):
        _show(merchant, [*plan.settled, *coming], {}, wish)
        if not typer.confirm(f"Import {len(coming)}?"):
            raise typer.Exit(1)
    refused = _hand_on(stack, merchant, plan.events) | _publish(stack, merchant, plan.documents, wish)
    as_drafts = {(NOUNS[one.kind], one.id) for one in plan.documents} if wish.drafts else set()
    left = {(one.noun, one.id) for one in coming} - refused.keys() - as_drafts
    late = left - _await(stack, merchant, left)
    items = [*plan.settled]
    for one in coming:
        name = (one.noun, one.id)
        if name in refused or name in late:
            why = refused.get(name, "it is on its way and has not arrived yet: import again in a while")
            items.append(replace(one, state="not imported", why=why))
        else:
            items.append(replace(one, state="draft" if name in as_drafts else "imported"))
    _show(merchant, items, _old_orders(stack, merchant), wish)
    _end(items)


def _end(items: Iterable[Item]) -> None:
    if any(one.state == "not imported" for one in items):
        raise typer.Exit(1)


def _divide(
    found: list[Moved | NotMoved], taken: set[tuple[str, str]], here: dict[tuple[str, str], dict[str, Any]]
) -> tuple[tuple[Moved, ...], list[Item]]:
    """What is to be published, and what is settled: refused, or here under the same id already."""
    documents, settled = list[Moved](), list[Item]()
    for one in found:
        if isinstance(one, NotMoved):
            settled.append(Item(one.what, one.source, "", "", "not imported", one.why))
            continue
        name = (NOUNS[one.kind], one.id)
        if name in taken:
            settled.append(replace(_of_document(one), state="same", why="it is on the relays in its new form already"))
        elif name in here:
            settled.append(replace(_of_document(one), state="same", why=_differs(one, here[name])))
        else:
            documents.append(one)
    return tuple(documents), settled


def _differs(moved: Moved, row: dict[str, Any]) -> str:
    """Which fields are otherwise here; what is here stays, since the merchant may have changed it since."""
    document = MODELS[moved.kind].model_validate(moved.fields)
    try:
        known = MODELS[moved.kind].model_validate(row["document"])
    except ValidationError:
        return "it is here, and odd: see `ncc shop lint`"
    names = [name for name in moved.fields if name != "id" and getattr(known, name) != getattr(document, name)]
    return f"it is here with another {', '.join(names)}, and stays" if names else ""


def _here(stack: Stack, merchant: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    rows = stack.get(f"/catalogue/{merchant['public_key']}")
    return {(row["noun"], row["id"]): row for row in rows}


def _rows(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a file; ends with a sentence where it is no table of ours."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        fail(f"{file} cannot be read ({type(error).__name__}): give a table as CSV")
    except UnicodeDecodeError:
        fail(f"{file} is no UTF-8 text: save it as UTF-8")
    if len(text) > FILE_BYTES_MAX:
        fail(f"{file} has more than {FILE_BYTES_MAX:,} characters: divide it")
    try:
        reader = csv.DictReader(text.splitlines(keepends=True), restkey="", restval="", strict=True)
        names = [name for name in reader.fieldnames or () if name]
        if odd := unknown_columns(names):
            fail(f"{file} has the column {escape(odd[0][:40])!r}, which is none of: {', '.join(COLUMNS)}", 2)
        for row in reader:
            if row.get(""):
                fail(f"{file}, line {reader.line_num}: more cells than columns; put quotes around one with a comma", 2)
            yield {name: row[name] for name in names}
    except csv.Error as error:
        fail(f"{file} cannot be read as CSV: {error}", 2)


def _hand_on(stack: Stack, merchant: dict[str, Any], events: tuple[Event, ...]) -> dict[tuple[str, str], str]:
    """Give signed events, as they are, to the shop's relays and to the shop; gives what none of the relays took."""
    if not events:
        return {}
    home = tuple(dict.fromkeys((*merchant["relays"], *stack.get("/places")["own_relays"])))
    refused = asyncio.run(_put_all(home, events))
    texts = [to_json(one) for one in events if (NOUNS[one.kind], Coordinate.of(one).d) not in refused]
    for first in range(0, len(texts), HANDED_MAX):
        stack.post(f"/events/{merchant['public_key']}", {"events": texts[first : first + HANDED_MAX]})
    return refused


async def _put_all(home: tuple[str, ...], events: tuple[Event, ...]) -> dict[tuple[str, str], str]:
    refused: dict[tuple[str, str], str] = {}
    async with Publisher(is_trusted=lambda _url: True) as relays:
        for event in events:
            told = await asyncio.gather(
                *(relays.publish(relay, event.id, to_json(event), PUT_TIMEOUT_S) for relay in home)
            )
            if not any(one.is_stored for one in told):
                said = told[0].message if told else "the shop has no relay"
                refused[NOUNS[event.kind], Coordinate.of(event).d] = f"no relay of the shop took it: {said}"
    return refused


def _publish(
    stack: Stack, merchant: dict[str, Any], documents: tuple[Moved, ...], wish: Wish
) -> dict[tuple[str, str], str]:
    """Publish documents, or keep them as drafts, one after another; gives what was refused, and why."""
    refused: dict[tuple[str, str], str] = {}
    path = "drafts" if wish.drafts else "catalogue"
    for one in track(documents, "Importing", console=ERR, disable=wish.json_ or not ERR.is_terminal):
        noun = NOUNS[one.kind]
        body = {"document": one.fields} if wish.drafts else {"document": one.fields, "expects": ""}
        said = stack.put(f"/{path}/{merchant['public_key']}/{noun}", body)
        for answer in said if isinstance(said, list) else [said]:
            if answer["decided"] == "refused":
                refused[noun, one.id] = f"{answer['reason']}: {answer['detail']}"
    return refused


def _await(stack: Stack, merchant: dict[str, Any], wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of them that the shop has, once it has all or time is up."""
    give_up_s = time.monotonic() + ARRIVES_WITHIN_S
    while True:
        there = wanted & _here(stack, merchant).keys() if wanted else wanted
        if there == wanted or time.monotonic() > give_up_s:
            return there
        time.sleep(0.5)


def _old_orders(stack: Stack, merchant: dict[str, Any]) -> dict[str, int]:
    """Orders from before the shop came here, which are read from its relays by themselves (REL-11)."""
    (row,) = stack.post("/sql", {"sql": _OLD_ORDERS, "params": {"m": merchant["public_key"]}})
    return {"orders": int(row["n"]), "open": int(row["open"])}


def _show(merchant: dict[str, Any], items: list[Item], orders: dict[str, int], wish: Wish) -> None:
    counted = [
        {
            "what": what,
            "source": len(found),
            "here": sum(one.state in HERE for one in found),
            "drafts": sum(one.state == "draft" for one in found),
            "coming": sum(one.state == "new" for one in found),
            "not_imported": sum(one.state == "not imported" for one in found),
        }
        for what in dict.fromkeys(one.kind for one in items)
        if (found := [one for one in items if one.kind == what])
    ]
    if wish.json_:
        as_json({"counts": counted, "items": [asdict(one) for one in items], "old_orders": orders})
        return
    table(
        f"Import into {merchant['name']}",
        ("what", "source", "here", "drafts", "coming", "not imported"),
        (tuple(row.values()) for row in counted),
        "There is nothing to import.",
    )
    told = [one for one in items if one.why]
    if told:
        cells = ((one.source, f"{one.noun} {one.id}".strip(), one.state, escape(one.why)) for one in told)
        table("What is worth a look", ("source", "here", "state", "why"), cells, "")
    if orders:
        OUT.print(f"{orders['orders']} orders from before were read from the relays, {orders['open']} of them open")


def _of_event(event: Event) -> Item:
    d = Coordinate.of(event).d
    return Item(KIND_WORDS[event.kind], f"{event.kind} {d}", NOUNS[event.kind], d, "new")


def _of_document(moved: Moved) -> Item:
    return Item(moved.what, moved.source, NOUNS[moved.kind], moved.id, "new", "; ".join(moved.left_out))
