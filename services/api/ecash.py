"""Takes ecash in at the buyers' door: what a wallet posts for a request is sealed, decided, and answered (NUT-18).

Anybody may post. A token is money for whoever reads it, so it leaves here in a box for the payments role alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from schemas import limits
from schemas.cashu.faults import TokenFault
from schemas.cashu.faults import TokenRefused as BadToken
from schemas.cashu.requests import read_payload
from schemas.cashu.tokens import TOKEN_CHARS_MAX, write_token
from schemas.ecash import HandInToken, TokenRefused
from schemas.messages import Command, JournalRecord
from schemas.payments import PaymentPartReceived, PaymentSettled
from schemas.values import Origin, SealedDetails
from services.api.strangers import CALLERS_MAX, Records, Turns, body_of, caller_of, retry_after

WAIT_S: Final = 15.0
"""How long a payer waits for what the mint says; the order goes on without."""
_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)

log = structlog.get_logger(role="api")

Seal = Callable[[str, str, str, str], SealedDetails | None]
"""(merchant, intent, token's name, text) → its box, the same each time; None where it was destroyed."""


class NotTaken(Exception):
    """A post that gets no further; `reason` is a stable word."""

    def __init__(self, status: int, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.reason, self.wait_s = status, reason, wait_s


class EcashDoor:
    """Everything behind the route."""

    def __init__(
        self,
        is_hosted: Callable[[str], bool],
        send: Callable[[Command], Awaitable[object]],
        records: Records,
        seal: Seal,
        wait_s: float = WAIT_S,
    ) -> None:
        self._is_hosted, self._send, self._records, self._seal, self._wait_s = is_hosted, send, records, seal, wait_s
        self._of_shop, self._of_caller = Turns(), Turns(CALLERS_MAX)

    async def hear(self, merchant: str, intent_id: str, body: bytes, caller: str) -> str:
        """How the request stands after a post: `settled`, `partial`, or `received` where that is not known in time.

        Raises `NotTaken`.
        """
        _admit(self._of_caller, caller, limits.ADDRESS_CALLER)
        if not _NAME.fullmatch(merchant) or not _NAME.fullmatch(intent_id) or not self._is_hosted(merchant):
            raise NotTaken(404, TokenFault.UNKNOWN_REQUEST.value)
        _admit(self._of_shop, merchant, limits.ADDRESS_CALLS)
        try:
            token = (await asyncio.to_thread(read_payload, body)).token
        except BadToken as bad:
            raise NotTaken(400, bad.reason.value) from None
        name = token.digest
        sealed = self._seal(merchant, intent_id, name, write_token(token))
        if sealed is None:
            raise NotTaken(400, TokenFault.ALREADY_USED.value)
        command = Command(
            id=hashlib.sha256(f"token:{intent_id}:{name}".encode()).hexdigest()[:32],
            merchant=merchant,
            at_ms=time.time_ns() // 1_000_000,
            origin=Origin.DOOR,
            source=intent_id,
            body=HandInToken(intent_id=intent_id, token_id=name, sealed=sealed),
        )
        async with self._records(merchant) as records:
            await self._send(command)
            try:
                async with asyncio.timeout(self._wait_s):
                    return await _outcome(records, intent_id, name)
            except TimeoutError:
                return "received"


def _admit(turns: Turns, name: str, limit: limits.Limit) -> None:
    if wait_s := turns.wait_s(name, limit):
        raise NotTaken(429, "too_many_calls", wait_s)


def add_ecash_route(app: FastAPI, door: EcashDoor) -> None:
    """`POST /ecash/MERCHANT/INTENT`, for wallets in browsers too."""

    @app.post("/ecash/{merchant}/{intent_id}")
    async def hand_in(merchant: str, intent_id: str, request: Request) -> JSONResponse:
        anywhere = {"Access-Control-Allow-Origin": "*"}
        try:
            state = await door.hear(merchant, intent_id, await _body(request), caller_of(request))
        except NotTaken as refused:
            headers = anywhere | retry_after(refused.wait_s)
            return JSONResponse({"reason": refused.reason}, refused.status, headers)
        return JSONResponse({"state": state}, 202 if state == "received" else 200, anywhere)


async def _body(request: Request) -> bytes:
    """The body, read no further than a token may be long. Raises `NotTaken`."""
    body = await body_of(request, TOKEN_CHARS_MAX)
    if body is None:
        raise NotTaken(413, TokenFault.TOO_LONG.value)
    return body


async def _outcome(records: AsyncIterator[JournalRecord], intent_id: str, token_id: str) -> str:
    """What the journal has of this token, or of its request's money. Raises `NotTaken` for a refusal."""
    async for record in records:
        for event in record.events:
            match event:
                case TokenRefused() if event.token_id == token_id:
                    raise NotTaken(400, event.reason.value)
                case PaymentSettled() if event.intent_id == intent_id:
                    return "settled"
                case PaymentPartReceived() if event.intent_id == intent_id:
                    return "partial"
                case _:
                    pass
    return "received"
