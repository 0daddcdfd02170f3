"""A wallet service and the back-end that speaks to it, for the tests of wallets over Nostr."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.demo.wallets.nwc_service import NwcService
from services.payments.nwc import NwcConfig, NwcWallet, account_from
from services.payments.nwc_line import LineTuning
from services.payments.simulated import NETWORK, SimulatedWallet
from tests.services.payments.contract import MERCHANT, Bench
from tests.services.relays.support import CONNECTION, READ, everyone

TUNING = LineTuning(read=READ, connection=CONNECTION)
QUICK_S = 0.6
"""Patience where the wallet is made to say nothing."""
LATE_S = 0.5


class Clock:
    """A clock that goes when it is told to, from now on: relays drop what is dated long ago."""

    def __init__(self) -> None:
        self.now_s = int(time.time())

    def __call__(self) -> int:
        return self.now_s

    async def pass_time(self, seconds: int) -> None:
        self.now_s += seconds


@dataclass
class Peers:
    """A wallet service and the back-end that speaks to it."""

    service: NwcService
    backend: NwcWallet
    clock: Clock

    @property
    def bench(self) -> Bench:
        return Bench(self.backend, self.pay, self.clock, self.clock.pass_time)

    async def pay(self, text: str) -> None:
        # A wallet tells whole seconds, so payments of one second have no order.
        await self.clock.pass_time(1)
        await self.service.pay(text)


@asynccontextmanager
async def speaking(relay: str, folder: Path, **terms: Any) -> AsyncIterator[Peers]:
    """A service on the relay and a back-end that has its connection."""
    clock = Clock()
    late_settle = terms.pop("late_settle", False)
    wallet = SimulatedWallet(folder / "wallet.sqlite", clock=clock, late_settle=late_settle)
    service = NwcService(relay, wallet, MERCHANT, clock, **terms)
    async with service:
        backend = a_backend(service, clock, late_settle=late_settle)
        try:
            yield Peers(service, backend, clock)
        finally:
            await backend.close()
            wallet.close()


def a_backend(service: NwcService, clock: Clock, *, late_settle: bool = False) -> NwcWallet:
    config = NwcConfig(
        service.uri, network=NETWORK, amount_step_msat=1, late_settle=late_settle, is_trusted_relay=everyone
    )
    return account_from(config, clock=clock, tuning=TUNING, poll_s=30.0, late_s=LATE_S)
