"""The simulated wallet, as a buyer uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail
from services.payments.port import BackendError
from services.payments.simulated import PaymentRefused, SimulatedWallet

MOST_SATS = 21_000_000 * 100_000_000

wallet_app = typer.Typer(no_args_is_help=True, help="The simulated wallet.")
app = typer.Typer()
app.add_typer(wallet_app, name="wallet")


@wallet_app.callback()
def wallet() -> None:
    """Pay as a buyer would; the money is not real, everything else about it is."""


@wallet_app.command("pay")
def wallet_pay(
    invoice: str,
    sats: Annotated[
        int | None, typer.Option(min=1, max=MOST_SATS, help="Pay so much, less or more than asked.")
    ] = None,
    home: Home = None,
    json_: Json = False,
) -> None:
    """Pay an invoice of the simulated wallet; prints the preimage, or that a part is there."""
    paid = _with_wallet(home, lambda wallet: wallet.pay(invoice) if sats is None else wallet.pay_sats(invoice, sats))
    if json_:
        as_json({"preimage": paid.hex() if paid else None})
    else:
        OUT.print(paid.hex() if paid else f"{sats} sats are there; the invoice waits for the rest")


@wallet_app.command("reverse")
def wallet_reverse(invoice: str, home: Home = None, json_: Json = False) -> None:
    """Take back what was paid on an invoice, as a chargeback does."""
    _with_wallet(home, lambda wallet: wallet.reverse(invoice))
    if json_:
        as_json({"reversed": True})
    else:
        OUT.print("what was paid on the invoice is taken back")


def _with_wallet[T](home: Path | None, do: Callable[[SimulatedWallet], Coroutine[None, None, T]]) -> T:
    path = (home or Path()) / "wallet" / "simulated.db"
    if not path.exists():
        fail(f"there is no simulated wallet in {home}: start the stack with `ncc up` first", 3)
    wallet = SimulatedWallet(path)
    try:
        return asyncio.run(do(wallet))
    except (PaymentRefused, BackendError) as refused:
        fail(str(refused), 2)
    finally:
        wallet.close()
