"""Finds the sessions that were made for a reference: Stripe lists sessions by when they were made, and by no name.

A list is read once, the newest first; then only what is newer is asked for, and older ones when they are wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from services.payments.asking import monotonic_s
from services.payments.http_calls import HttpCalls
from services.payments.port import Reference
from services.payments.stripe_lists import pages
from services.payments.stripe_words import Session, moment_of, sessions_in

SESSIONS: Final = "/v1/checkout/sessions"
OVERLAP_S: Final = 300
"""How much of what was read is read again: a session may be listed a moment after it was made."""


class SessionIndex:
    """The sessions of one account that are known by now."""

    def __init__(self, calls: HttpCalls) -> None:
        self._calls = calls
        self._of: dict[Reference, dict[str, Session]] = {}
        self._low: int | None = None
        """Everything made from here on was read, up to `_newest`; unix seconds."""
        self._newest = 0
        self._asked_s = 0.0
        """When the newest were asked for last, by the loop's clock."""
        self._reading = asyncio.Lock()

    def of(self, ref: str) -> list[Session]:
        """The sessions of a reference, the first one first, as they were told last."""
        return sorted(self._of.get(Reference(ref), {}).values(), key=lambda one: (one.created, one.id))

    def note(self, session: Session) -> Session:
        """Remember one; a page that was open once keeps its address."""
        if (ref := session.reference) is None:
            return session
        known = self._of.setdefault(ref, {})
        before = known.get(session.id)
        if before is not None and session.url is None:
            session = session.model_copy(update={"url": before.url})
        known[session.id] = session
        return session

    async def read(self, since: int, timeout_s: float) -> None:
        """Know all that were made since a moment (unix seconds); what was read so far stays. Raises `Retry`."""
        deadline_s, asked_s = monotonic_s() + timeout_s, monotonic_s()
        async with self._reading:
            if self._asked_s <= asked_s:
                began_s = monotonic_s()
                await self._newer(since, deadline_s)
                self._asked_s = began_s
            if self._low is not None and since < self._low:
                await self._older(since, self._low, deadline_s)

    async def _newer(self, since: int, deadline_s: float) -> None:
        if self._low is None:
            await self._older(since, None, deadline_s)
            return
        newest = self._newest
        async for at, _ in self._pages({"created[gte]": self._newest - OVERLAP_S}, deadline_s):
            newest = max([newest, *at])
        self._newest = newest

    async def _older(self, since: int, until: int | None, deadline_s: float) -> None:
        """Read back to a moment; a call that fails on the way loses only the rest."""
        bounds = {"created[gte]": since} | ({} if until is None else {"created[lte]": until})
        async for at, is_more in self._pages(bounds, deadline_s):
            self._newest = max([self._newest, since, *at])
            self._low = min(at, default=since) if is_more else since

    async def _pages(self, bounds: Mapping[str, int], deadline_s: float) -> AsyncIterator[tuple[list[int], bool]]:
        """Note what is listed; give when each of a page was made, the newest first, and whether more follow."""
        async for rows, is_more in pages(self._calls, SESSIONS, bounds, deadline_s):
            for session in sessions_in(rows):
                self.note(session)
            yield [moment_of(row) for row in rows], is_more
