"""What the texts of events say of themselves, unchecked, and which filters they match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from tests.simulation.signers import digest

Meta = tuple[int, str, tuple[str, ...], str]
"""Kind (-1 where the text is no event), author, `p` tags, `d`."""

SUBSCRIBED = frozenset({0, 5, 10_002, 10_013, 10_050, 30_402, 30_403, 30_405, 30_406, 1_059, 31_234, 31_555})


def matches(meta: Meta, wanted: Mapping[str, Any]) -> bool:
    """Whether a relay gives this event for a filter; text that is no event it sends to everybody."""
    kind, author, people, d = meta
    if kind < 0:
        return "#p" in wanted
    if kind not in wanted["kinds"] and (kind in SUBSCRIBED or 1059 not in wanted["kinds"]):
        return False
    authors, named, targets = wanted.get("authors"), wanted.get("#p"), wanted.get("#d")
    if kind in SUBSCRIBED and authors is not None and author not in authors:
        return False
    if kind == 1059 and named is not None and not set(people) & set(named):
        return False
    return targets is None or d in targets


def meta_of(text: str) -> Meta:
    """Kind, author, `p` tags and `d` of an event's text."""
    try:
        fields = orjson.loads(text)
        tags = fields["tags"] if isinstance(fields["tags"], list) else []
        people = tuple(tag[1] for tag in tags if tag[0] == "p")
        return int(fields["kind"]), str(fields["pubkey"]), people, next((t[1] for t in tags if t[0] == "d"), "")
    except (ValueError, KeyError, TypeError):
        return -1, "", (), ""


def id_of(text: str) -> str:
    """What an event's text claims as its id; a digest where it claims none."""
    try:
        return str(orjson.loads(text)["id"])
    except (ValueError, KeyError, TypeError):
        return digest(text)


def received(now_ms: int) -> tuple[str, bytes]:
    """The header that says when a sighting was made."""
    return "received_ms", str(now_ms).encode()


class Texts:
    """What events' texts claim of themselves; each is looked at once."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._meta: dict[str, Meta] = {}

    def id_of(self, text: str) -> str:
        """The id."""
        known = self._ids.get(text)
        if known is None:
            known = self._ids[text] = id_of(text)
        return known

    def meta(self, text: str) -> Meta:
        """What filters look at."""
        known = self._meta.get(text)
        if known is None:
            known = self._meta[text] = meta_of(text)
        return known
