"""What a story's shop is paid into, and how its buyer pays: simulated money, a real LNbits, a wallet connection,
or ecash of a real mint."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.payments import MEDIUM, Method
from services.demo.wallets.ecash_purse import EcashPurse
from services.demo.wallets.lnbits_server import lnbits_server
from services.demo.wallets.nutshell_mint import nutshell_mint
from services.demo.wallets.nwc_service import NwcService
from services.payments.simulated import SimulatedWallet
from services.payments.wallets import SIMULATED

FUNDS_SATS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Till:
    """A wallet for the shop and one for its buyer.

    `options` and `secret` (a line for the standard input) are what `ncc wallet add SHOP KIND` is told; `pay` gives
    what the payer is left with, hex: the preimage, or the name of the token. `medium` is its word in a receipt.
    """

    kind: str
    what: str
    pay: Callable[[str], Awaitable[str]]
    options: tuple[str, ...] = ()
    secret: str = ""
    medium: str = MEDIUM[Method.BOLT11]

    def add(self, home: Path, shop: str) -> None:
        """Give a shop its wallet, as its operator would. Raises `WalletRefused`."""
        words = ("wallet", "add", shop, self.kind, *self.options, "--home", str(home))
        done = subprocess.run(
            [sys.executable, "-m", "services.cli.main", *words], input=self.secret, capture_output=True, text=True
        )
        if done.returncode:
            raise WalletRefused(done.stderr.strip().removeprefix("ncc: "))


class WalletRefused(Exception):
    """The shop was not given its wallet; the message is the command's own."""


@asynccontextmanager
async def _simulated(home: Path, relay: str) -> AsyncGenerator[Till]:
    wallet = SimulatedWallet(home / "wallet" / "simulated.db")

    async def pay(invoice: str) -> str:
        return (await wallet.pay(invoice)).hex()

    try:
        yield Till(SIMULATED, "simulated money on regtest", pay)
    finally:
        wallet.close()


@asynccontextmanager
async def _lnbits(home: Path, relay: str) -> AsyncGenerator[Till]:
    folder = home / "peers" / "lnbits"
    folder.mkdir(parents=True, exist_ok=True)
    starting = lnbits_server(folder)
    server = await asyncio.to_thread(starting.__enter__)
    try:
        payer = await asyncio.to_thread(server.new_wallet, FUNDS_SATS)
        shop = await asyncio.to_thread(server.new_wallet)

        async def pay(invoice: str) -> str:
            return await server.pay(payer, invoice)

        options = ("--url", server.url, "--key-file", "-")
        yield Till(
            "lnbits", f"LNbits at {server.url}; the buyer has a wallet of its own there", pay, options, shop.invoice
        )
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


@asynccontextmanager
async def _nwc(home: Path, relay: str) -> AsyncGenerator[Till]:
    folder = home / "peers" / "nwc"
    folder.mkdir(parents=True, exist_ok=True)
    wallet = SimulatedWallet(folder / "wallet.db")
    try:
        async with NwcService(relay, wallet, secrets.token_hex(32), lambda: int(time.time())) as service:
            options = ("--key-file", "-", "--own-network")
            yield Till("nwc", f"a wallet that is spoken to over {relay}", service.pay, options, service.uri)
    finally:
        wallet.close()


@asynccontextmanager
async def _cashu(home: Path, relay: str) -> AsyncGenerator[Till]:
    folder = home / "peers" / "nutshell"
    folder.mkdir(parents=True, exist_ok=True)
    starting = nutshell_mint(folder)
    mint = await asyncio.to_thread(starting.__enter__)
    try:
        what = f"ecash of a mint at {mint.url}; the buyer mints some and posts it"
        yield Till("cashu", what, EcashPurse(mint.url).pay, ("--mint", mint.url), medium=MEDIUM[Method.CASHU])
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


TILLS: Final[Mapping[str, Callable[[Path, str], AbstractAsyncContextManager[Till]]]] = {
    SIMULATED: _simulated,
    "lnbits": _lnbits,
    "nwc": _nwc,
    "cashu": _cashu,
}
"""By kind: makes both wallets for a stack's home folder and relay, and ends what it started."""
