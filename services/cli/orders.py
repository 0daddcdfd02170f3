"""What sold, and one order: look at it, move it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, decided, fail, fields, sats, table

order_app = typer.Typer(no_args_is_help=True, help="One order: look at it, move it.")
app = typer.Typer()
app.add_typer(order_app, name="order")


ParcelName = Annotated[str | None, typer.Option(help="Which parcel, where there are several: 1, 2, …")]


@app.command()
def orders(
    home: Home = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    attention: Annotated[bool, typer.Option("--attention", help="Only those that want a person.")] = False,
    json_: Json = False,
) -> None:
    """The newest orders; the last column says which want a person, and why."""
    rows = Stack(home or Path()).get("/orders", limit=limit, attention=attention)
    if json_:
        as_json(rows)
        return
    table(
        "Orders",
        ("order", "status", "payment", "shipping", "sats", "placed", "buyer's id", "attention"),
        (
            (
                r["ref"][:10],
                r["status"],
                r["payment"],
                r["shipping"],
                sats(r["total_msat"]),
                _time(r["placed_at"]),
                r["order_id"],
                r["attention"].replace("_", " "),
            )
            for r in rows
        ),
        "No order wants a person." if attention else "No orders yet.",
    )


@order_app.command("show")
def order_show(ref: str, home: Home = None, json_: Json = False) -> None:
    """One order with its history, its messages, and the buyer's details."""
    order = Stack(home or Path()).get(f"/orders/{ref}")
    if json_:
        as_json(order)
        return
    shown = {
        k: v for k, v in order.items() if k not in ("history", "deliveries", "personal", "total_msat", "paid_msat")
    }
    fields(
        f"Order {order['ref'][:10]}",
        {**shown, "total": f"{sats(order['total_msat'])} sats", **(order["personal"] or {})},
    )
    table(
        "\nHistory",
        ("when", "what", "status", "why", "sats"),
        (
            (_time(e["at"]), e["type"], e.get("status", ""), e.get("reason", ""), sats(e.get("amount_msat")))
            for e in order["history"]
        ),
        "",
    )
    table(
        "\nMessages",
        ("when", "what", "state", "event"),
        ((_time(d["at"]), d["what"], d["state"], d["event_id"][:16]) for d in order["deliveries"]),
        "No message was sent yet.",
    )


def _move(home: Path | None, ref: str, move: str, json_: bool, body: dict[str, Any] | None = None) -> None:
    decision = Stack(home or Path()).post(f"/orders/{ref}/{move}", body or {})
    decided(decision, ref, json_, f"order {ref} was not moved")


@order_app.command("ship")
def order_ship(
    ref: str,
    home: Home = None,
    tracking: Annotated[str | None, typer.Option(help="The carrier's tracking number.")] = None,
    carrier: Annotated[str | None, typer.Option(help="The carrier's name.")] = None,
    eta: Annotated[int | None, typer.Option(help="Expected delivery, unix seconds.")] = None,
    parcel: ParcelName = None,
    json_: Json = False,
) -> None:
    """A parcel is on its way; another tracking number than before is another parcel."""
    _move(home, ref, "ship", json_, {"tracking": tracking, "carrier": carrier, "eta": eta, "parcel": parcel})


@order_app.command("deliver")
def order_deliver(
    ref: str,
    home: Home = None,
    tracking: Annotated[str | None, typer.Option(help="The tracking number it was sent with.")] = None,
    parcel: ParcelName = None,
    json_: Json = False,
) -> None:
    """A parcel was delivered; without a number or name all of them were."""
    _move(home, ref, "deliver", json_, {"tracking": tracking, "parcel": parcel})


@order_app.command("ready")
def order_ready(ref: str, home: Home = None, json_: Json = False) -> None:
    """Tell the buyer of a pickup that they can come for it."""
    _move(home, ref, "ready", json_)


@order_app.command("refund")
def order_refund(
    ref: str,
    sats: Annotated[int, typer.Option(min=1, help="How much was given back.")],
    rail: Annotated[str, typer.Option(help="How: lightning, bitcoin, cash, …")],
    home: Home = None,
    reference: Annotated[str, typer.Option(help="How it is found there, like a payment hash.")] = "",
    reason: Annotated[str, typer.Option(help="Why, in a few words, without names.")] = "",
    json_: Json = False,
) -> None:
    """Record money that you gave back; once all of it is, the order is refunded."""
    _move(home, ref, "refund", json_, {"sats": sats, "rail": rail, "reference": reference, "reason": reason})


@order_app.command("waive")
def order_waive(ref: str, home: Home = None, json_: Json = False) -> None:
    """Go on with an order whose payment was taken back: you bear the loss."""
    _move(home, ref, "waive", json_)


@order_app.command("reinstate")
def order_reinstate(ref: str, home: Home = None, json_: Json = False) -> None:
    """Take the money that came too late and send the goods after all, if they are still there."""
    _move(home, ref, "reinstate", json_)


@order_app.command("confirm")
def order_confirm(ref: str, home: Home = None, json_: Json = False) -> None:
    """The money came where only you can see it, like a bank transfer or cash: the order is paid by your word."""
    _move(home, ref, "confirm", json_)


@order_app.command("process")
def order_process(ref: str, home: Home = None, json_: Json = False) -> None:
    """The order is being prepared."""
    _move(home, ref, "process", json_)


@order_app.command("complete")
def order_complete(ref: str, home: Home = None, json_: Json = False) -> None:
    """The order is done."""
    _move(home, ref, "complete", json_)


@order_app.command("cancel")
def order_cancel(ref: str, home: Home = None, json_: Json = False) -> None:
    """Cancel an order; a paid one is then owed a refund."""
    _move(home, ref, "cancel", json_)


@order_app.command("hold")
def order_hold(ref: str, home: Home = None, json_: Json = False) -> None:
    """Leave an order to a person: its buyer hears nothing more and it does not expire until it is released."""
    _move(home, ref, "hold", json_)


@order_app.command("release")
def order_release(ref: str, home: Home = None, json_: Json = False) -> None:
    """Let an order on hold go on; what its buyer was not told meanwhile is said as it stands now."""
    _move(home, ref, "release", json_)


@order_app.command("renew")
def order_renew(ref: str, home: Home = None, json_: Json = False) -> None:
    """Ask for the money anew, at today's price: the wallet has forgotten the request that the buyer was shown."""
    _move(home, ref, "renew", json_)


@app.command()
def stock(home: Home = None, json_: Json = False) -> None:
    """What is on hand, held and sold."""
    rows = Stack(home or Path()).get("/stock")
    if json_:
        as_json(rows)
        return
    table(
        "Stock",
        ("listing", "price", "stock", "held", "available", "sold", "address"),
        (
            (
                r["title"],
                r["price"],
                "untracked" if r["on_hand"] is None else r["on_hand"],
                r["held"],
                "" if r["on_hand"] is None else int(r["on_hand"]) - int(r["held"]),
                r["sold"],
                r["coordinate"],
            )
            for r in rows
            if not r["withdrawn"]
        ),
        "No listings yet: the merchant publishes them with any Nostr client.",
    )


@app.command("set-stock")
def set_stock(
    listing: Annotated[str, typer.Argument(help="Its address, as `ncc stock` shows it.")],
    on_hand: Annotated[
        int | None, typer.Argument(min=0, help="Units that are there; left out: listings count again.")
    ] = None,
    home: Home = None,
    source: Annotated[str, typer.Option(help="The system that keeps the count.")] = "operator",
    version: Annotated[int | None, typer.Option(min=0, help="That system's version; the time without it.")] = None,
    json_: Json = False,
) -> None:
    """Say how many are there; from then on edits of the listing do not change it."""
    when = time.time_ns() // 1_000_000
    count = {
        "coordinate": listing,
        "on_hand": on_hand,
        "source": source,
        "version": when if version is None else version,
    }
    decision = Stack(home or Path()).put("/stock", count)
    if json_:
        as_json(decision)
    elif decision["decided"] == "refused":
        fail(f"the count was not taken: {decision['reason']} ({decision['detail']})", 2)
    else:
        told = "the listings count again" if on_hand is None else f"{on_hand} on hand"
        OUT.print(f"{listing}: {told if decision['decided'] == 'done' else 'that was so already; nothing changed'}")


@app.command()
def sql(query: str, home: Home = None, json_: Json = False) -> None:
    """Ask ClickHouse, read-only."""
    rows = Stack(home or Path()).post("/sql", {"sql": query})
    if json_:
        as_json(rows)
        return
    columns = list(rows[0]) if rows else []
    table("", columns, ([row[c] for c in columns] for row in rows), "No rows.")


def _time(value: object) -> str:
    """A time as ClickHouse gives it, to the second."""
    return str(value).replace("T", " ")[:19]
