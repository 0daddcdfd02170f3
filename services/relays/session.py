"""One connection's worth of reading: events into the sink, queries steered, the relay pinged.

Three tasks share it: one reads and sinks, one sends what the query book says, one pings.
Awaiting the sink is the back-pressure: while it stalls, nothing is read from this socket.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.relays.auth import Authenticate, Authentication, only
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
    prefix_of,
)
from services.relays.pace import Backoff, TokenBucket
from services.relays.queries import Now, QueryBook, Reached
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
from services.relays.subscriptions import RelayLimits, Subscription, label, plan

FRAMES_PER_TURN = 32
"""After so many frames that were all there already, let the other relays have the loop."""
SETTLE_S = 0.01
"""Long enough for a frame that has arrived to reach the reader."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """The waits and rates of reading one relay."""

    ping_interval_s: float = 20.0
    pong_timeout_s: float = 20.0
    auth_timeout_s: float = 5.0
    eose_timeout_s: float = 30.0
    tick_s: float = 0.25
    frames_per_s: float = 4_000.0
    frames_burst: float = 8_000.0
    again: Backoff = field(default_factory=lambda: Backoff(first_s=1.0, most_s=300.0))
    reconnect: Backoff = field(default_factory=Backoff)
    stable_after_s: float = 30.0
    """A connection that lived shorter does not reset the reconnect back-off: a flapping relay."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What reading needs from outside; `now_ms` is UTC, `draw` a random number in [0, 1)."""

    sink: Callable[[RawSighting], Awaitable[None]]
    on_complete: Callable[[Completion], Awaitable[None]]
    last_complete: Callable[[str, str], int | None]
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
    bucket: TokenBucket
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    cursors: dict[str, int] = field(default_factory=dict)
    identity: str = ""
    """The only one to authenticate as; empty for every one we have."""
    seen: SeenTexts = field(default_factory=SeenTexts)
    counters: Counters = field(default_factory=Counters)
    was_connected: bool = False
    is_ended: bool = False


class Session:
    """Reads one connection until it ends."""

    def __init__(self, connection: Connection, memory: RelayMemory, ports: Ports, settings: ReadSettings) -> None:
        self._connection = connection
        self._memory = memory
        self._ports = ports
        self._settings = settings
        authenticate = only(memory.identity, ports.authenticate) if memory.identity else ports.authenticate
        self._auth = Authentication(memory.url, authenticate, connection.send, settings.auth_timeout_s)
        self._planned: tuple[Subscription, ...] = ()
        self._book = QueryBook(
            cursor=self._cursor,
            page_events=memory.limits.page_events,
            eose_timeout_s=settings.eose_timeout_s,
            again=settings.again,
            draw=ports.draw,
            report=self._report,
        )

    async def run(self) -> None:
        """Read until the connection ends. Raises a group of `ConnectionLost` or of what a port raised."""
        self._replan()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._steer())
                tasks.create_task(self._beat())
        finally:
            self._auth.end(ConnectionLost(f"the connection to {self._memory.url} is over"))

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
            case EoseFrame(name):
                self._memory.counters.last_eose_ms = self._ports.now_ms()
                await self._reach(self._book.on_eose(name))
                self._memory.changed.set()
            case ClosedFrame(name, message):
                self._report(ReportKind.CLOSED, message)
                self._memory.counters.last_error = plain(f"closed: {message}")
                group = self._book.on_closed(name, message, self._now())
                if self._auth.identities > 1 and prefix_of(message) in ("auth-required", "restricted"):
                    self._report(ReportKind.ONE_IDENTITY, label(group))
                self._memory.changed.set()
            case OkFrame():
                self._auth.on_ok(frame)
            case AuthFrame(challenge):
                self._auth.on_challenge(challenge)
            case NoticeFrame(message):
                self._report(ReportKind.NOTICE, message)
            case FrameTooBig(size_bytes):
                self._memory.counters.too_big += 1
                self._report(ReportKind.FRAME_TOO_BIG, "dropped", size_bytes)
            case BadFrame(reason, size_bytes):
                self._memory.counters.bad_frames += 1
                self._report(ReportKind.BAD_FRAME, reason, size_bytes)
            case CountFrame():
                pass  # We ask for none.

    async def _sight(self, frame: EventFrame) -> None:
        counters, seen = self._memory.counters, self._memory.seen
        group = self._book.on_event(frame.subscription, frame.created_at, self._now().steady_s)
        if group is None:
            counters.unsolicited += 1
            self._report(ReportKind.UNSOLICITED, "an event for a query that is not open", len(frame.text))
            return
        counters.received += 1
        if seen.has(frame.text):
            counters.duplicates += 1
            return
        now_ms = self._ports.now_ms()
        await self._ports.sink(RawSighting(self._memory.url, label(group), now_ms, frame.text, frame.event_id))
        # Only what the sink took counts as seen: after a failure it must get the event again.
        seen.add(frame.text)

    async def _reach(self, reached: list[Reached]) -> None:
        for one in reached:
            self._memory.cursors[one.cursor_key] = one.until_s
            await self._ports.on_complete(Completion(self._memory.url, one.subscription, one.cursor_key, one.until_s))

    # Steering

    async def _steer(self) -> None:
        changed = self._memory.changed
        while True:
            if self._book.needs_authentication:
                is_accepted = await self._auth.run()
                if not is_accepted:
                    self._memory.counters.last_error = "the relay accepted none of our identities"
                self._book.on_authentication(is_accepted, self._now())
            is_stalled = not self._connection.is_waiting
            for message in self._book.messages(self._now(), is_stalled=is_stalled):
                await self._connection.send(message)
            try:
                async with asyncio.timeout(self._settings.tick_s):
                    await changed.wait()
            except TimeoutError:
                continue
            changed.clear()
            self._replan()

    def _replan(self) -> None:
        if self._planned is not self._memory.wanted:
            self._planned = self._memory.wanted
            self._book.want(plan(self._planned, self._memory.limits), self._now())

    # Heartbeat

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.ping_interval_s)
            if not self._connection.is_waiting:
                continue  # It is we who are slow: the answer could not be read.
            frames_read, pinged_at_s = self._connection.frames_read, self._now().unix_s
            if await self._connection.ping(self._settings.pong_timeout_s):
                if await self._has_read_all():
                    await self._reach(self._book.on_pong(pinged_at_s))
            elif self._connection.is_waiting and self._connection.frames_read == frames_read:
                raise ConnectionLost(f"{self._memory.url} does not answer pings")

    async def _has_read_all(self) -> bool:
        """Return whether the reader is out of work, so that all sent before the pong is in the sink."""
        frames_read = self._connection.frames_read
        await asyncio.sleep(SETTLE_S)
        return self._connection.is_waiting and self._connection.frames_read == frames_read

    # Small things

    def _cursor(self, cursor_key: str) -> int | None:
        known = self._memory.cursors.get(cursor_key)
        return self._ports.last_complete(self._memory.url, cursor_key) if known is None else known

    def _now(self) -> Now:
        return Now(asyncio.get_running_loop().time(), self._ports.now_ms() // 1_000)

    def _report(self, kind: ReportKind, detail: str, size_bytes: int = 0) -> None:
        self._ports.report(RelayReport(self._memory.url, kind, plain(detail), size_bytes))
