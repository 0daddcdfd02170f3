"""Whose turn it is: shops are read in turn, so that a flood for one delays its own buyers and nobody else (C-38)."""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import islice

NAMED_MAX = 16
"""Keys that are looked at; a wrap with more tags is none."""
_RECIPIENT = re.compile(rb'"p"\s*,\s*"([0-9a-f]{64})"')


class Turns[T]:
    """A queue with one lane a key: the first of each lane in turn, each lane in its order.

    Bounded in bytes by whoever fills it: `is_full` says when to stop. A lane that is empty is not kept.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._lanes: OrderedDict[bytes, deque[tuple[T, int]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._lanes)

    @property
    def is_full(self) -> bool:
        """Whether no more may be put in before something was taken."""
        return self._bytes >= self._bytes_max

    def put(self, lane: bytes, item: T, size: int) -> None:
        """Let an item wait in its lane."""
        self._lanes.setdefault(lane, deque()).append((item, size))
        self._bytes += size

    def take(self) -> T:
        """The next item; its lane goes to the end. Raises `LookupError` where nothing waits."""
        key, waiting = self._lanes.popitem(last=False)
        item, size = waiting.popleft()
        self._bytes -= size
        if waiting:
            self._lanes[key] = waiting
        return item


def lane_of(text: bytes, is_hosted: Callable[[str], bool]) -> bytes:
    """The first shop of ours that a raw event names; unchecked, since it only says whose turn it is.

    Everything else shares one lane: a lane for each stranger would give whoever makes up keys a turn for each.
    """
    named = (found.group(1) for found in islice(_RECIPIENT.finditer(text), NAMED_MAX))
    return next((key for key in named if is_hosted(key.decode())), b"")
