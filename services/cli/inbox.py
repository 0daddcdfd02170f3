"""`ncc inbox`: what people wrote, one conversation, and an answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas import limits
from schemas.nostr.nip19 import Nip19Refused, read_public_key
from services.cli.client import Stack
from services.cli.merchant import find_merchant
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail, table

inbox_app = typer.Typer(help="What people wrote to the shops: read it, answer it, erase it.")
app = typer.Typer()
app.add_typer(inbox_app, name="inbox")

Buyer = Annotated[str, typer.Argument(help="The buyer's public key: hex, the first digits of it, or an npub.")]
Merchant = Annotated[str, typer.Option(help="The shop, by its name, hex or npub: where one buyer writes to several.")]


@inbox_app.callback(invoke_without_command=True)
def inbox(
    context: typer.Context,
    home: Home = None,
    merchant: Merchant = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    json_: Json = False,
) -> None:
    """Who wrote, those who wait for an answer first."""
    if context.invoked_subcommand is not None:
        return
    stack = Stack(home or Path())
    rows = stack.get("/inbox", limit=limit, merchant=_shop(stack, merchant))
    if json_:
        as_json(rows)
        return
    table(
        "Inbox",
        ("buyer", "last", "messages", "waits", "order", "shop"),
        (
            (
                row["buyer"][:16],
                _time(row["last_at"]),
                row["messages"],
                "yes" if row["waits"] else "",
                row["order_id"],
                row["merchant"][:8],
            )
            for row in rows
        ),
        "Nobody wrote yet.",
    )


@inbox_app.command("show")
def inbox_show(buyer: Buyer, home: Home = None, merchant: Merchant = "", json_: Json = False) -> None:
    """One conversation, the oldest message first."""
    stack = Stack(home or Path())
    conversation = stack.get(f"/inbox/{_key(buyer)}", merchant=_shop(stack, merchant))
    if json_:
        as_json(conversation)
        return
    table(
        f"Conversation with {conversation['buyer']}",
        ("when", "who", "order", "text"),
        ((_time(m["said_at"]), _who(m), m["order_id"], _text(m)) for m in conversation["messages"]),
        "No message yet.",
    )


@inbox_app.command("answer")
def inbox_answer(
    buyer: Buyer,
    home: Home = None,
    merchant: Merchant = "",
    order: Annotated[str | None, typer.Option(help="The order it is about: its reference or the buyer's id.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="File with the text; without one it is read from the input.")
    ] = None,
    json_: Json = False,
) -> None:
    """Answer a buyer. The text comes from a file or the input, never from the command line, which others can see."""
    body: dict[str, Any] = {"text": _read(file), "order": order}
    stack = Stack(home or Path())
    decision = stack.post(f"/inbox/{_key(buyer)}", body, merchant=_shop(stack, merchant))
    if decision["decided"] == "refused":
        fail(f"nothing was sent to {buyer}: {decision['reason']} ({decision['detail']})", 2)
    if json_:
        as_json(decision)
    else:
        OUT.print(f"{buyer[:16]}: the answer is on its way")


@inbox_app.command("erase")
def inbox_erase(buyer: Buyer, home: Home = None, merchant: Merchant = "", json_: Json = False) -> None:
    """Destroy the texts of a conversation so far, for good; that there were messages stays known."""
    stack = Stack(home or Path())
    done = stack.delete(f"/inbox/{_key(buyer)}", merchant=_shop(stack, merchant))
    if json_:
        as_json(done)
    else:
        OUT.print(f"{buyer[:16]}: {done['erased']} texts erased")


def _read(file: Path | None) -> str:
    """The text to send, without blank ends; one sentence where there is none or it cannot be read."""
    most = limits.ANSWER_TEXT.most
    try:
        text = (sys.stdin.read() if file is None else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"the text cannot be read ({type(error).__name__}): give a UTF-8 file with --file, or pipe it in")
    if not 1 <= len(text) <= most:
        fail(f"an answer has 1 to {most:,} characters, this one {len(text):,}: pipe the text in, or name a --file")
    return text


def _key(buyer: str) -> str:
    """A buyer's key as hex, or how it begins; one sentence where it is neither."""
    if buyer and set(buyer.lower()) <= set("0123456789abcdef"):
        return buyer.lower()
    try:
        return read_public_key(buyer)
    except Nip19Refused as refused:
        fail(f"{buyer[:80]!r} is no public key ({refused}): `ncc inbox` shows who wrote")


def _shop(stack: Stack, who: str) -> str:
    """A shop's key; nothing where none is named."""
    return str(find_merchant(stack, who)["public_key"]) if who else ""


def _who(message: dict[str, Any]) -> str:
    if message["author"] == "buyer":
        return "buyer (to several)" if message["is_room"] else "buyer"
    return f"you ({message['state'] or 'on its way'})" if message["is_answer"] else "you, elsewhere"


def _text(message: dict[str, Any]) -> str:
    words = message["text"] if message["text"] is not None else "(erased)"
    return f"(taken back) {words}" if message["deleted"] else words


def _time(value: object) -> str:
    """A time as ClickHouse gives it, to the second."""
    return str(value).replace("T", " ")[:19]
