"""Swaps the tokens that buyers handed in, as often as their mints have to be asked, and says what came of each.

Level-triggered, as the role is: a token is owed a swap from the record that brought it until the journal has its
refusal or its money. One that was swapped before is looked up and said again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, runtime_checkable

import structlog

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import Token, read_token
from schemas.ecash import RecordTokenRefusal, TokenHandedIn
from schemas.ecash import TokenRefused as Refusal
from schemas.messages import CommandBody
from schemas.payments import ObservePayment
from schemas.values import SealedDetails
from services.payments.owed_work import PAUSE_FIRST_S, PAUSE_MAX_S, Owed, OwedWork
from services.payments.port import BackendError, BackendRef, Observation, PaymentBackend, Reference, reference

TAKE_TIMEOUT_S: Final = 20.0
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


OwedToken = Owed[TokenHandedIn]
"""A token that was handed in."""


class TokenTaker(OwedWork[Name, OwedToken]):
    """The tokens of the partitions that this process has."""

    def __init__(
        self,
        backend_of: Callable[[OwedToken], PaymentBackend],
        open_token: OpenToken,
        say: Say,
        may_act: Callable[[OwedToken], bool],
        fail: Callable[[BaseException], None],
    ) -> None:
        """`backend_of` gives the wallet that holds a token's request."""
        super().__init__(may_act, fail)
        self._backend_of, self._open_token, self._say = backend_of, open_token, say

    def note(self, event: TokenHandedIn | Refusal, merchant: str, partition: int, offset: int) -> None:
        """A record brought a token, or the journal has that one was refused."""
        name = (event.intent_id, event.token_id)
        if isinstance(event, Refusal):
            self._forget(name)
            return
        self._owe(name, Owed(event, merchant, partition, offset))

    async def _do(self, name: Name, owed: OwedToken) -> None:
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

    async def _say_seen(self, owed: OwedToken, seen: Observation) -> None:
        body = ObservePayment(
            order=owed.event.order,
            intent_id=owed.event.intent_id,
            state=seen.state,
            gross_msat=seen.gross_msat,
            settled_at=seen.settled_at,
        )
        await self._say(owed.merchant, owed.event.intent_id, body, f":{seen.state}:{seen.gross_msat}")

    def _opened(self, owed: OwedToken) -> Token:
        text = self._open_token(owed.merchant, owed.event.sealed)
        if text is None:
            raise TokenRefused(TokenFault.NOT_TAKEN)
        return read_token(text)


def no_tokens(merchant: str, sealed: SealedDetails) -> str | None:
    """Stands where nothing can be opened: every token is refused."""
    return None
