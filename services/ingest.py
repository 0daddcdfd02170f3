"""Ingest: every event that relays hold for our merchants, into `ncc.raw`, untouched and before any decision.

Nothing is judged here. Events are read only to learn which relays and products to follow,
and only once their id and signature are checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import orjson
import structlog

from schemas.crash_points import Point, reach
from schemas.merchants import Merchant, RelayCursor
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventRefused, read_event, tag_values
from schemas.quarantine import Quarantined
from schemas.shops import StallMessages
from services.following import FOLLOWED_KINDS, Followed, Topic, filters_of, targets_of
from services.relays import (
    Authenticate,
    BadRelayUrl,
    Completion,
    RawSighting,
    RelayInformation,
    RelayPool,
    RelayReport,
    RelayStatus,
    ReportKind,
    Subscription,
    normalise_relay_url,
)

REPLAN_AFTER_S = 0.3
"""News about relays and products is gathered this long before subscriptions change."""

BUCKETS = 4
"""Merchants share this many filters of each topic at a relay, so that a new one changes a quarter of them."""
INBOX_PREFIX = f"{Topic.INBOX}:"
KEPT_PREFIXES = (INBOX_PREFIX, f"{Topic.DIRECT}:", f"{Topic.NUTZAPS}:")
"""What a new process goes on reading where a former one was; everything else is learned from, and read whole."""
MESSAGES = (Topic.INBOX, Topic.DIRECT, Topic.OPEN, Topic.NUTZAPS)
"""What nothing is learned from."""
CURSOR_STEP_S = 600
"""How much further a relay must be read before its cursor is stored again; the look-back is two days anyway."""


log = structlog.get_logger(role="ingest")


class RawLog(Protocol):
    """Where sightings go; waiting here is the back-pressure that reaches the sockets (REL-04)."""

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Queue one sighting; waits while the queue is full."""

    async def put_quarantine(self, record: Quarantined) -> None:
        """Queue one quarantine record."""

    async def put_cursor(self, key_hex: str, cursor: RelayCursor) -> None:
        """Store a cursor, after everything queued before it is acknowledged."""


class Ingest:
    """Keeps subscriptions in step with the merchants held here, and passes every sighting on."""

    def __init__(
        self,
        raw: RawLog,
        merchants: Callable[[], list[Merchant]],
        own_relays: Sequence[str],
        authenticate: Authenticate,
        cursors: Mapping[tuple[str, str], int],
    ) -> None:
        """`cursors` says how far former processes read each relay; see `read_before`."""
        self._raw = raw
        self._merchants = merchants
        self._own_relays = tuple(own_relays)
        self._trusted = {normalise_relay_url(url) for url in own_relays}
        self._cursors: dict[tuple[str, str], int] = {}
        self.read_before(cursors)
        self._followed: dict[str, Followed] = {}
        self._members: dict[str, tuple[str, ...]] = {}
        self._one_identity: set[str] = set()
        """Relays that show wraps only to the single identity of a connection: each merchant has a socket there."""
        self._changed = asyncio.Event()
        self._pending: set[asyncio.Task[None]] = set()
        self._pool = RelayPool(
            self._sink,
            authenticate=authenticate,
            on_complete=self._complete,
            last_complete=self._complete_since,
            is_trusted=self._is_trusted,
            limits=RelayInformation(is_trusted=self._is_trusted).limits,
            report=self._report,
        )

    async def run(self) -> None:
        """Follow until cancelled."""
        try:
            while True:
                self._plan()
                await self._changed.wait()
                await asyncio.sleep(REPLAN_AFTER_S)
                self._changed.clear()
        finally:
            await self._pool.close()

    def read_before(self, cursors: Mapping[tuple[str, str], int]) -> None:
        """Whoever held merchants before has read relays so far; only their messages go on from there."""
        for (relay, member), complete_s in cursors.items():
            if member.startswith(KEPT_PREFIXES):
                self._cursors[relay, member] = max(complete_s, self._cursors.get((relay, member), 0))

    async def merchants_changed(self) -> None:
        """The merchants held here are others now; subscriptions follow."""
        self._changed.set()

    def status(self) -> dict[str, RelayStatus]:
        """How each relay stands."""
        return self._pool.status()

    def _is_trusted(self, url: str) -> bool:
        """The operator's own relays may be anything; those named in events must be public (attack 79)."""
        return url in self._trusted or any(url in _normal(merchant.relays) for merchant in self._merchants())

    def _plan(self) -> None:
        self._members.clear()
        merchants_at: dict[str, list[Merchant]] = {}
        for merchant in self._merchants():
            followed = self._followed.setdefault(merchant.public_key, Followed())
            for address in (*self._own_relays, *merchant.relays, *followed.relays()):
                try:
                    relay = normalise_relay_url(address)
                except BadRelayUrl as error:
                    log.warning("relay not read", relay=address[:200], why=str(error))
                    continue
                if merchant not in merchants_at.setdefault(relay, []):
                    merchants_at[relay].append(merchant)
        wanted = {relay: self._subscriptions(relay, merchants) for relay, merchants in merchants_at.items()}
        for refused in self._pool.want(wanted):
            log.warning("relay not read", relay=refused.address, why=refused.reason)

    def _subscriptions(self, relay: str, merchants: Sequence[Merchant]) -> tuple[Subscription, ...]:
        """Merchants share filters, so that a relay sees a handful of queries.

        A target that was not read there yet is asked for among others of its kind, without a bound in time: what a
        listing points at may be older than the listing. Once it is read it joins those that were.
        """
        groups: dict[tuple[Topic, str], set[str]] = {}
        for merchant in merchants:
            key = merchant.public_key
            for topic in _topics_of(merchant):
                for target in targets_of(topic, key, self._followed[key]):
                    is_read = (relay, f"{topic}:{target}") in self._cursors
                    bucket = str(int(key[:2], 16) % BUCKETS) if is_read else "new"
                    if topic is Topic.INBOX and relay in self._one_identity:
                        bucket = key
                    groups.setdefault((topic, bucket), set()).add(target)
        subscriptions = []
        for (topic, bucket), targets in groups.items():
            identity = bucket if topic is Topic.INBOX and relay in self._one_identity else ""
            subscription = Subscription(f"{topic}:{bucket}", filters_of(topic, targets), identity=identity)
            self._members[subscription.cursor_key] = tuple(f"{topic}:{target}" for target in sorted(targets))
            subscriptions.append(subscription)
        return tuple(subscriptions)

    def _complete_since(self, relay: str, cursor_key: str) -> int | None:
        """Up to when every member of a subscription was read at this relay; None where one never was."""
        known = [self._cursors.get((relay, member)) for member in self._members.get(cursor_key, ())]
        times = [time_s for time_s in known if time_s is not None]
        return min(times) if known and len(times) == len(known) else None

    async def _sink(self, sighting: RawSighting) -> None:
        reach(Point.INGEST_RECEIVED)
        self._learn(sighting)
        key = sighting.event_id if _is_hex64(sighting.event_id) else _digest(sighting.text)
        headers = (
            ("relay", sighting.relay.encode()),
            ("subscription", sighting.subscription.encode()),
            ("received_ms", str(sighting.received_ms).encode()),
            ("tenants", ",".join(self._tenants(sighting)).encode()),
        )
        await self._raw.put_raw(key, sighting.text.encode(), headers)
        reach(Point.INGEST_QUEUED)

    def _tenants(self, sighting: RawSighting) -> list[str]:
        """The merchants whom somebody else's event may concern; every other event names its merchant itself."""
        is_reviewers, is_offers = Topic.REVIEWERS in sighting.subscription, Topic.OFFERS in sighting.subscription
        if not (is_reviewers or is_offers):
            return []
        author = _author(sighting.text)
        return [
            key
            for key, followed in self._followed.items()
            if (is_reviewers and author in followed.reviewers)
            or (is_offers and any(offer.pubkey == author for offer in followed.offers))
        ]

    def _learn(self, sighting: RawSighting) -> None:
        """Relay lists, products and reviews say what else to follow; messages, nearly all there is, cost nothing."""
        if all(name.startswith(MESSAGES) for name in sighting.subscription.split("+")):
            return
        try:
            event = read_event(sighting.text)
        except EventRefused:
            return
        if event.kind in FOLLOWED_KINDS and self._learn_from(event):
            self._changed.set()

    def _learn_from(self, event: Event) -> bool:
        """Whether a verified event changes what to listen to."""
        own = self._followed.get(event.pubkey)
        match event.kind:
            case Kind.REVIEW:
                merchant = next(iter(tag_values(event, "d")), "").split(":")[2:3]
                reviewed = self._followed.get(merchant[0]) if merchant else None
                return reviewed is not None and reviewed.learn_reviewer(event.pubkey)
            case Kind.COLLECTION if own is None:
                address = Coordinate.of(event)
                changed = False
                for key, followed in self._followed.items():
                    if address in followed.offers:  # each of them learns, whatever the others did
                        changed |= followed.learn_offers(event, key)
                return changed
            case _:
                return own is not None and own.learn(event)

    async def _complete(self, completion: Completion) -> None:
        """Note how far each member of the subscription is read; a member's first time makes it join the others.

        Only those of messages outlive the process: everything else is learned from, so a new process has to read it
        whole.
        """
        for member in self._members.get(completion.cursor_key, ()):
            key = (completion.relay, member)
            before = self._cursors.get(key)
            if before is None:
                self._changed.set()
            elif completion.until_s - before < CURSOR_STEP_S:
                continue
            self._cursors[key] = completion.until_s
            if member.startswith(KEPT_PREFIXES):
                cursor = RelayCursor(relay=completion.relay, cursor_key=member, complete_s=completion.until_s)
                await self._raw.put_cursor(_digest("\0".join(key)), cursor)
                reach(Point.INGEST_CURSOR_SAVED)

    def _report(self, report: RelayReport) -> None:
        """Frames that cannot become records are quarantined without their bytes; the rest is for the log."""
        if report.kind not in (ReportKind.FRAME_TOO_BIG, ReportKind.BAD_FRAME):
            log.info("relay", kind=report.kind.value, relay=report.relay, detail=report.detail)
            if report.kind is ReportKind.ONE_IDENTITY and INBOX_PREFIX in report.detail:
                self._one_identity.add(report.relay)
                self._changed.set()
            return
        now_ms = time.time_ns() // 1_000_000
        record = Quarantined(
            id=_digest(f"{report.kind}:{report.relay}:{report.detail}:{report.size_bytes}:{now_ms // 60_000}")[:32],
            reason=report.kind.value,
            detail=f"{report.size_bytes} bytes" if report.size_bytes else report.detail,
            stage="ingest",
            merchant=None,
            relay=report.relay,
            at_ms=now_ms,
            original=None,
        )
        task = asyncio.ensure_future(self._raw.put_quarantine(record))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)


def _topics_of(merchant: Merchant) -> list[Topic]:
    """Everything; kind 4 only where the shop reads it (STL-07)."""
    return [topic for topic in Topic if topic is not Topic.DIRECT or merchant.settings.nip15 is StallMessages.ON]


def _normal(urls: Sequence[str]) -> set[str]:
    normal: set[str] = set()
    for url in urls:
        try:
            normal.add(normalise_relay_url(url))
        except BadRelayUrl:
            continue
    return normal


def _is_hex64(text: str) -> bool:
    return len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _author(text: str) -> str:
    """Who an event says wrote it; unchecked, and used only to say whom it may concern."""
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ""
    return str(fields.get("pubkey", "")) if isinstance(fields, dict) else ""
