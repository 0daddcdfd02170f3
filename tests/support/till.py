"""The payments role over a simulated wallet, fed with journal records by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from schemas.messages import Command, Event, JournalRecord
from schemas.payments import ObservePayment, PaymentRequested, PaymentWanted, RecordPaymentRequest, intent_id
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedWallet
from tests.support.builders import NOW_MS, a_key


def a_record(offset: int, merchant: str, *events: Event) -> JournalRecord:
    """A record that stands at this offset."""
    return JournalRecord(seq=offset + 1, covers=offset, merchant=merchant, at_ms=NOW_MS, cause="c", events=events)


async def until(holds: Callable[[], object]) -> None:
    """Wait a moment for something that is done beside."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.01)


class Till:
    """The payments role over a simulated wallet, and what it has said."""

    def __init__(self, wallet: SimulatedWallet) -> None:
        self.wallet = wallet
        self.said: list[Command] = []
        self.role = PaymentsRole(wallet.account, b"\x01" * 32, self.hear)

    async def hear(self, command: Command) -> None:
        """Note it."""
        self.said.append(command)

    def wanted(self, offset: int, merchant: str, ttl_s: int = 600) -> JournalRecord:
        """A record that wants a payment for this merchant's only order."""
        key = a_key(merchant=merchant)
        expires_at = int(time.time()) + ttl_s
        name = intent_id(key, 1)
        return a_record(
            offset,
            merchant,
            PaymentWanted(
                order=key, intent_id=name, revision=1, amount_msat=10_000, expires_at=expires_at, memo="Order"
            ),
        )

    def requests(self, merchant: str) -> list[RecordPaymentRequest]:
        """The requests it made for this merchant."""
        bodies = [command.body for command in self.said if command.merchant == merchant]
        return [body for body in bodies if isinstance(body, RecordPaymentRequest)]

    def observed(self, merchant: str) -> bool:
        """Whether it saw this merchant's money."""
        return any(isinstance(c.body, ObservePayment) and c.merchant == merchant for c in self.said)

    async def requested(self, offset: int, merchant: str) -> RecordPaymentRequest:
        """The role has made the merchant's request, and has read that it was recorded."""
        await until(lambda: self.requests(merchant))
        made = self.requests(merchant)[0]
        requested = PaymentRequested.model_validate(made.model_dump(exclude={"type"}))
        await self.role.take(0, offset, a_record(offset, merchant, requested))
        return made
