"""The frames a relay sends, read without touching the events in them, and those we send.

A frame is read just strictly enough to be routed.
The text of an event is cut out of its frame untouched, because hashing, signature and quarantine need
exactly what the relay said, never what a JSON library would have written.
Source: NIP-01, NIP-42, NIP-45.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from json.decoder import JSONDecoder
from typing import NoReturn

from schemas import limits

type Filter = Mapping[str, object]
"""One NIP-01 filter as it goes over the wire, e.g. `{"kinds": [1059], "#p": ["…"]}`."""


@dataclass(frozen=True, slots=True)
class EventFrame:
    """An event for one of our queries.

    `text` is the event's own text; `event_id` and `created_at` are what it claims, unchecked:
    "" and None where it claims nothing usable.
    """

    subscription: str
    text: str
    event_id: str
    created_at: int | None


@dataclass(frozen=True, slots=True)
class EoseFrame:
    """All stored events for a query were sent."""

    subscription: str


@dataclass(frozen=True, slots=True)
class OkFrame:
    """The relay's answer to an event or an authentication we sent."""

    event_id: str
    is_accepted: bool
    message: str


@dataclass(frozen=True, slots=True)
class ClosedFrame:
    """The relay ended a query."""

    subscription: str
    message: str


@dataclass(frozen=True, slots=True)
class NoticeFrame:
    """Words for a human."""

    message: str


@dataclass(frozen=True, slots=True)
class AuthFrame:
    """A challenge to sign (NIP-42)."""

    challenge: str


@dataclass(frozen=True, slots=True)
class CountFrame:
    """The answer to a COUNT (NIP-45)."""

    subscription: str
    count: int


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A frame that cannot be routed; `reason` never repeats its content."""

    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FrameTooBig:
    """A frame over the cap, read and thrown away."""

    size_bytes: int


type Frame = (
    EventFrame | EoseFrame | OkFrame | ClosedFrame | NoticeFrame | AuthFrame | CountFrame | BadFrame | FrameTooBig
)

CHALLENGE_CHARS_MAX = limits.CHALLENGE.most
FRAME_PARTS_MAX = limits.FRAME_PARTS.most

_BLANKS = re.compile(r"[ \t\n\r]*")
_EVENT_ID = re.compile(r"[0-9a-f]{64}")


class _Unroutable(Exception):
    """Why a frame cannot be routed."""


def read_frame(data: bytes) -> Frame:
    """Read one frame; whatever is wrong with it comes back as a `BadFrame`, never as an exception."""
    try:
        return _route(data.decode("utf-8"))
    except _Unroutable as why:
        return BadFrame(str(why), len(data))
    except UnicodeDecodeError:
        return BadFrame("not UTF-8", len(data))
    except RecursionError:
        return BadFrame("nested too deeply", len(data))
    except ValueError:
        # Broken JSON, or a number of more digits than the interpreter reads.
        return BadFrame("not JSON", len(data))


def event_message(event_text: str) -> str:
    """Return the frame that publishes an event, its text untouched."""
    return f'["EVENT",{event_text}]'


def auth_message(event_text: str) -> str:
    """Return the frame that answers a challenge with a signed event of kind 22242."""
    return f'["AUTH",{event_text}]'


def req_message(subscription: str, filters: Iterable[Filter]) -> str:
    """Return the frame that opens a query."""
    return compact_json(["REQ", subscription, *filters])


def close_message(subscription: str) -> str:
    """Return the frame that ends a query."""
    return compact_json(["CLOSE", subscription])


def compact_json(value: object) -> str:
    """Return JSON without blanks, letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def prefix_of(message: str) -> str:
    """Return the machine-readable word before the colon of an OK or CLOSED message, "" if there is none."""
    prefix, colon, _ = message.partition(":")
    return prefix.strip().lower() if colon else ""


def _route(text: str) -> Frame:
    parts = _parts(text)
    values = [value for value, _, _ in parts]
    if "\\ud" in text or "\\uD" in text:
        _refuse_half_characters(values)
    match values:
        case ["EVENT", str(subscription), dict(event), *_]:
            _, start, end = parts[2]
            return EventFrame(subscription, text[start:end], _claimed_id(event), _claimed_time(event))
        case ["EOSE", str(subscription), *_]:
            return EoseFrame(subscription)
        case ["OK", str(event_id), bool(is_accepted), *rest]:
            return OkFrame(event_id, is_accepted, _words(rest))
        case ["CLOSED", str(subscription), *rest]:
            return ClosedFrame(subscription, _words(rest))
        case ["NOTICE", str(message), *_]:
            return NoticeFrame(message)
        case ["AUTH", str(challenge), *_] if 0 < len(challenge) <= CHALLENGE_CHARS_MAX:
            return AuthFrame(challenge)
        case ["COUNT", str(subscription), {"count": int(count)}, *_]:
            return CountFrame(subscription, count)
        case ["EVENT" | "EOSE" | "OK" | "CLOSED" | "NOTICE" | "AUTH" | "COUNT" as word, *_]:
            raise _Unroutable(f"{word} of a wrong shape")
        case _:
            raise _Unroutable("unknown type")


def _parts(text: str) -> list[tuple[object, int, int]]:
    """Return the frame's elements, each with where it starts and ends in the text."""
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise _Unroutable("not an array")
    at = _skip(text, at + 1)
    parts: list[tuple[object, int, int]] = []
    while len(parts) < FRAME_PARTS_MAX:
        value, end = _DECODER.raw_decode(text, at)
        parts.append((value, at, end))
        at = _skip(text, end)
        mark = text[at : at + 1]
        if mark == "]":
            if _skip(text, at + 1) != len(text):
                raise _Unroutable("words after the array")
            return parts
        if mark != ",":
            raise _Unroutable("not JSON")
        at = _skip(text, at + 1)
    raise _Unroutable("too many parts")


def _skip(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = JSONDecoder(parse_constant=_refuse_constant)


def _refuse_half_characters(values: Iterable[object]) -> None:
    """JSON can escape half of a character; a text with one can be neither logged, hashed nor sent."""
    try:
        for value in values:
            if isinstance(value, str):
                value.encode()
    except UnicodeEncodeError:
        raise _Unroutable("half a character") from None


def _claimed_id(event: Mapping[str, object]) -> str:
    claimed = event.get("id")
    return claimed if isinstance(claimed, str) and _EVENT_ID.fullmatch(claimed) else ""


def _claimed_time(event: Mapping[str, object]) -> int | None:
    claimed = event.get("created_at")
    return claimed if isinstance(claimed, int) and not isinstance(claimed, bool) else None


def _words(rest: list[object]) -> str:
    return rest[0] if rest and isinstance(rest[0], str) else ""
