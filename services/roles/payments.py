"""The payments role, composed."""

from __future__ import annotations

from functools import partial
from typing import Any

from schemas.bolt11 import Network
from services.brake import Brake
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from services.roles.stage import Stage, follow, together
from streams.sinks import Sinks
from streams.stretch import journal_stretch


async def run(stage: Stage) -> None:
    """Payments wanted → requests, look-ups, observations."""
    producer = await stage.kafka.producer(paced=True)
    sinks = Sinks(producer)
    wallet = SimulatedWallet(stage.home.wallet / "simulated.db")
    accounts: dict[str, SimulatedAccount] = {}

    def backend_of(merchant: str) -> SimulatedAccount:
        if merchant not in accounts:
            accounts[merchant] = wallet.account(merchant)
        return accounts[merchant]

    async def send(command: Any) -> None:
        await sinks.send(command)

    role = PaymentsRole(backend_of, Network.REGTEST, stage.secret("preimage"), send)
    try:
        brake = Brake(role, partial(journal_stretch, stage.kafka))
        await together(follow(stage, brake), role.sweep(), role.failure, brake.failure)
    finally:
        await role.close()
        wallet.close()
        await producer.stop()
