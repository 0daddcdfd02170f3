"""Ingest: every event that relays hold for our merchants, into `ncc.raw`, untouched and before any decision.

Nothing is judged here. Events are read only to learn which relays and products to follow,
and only once their id and signature are checked.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from schemas.merchants import Merchant, RelayCursor
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventRefused, read_event, tag_values
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip65 import read_relay_list
from schemas.quarantine import Quarantined
from services.relays import (
    LOOK_BACK_S,
    Authenticate,
    BadRelayUrl,
    Completion,
    RawSighting,
    RelayPool,
    RelayReport,
    RelayStatus,
    ReportKind,
    Subscription,
    normalise_relay_url,
)

CATALOGUE_KINDS = (Kind.DELETION, Kind.RELAY_LIST, Kind.INBOX_RELAYS, Kind.PRODUCT, Kind.SHIPPING_OPTION)
REVIEWERS_MAX = 500
"""Authors of reviews whose deletions are followed, per merchant; the least recent is forgotten."""
REPLAN_AFTER_S = 0.3
"""News about relays and products is gathered this long before subscriptions change."""

_FOLLOWED = frozenset({Kind.RELAY_LIST, Kind.INBOX_RELAYS, Kind.PRODUCT, Kind.REVIEW})

log = structlog.get_logger(role="ingest")


class RawLog(Protocol):
    """Where sightings go; waiting here is the back-pressure that reaches the sockets (REL-04)."""

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Queue one sighting; waits while the queue is full."""

    async def put_quarantine(self, record: Quarantined) -> None:
        """Queue one quarantine record."""

    async def put_cursor(self, key_hex: str, cursor: RelayCursor) -> None:
        """Store a cursor, after everything queued before it is acknowledged."""


class Followed:
    """What one merchant's own events say about where to listen, and for what."""

    def __init__(self) -> None:
        self.lists: dict[int, Event] = {}
        self.products: set[str] = set()
        self.reviewers: OrderedDict[str, None] = OrderedDict()

    def learn(self, event: Event) -> bool:
        """Take a verified event in; True where what to listen to has changed."""
        if event.kind == Kind.PRODUCT:
            new = tag_values(event, "d")[:1]
            changed = not self.products.issuperset(new)
            self.products.update(new)
            return changed
        known = self.lists.get(event.kind)
        if known is not None and (event.created_at, known.id) <= (known.created_at, event.id):
            return False
        self.lists[event.kind] = event
        return True

    def learn_reviewer(self, author: str) -> bool:
        """Follow a reviewer's deletions; True where they are new."""
        new = author not in self.reviewers
        self.reviewers[author] = None
        self.reviewers.move_to_end(author)
        if len(self.reviewers) > REVIEWERS_MAX:
            self.reviewers.popitem(last=False)
        return new

    def relays(self) -> list[str]:
        """The relays the merchant names: inboxes (10050), then read and write relays (10002)."""
        urls: list[str] = []
        if inbox := self.lists.get(Kind.INBOX_RELAYS):
            urls.extend(read_inbox_relays(inbox))
        if listed := self.lists.get(Kind.RELAY_LIST):
            relays = read_relay_list(listed)
            urls.extend((*relays.read, *relays.write))
        return urls


class Ingest:
    """Keeps subscriptions in step with the merchants held here, and passes every sighting on."""

    def __init__(
        self,
        raw: RawLog,
        merchants: Callable[[], list[Merchant]],
        own_relays: Sequence[str],
        authenticate: Authenticate,
        cursors: dict[tuple[str, str], int],
    ) -> None:
        self._raw = raw
        self._merchants = merchants
        self._own_relays = tuple(own_relays)
        self._trusted = {normalise_relay_url(url) for url in own_relays}
        self._cursors = cursors
        self._followed: dict[str, Followed] = {}
        self._changed = asyncio.Event()
        self._pending: set[asyncio.Task[None]] = set()
        self._pool = RelayPool(
            self._sink,
            authenticate=authenticate,
            on_complete=self._complete,
            last_complete=lambda relay, key: self._cursors.get((relay, key)),
            is_trusted=self._is_trusted,
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
        wanted: dict[str, list[Subscription]] = {}
        for merchant in self._merchants():
            followed = self._followed.setdefault(merchant.public_key, Followed())
            subscriptions = subscriptions_of(merchant, followed)
            for relay in dict.fromkeys((*self._own_relays, *merchant.relays, *followed.relays())):
                wanted.setdefault(relay, []).extend(subscriptions)
        for refused in self._pool.want({relay: tuple(subs) for relay, subs in wanted.items()}):
            log.warning("relay not read", relay=refused.address, why=refused.reason)

    async def _sink(self, sighting: RawSighting) -> None:
        self._learn(sighting)
        key = sighting.event_id if _is_hex64(sighting.event_id) else _digest(sighting.text)
        headers = (
            ("relay", sighting.relay.encode()),
            ("subscription", sighting.subscription.encode()),
            ("received_ms", str(sighting.received_ms).encode()),
            ("tenants", _tenants(sighting.subscription).encode()),
        )
        await self._raw.put_raw(key, sighting.text.encode(), headers)

    def _learn(self, sighting: RawSighting) -> None:
        """Relay lists, products and reviews say what else to follow; wraps, nearly all traffic, cost nothing here."""
        if '"kind":1059' in sighting.text or "inbox:" in sighting.subscription:
            return
        try:
            event = read_event(sighting.text)
        except EventRefused:
            return
        if event.kind not in _FOLLOWED:
            return
        if event.kind == Kind.REVIEW:
            for tenant in _tenants(sighting.subscription).split(","):
                followed = self._followed.get(tenant)
                if followed is not None and followed.learn_reviewer(event.pubkey):
                    self._changed.set()
            return
        followed = self._followed.get(event.pubkey)
        if followed is not None and followed.learn(event):
            self._changed.set()

    async def _complete(self, completion: Completion) -> None:
        key = (completion.relay, completion.cursor_key)
        self._cursors[key] = completion.until_s
        cursor = RelayCursor(relay=completion.relay, cursor_key=completion.cursor_key, complete_s=completion.until_s)
        await self._raw.put_cursor(_digest("\0".join(key)), cursor)

    def _report(self, report: RelayReport) -> None:
        """Frames that cannot become records are quarantined without their bytes; the rest is for the log."""
        if report.kind not in (ReportKind.FRAME_TOO_BIG, ReportKind.BAD_FRAME):
            log.info("relay", kind=report.kind.value, relay=report.relay, detail=report.detail)
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


def subscriptions_of(merchant: Merchant, followed: Followed) -> list[Subscription]:
    """What to ask every relay of a merchant: the inbox with its look-back, the catalogue, reviews (REL-07…09)."""
    key = merchant.public_key
    added_s = merchant.added_ms // 1_000
    inbox = {"kinds": [int(Kind.GIFT_WRAP)], "#p": [key], "since": max(0, added_s - LOOK_BACK_S)}
    wanted = [
        Subscription(f"inbox:{key}", (inbox,)),
        Subscription(f"catalogue:{key}", ({"kinds": [int(k) for k in CATALOGUE_KINDS], "authors": [key]},)),
    ]
    if followed.products:
        targets = [f"a:{int(Kind.PRODUCT)}:{key}:{d}" for d in sorted(followed.products)]
        wanted.append(Subscription(f"reviews:{key}", ({"kinds": [int(Kind.REVIEW)], "#d": targets},)))
    if followed.reviewers:
        authors = sorted(followed.reviewers)
        wanted.append(Subscription(f"unreviews:{key}", ({"kinds": [int(Kind.DELETION)], "authors": authors},)))
    return wanted


def _tenants(subscription: str) -> str:
    """The merchants whose subscriptions a sighting came through, joined by commas."""
    return ",".join(dict.fromkeys(name.partition(":")[2] for name in subscription.split("+")))


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
