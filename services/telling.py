"""One event on its way to several relays: each is told in its own time, until it says yes, says no for good, or time
is up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from schemas.nostr.nip01 import Event, to_json
from services.relays import Outcome, PublishResult

PUBLISH_TIMEOUT_S = 15.0
"""How long one try at one relay may take."""
PAUSE_FIRST_S = 1.0
PAUSE_MAX_S = 60.0


class Relays(Protocol):
    """What telling needs of `services.relays.Publisher`."""

    async def publish(self, relay_url: str, event_id: str, event_text: str, timeout_s: float) -> PublishResult:
        """Publish one event to one relay; never raises for the relay's sake."""


def always() -> bool:
    """Whether an event that nothing replaces is still worth telling."""
    return True


class Telling:
    """Tells from the moment it is made; whoever made it closes it."""

    def __init__(
        self,
        relays: Relays,
        event: Event,
        urls: Iterable[str],
        until_s: float,
        is_wanted: Callable[[], bool] = always,
    ) -> None:
        """`until_s` is when to give up, by the monotonic clock; each relay is told once at least."""
        self.words: dict[str, PublishResult] = {}
        """The last word of each relay that has given one, by the address it was told at."""
        self._relays = relays
        self._event = event
        self._until_s = until_s
        self._is_wanted = is_wanted
        self._tasks = {url: asyncio.ensure_future(self._tell(url)) for url in dict.fromkeys(urls)}

    @property
    def said(self) -> list[PublishResult]:
        """The last words, in the order in which the relays were named."""
        return [self.words[url] for url in self._tasks if url in self.words]

    @property
    def left(self) -> tuple[str, ...]:
        """The relays that may still be told."""
        return tuple(url for url, task in self._tasks.items() if not task.done())

    @property
    def is_stored(self) -> bool:
        """Whether a relay says that it has the event."""
        return any(word.is_stored for word in self.words.values())

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """One task for each relay that is left."""
        return [task for task in self._tasks.values() if not task.done()]

    async def placed(self) -> None:
        """Wait until one relay has the event, or none is left to be told."""
        while not self.is_stored and self.under_way:
            await a_word(self)
        self.check()

    def check(self) -> None:
        """Raise what a task ended with, which is never a relay's fault."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.result()

    async def close(self) -> None:
        """Tell nobody any more."""
        if under_way := self.under_way:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _tell(self, url: str) -> None:
        text, pause_s = to_json(self._event), PAUSE_FIRST_S
        while self._is_wanted():
            word = await self._relays.publish(url, self._event.id, text, PUBLISH_TIMEOUT_S)
            self.words[url] = word
            if word.is_stored or word.outcome is Outcome.REFUSED or time.monotonic() >= self._until_s:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_MAX_S)


async def a_word(*tellings: Telling) -> None:
    """Wait until one relay more is through."""
    await _wait(tellings, asyncio.FIRST_COMPLETED, None)


async def the_rest(*tellings: Telling, timeout_s: float) -> None:
    """Wait until every relay is through, but not longer than this."""
    await _wait(tellings, asyncio.ALL_COMPLETED, timeout_s)


async def _wait(tellings: Iterable[Telling], until: str, timeout_s: float | None) -> None:
    under_way = [task for telling in tellings for task in telling.under_way]
    if under_way:
        await asyncio.wait(under_way, timeout=timeout_s, return_when=until)
    for telling in tellings:
        telling.check()
