"""The line to one wallet service: requests out, responses and notifications in, over the connection's relays (NIP-47).

Responses are ephemeral, so nothing is asked before a relay has said that it listens for us; what is lost
all the same is `Unknown`, and the caller looks before it asks again.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from schemas.nostr import nip42
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventRefused, first_tag, read_event, to_json
from schemas.nostr.nip44 import PayloadRefused
from schemas.nostr.nip47 import (
    PAYMENT_RECEIVED,
    Connection,
    Encryption,
    MessageRefused,
    Response,
    WalletInfo,
    read_info,
    read_notification,
    read_response,
    request_event,
)
from services.payments.port import Rejected, Retry, Unknown
from services.relays import (
    Completion,
    ConnectionSettings,
    LineSettings,
    Outcome,
    Publisher,
    RawSighting,
    ReadSettings,
    RelayError,
    RelayPool,
    RelayReport,
    ReportKind,
    Subscription,
)

LOOK_BACK_S: Final = 60
"""How far back responses are asked for when a relay comes back: some relays keep them that long."""
INFO_FRESH_S: Final = 600.0
INFO_EVENTS_MAX: Final = 5
NOTICES_MAX: Final = 1_000
"""Notices that one listener has not taken yet; further ones are dropped, since a scan finds what they told of."""

log = structlog.get_logger(role="payments")


@dataclass(frozen=True, slots=True)
class LineTuning:
    """The waits of the sockets; the defaults suit relays of the world."""

    read: ReadSettings = field(default_factory=ReadSettings)
    publish: LineSettings = field(default_factory=lambda: LineSettings(idle_s=3_600))
    connection: ConnectionSettings = field(default_factory=ConnectionSettings)


@dataclass(slots=True)
class _Asked:
    encryption: Encryption
    answer: asyncio.Future[Response]


def trust_none(_url: str) -> bool:
    """Dial public `wss` relays only."""
    return False


class WalletLine:
    """One connection, opened at its first use; belongs to one event loop, and whoever made it closes it."""

    def __init__(
        self,
        connection: Connection,
        *,
        is_trusted: Callable[[str], bool] = trust_none,
        tuning: LineTuning | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`is_trusted` names the relays that may be `ws` or on this machine; all others must be public `wss`."""
        self.connection = connection
        self._now = now
        self._asked: dict[str, _Asked] = {}
        self._notices: set[asyncio.Queue[str | None]] = set()
        self._info: WalletInfo | None = None
        self._info_until_s = 0.0
        self._listening_at: set[str] = set()
        self._is_listening = asyncio.Event()
        self._is_begun = False
        tuning = tuning or LineTuning()
        self._pool = RelayPool(
            self._take,
            authenticate=self._authenticate,
            on_complete=self._complete,
            is_trusted=is_trusted,
            report=self._report,
            settings=tuning.read,
            connection_settings=tuning.connection,
        )
        self._publisher = Publisher(
            authenticate=self._authenticate,
            is_trusted=is_trusted,
            settings=tuning.publish,
            connection_settings=tuning.connection,
        )

    async def close(self) -> None:
        """Close every socket; what is under way is answered by nobody."""
        await asyncio.gather(self._pool.close(), self._publisher.close())

    async def info(self, *, timeout_s: float) -> WalletInfo:
        """The wallet's info event, at most ten minutes old; raise `Retry` where no relay has it."""
        if self._info is not None and self._now() < self._info_until_s:
            return self._info
        wanted = {"kinds": [int(Kind.WALLET_INFO)], "authors": [self.connection.wallet]}
        newest = (-1, WalletInfo(frozenset(), frozenset(), frozenset()))
        why = "none of its relays holds the wallet's info event"
        for relay in self.connection.relays:
            try:
                texts = await self._publisher.fetch(
                    relay, (wanted,), INFO_EVENTS_MAX, timeout_s / len(self.connection.relays)
                )
            except RelayError as error:
                why = str(error)
                continue
            for text in texts:
                try:
                    event = read_event(text)
                    newest = max(newest, (event.created_at, read_info(self.connection, event)), key=lambda one: one[0])
                except (EventRefused, MessageRefused):
                    continue
        if newest[0] < 0:
            raise Retry(f"the wallet does not say what it can do: {why}")
        self._info, self._info_until_s = newest[1], self._now() + INFO_FRESH_S
        return self._info

    def forget_info(self) -> None:
        """Read the info event again before the next request."""
        self._info = None

    async def ask(self, method: str, params: Mapping[str, object], *, timeout_s: float) -> Response:
        """Ask the wallet once and give its answer, be it an error.

        Raises `Retry` where the request provably reached nobody, `Unknown` where no answer came in time,
        `Rejected` for parameters that no message can hold. The wallet is told to ignore a request that
        reaches it after the time-out.
        """
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        await self._listen(timeout_s)
        info = await self.info(timeout_s=deadline_s - loop.time())
        if info.encryption is None:
            raise Retry("the wallet speaks neither NIP-44 nor NIP-04")
        now_s, left_s = self._now(), max(0.0, deadline_s - loop.time())
        try:
            event = request_event(
                self.connection,
                method,
                params,
                info.encryption,
                created_at=int(now_s),
                expires_at=int(now_s + left_s) + 1,
                nonce32=secrets.token_bytes(32),
            )
        except PayloadRefused as refused:
            raise Rejected(f"{method} cannot be written: {refused}") from None
        asked = _Asked(info.encryption, loop.create_future())
        self._asked[event.id] = asked
        sending = asyncio.ensure_future(self._send(event.id, to_json(event), left_s))
        try:
            either: set[asyncio.Future[Any]] = {sending, asked.answer}
            await asyncio.wait(either, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not asked.answer.done() and (why := sending.result()) is not None:
                raise Retry(f"{method} was not sent: {why}")
            return await asyncio.wait_for(asked.answer, max(0.0, deadline_s - loop.time()))
        except TimeoutError:
            raise Unknown(f"the wallet did not answer {method} within {timeout_s:g} s") from None
        finally:
            del self._asked[event.id]
            sending.cancel()

    @contextmanager
    def notices(self) -> Iterator[asyncio.Queue[str | None]]:
        """Lend a queue of payment hashes that the wallet notified of; None says that some may have been missed."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(NOTICES_MAX)
        self._notices.add(queue)
        self._begin()
        try:
            yield queue
        finally:
            self._notices.discard(queue)

    async def _listen(self, timeout_s: float) -> None:
        """Wait until one relay at least has our subscription."""
        self._begin()
        try:
            await asyncio.wait_for(self._is_listening.wait(), timeout_s)
        except TimeoutError:
            raise Retry(f"no relay of the wallet can be reached within {timeout_s:g} s") from None

    def _begin(self) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        kinds = [int(Kind.WALLET_RESPONSE), int(Kind.WALLET_NOTIFICATION), int(Kind.WALLET_NOTIFICATION_NIP04)]
        wanted = {
            "kinds": kinds,
            "authors": [self.connection.wallet],
            "#p": [self.connection.client],
            "since": int(self._now()) - LOOK_BACK_S,
        }
        asked = (Subscription("wallet", (wanted,), since_look_back_s=LOOK_BACK_S),)
        refused = self._pool.want(dict.fromkeys(self.connection.relays, asked))
        for one in refused:
            log.warning("wallet relay not dialled", reason=one.reason)

    async def _send(self, event_id: str, text: str, timeout_s: float) -> str | None:
        """Publish on every relay; give why not when it provably went out on none."""
        results = await asyncio.gather(
            *(self._publisher.publish(relay, event_id, text, timeout_s) for relay in self.connection.relays)
        )
        for one in results:
            # After a first attempt, an unreachable relay may have had it before the line broke.
            if one.outcome is Outcome.REFUSED or (one.outcome is Outcome.UNREACHABLE and one.attempts <= 1):
                continue
            return None
        return "; ".join(f"{one.outcome}: {one.message}" for one in results)

    async def _take(self, sighting: RawSighting) -> None:
        try:
            event = read_event(sighting.text)
            if event.kind == Kind.WALLET_RESPONSE:
                self._answer(event)
            else:
                self._notify(event)
        except (EventRefused, MessageRefused) as refused:
            log.warning("wallet message left out", reason=refused.reason.value)

    def _answer(self, event: Event) -> None:
        request = first_tag(event, "e")
        asked = self._asked.get(request[1]) if request and len(request) > 1 else None
        # A late answer needs no memory here: what it made stands in the wallet's own list.
        if asked is not None and not asked.answer.done():
            asked.answer.set_result(read_response(self.connection, event, asked.encryption))

    def _notify(self, event: Event) -> None:
        notice = read_notification(self.connection, event)
        payment_hash = notice.fields.get("payment_hash")
        if notice.kind == PAYMENT_RECEIVED and isinstance(payment_hash, str):
            self._tell(payment_hash)

    def _tell(self, payment_hash: str | None) -> None:
        for queue in self._notices:
            if not queue.full():
                queue.put_nowait(payment_hash)

    async def _complete(self, completion: Completion) -> None:
        if completion.relay not in self._listening_at:
            self._listening_at.add(completion.relay)
            self._is_listening.set()
            self._tell(None)

    def _report(self, report: RelayReport) -> None:
        if report.kind is ReportKind.DISCONNECTED:
            self._listening_at.discard(report.relay)
            if not self._listening_at:
                self._is_listening.clear()

    async def _authenticate(self, relay_url: str, challenge: str) -> list[str]:
        return [to_json(nip42.auth_event(self.connection.secret, relay_url, challenge, int(self._now())))]
