"""Where a person can be reached: their inbox relays, looked up where lists are published (NIP-17, NIP-65)."""

from __future__ import annotations

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
ENTRIES_MAX = 50_000
RELAYS_MAX = limits.FOREIGN_RELAYS.most
LOOKUP_TIMEOUT_S = 4.0

log = structlog.get_logger(role="directory")


@dataclass(frozen=True, slots=True)
class Route:
    """The relays to use; `compat` where they are a fallback and not the recipient's own inboxes."""

    relays: tuple[str, ...]
    compat: bool = False


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
        self._known: OrderedDict[str, tuple[float, Route]] = OrderedDict()

    async def route(self, recipient: str, ask: Sequence[str]) -> Route:
        """The recipient's inbox relays as `ask` knows them; without a list, what the policy says.

        The fallback is their read relays (10002), then `ask` itself, which carried their order.
        """
        now_s = time.monotonic()
        known = self._known.get(recipient)
        if known is not None and known[0] > now_s:
            return known[1]
        route = await self._look_up(recipient, ask)
        self._known[recipient] = (now_s + (MISSING_TTL_S if route.compat else FOUND_TTL_S), route)
        self._known.move_to_end(recipient)
        if len(self._known) > ENTRIES_MAX:
            self._known.popitem(last=False)
        return route

    async def _look_up(self, recipient: str, ask: Sequence[str]) -> Route:
        lists = await self._lists(recipient, ask)
        inbox = lists.get(Kind.INBOX_RELAYS)
        relays = self._usable(read_inbox_relays(inbox)) if inbox else ()
        if relays:
            return Route(relays)
        if self._policy is RoutePolicy.STRICT:
            return Route(())
        listed = lists.get(Kind.RELAY_LIST)
        relays = self._usable(read_relay_list(listed).read) if listed else ()
        return Route(relays or tuple(ask), compat=True)

    async def _lists(self, recipient: str, ask: Sequence[str]) -> dict[int, Event]:
        """The newest verified 10050 and 10002 of a person on these relays."""
        newest: dict[int, Event] = {}
        filters = ({"kinds": [int(Kind.INBOX_RELAYS), int(Kind.RELAY_LIST)], "authors": [recipient]},)
        for relay in ask:
            try:
                texts = await self._relays.fetch(relay, filters, limit=4, timeout_s=LOOKUP_TIMEOUT_S)
            except RelayError as error:
                log.info("inbox list not asked", relay=relay, error=str(error))
                continue
            for text in texts:
                event = _verified(text)
                if event is None or event.pubkey != recipient:
                    continue
                known = newest.get(event.kind)
                if known is None or (event.created_at, known.id) > (known.created_at, event.id):
                    newest[event.kind] = event
        return newest

    def _usable(self, urls: Sequence[str]) -> tuple[str, ...]:
        """Trusted relays as they are; of the rest only public `wss` addresses, at most five in all (attack 79)."""
        trusted = [url for url in urls if self._is_trusted(url)]
        return tuple(dict.fromkeys((*trusted, *relays_named_by_stranger(urls))))[:RELAYS_MAX]


def _verified(text: str) -> Event | None:
    try:
        return read_event(text)
    except EventRefused:
        return None
