"""The buyers' door: a sealed order comes in over HTTP, and the shop's sealed answer goes out in the same breath.

Anybody may call it, as anybody may write to a relay: who ordered is proven by the seal, and only the buyer can open
what is answered. It is the payment service of the market spec (§6, scenario 3) for shops that are run here (PAY-04).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from schemas import limits
from schemas.freezes import MerchantFrozen
from schemas.messages import JournalRecord
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventFault, EventRefused, check_id, check_sig, parse_event, tag_values, to_json
from schemas.nostr.nip59 import Rumor, WrapFault
from schemas.orders import OrderPlaced
from schemas.replies import ReplyPromised
from schemas.signing import SignerDenies
from schemas.values import OrderKey
from services.api import address, hooks
from services.api.address import Addresses
from services.api.answers import Answers
from services.api.ecash import EcashDoor, add_ecash_route
from services.api.hooks import Hooks
from services.api.raw_events import Raw, headers_of
from services.api.strangers import Records, Turns, body_of, retry_after
from services.outgoing import no_vault, of_reply

_ENTITY = re.compile(r"(?:naddr|nprofile|npub|nevent|note)1[02-9ac-hj-np-z]{6,2000}")
"""A Nostr entity as a link has it (NIP-19)."""
WAIT_S = 15.0
"""How long a caller waits; the same answer goes out over relays however long it takes."""

log = structlog.get_logger(role="api")


class Wrapper(Protocol):
    """What the door asks of the signer."""

    def seal_and_wrap(self, rumor: Rumor, recipient: str, effect_id: str) -> Event:
        """The message for one recipient; the same arguments give the same bytes."""


class Refused(Exception):
    """A message that is not taken in; `reason` is a stable code."""

    def __init__(self, status: int, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.reason, self.wait_s = status, reason, wait_s


class Door:
    """Takes messages in and waits for what the shop answers."""

    def __init__(
        self,
        is_hosted: Callable[[str], bool],
        is_frozen: Callable[[str], Awaitable[bool]],
        raw: Raw,
        records: Records,
        signer: Wrapper,
        answers: Answers,
        wait_s: float = WAIT_S,
    ) -> None:
        self._is_hosted, self._is_frozen = is_hosted, is_frozen
        self._raw, self._records, self._signer, self._answers = raw, records, signer, answers
        self._wait_s = wait_s
        self._turns = Turns()
        self._waiting: dict[str, asyncio.Task[str | None]] = {}

    async def hear(self, text: bytes) -> str | None:
        """The wrapped answer to a wrapped message; None where none came in time. Raises `Refused`, `EventRefused`."""
        event = parse_event(text)
        if event.kind != Kind.GIFT_WRAP:
            raise Refused(400, WrapFault.NOT_A_WRAP.value)
        hosted = [key for key in tag_values(event, "p") if self._is_hosted(key)]
        if len(hosted) != 1:
            raise Refused(404, WrapFault.WRONG_RECIPIENT.value)
        check_id(event)
        check_sig(event)
        if (known := self._answers.get(event.id)) is not None:
            return known
        task = self._waiting.get(event.id)
        if task is None:
            self._admit(hosted[0])
            task = asyncio.ensure_future(self._ask(event, hosted[0], text))
            self._waiting[event.id] = task
            task.add_done_callback(lambda _: self._waiting.pop(event.id, None))
        return await asyncio.shield(task)

    def _admit(self, merchant: str) -> None:
        """So many a minute for one shop, and so many under way for all: what is past that goes over relays."""
        if len(self._waiting) >= limits.DOOR_WAITING.most:
            raise Refused(429, "too_many_messages", self._wait_s)
        if wait_s := self._turns.wait_s(merchant, limits.DOOR_MESSAGES):
            raise Refused(429, "too_many_messages", wait_s)

    async def _ask(self, event: Event, merchant: str, text: bytes) -> str | None:
        headers = headers_of("the buyers' door", "door")
        async with self._records(merchant) as records:
            if await self._is_frozen(merchant):
                return None
            await self._raw.put_raw(event.id, text, headers)
            try:
                async with asyncio.timeout(self._wait_s):
                    promised = await _reply_to(records, merchant, event.id)
            except TimeoutError:
                return None
        if promised is None:
            return None
        try:
            wrap = await asyncio.to_thread(self._wrapped, merchant, promised)
        except (SignerDenies, LookupError, ValueError) as error:
            log.warning("answer not made", order=promised.order.ref, error=type(error).__name__)
            return None
        answer = to_json(wrap)
        self._answers.put(event.id, answer)
        return answer

    def _wrapped(self, merchant: str, promised: ReplyPromised) -> Event:
        """The very message that the publisher sends, byte for byte."""
        message, *_ = of_reply(merchant, promised, no_vault)
        return self._signer.seal_and_wrap(message.rumor(merchant), message.recipient, message.effect_id)


async def _reply_to(records: AsyncIterator[JournalRecord], merchant: str, event_id: str) -> ReplyPromised | None:
    """The first reply to the order that this message placed; None where the shop is frozen meanwhile."""
    cause = command_id(event_id, merchant)
    order: tuple[OrderKey, str] | None = None
    async for record in records:
        if record.merchant != merchant:
            continue
        for event in record.events:
            match event:
                case OrderPlaced() if record.cause == cause:
                    order = event.order, event.rumor_id
                case ReplyPromised() if order == (event.order, event.answers):
                    return event
                case MerchantFrozen():
                    return None
                case _:
                    pass
    return None


def command_id(event_id: str, merchant: str) -> str:
    """The id of the command that intake makes of an event, which names the record that decides it."""
    return hashlib.sha256(f"command:{event_id}:{merchant}".encode()).hexdigest()[:32]


def make_door(
    door: Door, addresses: Addresses | None = None, called: Hooks | None = None, ecash: EcashDoor | None = None
) -> FastAPI:
    """The app that stands at `NCC_SERVICE_URL`: for strangers, without a token, nothing of an operator's."""
    app = FastAPI(title="Buyers' door", docs_url=None, redoc_url=None, openapi_url=None)
    if addresses is not None:
        address.add_routes(app, addresses)
    if called is not None:
        hooks.add_routes(app, called)
    if ecash is not None:
        add_ecash_route(app, ecash)

    @app.post("/orders")
    async def order(request: Request) -> Response:
        try:
            answer = await door.hear(await _body(request))
        except Refused as refused:
            return JSONResponse({"reason": refused.reason}, refused.status, retry_after(refused.wait_s))
        except EventRefused as refused:
            return JSONResponse({"reason": refused.reason.value}, 400)
        if answer is None:
            return JSONResponse({"answered": "later"}, 202)
        return Response(answer, media_type="application/json")

    @app.get("/open/{entity}")
    async def open_(entity: str) -> JSONResponse:
        """Where the operator's 31990 leads (NIP-89): what an application does to order here."""
        if not _ENTITY.fullmatch(entity):
            return JSONResponse({"reason": "no_entity"}, 404)
        how = "POST an order's gift wrap (kind 1059) to /orders; the answer is the shop's, wrapped to the buyer"
        return JSONResponse({"entity": entity, "orders": "/orders", "how": how})

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"ok": True}

    return app


async def _body(request: Request) -> bytes:
    """The body, read no further than an event may be long. Raises `EventRefused` (`too_big`)."""
    body = await body_of(request, limits.EVENT.most)
    if body is None:
        raise EventRefused(EventFault.TOO_BIG, "more than an event may have")
    return body
