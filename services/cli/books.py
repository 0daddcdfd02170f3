"""`ncc ledger` and `ncc payments`: what every account holds, and money that waits for its order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.addresses import Closing
from services.cli.client import Stack
from services.cli.merchant import find_merchant
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, decided, fail, sats, table

payments_app = typer.Typer(no_args_is_help=True, help="Money over a shop's own lightning address.")
app = typer.Typer()
app.add_typer(payments_app, name="payments")

Payment = Annotated[str, typer.Argument(help="As `ncc payments list` shows it; its beginning is enough.")]
WHAT = {
    "wallet": "what the shop's wallets received",
    "orders": "of it, for orders",
    "address": "over the shop's address, for nobody yet",
    "paid_out": "given back",
    "borne": "answered for by the merchant",
    "kept": "kept, for no order",
}
"""What an account's balance says; all of a shop's add up to nothing."""


@app.command()
def ledger(
    who: Annotated[str | None, typer.Argument(help="Shop's name or key; every shop without one.")] = None,
    home: Home = None,
    entries: Annotated[bool, typer.Option("--entries", help="The newest entries, two for each fact.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many entries.")] = 50,
    json_: Json = False,
) -> None:
    """The books of a shop in double entry: every account, and that they add up to nothing."""
    stack = Stack(home or Path())
    shops = stack.get("/merchants")
    names = {shop["public_key"]: shop["name"] for shop in shops}
    merchant = "" if who is None else find_merchant(stack, who)["public_key"]
    if entries:
        _show_entries(stack.get("/ledger/entries", merchant=merchant, limit=limit), names, json_)
        return
    rows = stack.get("/ledger", merchant=merchant)
    if json_:
        as_json(rows)
        return
    table(
        "Ledger",
        ("shop", "account", "sats", "entries", "what it is"),
        (
            (
                names.get(r["merchant"], r["merchant"][:8]),
                r["account"],
                sats(r["msat"]),
                r["entries"],
                WHAT[r["account"]],
            )
            for r in rows
        ),
        "No money has moved yet.",
    )
    rest_msat = sum(int(row["msat"]) for row in rows)
    if rest_msat:
        fail(f"the accounts add up to {rest_msat} msat, not to nothing: run `ncc audit`", 3)


def _show_entries(rows: list[dict[str, Any]], names: dict[str, str], json_: bool) -> None:
    if json_:
        as_json(rows)
        return
    table(
        "Entries",
        ("when", "shop", "cause", "order", "account", "sats"),
        (
            (
                str(r["at"])[:19],
                names.get(r["merchant"], r["merchant"][:8]),
                r["cause"],
                r["order_ref"][:10] or r["subject"][:10],
                r["account"],
                sats(r["msat"]),
            )
            for r in rows
        ),
        "No money has moved yet.",
    )


@payments_app.command("list")
def payments_list(home: Home = None, json_: Json = False) -> None:
    """Payments over a shop's address that nobody has said anything of, the newest first."""
    stack = Stack(home or Path())
    rows = stack.get("/payments")
    if json_:
        as_json(rows)
        return
    names = {shop["public_key"]: shop["name"] for shop in stack.get("/merchants")}
    table(
        "Payments for no order yet",
        ("payment", "shop", "paid", "sats"),
        (
            (r["intent_id"][:10], names.get(r["merchant"], ""), str(r["paid_at"])[:19], sats(r["amount_msat"]))
            for r in rows
        ),
        "No payment waits for its order.",
    )
    if rows:
        OUT.print("[dim]ncc payments assign PAYMENT ORDER, or ncc payments close PAYMENT kept|returned[/dim]")


@payments_app.command("assign")
def payments_assign(
    payment: Payment,
    order: Annotated[str, typer.Argument(help="The order it is for, by its reference or id.")],
    home: Home = None,
    json_: Json = False,
) -> None:
    """Enter a payment for an order: it is paid by it, or waits for the rest."""
    _say(home, payment, "assign", {"order": order}, json_)


@payments_app.command("close")
def payments_close(
    payment: Payment,
    closing: Annotated[Closing, typer.Argument(help="What became of it.")],
    home: Home = None,
    reference: Annotated[str, typer.Option(help="How it is found where it was given back.")] = "",
    json_: Json = False,
) -> None:
    """A payment is for no order: it is kept, or you have given it back."""
    _say(home, payment, "close", {"closing": closing.value, "reference": reference}, json_)


def _say(home: Path | None, payment: str, what: str, body: dict[str, Any], json_: bool) -> None:
    decision = Stack(home or Path()).post(f"/payments/{payment}/{what}", body)
    decided(decision, payment, json_, f"payment {payment} stays where it is")
