"""Publishing: an event goes to one relay until the relay says yes, says no for good, or time is up.

Sockets are opened when needed, shared by everything that goes to a relay, and closed when idle.
A retry sends the same bytes, so a relay that had them already says `duplicate`, which is success.
Source: NIP-01 (OK and its prefixes), NIP-42.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Self

from services.relays.auth import Authenticate, no_identities
from services.relays.connection import ConnectionSettings, Resolve, resolve_host
from services.relays.errors import BadRelayUrl, ConnectionLost, Forbidden, Refused, TimedOut, Unreachable
from services.relays.frames import Filter, OkFrame, prefix_of
from services.relays.line import AuthRequired, LineClosed, LineSettings, RelayLine
from services.relays.reports import plain
from services.relays.urls import normalise_relay_url

AUTHENTICATIONS_MAX = 2
"""The second one is for a relay whose challenge had changed under the first."""
LINES_MAX = 500
"""Relays remembered; beyond it, those without a socket are forgotten."""


class Outcome(StrEnum):
    """What became of an event on one relay."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The outcome on one relay; `message` is the relay's last word or what stood in the way."""

    relay: str
    outcome: Outcome
    message: str
    attempts: int

    @property
    def is_stored(self) -> bool:
        """Return whether the relay says that it has the event."""
        return self.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)


class NextStep(Enum):
    """What to do after an OK."""

    ACCEPTED = auto()
    DUPLICATE = auto()
    REFUSED = auto()
    AUTHENTICATE = auto()
    RETRY = auto()


def next_step(is_accepted: bool, message: str) -> NextStep:
    """Return what follows from a relay's OK.

    `replaced` and `deleted` are strfry's words for "there is something newer": final too.
    A prefix nobody knows is treated like `error`, since asking again does no harm.
    """
    match is_accepted, prefix_of(message):
        case _, "duplicate":
            return NextStep.DUPLICATE
        case True, _:
            return NextStep.ACCEPTED
        case False, "auth-required":
            return NextStep.AUTHENTICATE
        case False, "blocked" | "restricted" | "invalid" | "pow" | "mute" | "replaced" | "deleted":
            return NextStep.REFUSED
        case _:
            return NextStep.RETRY


class Publisher:
    """Publishes to and asks of any number of relays; `is_trusted` as in `RelayPool`."""

    def __init__(
        self,
        *,
        authenticate: Authenticate = no_identities,
        is_trusted: Callable[[str], bool] = lambda _url: False,
        settings: LineSettings | None = None,
        connection_settings: ConnectionSettings | None = None,
        resolve: Resolve = resolve_host,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._authenticate = authenticate
        self._is_trusted = is_trusted
        self._settings = settings or LineSettings()
        self._connection_settings = connection_settings or ConnectionSettings()
        self._resolve = resolve
        self._draw = draw
        self._lines: dict[str, RelayLine] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def publish(self, relay_url: str, event_id: str, event_text: str, timeout_s: float) -> PublishResult:
        """Publish one event to one relay, again and again within `timeout_s`; never raises for the relay's sake.

        `timeout` means that the relay may or may not have it: the same bytes may be published again at will.
        An address that is none, or must not be dialled, is `refused` at once.
        """
        try:
            line = self._line(relay_url)
        except BadRelayUrl as error:
            return PublishResult(relay_url, Outcome.REFUSED, str(error), 0)
        attempt = _Attempt(line, event_id, event_text, self._settings, self._draw)
        try:
            with line.in_use():
                async with asyncio.timeout(timeout_s):
                    return await attempt.until_settled()
        except TimeoutError:
            return attempt.result(attempt.fallback)

    async def fetch(self, relay_url: str, filters: tuple[Filter, ...], limit: int, timeout_s: float) -> list[str]:
        """Ask once and return the texts of up to `limit` stored events, as sent and unchecked.

        What came before the time was up is returned if it is anything at all.
        Raises `BadRelayUrl`, `Forbidden`, `Unreachable`, `Refused`, or `TimedOut` when nothing came.
        """
        line = self._line(relay_url)
        limited = tuple({**one, "limit": limit} for one in filters)
        found: list[str] = []
        try:
            with line.in_use():
                async with asyncio.timeout(timeout_s):
                    await self._ask(line, limited, limit, found)
        except TimeoutError:
            if not found:
                raise line.silence(timeout_s) from None
        return found

    async def _ask(self, line: RelayLine, filters: tuple[Filter, ...], limit: int, found: list[str]) -> None:
        authentications, failures, refusal = 0, 0, ""
        while True:
            found.clear()
            try:
                if refusal and not await line.authenticate():
                    raise Refused(refusal)
                return await line.query(filters, limit, found)
            except AuthRequired as error:
                refusal = str(error)
                authentications += 1
                if authentications > AUTHENTICATIONS_MAX:
                    raise Refused(refusal) from None
            except (ConnectionLost, Unreachable):
                refusal = ""  # The next connection may not ask for it.
                await asyncio.sleep(self._settings.retry.delay_s(failures, self._draw()))
                failures += 1

    async def close(self) -> None:
        """Close every socket; publishes still under way end as if their time were up."""
        lines, self._lines = list(self._lines.values()), {}
        await asyncio.gather(*(line.close() for line in lines))

    def _line(self, relay_url: str) -> RelayLine:
        url = normalise_relay_url(relay_url)
        line = self._lines.get(url)
        if line is None:
            if len(self._lines) >= LINES_MAX:
                self._lines = {url: line for url, line in self._lines.items() if not line.is_forgettable}
            line = RelayLine(
                url,
                self._authenticate,
                self._settings,
                self._connection_settings,
                is_trusted=self._is_trusted(url),
                resolve=self._resolve,
                draw=self._draw,
            )
            self._lines[url] = line
        return line


class _Attempt:
    """One publish under way."""

    def __init__(
        self, line: RelayLine, event_id: str, text: str, settings: LineSettings, draw: Callable[[], float]
    ) -> None:
        self._line = line
        self._event_id = event_id
        self._text = text
        self._settings = settings
        self._draw = draw
        self._attempts = 0
        self._authentications = 0
        self._message = "no connection in time"
        self.fallback = Outcome.UNREACHABLE
        """The outcome if time were up now."""

    def result(self, outcome: Outcome) -> PublishResult:
        return PublishResult(self._line.url, outcome, plain(self._message), self._attempts)

    async def until_settled(self) -> PublishResult:
        while True:
            outcome = await self._once()
            if outcome is not None:
                return self.result(outcome)

    async def _once(self) -> Outcome | None:
        """Try once and return the final outcome, or wait and return None."""
        self._attempts += 1
        wait_s = self._settings.retry.delay_s(self._attempts - 1, self._draw())
        try:
            await self._line.connect()
            self.fallback, self._message = Outcome.TIMEOUT, "no answer in time"
            answer = await self._line.publish(self._event_id, self._text)
        except Forbidden as error:
            self._message = str(error)
            return Outcome.REFUSED
        except LineClosed as error:
            self._message = str(error)
            return self.fallback
        except Unreachable as error:
            # The line keeps its own back-off, common to everything that waits for it.
            self.fallback, self._message, wait_s = Outcome.UNREACHABLE, str(error), 0
        except ConnectionLost as error:
            self._message, wait_s = str(error), 0
        except TimedOut as error:
            self._message = str(error)
        else:
            outcome, wait_s = await self._judge(answer, wait_s)
            if outcome is not None:
                return outcome
        await asyncio.sleep(wait_s)
        return None

    async def _judge(self, answer: OkFrame, wait_s: float) -> tuple[Outcome | None, float]:
        self._message = answer.message
        match next_step(answer.is_accepted, answer.message):
            case NextStep.ACCEPTED:
                return Outcome.ACCEPTED, 0
            case NextStep.DUPLICATE:
                return Outcome.DUPLICATE, 0
            case NextStep.REFUSED:
                return Outcome.REFUSED, 0
            case NextStep.RETRY:
                return None, wait_s
            case NextStep.AUTHENTICATE:
                return await self._authenticate()

    async def _authenticate(self) -> tuple[Outcome | None, float]:
        self._authentications += 1
        if self._authentications > AUTHENTICATIONS_MAX:
            return Outcome.REFUSED, 0
        try:
            is_accepted = await self._line.authenticate()
        except (ConnectionLost, Unreachable, LineClosed):
            return None, 0  # The next attempt finds out.
        return (None, 0) if is_accepted else (Outcome.REFUSED, 0)
