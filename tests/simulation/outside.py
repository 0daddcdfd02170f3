"""The relays of a history, of several characters, and where buyers read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.directory import Route
from services.relays.publish import Outcome, PublishResult

HONEST, LAZY, DOWN, LOSES_OK, REFUSES, LIES, DENIES = range(7)
CHARACTERS = ("honest", "lazy", "down", "loses OK after accepting", "refuses", "says OK and drops", "denies and keeps")


@dataclass(slots=True)
class Relay:
    """One relay: what it keeps, in the order it came, and how it behaves now."""

    url: str
    character: int = HONEST
    texts: dict[str, str] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    stored_for_sure: set[str] = field(default_factory=set)

    def store(self, event_id: str, text: str) -> bool:
        """Keep an event; False where it was there."""
        if event_id in self.texts:
            return False
        self.texts[event_id] = text
        self.order.append((event_id, text))
        return True


class RelayNet:
    """What the publisher sees of the relays (`services.relays.Publisher`)."""

    def __init__(self, relays: dict[str, Relay], on_stored: Callable[[str], None]) -> None:
        self._relays = relays
        self._on_stored = on_stored
        self.acknowledged: dict[str, None] = {}
        """Events that a relay kept or said yes to, in the order of the first time: a lost yes is one for the buyer."""

    async def publish(self, relay: str, event_id: str, text: str, timeout_s: float) -> PublishResult:
        """One event to one relay."""
        result = await self._answer(self._relays[relay], relay, event_id, text)
        if result.is_stored:
            self.acknowledged.setdefault(event_id)
        return result

    async def _answer(self, at: Relay, relay: str, event_id: str, text: str) -> PublishResult:
        match at.character:
            case 1:
                await asyncio.sleep(2.0)
            case 2:
                return PublishResult(relay, Outcome.UNREACHABLE, "drawn: down", 1)
            case 3:
                self._keep(at, event_id, text)
                return PublishResult(relay, Outcome.TIMEOUT, "drawn: no OK", 1)
            case 4:
                return PublishResult(relay, Outcome.REFUSED, "blocked: drawn", 1)
            case 5:
                return PublishResult(relay, Outcome.ACCEPTED, "", 1)
            case 6:
                self._keep(at, event_id, text)
                return PublishResult(relay, Outcome.REFUSED, "blocked: drawn", 1)
            case _:
                pass
        is_new = self._keep(at, event_id, text)
        at.stored_for_sure.add(event_id)
        return PublishResult(relay, Outcome.ACCEPTED if is_new else Outcome.DUPLICATE, "", 1)

    def _keep(self, relay: Relay, event_id: str, text: str) -> bool:
        self.acknowledged.setdefault(event_id)
        is_new = relay.store(event_id, text)
        if is_new:
            self._on_stored(event_id)
        return is_new


class SimDirectory:
    """Where buyers read: always the same relays; merchants have no lists (`services.directory.Directory`)."""

    def __init__(self, relays: tuple[str, ...]) -> None:
        self._route = Route(relays)

    async def route(self, recipient: str, ask: Any) -> Route:
        return self._route

    async def copies(self, merchant: str, ask: Any) -> tuple[str, ...]:
        return tuple(ask)

    async def public(self, author: str, ask: Any) -> tuple[str, ...]:
        return tuple(ask)

    async def spread(self, author: str, ask: Any, named: Any) -> tuple[str, ...]:
        return tuple(ask)
