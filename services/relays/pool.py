"""All relays we read from: say what is wanted, and sockets follow.

    pool.want({"wss://relay.example": (Subscription("orders", ({"kinds": [1059], "#p": [merchant]},)),)})

One task and one socket per normalised address, and one more for each subscription with an identity of its own;
a slow, lying or flooding relay only harms itself.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Self

from services.relays.auth import Authenticate, no_identities
from services.relays.connection import ConnectionSettings, Resolve, open_connection, resolve_host
from services.relays.errors import BadRelayUrl, ConnectionLost, RelayError
from services.relays.pace import TokenBucket
from services.relays.reports import (
    Completion,
    RawSighting,
    RelayReport,
    RelayStatus,
    Report,
    ReportKind,
    ignore_report,
    plain,
)
from services.relays.session import Ports, ReadSettings, RelayMemory, Session
from services.relays.subscriptions import RelayLimits, Subscription
from services.relays.urls import is_fit_for_strangers, normalise_relay_url

RELAYS_MAX = 256
"""Sockets one process reads from; beyond it, scale out."""


@dataclass(frozen=True, slots=True)
class RefusedRelay:
    """An address in the wanted list that is not read, and why."""

    address: str
    reason: str


type _Place = tuple[str, str]
"""A relay's address, and the one identity of a connection or nothing."""


@dataclass(slots=True)
class _Reading:
    memory: RelayMemory
    task: asyncio.Task[None]


async def ignore_completion(_: Completion) -> None:
    """Store no cursor."""


def nothing_complete(_relay: str, _cursor_key: str) -> int | None:
    """Know nothing: every subscription is read from the beginning."""
    return None


async def usual_limits(_relay: str) -> RelayLimits:
    """Ask no relay what it puts up with."""
    return RelayLimits()


def unix_ms() -> int:
    """Return UTC milliseconds."""
    return time.time_ns() // 1_000_000


class RelayPool:
    """Reads any number of relays into one sink.

    `sink` takes each sighting and returns when it is in safe hands; if it raises, the connection is dropped
    and what it did not take is asked for again. `last_complete` and `on_complete` are the caller's store of
    cursors; `is_trusted` names the relays the operator vouches for, all others must be public `wss`.
    `limits` says what a relay puts up with; it is asked at each connection and must not take long.
    """

    def __init__(
        self,
        sink: Callable[[RawSighting], Awaitable[None]],
        *,
        authenticate: Authenticate = no_identities,
        on_complete: Callable[[Completion], Awaitable[None]] = ignore_completion,
        last_complete: Callable[[str, str], int | None] = nothing_complete,
        is_trusted: Callable[[str], bool] = lambda _url: False,
        limits: Callable[[str], Awaitable[RelayLimits]] = usual_limits,
        report: Report = ignore_report,
        settings: ReadSettings | None = None,
        connection_settings: ConnectionSettings | None = None,
        resolve: Resolve = resolve_host,
        now_ms: Callable[[], int] = unix_ms,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._ports = Ports(sink, on_complete, last_complete, authenticate, report, now_ms, draw)
        self._is_trusted = is_trusted
        self._limits = limits
        self._settings = settings or ReadSettings()
        self._connection_settings = connection_settings or ConnectionSettings()
        self._resolve = resolve
        self._readings: dict[_Place, _Reading] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def want(self, subscriptions: Mapping[str, tuple[Subscription, ...]]) -> tuple[RefusedRelay, ...]:
        """Replace the desired state; returns at once, sockets and queries follow.

        Two spellings of one relay share its socket. A relay without subscriptions is not connected.
        Addresses that cannot or must not be dialled come back and harm no other.
        """
        wanted, refused = self._by_relay(subscriptions)
        for place in [place for place in self._readings if place not in wanted]:
            self._end(self._readings.pop(place))
        for place, asked in wanted.items():
            reading = self._readings.get(place)
            if reading is None:
                self._readings[place] = self._begin(place, asked)
            elif reading.memory.wanted != asked:
                reading.memory.wanted = asked
                reading.memory.changed.set()
        return tuple(refused)

    def status(self) -> dict[str, RelayStatus]:
        """Return how each wanted relay stands, and each connection that is one identity's, by its first digits."""
        return {
            f"{url} as {identity[:8]}" if identity else url: reading.memory.counters.frozen()
            for (url, identity), reading in self._readings.items()
        }

    async def close(self) -> None:
        """Close every socket; what is in the sink stays there."""
        self.want({})
        if self._ending:
            await asyncio.wait(self._ending)

    def _by_relay(
        self, subscriptions: Mapping[str, tuple[Subscription, ...]]
    ) -> tuple[dict[_Place, tuple[Subscription, ...]], list[RefusedRelay]]:
        wanted: dict[_Place, tuple[Subscription, ...]] = {}
        refused: list[RefusedRelay] = []
        for address, asked in subscriptions.items():
            try:
                url = normalise_relay_url(address)
            except BadRelayUrl as error:
                refused.append(RefusedRelay(address, str(error)))
                continue
            if not self._is_trusted(url) and not is_fit_for_strangers(url):
                refused.append(RefusedRelay(address, "neither trusted nor a public wss address"))
            else:
                for identity in dict.fromkeys(one.identity for one in asked):
                    place = (url, identity)
                    if place not in wanted and len(wanted) >= RELAYS_MAX:
                        refused.append(RefusedRelay(address, f"more than {RELAYS_MAX} relays"))
                        break
                    mine = (one for one in asked if one.identity == identity)
                    both = {one.cursor_key: one for one in (*wanted.get(place, ()), *mine)}
                    wanted[place] = tuple(both.values())
        return wanted, refused

    def _begin(self, place: _Place, asked: tuple[Subscription, ...]) -> _Reading:
        url, identity = place
        bucket = TokenBucket(self._settings.frames_per_s, self._settings.frames_burst)
        memory = RelayMemory(url, asked, RelayLimits(), bucket, identity=identity)
        return _Reading(memory, asyncio.create_task(self._read_for_ever(memory), name=f"read {url}"))

    def _end(self, reading: _Reading) -> None:
        # The flag as well, since a failure at the same moment can swallow the cancellation.
        reading.memory.is_ended = True
        reading.task.cancel()
        self._ending.add(reading.task)
        reading.task.add_done_callback(self._ending.discard)

    async def _read_for_ever(self, memory: RelayMemory) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        while True:
            began_at_s = loop.time()
            try:
                await self._read_once(memory)
            # Whatever ends a connection, a failing sink included, the relay is read again after a wait;
            # what it was is in the status and the report.
            except* Exception as errors:  # noqa: BLE001
                self._note(memory, errors)
            if memory.is_ended:
                return
            if loop.time() - began_at_s > self._settings.stable_after_s:
                attempt = 0
            await asyncio.sleep(self._settings.reconnect.delay_s(attempt, self._ports.draw()))
            attempt += 1

    async def _read_once(self, memory: RelayMemory) -> None:
        limits = asyncio.ensure_future(self._limits(memory.url))
        try:
            connection = await open_connection(
                memory.url,
                self._connection_settings,
                is_trusted=self._is_trusted(memory.url),
                resolve=self._resolve,
            )
        except BaseException:
            limits.cancel()
            raise
        memory.counters.is_connected = True
        memory.counters.reconnects += memory.was_connected
        memory.was_connected = True
        try:
            memory.limits = await limits
            await Session(connection, memory, self._ports, self._settings).run()
        finally:
            limits.cancel()
            memory.counters.is_connected = False
            await connection.close()

    def _note(self, memory: RelayMemory, errors: BaseExceptionGroup[Exception]) -> None:
        for error in errors.exceptions:
            if isinstance(error, BaseExceptionGroup):
                self._note(memory, error)
                continue
            if isinstance(error, ConnectionLost) and error.is_oversized:
                memory.counters.too_big += 1
                size_bytes = self._connection_settings.frame_hard_max_bytes
                self._ports.report(RelayReport(memory.url, ReportKind.FRAME_TOO_BIG, "connection closed", size_bytes))
            # The text of a foreign error may quote an event; its type says enough.
            words = str(error) if isinstance(error, RelayError) else type(error).__name__
            memory.counters.last_error = plain(words)
            self._ports.report(RelayReport(memory.url, ReportKind.DISCONNECTED, plain(words)))
