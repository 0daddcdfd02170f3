"""What the reading side tells its caller: sightings, how far a relay is complete, what was odd, how it stands."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

DETAIL_CHARS_MAX = 200
SEEN_MAX = 100_000
"""Texts remembered per relay; beyond it a repeat is passed on once more, which is harmless."""


@dataclass(frozen=True, slots=True)
class RawSighting:
    """One event seen on one relay: its text as the relay sent it, and what it claims as its id, unchecked.

    `event_id` is "" where the event claims none; `received_ms` is UTC.
    """

    relay: str
    subscription: str
    received_ms: int
    text: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Completion:
    """Everything the relay held for a subscription up to `until_s` (unix) went into the sink.

    Store `until_s` under (relay, cursor_key) and hand it back at the next start.
    """

    relay: str
    subscription: str
    cursor_key: str
    until_s: int


class ReportKind(StrEnum):
    """What was odd about a relay."""

    FRAME_TOO_BIG = "frame_too_big"
    BAD_FRAME = "bad_frame"
    UNSOLICITED = "unsolicited"
    CLOSED = "closed"
    NOTICE = "notice"
    PAGE_OVERFLOW = "page_overflow"
    NO_EOSE = "no_eose"
    DISCONNECTED = "disconnected"
    ONE_IDENTITY = "one_identity"
    """It knows several of ours on one connection, and still refuses a query; the detail names the subscription."""


@dataclass(frozen=True, slots=True)
class RelayReport:
    """Something an operator may want to see; `size_bytes` is 0 where it says nothing."""

    relay: str
    kind: ReportKind
    detail: str
    size_bytes: int = 0


type Report = Callable[[RelayReport], None]


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """How one relay stands, counted since it was first wanted."""

    is_connected: bool
    received: int
    duplicates: int
    too_big: int
    bad_frames: int
    unsolicited: int
    reconnects: int
    last_eose_ms: int | None
    last_error: str


@dataclass(slots=True)
class Counters:
    """The running figures behind a `RelayStatus`."""

    is_connected: bool = False
    received: int = 0
    duplicates: int = 0
    too_big: int = 0
    bad_frames: int = 0
    unsolicited: int = 0
    reconnects: int = 0
    last_eose_ms: int | None = None
    last_error: str = ""

    def frozen(self) -> RelayStatus:
        """Return the figures as they are now."""
        return RelayStatus(
            is_connected=self.is_connected,
            received=self.received,
            duplicates=self.duplicates,
            too_big=self.too_big,
            bad_frames=self.bad_frames,
            unsolicited=self.unsolicited,
            reconnects=self.reconnects,
            last_eose_ms=self.last_eose_ms,
            last_error=self.last_error,
        )


class SeenTexts:
    """The texts one relay sent lately, as digests; the least recently seen is forgotten first."""

    def __init__(self, entries_max: int = SEEN_MAX) -> None:
        self._entries_max = entries_max
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def has(self, text: str) -> bool:
        """Return whether exactly this text was added, and keep it fresh."""
        digest = _digest(text)
        if digest not in self._digests:
            return False
        self._digests.move_to_end(digest)
        return True

    def add(self, text: str) -> None:
        """Remember a text."""
        self._digests[_digest(text)] = None
        if len(self._digests) > self._entries_max:
            self._digests.popitem(last=False)


def ignore_report(_: RelayReport) -> None:
    """Report to nobody."""


def plain(words: str) -> str:
    """Return a relay's words cut short and without control characters, fit for a log line."""
    return "".join(c if c.isprintable() else " " for c in words[:DETAIL_CHARS_MAX])


def _digest(text: str) -> bytes:

    return blake2b(text.encode(), digest_size=16).digest()
