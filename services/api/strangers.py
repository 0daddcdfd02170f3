"""What the buyers' doors share: how often one may call, who it is, how much is read, and the journal from then on."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from fastapi import Request

from schemas.limits import Limit
from schemas.messages import JournalRecord
from services.relays.pace import TokenBucket

CALLERS_MAX: Final = 10_000
"""Network addresses that are counted at once; the one that was quiet longest is forgotten."""

Records = Callable[[str], AbstractAsyncContextManager[AsyncIterator[JournalRecord]]]
"""A merchant's key → every record of that journal partition from then on."""


class Turns:
    """So many calls a minute for each name."""

    def __init__(self, names_max: int | None = None, clock: Callable[[], float] = lambda: time.monotonic()) -> None:
        """Counts `names_max` names at once, or all of them where strangers do not choose the names."""
        self._names_max, self._clock = names_max, clock
        self._of: dict[str, TokenBucket] = {}

    def wait_s(self, name: str, limit: Limit) -> float:
        """Take a turn: 0, or the seconds to wait for one, and then none was taken."""
        bucket = self._of.pop(name, None) or TokenBucket(limit.most / 60, limit.most)
        self._of[name] = bucket
        if self._names_max is not None and len(self._of) > self._names_max:
            del self._of[next(iter(self._of))]
        now_s = self._clock()
        if wait_s := bucket.wait_s(now_s):
            return wait_s
        bucket.take(now_s)
        return 0.0


def retry_after(wait_s: float) -> dict[str, str]:
    """The header that says when to come again; none where that makes no difference."""
    return {"Retry-After": str(int(wait_s) + 1)} if wait_s else {}


def caller_of(request: Request) -> str:
    """Who calls, as far as the network says; a proxy on this machine says it for others."""
    return request.client.host if request.client else ""


async def body_of(request: Request, most: int) -> bytes | None:
    """The body, read no further than `most` bytes; None for a longer one."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            return None
    return bytes(body)
