"""A simulated account that fails, forgets and repeats itself when a test tells it to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

from schemas.payments import BackendState, PaymentRequested
from services.payments.port import BackendError, BackendRef, Cursor, Hint, Intent, Observation, PaymentRequest
from services.payments.simulated import SimulatedAccount, SimulatedWallet


class Shaky(SimulatedAccount):
    """An account whose back-end fails, forgets and repeats itself when it is told to."""

    def __init__(self, wallet: SimulatedWallet, merchant: str) -> None:
        super().__init__(wallet, merchant)
        self.asked: Counter[str] = Counter()
        self.asked_s: list[float] = []
        self.failure: BackendError | None = None
        self.forgets = False
        self.hints: asyncio.Queue[Hint] = asyncio.Queue()

    async def ensure(self, intent: Intent, *, timeout_s: float) -> PaymentRequest:
        """Make or find it, unless something is wrong."""
        self._ask("ensure")
        return await super().ensure(intent, timeout_s=timeout_s)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Say how it stands, unless something is wrong."""
        self._ask("lookup")
        if self.forgets:
            return Observation(backend_ref=ref, reference=None, state=BackendState.GONE)
        return await super().lookup(ref, timeout_s=timeout_s)

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        """Hint at whatever the test puts there."""
        while True:
            yield await self.hints.get()

    def hint(self, request: PaymentRequested, times: int = 1) -> None:
        """Say that something happened to it, true or not."""
        for _ in range(times):
            self.hints.put_nowait(Hint(BackendRef(request.payment_hash or ""), at=0))

    def _ask(self, what: str) -> None:
        self.asked[what] += 1
        self.asked_s.append(asyncio.get_running_loop().time())
        if self.failure is not None:
            raise self.failure
