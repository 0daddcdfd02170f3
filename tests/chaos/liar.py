"""A relay that stands beside the honest one and lies as it is told: hangs up, refuses, forgets, delays, repeats."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.chaos.plan import Kind

REFUSALS = ("error: out of space", "rate-limited: slow down", "blocked: not you", "restricted: members only", "")
DELAY_S = 3.0
REPEATS = 3
PAGE_MAX = 500


@dataclass(slots=True)
class Kept:
    """One stored event, and what filters look at."""

    text: str
    kind: int
    author: str
    created_at: int
    tags: frozenset[tuple[str, str]]


@dataclass(slots=True, eq=False)
class Guest:
    """One connection, and what it wants to be shown."""

    connection: ServerConnection
    queries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    async def say(self, *parts: object) -> None:
        """Send a frame; one who has gone hears nothing."""
        try:
            await self.connection.send(json.dumps(parts))
        except ConnectionClosed:
            self.queries.clear()


class Liar:
    """Listens on loopback; `lie` makes it misbehave for a while, `heal` ends all of that."""

    def __init__(self) -> None:
        self._port = 0
        self._server: Server | None = None
        self._guests: set[Guest] = set()
        self._events: dict[str, Kept] = {}
        self._until_s: dict[Kind, float] = {}
        self._refusals = itertools.cycle(REFUSALS)
        self._answers: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address, the same after it was away."""
        return f"ws://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await serve(
            self._welcome, "127.0.0.1", self._port, compression=None, max_size=None, close_timeout=0.2
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Cut everybody off, and listen no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            self._hang_up()
            await server.wait_closed()
        for answer in self._answers:
            answer.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)

    async def lie(self, kind: Kind, lasts_s: float) -> None:
        """Misbehave; returns when it is over."""
        self._until_s[kind] = time.monotonic() + lasts_s
        match kind:
            case Kind.AWAY:
                await self.stop()
                await asyncio.sleep(lasts_s)
                await self.start()
            case Kind.FLAP:
                while True:
                    self._hang_up()
                    if time.monotonic() > self._until_s[kind]:
                        return
                    await asyncio.sleep(1.0)
            case Kind.REPEAT:
                newest = list(self._events.values())[-PAGE_MAX:]
                for kept in newest:
                    await self._show_all(kept)
                await asyncio.sleep(lasts_s)
            case _:
                await asyncio.sleep(lasts_s)

    async def heal(self) -> None:
        """Behave from now on."""
        self._until_s.clear()
        if self._server is None:
            await self.start()

    def _lies(self, kind: Kind) -> bool:
        return self._until_s.get(kind, 0.0) > time.monotonic()

    def _hang_up(self) -> None:
        for guest in list(self._guests):
            guest.connection.transport.abort()

    async def _welcome(self, connection: ServerConnection) -> None:
        guest = Guest(connection)
        self._guests.add(guest)
        try:
            async for message in connection:
                self._answer_soon(guest, json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            self._guests.discard(guest)

    def _answer_soon(self, guest: Guest, frame: list[Any]) -> None:
        """Each frame on its own, so that a delay holds up one answer and not the connection."""
        task = asyncio.ensure_future(self._answer(guest, frame))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, guest: Guest, frame: list[Any]) -> None:
        if self._lies(Kind.DELAY):
            await asyncio.sleep(DELAY_S)
        match frame:
            case ["EVENT", dict(event)]:
                await self._take(guest, event)
            case ["REQ", str(name), *filters]:
                guest.queries[name] = filters
                for kept in list(self._stored(filters)):
                    await self._show(guest, name, kept)
                await guest.say("EOSE", name)
            case ["CLOSE", str(name)]:
                guest.queries.pop(name, None)

    async def _take(self, guest: Guest, event: dict[str, Any]) -> None:
        event_id = str(event["id"])
        if self._lies(Kind.REFUSE):
            await guest.say("OK", event_id, False, next(self._refusals))
            return
        if self._lies(Kind.FORGET):
            await guest.say("OK", event_id, True, "")
            return
        is_known = event_id in self._events
        if not is_known:
            tags = frozenset((tag[0], tag[1]) for tag in event["tags"] if len(tag) > 1)
            text = json.dumps(event, ensure_ascii=False)
            kept = Kept(text, event["kind"], event["pubkey"], event["created_at"], tags)
            self._events[event_id] = kept
            await self._show_all(kept)
        if not self._lies(Kind.SILENT):
            await guest.say("OK", event_id, True, "duplicate: have it" if is_known else "")

    async def _show_all(self, kept: Kept) -> None:
        for guest in list(self._guests):
            for name, filters in list(guest.queries.items()):
                if any(_matches(one, kept) for one in filters):
                    await self._show(guest, name, kept)

    async def _show(self, guest: Guest, name: str, kept: Kept) -> None:
        for _ in range(REPEATS if self._lies(Kind.REPEAT) else 1):
            try:
                await guest.connection.send(f'["EVENT",{json.dumps(name)},{kept.text}]')
            except ConnectionClosed:
                return

    def _stored(self, filters: list[dict[str, Any]]) -> Iterator[Kept]:
        """Per filter the newest first, a page at most."""
        for one in filters:
            found = sorted((k for k in self._events.values() if _matches(one, k)), key=lambda k: -k.created_at)
            yield from found[: min(PAGE_MAX, one.get("limit", PAGE_MAX))]


def _matches(one: dict[str, Any], kept: Kept) -> bool:
    if "kinds" in one and kept.kind not in one["kinds"]:
        return False
    if "authors" in one and kept.author not in one["authors"]:
        return False
    if not one.get("since", 0) <= kept.created_at <= one.get("until", 1 << 60):
        return False
    for name, values in one.items():
        if name.startswith("#") and not any((name[1:], value) in kept.tags for value in values):
            return False
    return True
