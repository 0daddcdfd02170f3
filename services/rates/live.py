"""Asks the sources again and again, and answers with what they agree on; pinned rates come before live ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import httpx
import structlog

from schemas.orders import Rate
from services.rates.board import Board
from services.rates.fixed import FixedRates
from services.rates.sources import BadAnswer, Source

EVERY_S = 30.0
PATIENCE_S = 10.0
BYTES_MAX = 1_000_000

log = structlog.get_logger(role="rates")


class LiveRates:
    """The rates of a process; without sources the pinned ones alone."""

    def __init__(
        self, sources: Sequence[Source], pinned: FixedRates, notify: Callable[[str], None] = lambda _: None
    ) -> None:
        """`notify` shows the operator a sentence; an empty one takes it away."""
        self._sources, self._pinned, self._notify = sources, pinned, notify
        self._board = Board()
        self._live: dict[str, Rate] = {}

    def now(self, now_ms: int) -> dict[str, Rate]:
        """Every rate; a live one says itself how old it is."""
        return {**self._live, **self._pinned.now(now_ms)}

    async def run(self, every_s: float = EVERY_S) -> None:
        """Ask until cancelled; a source that fails is asked again with the next round."""
        if not self._sources:
            await asyncio.Event().wait()
        limits = httpx.Timeout(PATIENCE_S)
        async with httpx.AsyncClient(timeout=limits, follow_redirects=False) as http:
            while True:
                failed = [why for why in await asyncio.gather(*(self._ask(http, s) for s in self._sources)) if why]
                self._live = self._board.look(_now_ms())
                self._notify(f"rate sources that do not answer: {'; '.join(failed)}" if failed else "")
                await asyncio.sleep(every_s)

    async def _ask(self, http: httpx.AsyncClient, source: Source) -> str:
        """Hear one source; gives why not, in a few words."""
        try:
            async with asyncio.timeout(PATIENCE_S), http.stream("GET", source.url) as answer:
                answer.raise_for_status()
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > BYTES_MAX:
                        raise BadAnswer(f"{source.name}: more than {BYTES_MAX:,} bytes")
            self._board.hear(source.name, _now_ms(), source.prices(bytes(body)))
        except (httpx.HTTPError, BadAnswer, TimeoutError) as error:
            why = str(error) if isinstance(error, BadAnswer) else f"{source.name}: {type(error).__name__}"
            log.warning("rate source failed", source=source.name, why=why)
            return why
        return ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
