"""Has a back-end make one request for a reference, however many ask and whatever gets lost on the way.

Look up, else make, else look up again (L5): a call without an answer is never followed by a second one
before a look-up, and where a back-end would take a second one, not before the first can no longer appear.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from services.payments.asking import left_s, monotonic_s
from services.payments.port import BackendError, Intent, Reference, Rejected, Retry, Unauthorized, Unknown


class Timed[A, T](Protocol):
    """A call about something, in so many seconds."""

    def __call__(self, about: A, *, timeout_s: float) -> Awaitable[T]:
        """Make it."""
        ...


class Making[T]:
    """The requests that are being made at one back-end; `T` is what it calls one."""

    def __init__(
        self,
        whom: str,
        find: Timed[Intent, T | None],
        make: Timed[Intent, T],
        doubt_s: float = 0.0,
        refuse: Callable[[Intent], None] = lambda _: None,
    ) -> None:
        """`find` gives what is there for an intent, `make` acts once; `refuse` raises where nothing may be made.

        `doubt_s` is how long after a call without an answer no second one is made, though nothing is found:
        0 where the back-end refuses a second request for one intent by itself.
        """
        self._whom, self._find, self._make, self._doubt_s, self._refuse = whom, find, make, doubt_s, refuse
        self._under_way: dict[Reference, asyncio.Task[T]] = {}
        self._doubts: dict[Reference, float] = {}

    async def one(self, intent: Intent, timeout_s: float) -> T:
        """Give the one for an intent's reference; who asks at once shares one call."""
        ref = intent.reference
        task = self._under_way.get(ref)
        if task is None:
            task = self._under_way[ref] = asyncio.create_task(self._find_or_make(intent, timeout_s))
            task.add_done_callback(partial(self._is_made, ref))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(task)
        except TimeoutError:
            raise Unknown(f"request {ref} is still being made") from None

    async def _find_or_make(self, intent: Intent, timeout_s: float) -> T:
        deadline_s, ref = monotonic_s() + timeout_s, intent.reference
        found = await self._find(intent, timeout_s=timeout_s)
        if found is not None:
            self._doubts.pop(ref, None)
            return found
        if monotonic_s() < self._doubts.get(ref, 0.0):
            raise Unknown(f"request {ref} may still be made by a call that got no answer")
        self._refuse(intent)
        rest_s = left_s(deadline_s, self._whom)
        self._doubts[ref] = monotonic_s() + self._doubt_s
        try:
            made = await self._make(intent, timeout_s=rest_s)
        except Unknown as doubt:
            made = await self._seen_after_all(intent, doubt, deadline_s)
        except (Rejected, Retry, Unauthorized):
            self._doubts.pop(ref, None)
            raise
        self._doubts.pop(ref, None)
        return made

    async def _seen_after_all(self, intent: Intent, doubt: Unknown, deadline_s: float) -> T:
        try:
            found = await self._find(intent, timeout_s=left_s(deadline_s, self._whom))
        except BackendError:
            raise doubt from None
        if found is None:
            raise doubt
        return found

    def _is_made(self, ref: Reference, task: asyncio.Task[T]) -> None:
        self._under_way.pop(ref, None)
        if not task.cancelled():
            task.exception()  # those who asked may be gone; then nobody else takes it
