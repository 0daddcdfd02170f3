"""Uses a wallet file as another process would; the tests run it with a verb, a path and figures."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from schemas.payments import Method, intent_id
from schemas.values import OrderKey
from services.payments.port import Intent, reference
from services.payments.preimages import preimage_for
from services.payments.simulated import PaymentRefused, SimulatedWallet
from tests.services.payments.contract import BUYER, DEPLOYMENT_SECRET, MERCHANT, TIMEOUT_S


def an_intent(number: int, expires_at: int, *, preset: bool = True) -> Intent:
    """Give the same intent for the same number in every process."""
    name = intent_id(OrderKey(merchant=MERCHANT, buyer=BUYER, order_id=f"order-{number}"), 1, Method.BOLT11)
    return Intent(
        intent_id=name,
        reference=reference(name),
        amount_msat=1_000_000 + number,
        memo=f"Order {number}",
        expires_at=expires_at,
        method=Method.BOLT11,
        preimage=preimage_for(DEPLOYMENT_SECRET, name) if preset else None,
    )


async def ensure(wallet: SimulatedWallet, first: int, count: int, expires_at: int) -> None:
    """Print an invoice a line."""
    for number in range(first, first + count):
        request = await wallet.account(MERCHANT).ensure(an_intent(number, expires_at), timeout_s=TIMEOUT_S)
        print(request.text, flush=True)


async def pay(wallet: SimulatedWallet) -> None:
    """Pay the invoices on standard input, and print a line for each: `paid`, or why not."""
    for line in sys.stdin.read().split():
        try:
            await wallet.pay(line, timeout_s=TIMEOUT_S)
            print("paid")
        except PaymentRefused as refused:
            print(refused.reason.value)


def main(verb: str, path: str, *figures: str) -> None:
    wallet = SimulatedWallet(Path(path))
    match verb:
        case "ensure":
            asyncio.run(ensure(wallet, *map(int, figures)))
        case "die-after-ensure":
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nobody is to hear of the invoice
            asyncio.run(ensure(wallet, *map(int, figures)))
            os.kill(os.getpid(), signal.SIGKILL)
        case "pay":
            asyncio.run(pay(wallet))
        case _:
            raise SystemExit(f"unknown verb {verb}")
    wallet.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
