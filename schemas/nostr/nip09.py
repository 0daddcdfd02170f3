"""Deletion requests of kind 5: which events an author takes back (NIP-09)."""

import re
from dataclasses import dataclass
from typing import Final

from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind, is_addressable, is_replaceable
from schemas.nostr.nip01 import Event, UnsignedEvent, tag_values

_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Deletion:
    """What one author wants gone: ids, and every version of an address up to `requested_at` (unix seconds).

    Coordinates are the author's own (others are dropped when read); whose an id is must still be checked.
    """

    author: str
    requested_at: int
    ids: frozenset[str]
    coordinates: frozenset[Coordinate]

    def covers(self, event: Event) -> bool:
        """Tell whether this request takes that event back: same author, and named by id or by address.

        Deletion requests themselves cannot be taken back (NIP-09).
        """
        if event.pubkey != self.author or event.kind == Kind.DELETION:
            return False
        if event.id in self.ids:
            return True
        has_address = is_addressable(event.kind) or is_replaceable(event.kind)
        return has_address and event.created_at <= self.requested_at and _address(event) in self.coordinates


def read_deletion(event: UnsignedEvent) -> Deletion:
    """Read a kind 5 event, leaving out malformed tags and other people's addresses; ValueError for others."""
    if event.kind != Kind.DELETION:
        raise ValueError(f"kind {event.kind} is no deletion request")
    return Deletion(
        author=event.pubkey,
        requested_at=event.created_at,
        ids=frozenset(value for value in tag_values(event, "e") if _ID.fullmatch(value)),
        coordinates=frozenset(
            coordinate
            for value in tag_values(event, "a")
            if (coordinate := _read_coordinate(value)) and coordinate.pubkey == event.pubkey
        ),
    )


def _address(event: Event) -> Coordinate:
    if is_replaceable(event.kind):
        return Coordinate(event.kind, event.pubkey, "")
    return Coordinate.of(event)


def _read_coordinate(value: str) -> Coordinate | None:
    try:
        return Coordinate.parse(value)
    except CoordinateRefused:
        return None
