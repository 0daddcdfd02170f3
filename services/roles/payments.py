"""The payments role, composed."""

from __future__ import annotations

from typing import Any

from schemas.bolt11 import Network
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from services.roles.stage import Stage, follow, together
from streams.sinks import Sinks


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
        await together(follow(stage, role), role.sweep(), role.failure)
    finally:
        await role.close()
        wallet.close()
        await producer.stop()
