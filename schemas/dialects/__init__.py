"""The registry of dialects: each reads a client's messages into the same commands and writes the same replies (D7)."""

from __future__ import annotations

from schemas.dialects import gamma, k14, k15, nip15
from schemas.dialects.contract import Dialect

DIALECTS: dict[str, Dialect] = {one.name: one for one in (gamma.DIALECT, k15.DIALECT, k14.DIALECT, nip15.DIALECT)}
"""By name, in the order they are asked whether a message is theirs. Adding one touches its module and this line."""


def recognise(kind: int, tags: tuple[tuple[str, ...], ...]) -> Dialect | None:
    """The first dialect that claims a rumor of this kind and these tags."""
    return next((dialect for dialect in DIALECTS.values() if dialect.recognises(kind, tags)), None)
