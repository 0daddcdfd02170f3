"""Swaps the tokens that buyers handed in, as often as their mints have to be asked, and says what came of each.

Level-triggered, as the role is: a token is owed a swap from the record that brought it until the journal has its
refusal or its money. One that was swapped before is looked up and said again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import structlog

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import Token, read_token
from schemas.ecash import RecordTokenRefusal, TokenHandedIn
from schemas.ecash import TokenRefused as Refusal
from schemas.messages import CommandBody
from schemas.payments import ObservePayment
from schemas.values import SealedDetails
from services.payments.port import BackendError, BackendRef, Observation, PaymentBackend, Reference, reference

TAKE_TIMEOUT_S: Final = 20.0
PAUSE_FIRST_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
UNKNOWN_TRIES_MAX: Final = 10
"""How often a request that the wallet does not know yet is waited for: the role makes it again after a start."""

log = structlog.get_logger(role="payments")

OpenToken = Callable[[str, SealedDetails], str | None]
"""(merchant, box) → the token's text; None where its key was destroyed."""
Name = tuple[str, str]
"""A token for one request, by intent and token: what becomes of it there says nothing of another request."""
Say = Callable[[str, str, CommandBody, str], Awaitable[None]]
"""(merchant, source, command, what tells it from others of its kind and source)."""


@runtime_checkable
class TakesTokens(Protocol):
    """A back-end that is paid in ecash."""

    async def take(self, reference: Reference, token: Token, *, timeout_s: float) -> None:
        """Have a token's money. Raises `TokenRefused` or a `BackendError`."""

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        """Tell how a request stands."""


@dataclass(slots=True)
class Owed:
    """A token that was handed in, and the record that brought it."""

    event: TokenHandedIn
    merchant: str
    partition: int
    offset: int
    task: asyncio.Task[None] | None = None


class TokenTaker:
    """The tokens of the partitions that this process has."""

    def __init__(
        self,
        backend_of: Callable[[Owed], PaymentBackend],
        open_token: OpenToken,
        say: Say,
        may_act: Callable[[Owed], bool],
        fail: Callable[[BaseException], None],
    ) -> None:
        """`backend_of` gives the wallet that holds a token's request; `may_act` says whether a token's partition was
        read to its end and its merchant's effects do not wait; `fail` stops the role for what is no back-end's fault.
        """
        self._backend_of, self._open_token, self._say = backend_of, open_token, say
        self._may_act, self._fail = may_act, fail
        self._owed: dict[Name, Owed] = {}

    def note(self, event: TokenHandedIn | Refusal, merchant: str, partition: int, offset: int) -> None:
        """A record brought a token, or the journal has that one was refused."""
        name = (event.intent_id, event.token_id)
        if isinstance(event, Refusal):
            self._forget(name)
            return
        self._owed[name] = Owed(event, merchant, partition, offset)
        self.resume()

    def resume(self) -> None:
        """Take up what is owed and may be done now."""
        for name, owed in self._owed.items():
            if owed.task is None and self._may_act(owed):
                owed.task = asyncio.ensure_future(self._take(name, owed))
                owed.task.add_done_callback(self._done)

    async def hold(self, merchant: str) -> None:
        """Stop a merchant's swaps; what is under way at a mint is found there later."""
        held = [owed for owed in self._owed.values() if owed.merchant == merchant and owed.task is not None]
        tasks = [owed.task for owed in held if owed.task is not None]
        for owed in held:
            owed.task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The record that brought the oldest token still owed a swap, where that is before `next_offset`."""
        return min([next_offset, *(one.offset for one in self._owed.values() if one.partition == partition)])

    def end(self, partition: int) -> None:
        """Another process takes the partition's tokens over."""
        for name in [name for name, owed in self._owed.items() if owed.partition == partition]:
            self._forget(name)

    async def close(self) -> None:
        """Stop everything under way."""
        tasks = [owed.task for owed in self._owed.values() if owed.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, name: Name, owed: Owed) -> None:
        event, pause_s, tries = owed.event, PAUSE_FIRST_S, 0
        ref = reference(event.intent_id)
        while True:
            tries += 1
            try:
                backend = self._backend_of(owed)
                token = self._opened(owed)
                if not isinstance(backend, TakesTokens):
                    raise TokenRefused(TokenFault.NOT_TAKEN)
                await backend.take(ref, token, timeout_s=TAKE_TIMEOUT_S)
                seen = await backend.lookup(BackendRef(ref), timeout_s=TAKE_TIMEOUT_S)
                await self._say_seen(owed, seen)
                self._owed.pop(name, None)
                return
            except TokenRefused as refused:
                if refused.reason is not TokenFault.UNKNOWN_REQUEST or tries >= UNKNOWN_TRIES_MAX:
                    log.info("token refused", intent=event.intent_id, reason=refused.reason.value)
                    body = RecordTokenRefusal(intent_id=event.intent_id, token_id=event.token_id, reason=refused.reason)
                    await self._say(owed.merchant, event.intent_id, body, f":{event.token_id}")
                    self._owed.pop(name, None)
                    return
            except BackendError as error:
                log.warning("token waits", intent=event.intent_id, error=type(error).__name__)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _say_seen(self, owed: Owed, seen: Observation) -> None:
        body = ObservePayment(
            order=owed.event.order,
            intent_id=owed.event.intent_id,
            state=seen.state,
            gross_msat=seen.gross_msat,
            settled_at=seen.settled_at,
        )
        await self._say(owed.merchant, owed.event.intent_id, body, f":{seen.state}:{seen.gross_msat}")

    def _opened(self, owed: Owed) -> Token:
        text = self._open_token(owed.merchant, owed.event.sealed)
        if text is None:
            raise TokenRefused(TokenFault.NOT_TAKEN)
        return read_token(text)

    def _forget(self, name: Name) -> None:
        owed = self._owed.pop(name, None)
        if owed is not None and owed.task is not None:
            owed.task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)


def no_tokens(merchant: str, sealed: SealedDetails) -> str | None:
    """Stands where nothing can be opened: every token is refused."""
    return None
