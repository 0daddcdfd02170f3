"""Takes vendors' webhooks in at the buyers' door: who called is proven, what was said is not believed (PAY-16).

A notice leads to a look-up and to nothing else. Whatever the body is, nobody gets a 5xx for it; what a vendor sends
twice, or never, makes no difference.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response

from schemas import limits
from schemas.hints import PaymentHint
from schemas.merchants import Merchant
from services.api.strangers import CALLERS_MAX, Turns, body_of, caller_of
from services.payments.credentials import spare_of
from services.payments.notices import PATH
from services.payments.port import BackendError, Mistimed, PaymentBackend, Unauthorized

PUT_TIMEOUT_S: Final = 5.0

log = structlog.get_logger(role="api")


class Outcome(StrEnum):
    """What became of a call; the words are stable."""

    HINTED = "hinted"
    NOTHING = "nothing"
    FORGED = "forged"
    NO_HOOK = "no_hook"
    TOO_BIG = "too_big"
    TOO_MANY = "too_many"
    NOT_KEPT = "not_kept"


STATUS: Final = {
    Outcome.HINTED: 202,
    Outcome.NOTHING: 202,
    Outcome.FORGED: 401,
    Outcome.NO_HOOK: 404,
    Outcome.TOO_BIG: 413,
    Outcome.TOO_MANY: 429,
    Outcome.NOT_KEPT: 503,
}
"""`NOT_KEPT` says that Kafka is away, so that a vendor who sends again does."""


class Called(NamedTuple):
    """A wallet that has an address here."""

    merchant: str
    kind: str
    is_spare: bool


class Hooks:
    """Everything behind the route."""

    def __init__(
        self,
        shops: Callable[[], Iterable[Merchant]],
        token_of: Callable[[str, str], str],
        backend_of: Callable[[str], PaymentBackend],
        put: Callable[[PaymentHint], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
        spare_of: Callable[[str], PaymentBackend | None] = lambda _: None,
    ) -> None:
        """`token_of` gives what stands in the address of the wallet of a kind at a place (`hook_token`), `backend_of`
        and `spare_of` a merchant's wallets as they are opened here, `put` hands a hint to whoever looks up."""
        self._shops, self._token_of, self._backend_of, self._put = shops, token_of, backend_of, put
        self._spare_of = spare_of
        self._of_token: dict[str, Called] = {}
        self._known: set[Called] = set()
        self._of_shop, self._of_caller = Turns(clock=clock), Turns(CALLERS_MAX, clock)
        self.counts: Counter[tuple[str, Outcome]] = Counter()
        """Calls since the start, by merchant (empty where there is no such address) and what became of them."""

    async def hear(
        self, token: str, headers: Mapping[str, str], body: Callable[[], Awaitable[bytes | None]]
    ) -> Outcome:
        """Take one call in; `body` reads it, and gives None for one that is too long."""
        found, merchant, outcome = self._called(token), None, Outcome.NO_HOOK
        if found is not None:
            merchant, backend = found
            outcome = await self._heard(merchant, backend, token, headers, body)
        self.counts[merchant or "", outcome] += 1
        if merchant is not None and outcome is not Outcome.HINTED:  # a stranger's guesses fill no log
            log.info("webhook", merchant=merchant, outcome=outcome.value, calls=self.counts[merchant, outcome])
        return outcome

    def is_pestered_by(self, caller: str) -> bool:
        """Note a call that was refused; True where so many came from one network address that it is to wait."""
        return self._of_caller.wait_s(caller, limits.HOOK_REFUSED) > 0

    def told(self) -> list[dict[str, Any]]:
        """The counts as rows."""
        return [
            {"public_key": merchant, "outcome": outcome.value, "calls": calls}
            for (merchant, outcome), calls in sorted(self.counts.items())
        ]

    async def _heard(
        self,
        merchant: str,
        backend: PaymentBackend,
        token: str,
        headers: Mapping[str, str],
        body: Callable[[], Awaitable[bytes | None]],
    ) -> Outcome:
        if self._of_shop.wait_s(merchant, limits.HOOK_CALLS):
            return Outcome.TOO_MANY
        raw = await body()
        if raw is None:
            return Outcome.TOO_BIG
        try:
            found = await backend.parse_notice(token, headers, raw)
        except Mistimed as mistimed:
            # Signed by the vendor, so no stranger fills the log; if all of them come like this, a clock is wrong.
            log.error("webhook is refused", merchant=merchant, reason=str(mistimed))
            return Outcome.FORGED
        except Unauthorized:
            return Outcome.FORGED
        except BackendError as error:
            log.warning("a notice is not read", merchant=merchant, error=type(error).__name__)
            return Outcome.NOTHING
        at_ms = time.time_ns() // 1_000_000
        try:
            async with asyncio.timeout(PUT_TIMEOUT_S):
                for hint in found:
                    await self._put(PaymentHint(merchant=merchant, backend_ref=hint.backend_ref, at_ms=at_ms))
        except TimeoutError:
            return Outcome.NOT_KEPT
        return Outcome.HINTED if found else Outcome.NOTHING

    def _called(self, token: str) -> tuple[str, PaymentBackend] | None:
        """The merchant and the wallet of it that is called, if it is still of that kind."""
        shops = list(self._shops())
        wallets = {Called(shop.public_key, shop.wallet, False) for shop in shops}
        wallets |= {Called(shop.public_key, shop.spare_wallet, True) for shop in shops if shop.spare_wallet}
        for one in wallets - self._known:
            place = spare_of(one.merchant) if one.is_spare else one.merchant
            self._of_token[self._token_of(place, one.kind)] = one
        self._known |= wallets
        found = self._of_token.get(token)
        if found is None or found not in wallets:
            return None
        backend = self._spare_of(found.merchant) if found.is_spare else self._backend_of(found.merchant)
        return None if backend is None or not backend.capabilities.takes_notices else (found.merchant, backend)


def add_routes(app: FastAPI, hooks: Hooks) -> None:
    """`POST /hooks/TOKEN`; the answer has no body, so that it tells nobody anything."""

    @app.post(f"{PATH}/{{token}}")
    async def called(token: str, request: Request) -> Response:
        outcome = await hooks.hear(token, request.headers, lambda: body_of(request, limits.HOOK_BODY.most))
        status, headers = STATUS[outcome], {}
        if outcome in (Outcome.NO_HOOK, Outcome.FORGED):
            status = 429 if hooks.is_pestered_by(caller_of(request)) else status
        if status in (429, 503):
            headers["Retry-After"] = "10"
        return Response(status_code=status, headers=headers)


def add_told(app: FastAPI, guarded: Sequence[Any], told: Callable[[], list[dict[str, Any]]]) -> None:
    """`GET /webhooks`, for the operator: how often vendors called since the start, and what became of it."""

    @app.get("/webhooks", dependencies=guarded)
    async def show_webhooks() -> list[dict[str, Any]]:
        return told()
