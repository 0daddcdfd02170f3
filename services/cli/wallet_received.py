"""`ncc wallet received`: the merchant enters what came by bank transfer or in cash, or that it is gone again."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.currencies import minor_places
from schemas.lnurl_served import order_memo
from services.cli.client import Stack
from services.cli.merchant import Who, find_merchant
from services.cli.options import Home, Json
from services.cli.output import as_json, fail, fields
from services.home import Home as HomeFolder
from services.payments.credentials import MANUAL, WalletStore, spare_of
from services.payments.manual_book import Book, Row
from services.payments.port import BackendError


def received(
    who: Who,
    order: Annotated[str, typer.Argument(help="The order, as `ncc orders` shows it or as the transfer names it.")],
    amount: Annotated[
        str | None, typer.Argument(help="What came, in the currency that was asked for: 30.57. All, if not said.")
    ] = None,
    more: Annotated[bool, typer.Option("--more", help="Even if it makes more than was asked for.")] = False,
    taken_back: Annotated[bool, typer.Option("--taken-back", help="What came for it is gone again.")] = False,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Enter what came by hand for an order; the buyer is told as with any payment. In parts, enter each part."""
    row = find_merchant(Stack(home or Path()), who)
    store = WalletStore.of(HomeFolder(home or Path()))
    places = ((row["public_key"], row["wallet"]), (spare_of(row["public_key"]), row["spare_wallet"]))
    paths = [store.book(place) for place, kind in places if kind == MANUAL and store.book(place).exists()]
    if not paths:
        fail(f"nobody was asked yet to pay {row['name']} by hand: `ncc wallet add` has a manual kind", 2)
    try:
        shown = _enter(paths, order, amount, more, taken_back)
    except BackendError as error:
        fail(str(error))
    if json_:
        as_json(shown)
    else:
        fields(f"entered for {row['name']}", shown)


def _enter(paths: list[Path], order: str, amount: str | None, more: bool, taken_back: bool) -> dict[str, Any]:
    """Enter it in the book that has the request, and say how that stands now."""
    asked = [(path, row) for path in paths for row in _asked(path, order)]
    if not asked:
        fail(f"nobody was asked to pay for an order {order} by hand: `ncc orders` lists the orders", 2)
    if len({row.memo.partition(",")[0] for _, row in asked}) > 1:
        fail(f"several orders begin with {order}: give more of it", 2)
    open_ones = [(path, row) for path, row in asked if row.got_units < row.due_units and not row.is_taken_back]
    path, row = (asked if taken_back or not open_ones else open_ones)[-1]
    book = Book(path)
    try:
        if taken_back:
            if not row.got_units:
                fail(f"nothing was entered for {row.memo} that could be taken back", 2)
            book.take_back(row.reference)
        else:
            book.enter(row.reference, _units(row, amount, more), int(time.time()))
        now = book.of_reference(row.reference) or row
    finally:
        book.close()
    return {
        "order": now.memo,
        "asked": _shown(now.due_units, now.currency),
        "there": _shown(0 if now.is_taken_back else now.got_units, now.currency),
        "missing": _shown(now.due_units if now.is_taken_back else max(0, now.due_units - now.got_units), now.currency),
    }


def _asked(path: Path, order: str) -> list[Row]:
    """What an order was asked to pay by hand; it may be named by the first digits of its name."""
    book = Book(path)
    try:
        return book.of_memo(order_memo(order.strip().removeprefix(order_memo("")).lower()))
    finally:
        book.close()


def _units(row: Row, amount: str | None, more: bool) -> int:
    """The amount in smallest units; ends with a sentence for one that is none, or too much."""
    missing = row.due_units - row.got_units
    if row.is_taken_back:
        fail(f"what came for {row.memo} was taken back: the merchant decides with `ncc order waive` or cancels it", 2)
    if amount is None:
        if missing <= 0:
            fail(f"all of {row.memo} is there already; say how much with --more if more came", 2)
        return missing
    try:
        units = Decimal(amount).scaleb(_places(row.currency))
    except InvalidOperation:
        units = Decimal("NaN")
    if not units.is_finite() or units <= 0 or units != units.to_integral_value():
        fail(f"{amount} is no amount in {row.currency}: write it like {_shown(row.due_units, '').strip()}", 2)
    if units > missing and not more:
        fail(
            f"{_shown(max(0, missing), row.currency)} are missing, and this is {amount}: say --more if that is so",
            2,
        )
    return int(units)


def _places(currency: str) -> int:
    return minor_places(currency.upper())  # requests say `sats`


def _shown(units: int, currency: str) -> str:
    return f"{Decimal(units).scaleb(-_places(currency)):f} {currency}"
