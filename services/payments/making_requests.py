"""Has a wallet, or the spare one, hold exactly one request for each entry, however long that takes (L5, C-27)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from schemas.crash_points import Point, reach
from schemas.payments import PaymentWanted
from services.payments.listening import CALL_TIMEOUT_S, PATIENCE_MAX_S, PAUSE_FIRST_S, PAUSE_MAX_S
from services.payments.open_requests import Open, faults_of
from services.payments.port import (
    BackendError,
    Held,
    Intent,
    PaymentBackend,
    PaymentRequest,
    Push,
    Rejected,
    Unauthorized,
    Unsupported,
)
from services.payments.ways import Ways

REFUSALS_MAX: Final = 5
"""Requests with a wrong amount, network or payee that a back-end may return before the order fails."""

log = structlog.get_logger(role="payments")


class RequestMaker:
    """Makes requests, or finds those that were made."""

    def __init__(
        self,
        ways: Ways,
        preimage_secret: bytes,
        made: Callable[[Open, Intent, PaymentRequest], Awaitable[None]],
        failed: Callable[[Open, str], Awaitable[None]],
        missed: Callable[[Open], Awaitable[None]],
    ) -> None:
        """`made` is told of a request that may be shown, `failed` why there will be none, `missed` of each call that
        was not answered."""
        self._ways, self._preimage_secret, self._made, self._failed = ways, preimage_secret, made, failed
        self._missed = missed

    async def make(self, entry: Open) -> None:
        """Have the back-end hold exactly one request for the intent, and say so. A time-out is unknown (L5).

        One that a buyer was shown is found again however old it is: it may have been paid while nobody watched.
        """
        pause_s, refusals = PAUSE_FIRST_S, 0
        while entry.requested or (entry.wanted.expires_at > time.time() and not entry.dropped):
            try:
                reach(Point.PAYMENTS_ENSURING)
                backend = self._choose(entry)
                intent = entry.intent(self._preimage_secret, backend)
                request = await backend.ensure(intent, timeout_s=CALL_TIMEOUT_S)
                self._judge(entry, is_well=True)
                entry.payable_late_s = backend.capabilities.payable_late_s
                entry.is_deaf = backend.capabilities.push is Push.NONE
                refused = None if entry.requested else faults_of(intent, request, backend, int(time.time()))
                if refused is None:
                    await self._made(entry, intent, request)
                    return
                refusals += 1
                log.error("not sent", intent=entry.intent_id, reason=refused.reason.value, detail=refused.detail)
                if refusals >= REFUSALS_MAX:
                    await self._failed(entry, refused.reason.value)
                    return
            except (Rejected, Unsupported) as error:
                if isinstance(error, Unsupported) and entry.lacks_description_hash():
                    continue
                if self._turns_elsewhere(entry):
                    continue
                entry.gone = True
                if not entry.requested:
                    await self._failed(entry, type(error).__name__.lower())
                return
            except Unauthorized as error:
                self._judge(entry, is_well=False, why=str(error))
                log.error("back-end refuses our credentials", merchant=entry.merchant, error=str(error))
            except Held as held:
                self._judge(entry, is_well=False, why=str(held), is_held=True)
                log.error("wallet is held", merchant=entry.merchant, reason=str(held))
            except BackendError as error:
                self._judge(entry, is_well=False)
                log.warning("back-end call", intent=entry.intent_id, error=type(error).__name__)
                pause_s = max(pause_s, min(error.retry_after_s, PATIENCE_MAX_S))
            await self._missed(entry)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)

    def _choose(self, entry: Open) -> PaymentBackend:
        """Where an entry's request is, or is to be made."""
        if not entry.requested and isinstance(entry.wanted, PaymentWanted):
            is_left = not entry.refused_by
            entry.is_spare = self._ways.takes_spare(entry.merchant) if is_left else False in entry.refused_by
        return self._ways.of(entry.merchant, entry.is_spare)

    def _judge(self, entry: Open, *, is_well: bool, why: str = "", is_held: bool = False) -> None:
        """How a call went, for the wallet; a spare one is asked for ever. One that is held gives way at once."""
        if entry.is_spare:
            return
        if is_well:
            self._ways.worked(entry.merchant)
        else:
            self._ways.failed(entry.merchant, why, is_held=is_held)

    def _turns_elsewhere(self, entry: Open) -> bool:
        """Ask the other wallet for what this one refuses for good; False where both have, or there is no other."""
        if entry.requested or not isinstance(entry.wanted, PaymentWanted):
            return False
        entry.refused_by.add(entry.is_spare)
        return len(entry.refused_by) == 1 and self._ways.has_spare(entry.merchant)
