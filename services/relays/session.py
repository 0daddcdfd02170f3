"""One connection's worth of reading: open queries, page through the past, pass every event on.

```
REQ ──▶ stored events ──EOSE──▶ cut off? ──yes──▶ page by page into the past ──▶ complete up to the REQ's time
 ▲                                  └───no──────────────────────────────────────▶        │ then live, and each
 └── CLOSED: authenticate or wait, then again                                            ▼ answered ping adds to it
```
Three tasks share it: one reads and sinks, one opens and closes queries, one pings.
Awaiting the sink is the back-pressure: while it stalls, nothing is read from this socket.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.relays.auth import Authenticate, Authentication
from services.relays.connection import Connection
from services.relays.errors import ConnectionLost
from services.relays.frames import (
    AuthFrame,
    BadFrame,
    ClosedFrame,
    CountFrame,
    EoseFrame,
    EventFrame,
    Frame,
    FrameTooBig,
    NoticeFrame,
    OkFrame,
    close_message,
    prefix_of,
    req_message,
)
from services.relays.pace import Backoff, TokenBucket
from services.relays.reports import (
    Completion,
    Counters,
    RawSighting,
    RelayReport,
    Report,
    ReportKind,
    SeenTexts,
    plain,
)
from services.relays.subscriptions import (
    Group,
    RelayLimits,
    Subscription,
    label,
    next_until,
    plan,
    resume_since,
)

FRAMES_PER_TURN = 32
"""After so many frames that were all there already, let the other relays have the loop."""
PAGES_MAX = 10_000
"""Pages of one filter in one connection; a relay that has still more is making them up."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """The waits and rates of reading one relay."""

    ping_interval_s: float = 20.0
    pong_timeout_s: float = 20.0
    auth_timeout_s: float = 5.0
    eose_timeout_s: float = 30.0
    tick_s: float = 0.25
    frames_per_s: float = 2_000.0
    frames_burst: float = 5_000.0
    again: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, most_s=300.0))
    reconnect: Backoff = field(default_factory=Backoff)
    stable_after_s: float = 30.0
    """A connection that lived shorter does not reset the reconnect back-off (a flapping relay)."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What reading needs from outside; `now_ms` is UTC, `draw` a random number in [0, 1)."""

    sink: Callable[[RawSighting], Awaitable[None]]
    on_complete: Callable[[Completion], Awaitable[None]]
    authenticate: Authenticate
    report: Report
    now_ms: Callable[[], int]
    draw: Callable[[], float]


@dataclass(slots=True)
class RelayMemory:
    """What outlives a connection: what is wanted, what was seen, how far it is complete (unix seconds)."""

    url: str
    wanted: tuple[Subscription, ...]
    limits: RelayLimits
    cursors: dict[str, int | None]
    bucket: TokenBucket
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    seen: SeenTexts = field(default_factory=SeenTexts)
    counters: Counters = field(default_factory=Counters)


@dataclass(slots=True)
class _Query:
    """One REQ on the wire; `page_of` tells a page into the past from a live query."""

    group: Group
    is_page: bool
    since_s: int | None
    until_s: int | None
    page_number: int = 0
    asked_at: float = 0.0
    count: int = 0
    oldest_s: int | None = None
    has_eose: bool = False

    def note(self, created_at: int | None, now: float) -> None:
        self.asked_at = now
        if created_at is None or self.has_eose:
            return
        if (self.until_s is not None and created_at > self.until_s) or created_at < (self.since_s or 0):
            return
        self.count += 1
        self.oldest_s = created_at if self.oldest_s is None else min(self.oldest_s, created_at)


@dataclass(slots=True)
class _GroupState:
    """How far one REQ of the plan is read in this connection."""

    asked_at_s: int = 0
    pages: deque[_Query] = field(default_factory=deque)
    is_paging: bool = False
    is_complete: bool = False
    refusals: int = 0


class Session:
    """Reads one connection until it ends; see the module's picture."""

    def __init__(
        self, connection: Connection, memory: RelayMemory, ports: Ports, settings: ReadSettings
    ) -> None:
        self._connection = connection
        self._memory = memory
        self._ports = ports
        self._settings = settings
        self._auth = Authentication(memory.url, ports.authenticate, connection.send, settings.auth_timeout_s)
        self._groups: dict[Group, _GroupState] = {}
        self._queries: dict[str, _Query] = {}
        self._queries_made = 0
        self._again: list[tuple[float, _Query]] = []
        self._unauthenticated: list[_Query] = []

    async def run(self) -> None:
        """Read until the connection ends. Raises a group of `ConnectionLost` or of what a port raised."""
        self._memory.changed.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._steer())
            tasks.create_task(self._beat())

    # Reading

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            frame = await self._connection.receive()
            wait_s = self._memory.bucket.take(loop.time())
            if wait_s > 0 or self._connection.frames_read % FRAMES_PER_TURN == 0:
                await asyncio.sleep(wait_s)
            await self._take(frame)

    async def _take(self, frame: Frame) -> None:
        match frame:
            case EventFrame():
                await self._sight(frame)
            case EoseFrame(subscription):
                await self._end_stored(subscription)
            case ClosedFrame(subscription, message):
                self._closed(subscription, message)
            case OkFrame():
                self._auth.on_ok(frame)
            case AuthFrame(challenge):
                self._auth.on_challenge(challenge)
            case NoticeFrame(message):
                self._report(ReportKind.NOTICE, message)
            case CountFrame():
                pass
            case FrameTooBig(size_bytes):
                self._memory.counters.too_big += 1
                self._report(ReportKind.FRAME_TOO_BIG, "dropped", size_bytes)
            case BadFrame(reason, size_bytes):
                self._memory.counters.bad_frames += 1
                self._report(ReportKind.BAD_FRAME, reason, size_bytes)

    async def _sight(self, frame: EventFrame) -> None:
        counters, seen = self._memory.counters, self._memory.seen
        query = self._queries.get(frame.subscription)
        if query is None:
            counters.unsolicited += 1
            self._report(ReportKind.UNSOLICITED, "event for a query we have not open", len(frame.text))
            return
        counters.received += 1
        query.note(frame.created_at, asyncio.get_running_loop().time())
        if seen.has(frame.text):
            counters.duplicates += 1
            return
        await self._ports.sink(
            RawSighting(
                self._memory.url, label(query.group), self._ports.now_ms(), frame.text, frame.event_id
            )
        )
        # Only what the sink took counts as seen: a failing sink must get it again.
        seen.add(frame.text)

    async def _end_stored(self, wire_id: str) -> None:
        query = self._queries.get(wire_id)
        if query is None or query.has_eose:
            return
        query.has_eose = True
        self._memory.counters.last_eose_ms = self._ports.now_ms()
        state = self._groups.get(query.group if not query.is_page else self._owner_of(query))
        if query.is_page:
            del self._queries[wire_id]
            await self._connection.send(close_message(wire_id))
        if state is None:
            return
        if query.is_page:
            state.is_paging = False
        else:
            state.refusals = 0
        self._plan_pages(query, state)
        await self._complete_if_done(state)
        self._memory.changed.set()

    # Paging

    # Completeness

    async def _complete_if_done(self, state: _GroupState) -> None:
        ...
