"""What relays hold of a shop's own events, asked directly: for whoever moves in, before the stack has read anything."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind, is_addressable, is_replaceable
from schemas.nostr.nip01 import Event, EventRefused, read_event
from schemas.nostr.nip09 import Deletion, read_deletion
from services.relays import Publisher, RelayError
from services.relays.frames import Filter

LOOK_TIMEOUT_S: Final = 6.0
PAGE: Final = 500
PAGES_MAX: Final = 200
"""A relay that gives ever older events without an end is left after so many pages."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found: verified events in their newest versions, and why each silent relay said nothing."""

    events: tuple[Event, ...]
    silent: dict[str, str]
    asked: tuple[str, ...]

    def newest(self, kind: Kind) -> Event | None:
        """The newest event of a kind there is one of."""
        return next((event for event in self.events if event.kind == kind), None)

    def of(self, *kinds: Kind) -> tuple[Event, ...]:
        """Every event of these kinds."""
        return tuple(event for event in self.events if event.kind in kinds)

    def along_with(self, other: Seen) -> Seen:
        """Both, where one relay was asked in one of them only."""
        return Seen(counts((*self.events, *other.events)), {**self.silent, **other.silent}, (*self.asked, *other.asked))

    @property
    def answering(self) -> tuple[str, ...]:
        """The relays that answered."""
        return tuple(relay for relay in self.asked if relay not in self.silent)


def look(relays: Sequence[str], author: str, kinds: Collection[Kind]) -> Seen:
    """Everything of these kinds by an author, from all relays at once; what was deleted is left out (NIP-09)."""
    wanted = {"kinds": sorted({*map(int, kinds), int(Kind.DELETION)}), "authors": [author]}
    return asyncio.run(_look(tuple(dict.fromkeys(relays)), (wanted,), author))


def look_up(relays: Sequence[str], address: Coordinate) -> Event | None:
    """The newest event of an address."""
    wanted = {"kinds": [address.kind], "authors": [address.pubkey], "#d": [address.d]}
    seen = asyncio.run(_look(tuple(dict.fromkeys(relays)), (wanted,), address.pubkey))
    return next((event for event in seen.events if _address(event) == str(address)), None)


def counts(events: Iterable[Event]) -> tuple[Event, ...]:
    """The newest version of each, without what its author deleted; the newest first."""
    newest: dict[str, Event] = {}
    deletions: list[Deletion] = []
    for event in events:
        if event.kind == Kind.DELETION:
            deletions.append(read_deletion(event))
            continue
        name = _address(event) or event.id
        known = newest.get(name)
        if known is None or (event.created_at, known.id) > (known.created_at, event.id):
            newest[name] = event
    kept = [event for event in newest.values() if not any(deletion.covers(event) for deletion in deletions)]
    return tuple(sorted(kept, key=lambda event: (-event.created_at, event.id)))


async def _look(relays: Sequence[str], filters: tuple[Filter, ...], author: str) -> Seen:
    silent: dict[str, str] = {}
    found: dict[str, Event] = {}
    async with Publisher(is_trusted=lambda _url: True) as asking:
        told = await asyncio.gather(*(_all_of(asking, relay, filters) for relay in relays))
    for relay, said in zip(relays, told, strict=True):
        if isinstance(said, str):
            silent[relay] = said
            continue
        for text in said:
            try:
                event = read_event(text)
            except EventRefused:
                continue
            if event.pubkey == author:
                found[event.id] = event
    return Seen(counts(found.values()), silent, tuple(relays))


async def _all_of(asking: Publisher, relay: str, filters: tuple[Filter, ...]) -> list[str] | str:
    """Everything a relay holds, page by page, or why it said nothing."""
    texts: dict[str, None] = {}
    until: dict[str, int] = {}
    try:
        for _ in range(PAGES_MAX):
            asked = tuple({**one, **until} for one in filters)
            page = await asking.fetch(relay, asked, limit=PAGE, timeout_s=LOOK_TIMEOUT_S)
            fresh = [text for text in page if text not in texts]
            texts.update(dict.fromkeys(fresh))
            oldest = min((made for made in map(_made_at, fresh) if made is not None), default=None)
            if not fresh or oldest is None:
                break
            until = {"until": oldest}
    except RelayError as error:
        return str(error)
    return list(texts)


def _made_at(text: str) -> int | None:
    try:
        return read_event(text).created_at
    except EventRefused:
        return None


def _address(event: Event) -> str:
    """An event's lasting name; "" where it has none."""
    if is_replaceable(event.kind):
        return f"{event.kind}:{event.pubkey}:"
    return str(Coordinate.of(event)) if is_addressable(event.kind) else ""
