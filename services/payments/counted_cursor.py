"""Reads a place in a history whose entries are counted, from 1."""

from __future__ import annotations

import re
from typing import Final

from services.payments.port import Cursor, Rejected

_COUNT: Final = re.compile(r"[0-9]{0,18}", re.ASCII)


def count_of(cursor: Cursor, what: str) -> int:
    """How far a cursor of `what` (`an LND`) has come; raise `Rejected` for another one's."""
    if _COUNT.fullmatch(cursor) is None:
        raise Rejected(f"this is no cursor of {what}")
    return int(cursor or 0)
