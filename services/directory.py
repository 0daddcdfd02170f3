"""Where a person can be reached: their inbox relays, looked up where lists are published (NIP-17, NIP-65)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from schemas import limits
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event, EventRefused, read_event
from schemas.nostr.nip17 import read_inbox_relays
from schemas.nostr.nip65 import read_relay_list
from services.config import RoutePolicy
from services.relays import Publisher as RelayPublisher
from services.relays import RelayError, relays_named_by_stranger

FOUND_TTL_S = 600.0
MISSING_TTL_S = 60.0
STALE_S = 600.0
"""How long after that an answer is still used while it is asked for anew."""
ENTRIES_MAX = 50_000
RELAYS_MAX = limits.FOREIGN_RELAYS.most
LOOKUP_TIMEOUT_S = 4.0
GRACE_S = 0.3
"""How long relays may be slower than the first one that knows a person's inbox."""

log = structlog.get_logger(role="directory")


@dataclass(frozen=True, slots=True)
class Route:
    """The relays to use; `compat` where they are a fallback and not the recipient's own inboxes."""

    relays: tuple[str, ...]
    compat: bool = False


@dataclass(frozen=True, slots=True)
class Lists:
    """The relays of a person's lists that can be used: inboxes (10050), and where they read and write (10002)."""

    inbox: tuple[str, ...]
    read: tuple[str, ...]
    write: tuple[str, ...]


_NEVER = (float("-inf"), Lists((), (), ()))


class Directory:
    """Looks inbox lists up and remembers them for a while."""

    def __init__(
        self,
        relays: RelayPublisher,
        is_trusted: Callable[[str], bool],
        policy: RoutePolicy = RoutePolicy.FALLBACK,
    ) -> None:
        self._relays = relays
        self._is_trusted = is_trusted
        self._policy = policy
        self._known: OrderedDict[str, tuple[float, Lists]] = OrderedDict()
        self._asking: dict[str, asyncio.Future[Lists]] = {}

    async def route(self, recipient: str, ask: Sequence[str]) -> Route:
        """The recipient's inbox relays as `ask` knows them; without a list, what the policy says.

        The fallback is their read relays (10002), then `ask` itself, which carried their order.
        """
        lists = await self._lists(recipient, ask)
        if lists.inbox:
            return Route(lists.inbox)
        if self._policy is RoutePolicy.STRICT:
            return Route(())
        return Route(lists.read or tuple(ask), compat=True)

    async def direct(self, recipient: str, ask: Sequence[str]) -> Route:
        """Where a client of NIP-04 looks: at `ask`, which carried its messages, and where it reads (10002).

        Inbox lists are for wraps, and many inboxes take nothing else.
        """
        return Route(tuple(dict.fromkeys((*ask, *(await self._lists(recipient, ask)).read))))

    async def copies(self, merchant: str, ask: Sequence[str]) -> tuple[str, ...]:
        """Where a merchant's own copies go: to the own inbox, and without one to `ask` (REL-14)."""
        return (await self._lists(merchant, ask)).inbox or tuple(ask)

    async def public(self, author: str, ask: Sequence[str]) -> tuple[str, ...]:
        """Where an author's public events go: to `ask`, and to the own write relays (REL-14, NIP-65)."""
        return tuple(dict.fromkeys((*ask, *(await self._lists(author, ask)).write)))

    async def spread(self, author: str, ask: Sequence[str], named: Sequence[str]) -> tuple[str, ...]:
        """Where a list of relays goes so that strangers find it: also to the relays it names (T65-01)."""
        return tuple(dict.fromkeys((*(await self.public(author, ask)), *self._usable(named))))

    async def _lists(self, person: str, ask: Sequence[str]) -> Lists:
        """What a person's lists say; those who ask at once share one look-up, and an answer that is only just too old
        is used while a new one is fetched: a relay that is silent would hold up a message each time.
        """
        now_s, (fresh_until_s, lists) = time.monotonic(), self._known.get(person, _NEVER)
        if now_s < fresh_until_s:
            return lists
        asking = self._asking.get(person)
        if asking is None:
            asking = self._asking[person] = asyncio.ensure_future(self._look_up(person, ask))
            asking.add_done_callback(lambda _: self._asking.pop(person, None))
        if now_s < fresh_until_s + STALE_S:
            return lists
        return await asyncio.shield(asking)

    async def _look_up(self, person: str, ask: Sequence[str]) -> Lists:
        """Ask, and remember what was said."""
        lists = self._lists_in(await self._newest(person, ask))
        self._known[person] = (time.monotonic() + (FOUND_TTL_S if lists.inbox else MISSING_TTL_S), lists)
        self._known.move_to_end(person)
        if len(self._known) > ENTRIES_MAX:
            self._known.popitem(last=False)
        return lists

    async def _newest(self, person: str, ask: Sequence[str]) -> dict[int, Event]:
        """Ask every relay at once; whoever is slower than the one that knows the inbox is waited for a moment."""
        newest: dict[int, Event] = {}
        under_way = {asyncio.ensure_future(self._ask(relay, person)) for relay in dict.fromkeys(ask)}
        patience_s = None
        try:
            while under_way:
                told, under_way = await asyncio.wait(under_way, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if not told:
                    break
                for event in (event for one in told for event in one.result()):
                    known = newest.get(event.kind)
                    if known is None or (event.created_at, known.id) > (known.created_at, event.id):
                        newest[event.kind] = event
                if Kind.INBOX_RELAYS in newest:
                    patience_s = GRACE_S
        finally:
            for task in under_way:
                task.cancel()
        return newest

    def _lists_in(self, newest: dict[int, Event]) -> Lists:
        inbox, listed = newest.get(Kind.INBOX_RELAYS), newest.get(Kind.RELAY_LIST)
        relays = read_relay_list(listed) if listed else None
        return Lists(
            inbox=self._usable(read_inbox_relays(inbox)) if inbox else (),
            read=self._usable(relays.read) if relays else (),
            write=self._usable(relays.write) if relays else (),
        )

    async def _ask(self, relay: str, person: str) -> list[Event]:
        """The verified 10050 and 10002 of a person on one relay."""
        filters = ({"kinds": [int(Kind.INBOX_RELAYS), int(Kind.RELAY_LIST)], "authors": [person]},)
        try:
            texts = await self._relays.fetch(relay, filters, limit=4, timeout_s=LOOKUP_TIMEOUT_S)
        except RelayError as error:
            log.info("inbox list not asked", relay=relay, error=str(error))
            return []
        return [event for event in map(_verified, texts) if event is not None and event.pubkey == person]

    def _usable(self, urls: Sequence[str]) -> tuple[str, ...]:
        """Trusted relays as they are; of the rest only public `wss` addresses, at most five in all (attack 79)."""
        trusted = [url for url in urls if self._is_trusted(url)]
        return tuple(dict.fromkeys((*trusted, *relays_named_by_stranger(urls))))[:RELAYS_MAX]


def _verified(text: str) -> Event | None:
    try:
        return read_event(text)
    except EventRefused:
        return None
