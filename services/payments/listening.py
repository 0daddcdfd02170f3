"""Listens to wallets: hints carry no truth, each leads to a look-up; what a hint missed is in the wallet's history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from services.payments.port import (
    FROM_THE_START,
    BackendError,
    BackendRef,
    Cursor,
    Observation,
    PaymentBackend,
    Unsupported,
)
from services.payments.ways import Ways

CALL_TIMEOUT_S: Final = 10.0
PAUSE_FIRST_S: Final = 0.2
PAUSE_MAX_S: Final = 20.0
PATIENCE_MAX_S: Final = 30.0
"""How long a wallet that says when to come again is left alone at most: its orders end in a quarter of an hour."""

log = structlog.get_logger(role="payments")


class Listeners:
    """One listener for each wallet of each merchant."""

    def __init__(
        self,
        ways: Ways,
        heed: Callable[[BackendRef, str], bool],
        is_frozen: Callable[[str], bool],
        found: Callable[[str, Observation], Awaitable[None]],
    ) -> None:
        """`heed` looks a merchant's request up, False where none of this name is watched; `found` is told how that
        stands then, unless the merchant's effects wait (`is_frozen`)."""
        self._ways, self._heed, self._is_frozen, self._found = ways, heed, is_frozen, found
        self._tasks: dict[tuple[str, bool], asyncio.Task[None]] = {}

    def listen(self, merchant: str, is_spare: bool = False) -> None:
        """Listen to a merchant's wallet, or spare one, from now on."""
        if (merchant, is_spare) not in self._tasks:
            self._tasks[merchant, is_spare] = asyncio.ensure_future(self._follow(merchant, is_spare))

    def listen_anew(self, merchant: str) -> None:
        """Listen again, and read what was missed: hints that came meanwhile were not followed."""
        for is_spare in (False, True):
            if (task := self._tasks.pop((merchant, is_spare), None)) is not None:
                task.cancel()
                self.listen(merchant, is_spare)

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _follow(self, merchant: str, is_spare: bool) -> None:
        heard: PaymentBackend | None = None
        cursor, pause_s = FROM_THE_START, PAUSE_FIRST_S
        while True:
            try:
                backend = self._ways.of(merchant, is_spare)
                if backend is not heard:  # the merchant's wallet is another one now, or this is the first
                    cursor, heard = FROM_THE_START, backend
                cursor = await self._read_on(merchant, backend, cursor)
                async for hint in backend.listen(cursor):
                    pause_s = PAUSE_FIRST_S
                    ref = hint.backend_ref
                    if ref is None or self._heed(ref, merchant) or self._is_frozen(merchant):
                        continue
                    await self._found(merchant, await backend.lookup(ref, timeout_s=CALL_TIMEOUT_S))
            except Unsupported:
                return
            except BackendError as error:
                log.warning("listening stopped", merchant=merchant, error=type(error).__name__)
                pause_s = max(pause_s, min(error.retry_after_s, PATIENCE_MAX_S))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _read_on(self, merchant: str, backend: PaymentBackend, cursor: Cursor) -> Cursor:
        """What happened while nobody listened, money taken back too (TR-16); gives where the history ends."""
        while (scan := await backend.scan(cursor, timeout_s=CALL_TIMEOUT_S)).observations:
            for seen in scan.observations:
                if not self._heed(seen.backend_ref, merchant) and not self._is_frozen(merchant):
                    await self._found(merchant, seen)
            cursor = scan.cursor
        return cursor
