"""One relay's socket for publishing and one-shot questions, opened when needed and shared by all who need it.

Answers are matched to questions by event id and query name, so hundreds may be under way at once.
When the socket ends, everything under way is told so and asks again on the next one.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.relays.auth import Authenticate, Authentication
from services.relays.connection import Connection, ConnectionSettings, Resolve, open_connection
from services.relays.errors import ConnectionLost, Refused, RelayError, TimedOut, Unreachable
from services.relays.frames import (
    AuthFrame,
    ClosedFrame,
    EoseFrame,
    EventFrame,
    Filter,
    Frame,
    OkFrame,
    close_message,
    event_message,
    prefix_of,
    req_message,
)
from services.relays.pace import Backoff
from services.relays.reports import plain

UNDER_WAY_MAX = 1_000
"""Events sent to one relay and not yet answered; more wait their turn."""
FRAMES_PER_TURN = 32


SERVED_WELL = 100
"""Answers after which a relay may close the socket and find us back at once, without a back-off."""


class AuthRequired(RelayError):
    """The relay wants authentication before it answers a query."""


class LineClosed(RelayError):
    """We closed the line ourselves; nothing more will go over it."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """The waits of publishing; `retry` is per event, `reconnect` per relay."""

    ok_timeout_s: float = 10.0
    auth_timeout_s: float = 5.0
    idle_s: float = 60.0
    retry: Backoff = field(default_factory=lambda: Backoff(first_s=0.5, most_s=30.0))
    reconnect: Backoff = field(default_factory=lambda: Backoff(first_s=0.25, most_s=30.0))


@dataclass(slots=True)
class _Question:
    found: list[str]
    limit: int
    ended: asyncio.Future[None]


@dataclass(slots=True)
class _Open:
    """One connection and what waits for its answers."""

    connection: Connection
    auth: Authentication
    answers: dict[str, asyncio.Future[OkFrame]] = field(default_factory=dict)
    questions: dict[str, _Question] = field(default_factory=dict)
    answers_given: int = 0


class RelayLine:
    """The socket to one relay."""

    def __init__(
        self,
        url: str,
        authenticate: Authenticate,
        settings: LineSettings,
        connection_settings: ConnectionSettings,
        *,
        is_trusted: bool,
        resolve: Resolve,
        draw: Callable[[], float],
    ) -> None:
        self.url = url
        self._authenticate = authenticate
        self._settings = settings
        self._connection_settings = connection_settings
        self._is_trusted = is_trusted
        self._resolve = resolve
        self._draw = draw
        self._open: _Open | None = None
        self._opening: asyncio.Task[_Open] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._room = asyncio.Semaphore(UNDER_WAY_MAX)
        self._users = 0
        self._questions_asked = 0
        self._failures = 0
        self._not_before_s = 0.0
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        """Return whether there is a socket now."""
        return self._open is not None

    @property
    def is_forgettable(self) -> bool:
        """Return whether nobody uses the line and it holds no socket."""
        return self._users == 0 and self._open is None and self._opening is None

    def silence(self, timeout_s: float) -> RelayError:
        """Return the error for a question that got no answer in time: was there a socket at least?"""
        if self.is_open:
            return TimedOut(f"{self.url} did not answer within {timeout_s:g} s")
        return Unreachable(f"no connection to {self.url} within {timeout_s:g} s")

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the line from being forgotten."""
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1

    async def connect(self) -> None:
        """Have a socket. Raises `Forbidden` or `Unreachable`, the latter after the relay's back-off."""
        await self._opened()

    async def publish(self, event_id: str, event_text: str) -> OkFrame:
        """Send an event once and return the relay's OK.

        Raises `TimedOut`, `ConnectionLost`, and what `connect` raises.
        An event that is under way already is not sent twice; both callers get the one answer.
        """
        async with self._room:
            opened = await self._opened()
            answer = opened.answers.get(event_id)
            if answer is not None:
                return await self._answered(opened, answer)
            answer = asyncio.get_running_loop().create_future()
            opened.answers[event_id] = answer
            try:
                await opened.connection.send(event_message(event_text))
                return await self._answered(opened, answer)
            finally:
                del opened.answers[event_id]
                # Whoever shares the answer must not be cancelled because we were.
                _settle(answer, TimedOut(f"{self.url} did not answer in time"))
                _forget(answer)

    async def query(self, filters: tuple[Filter, ...], limit: int, found: list[str]) -> None:
        """Ask for stored events and add their texts to `found`, until EOSE or `limit`.

        Raises `AuthRequired`, `Refused`, `ConnectionLost`, and what `connect` raises.
        """
        opened = await self._opened()
        self._questions_asked += 1
        name = f"f{self._questions_asked}"
        question = _Question(found, limit, asyncio.get_running_loop().create_future())
        opened.questions[name] = question
        try:
            await opened.connection.send(req_message(name, filters))
            await question.ended
        finally:
            del opened.questions[name]
            _forget(question.ended)
        await opened.connection.send(close_message(name))

    async def authenticate(self) -> bool:
        """Authenticate every identity; return whether one was accepted. Raises `ConnectionLost`."""
        opened = await self._opened()
        return await opened.auth.run()

    async def close(self) -> None:
        """Close the socket for good; what is under way is told `LineClosed`."""
        self._is_closed = True
        tasks = [task for task in (self._opening, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # Opening

    async def _opened(self) -> _Open:
        if self._is_closed:
            raise LineClosed(f"the line to {self.url} is closed")
        if self._open is not None:
            return self._open
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_line(), name=f"open {self.url}")
            self._opening.add_done_callback(self._opening_done)
        # Shielded, since one caller's time-out must not end the attempt the others wait for.
        opening = self._opening
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            if opening.cancelled() and self._is_closed:
                raise LineClosed(f"the line to {self.url} is closed") from None
            raise

    def _opening_done(self, task: asyncio.Task[_Open]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # Those who still wait see it; nobody may be left to.

    async def _open_line(self) -> _Open:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._not_before_s - loop.time())
        try:
            connection = await open_connection(
                self.url, self._connection_settings, is_trusted=self._is_trusted, resolve=self._resolve
            )
        except RelayError:
            self._back_off()
            raise
        auth = Authentication(self.url, self._authenticate, connection.send, self._settings.auth_timeout_s)
        self._open = _Open(connection, auth)
        self._reading = asyncio.create_task(self._read(self._open), name=f"answers of {self.url}")
        return self._open

    def _back_off(self) -> None:
        delay_s = self._settings.reconnect.delay_s(self._failures, self._draw())
        self._not_before_s = asyncio.get_running_loop().time() + delay_s
        self._failures += 1

    # Reading

    async def _read(self, opened: _Open) -> None:
        lost = ConnectionLost(f"the connection to {self.url} was closed by us")
        try:
            while True:
                try:
                    async with asyncio.timeout(self._settings.idle_s):
                        frame = await opened.connection.receive()
                except TimeoutError:
                    if not opened.answers and not opened.questions:
                        break
                    continue
                if opened.connection.frames_read % FRAMES_PER_TURN == 0:
                    await asyncio.sleep(0)
                self._take(opened, frame)
        except ConnectionLost as error:
            lost = error
            self._after(opened)
        finally:
            self._open = None
            self._tell_all(opened, lost)
            await opened.connection.close()

    def _after(self, opened: _Open) -> None:
        """Decide when the next socket may be opened."""
        if opened.answers_given:
            self._failures = 0
        # Some relays close after so many messages; that is no reason to wait.
        if opened.answers_given < SERVED_WELL:
            self._back_off()

    def _take(self, opened: _Open, frame: Frame) -> None:
        match frame:
            case OkFrame(event_id):
                answer = opened.answers.get(event_id)
                if answer is not None and not answer.done():
                    opened.answers_given += 1
                    answer.set_result(frame)
                else:
                    opened.auth.on_ok(frame)
            case AuthFrame(challenge):
                opened.auth.on_challenge(challenge)
            case EventFrame(name, text):
                question = opened.questions.get(name)
                if question is not None and len(question.found) < question.limit:
                    question.found.append(text)
                    if len(question.found) == question.limit:
                        _end(question)
            case EoseFrame(name):
                opened.answers_given += 1
                if name in opened.questions:
                    _end(opened.questions[name])
            case ClosedFrame(name, message):
                if name in opened.questions:
                    _settle(opened.questions[name].ended, _closed_error(message))
            case _:
                pass  # Notices, counts and broken frames answer nothing we asked.

    def _tell_all(self, opened: _Open, lost: ConnectionLost) -> None:
        opened.auth.end(lost)
        for answer in opened.answers.values():
            _settle(answer, lost)
        for question in opened.questions.values():
            _settle(question.ended, lost)

    async def _answered(self, opened: _Open, answer: asyncio.Future[OkFrame]) -> OkFrame:
        frames_read = opened.connection.frames_read
        try:
            async with asyncio.timeout(self._settings.ok_timeout_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            if opened.connection.frames_read == frames_read:
                # Not a word since: the connection may be half dead, so the retry gets a new one.
                await opened.connection.close()
            raise TimedOut(f"{self.url} did not answer within {self._settings.ok_timeout_s:g} s") from None


def _end(question: _Question) -> None:
    if not question.ended.done():
        question.ended.set_result(None)


def _settle[T](future: asyncio.Future[T], error: RelayError) -> None:
    if not future.done():
        future.set_exception(error)


def _forget[T](future: asyncio.Future[T]) -> None:
    """Mark an error as seen, since nobody is left to see it."""
    if future.done() and not future.cancelled():
        future.exception()


def _closed_error(message: str) -> RelayError:
    words = plain(message)
    return AuthRequired(words) if prefix_of(message) == "auth-required" else Refused(words)
