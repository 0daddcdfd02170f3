"""`ncc order pay-back`, `approve` and `refuse-payout`, and who may approve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from services.approvers import Approvers, BadApprover
from services.cli.client import Stack
from services.cli.options import Home, Json
from services.cli.orders import order_app
from services.cli.output import OUT, as_json, decided, fail, table
from services.home import Home as HomeFolder

INPUT = Path("-")

payouts_app = typer.Typer(no_args_is_help=True, help="Paying refunds out: who may approve.")
approver_app = typer.Typer(no_args_is_help=True, help="Who may approve pay-outs.")
payouts_app.add_typer(approver_app, name="approver")
app = typer.Typer()
app.add_typer(payouts_app, name="payouts")
app.add_typer(order_app, name="order")


@payouts_app.callback()
def payouts() -> None:
    """Nothing is paid out that only one person wanted."""


@approver_app.command("add")
def approver_add(name: str, home: Home = None, json_: Json = False) -> None:
    """Make an approver's token. It is shown once: hand it to them, and keep it nowhere."""
    try:
        token = Approvers.of(HomeFolder.find(home)).add(name)
    except BadApprover as bad:
        fail(str(bad), 2)
    if json_:
        as_json({"name": name, "token": token})
    else:
        OUT.print(token, markup=False, highlight=False, soft_wrap=True)


@approver_app.command("remove")
def approver_remove(name: str, home: Home = None, json_: Json = False) -> None:
    """Make an approver's token worthless."""
    if not Approvers.of(HomeFolder.find(home)).remove(name):
        fail(f"there is no approver {name}: `ncc payouts approver list` shows them")
    if json_:
        as_json({"name": name, "removed": True})
    else:
        OUT.print(f"{name} approves nothing any more")


@approver_app.command("list")
def approver_list(home: Home = None, json_: Json = False) -> None:
    """Everybody who may approve."""
    names = Approvers.of(HomeFolder.find(home)).names()
    if json_:
        as_json(list(names))
    else:
        table("Approvers", ("name",), ((name,) for name in names), "Nobody: nothing can be paid out.")


@order_app.command("pay-back")
def order_pay_back(
    ref: str,
    home: Home = None,
    sats: Annotated[int | None, typer.Option(min=1, help="How much; all that is owed if not said.")] = None,
    json_: Json = False,
) -> None:
    """Ask for money to be paid to the buyer's invoice, or given by a link at BTCPay; somebody else approves it."""
    _say(Stack(home or Path()), ref, "pay-back", json_, {"sats": sats}, f"nothing of order {ref} was asked for")


@order_app.command("approve")
def order_approve(
    ref: str,
    sats: Annotated[int, typer.Option(min=1, help="How much, exactly as it was asked for.")],
    token_file: Annotated[Path, typer.Option(help="File with the approver's own token. - is the input.")],
    home: Home = None,
    json_: Json = False,
) -> None:
    """Approve a pay-out that somebody else asked for: it is paid at once."""
    stack = Stack(home or Path(), token=_token(token_file))
    _say(stack, ref, "approve", json_, {"sats": sats}, f"nothing of order {ref} was approved")


@order_app.command("refuse-payout")
def order_refuse_payout(ref: str, home: Home = None, json_: Json = False) -> None:
    """Drop a pay-out that was asked for and not approved."""
    _say(Stack(home or Path()), ref, "refuse-payout", json_, None, f"nothing of order {ref} was dropped")


def _say(stack: Stack, ref: str, what: str, json_: bool, body: dict[str, Any] | None, else_: str) -> None:
    decided(stack.post(f"/orders/{ref}/{what}", body), ref, json_, else_)


def _token(token_file: Path) -> str:
    """The line that the file holds; it is never shown."""
    try:
        text = sys.stdin.read() if token_file == INPUT else token_file.read_text()
    except (OSError, UnicodeDecodeError):
        fail(f"the token file {token_file} cannot be read", 2)
    token = text.strip()
    if not (token and token.isascii() and token.isprintable()):
        fail(f"{token_file} holds no token: it needs one line, as `ncc payouts approver add` shows it", 2)
    return token
