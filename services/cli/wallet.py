"""The simulated wallet, as a buyer uses it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from services.cli.options import Home, Json
from services.cli.output import OUT, as_json, fail
from services.payments.port import BackendError
from services.payments.simulated import PaymentRefused, SimulatedWallet

wallet_app = typer.Typer(no_args_is_help=True, help="The simulated wallet.")
app = typer.Typer()
app.add_typer(wallet_app, name="wallet")


@wallet_app.callback()
def wallet() -> None:
    """Pay as a buyer would; the money is not real, everything else about it is."""


@wallet_app.command("pay")
def wallet_pay(invoice: str, home: Home = None, json_: Json = False) -> None:
    """Pay an invoice of the simulated wallet; prints the preimage."""
    path = (home or Path()) / "wallet" / "simulated.db"
    if not path.exists():
        fail(f"there is no simulated wallet in {home}: start the stack with `ncc up` first", 3)
    wallet = SimulatedWallet(path)
    try:
        preimage = asyncio.run(wallet.pay(invoice)).hex()
    except (PaymentRefused, BackendError) as refused:
        fail(str(refused), 2)
    finally:
        wallet.close()
    if json_:
        as_json({"preimage": preimage})
    else:
        OUT.print(preimage)
