"""Writes and reads a place in a history that is ordered by time alone, where two may have settled at one moment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.payments.port import Cursor, Rejected

NAME_CHARS: Final = 16
"""As much of a payment hash as tells those of a few seconds apart."""

_CURSOR: Final = re.compile(r"(\d{0,18})((?:\.[0-9a-f]{16})*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor, read: everything up to `at` was given, but the last of it only as far as `names` tell."""

    at: int
    names: frozenset[str]


def place_of(cursor: Cursor, what: str) -> Place:
    """Read a cursor of `what` (`an LNbits wallet`); raise `Rejected` for another one's."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Rejected(f"this is no cursor of {what}")
    return Place(int(found[1] or 0), frozenset(found[2].split(".")[1:]))


def cursor_after(seen: Iterable[tuple[int, str]], overlap: int) -> Cursor:
    """The place after what was seen, each with its time and its name, remembering those that `overlap` covers."""
    rows = list(seen)
    at = max(when for when, _ in rows)
    return Cursor(".".join((str(at), *sorted({name for when, name in rows if when >= at - overlap}))))
