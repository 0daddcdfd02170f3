"""Coordinates of replaceable and addressable events: `kind:pubkey:d` (NIP-01, EVT-03)."""

import re
from dataclasses import dataclass
from typing import Final, Self

from schemas.nostr.kinds import KIND_MAX
from schemas.nostr.nip01 import UnsignedEvent, tag_values

_KIND: Final = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
_PUBKEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class CoordinateRefused(ValueError):
    """Text that is no coordinate; its stable code is `bad_coord`."""

    code = "bad_coord"


@dataclass(frozen=True, slots=True, order=True)
class Coordinate:
    """The address of the newest event of a kind, author and `d` tag; `d` may hold any text, or none."""

    kind: int
    pubkey: str
    d: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split at the first two colons; raise `CoordinateRefused` unless kind and key are well formed."""
        parts = text.split(":", 2)
        if len(parts) != 3:
            raise CoordinateRefused("a coordinate has the form kind:pubkey:d")
        kind, pubkey, d = parts
        if not _KIND.fullmatch(kind) or int(kind) > KIND_MAX:
            raise CoordinateRefused("a coordinate's kind is a number from 0 to 65535")
        if not _PUBKEY.fullmatch(pubkey):
            raise CoordinateRefused("a coordinate's key has 64 lower-case hex digits")
        return cls(int(kind), pubkey, d)

    @classmethod
    def of(cls, event: UnsignedEvent) -> Self:
        """Give an event's own address: its first `d` tag's value, or an empty one (NIP-01)."""
        return cls(event.kind, event.pubkey, next(iter(tag_values(event, "d")), ""))

    def __str__(self) -> str:
        return f"{self.kind}:{self.pubkey}:{self.d}"
