"""Events: their shape, id, signature and text (NIP-01).

Three gates in this order, each with its own stable code (REL-06): shape, recomputed id, signature.
`read_event` is all three on text from a stranger.

Parsing: orjson refuses what is not JSON at all (NaN, raw control bytes, lone surrogates, a byte order
mark) but keeps the last of two equal keys. Duplicates are found by counting: every key is a quote
followed by a colon, so as many such places as keys means no duplicate; an escaped quote (JSON within
text) is none. Only where there are more, the slow standard parser looks at each object's pairs.
"""

import json
import re
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError

from schemas import limits
from schemas.nostr.kinds import KIND_MAX
from schemas.nostr.secp256k1 import NO_AUX, SecretKey, sign, verify

EVENT_SIZE_MAX: Final = limits.EVENT.most
"""Bytes of one event's text; strfry's default is half of that, so nothing a relay carries is longer."""
JSON_DEPTH_MAX: Final = limits.JSON_DEPTH.most
"""Levels of nesting; an event needs three, unknown fields may use the rest."""
TAGS_MAX: Final = limits.EVENT_TAGS.most
TAG_ELEMENTS_MAX: Final = limits.TAG_ELEMENTS.most
CREATED_AT_MAX: Final = 2**53
"""The largest whole number every JSON reader keeps exact."""

Text = Annotated[str, Strict()]
Tag = Annotated[tuple[Text, ...], Strict(False), Field(min_length=1, max_length=TAG_ELEMENTS_MAX)]
Tags = Annotated[tuple[Tag, ...], Strict(False), Field(max_length=TAGS_MAX)]
Hex32 = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
Hex64 = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{128}$")]
Seconds = Annotated[int, Strict(), Field(ge=0, le=CREATED_AT_MAX)]
KindNumber = Annotated[int, Strict(), Field(ge=0, le=KIND_MAX)]

_KEY_END = re.compile(rb'"[ \t\r\n]*:')
_ESCAPED_KEY_END = re.compile(rb'\\"[ \t\r\n]*:')
_UNWRITABLE = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]")
_SEVEN_ESCAPES = (
    ("\\", "\\\\"),  # first, since the others write one
    ("\n", "\\n"),
    ('"', '\\"'),
    ("\r", "\\r"),
    ("\t", "\\t"),
    ("\b", "\\b"),
    ("\f", "\\f"),
)


class EventFault(StrEnum):
    """Why text is not an event: one stable code for each gate."""

    BAD_JSON = "bad_json"
    BAD_SHAPE = "bad_shape"
    TOO_BIG = "too_big"
    BAD_ID = "bad_id"
    BAD_SIG = "bad_sig"


class EventRefused(ValueError):
    """An event that fails a gate; `reason` is for counting, `detail` is for reading and quotes no content."""

    def __init__(self, reason: EventFault, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class IdForm(StrEnum):
    """Which way of writing control bytes makes an event's id (the two differ for no other text)."""

    VERBATIM = "verbatim"  # NIP-01 to the letter
    JSON_ESCAPED = "json_escaped"  # \\u00XX, as common JSON encoders write it


class UnsignedEvent(BaseModel):
    """What an author says, before an id or a signature: `created_at` in unix seconds."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    pubkey: Hex32
    created_at: Seconds
    kind: KindNumber
    tags: Tags
    content: Text


class Event(UnsignedEvent):
    """A signed event; the type promises the shape only, `read_event` also the id and the signature."""

    id: Hex32
    sig: Hex64


def read_event(text: bytes | str) -> Event:
    """Read a stranger's text through all three gates; raise `EventRefused` with the first that fails."""
    event = parse_event(text)
    check_id(event)
    check_sig(event)
    return event


def parse_event(text: bytes | str) -> Event:
    """Read the shape only; raise `EventRefused` (`bad_json`, `bad_shape`, `too_big`)."""
    fields = parse_object(text, EVENT_SIZE_MAX)
    return shape(Event, fields)


def check_id(event: Event) -> IdForm:
    """Recompute the id; raise `EventRefused(bad_id)` unless one of the two forms gives it."""
    form = id_form(event, event.id)
    if form is None:
        raise EventRefused(EventFault.BAD_ID, f"the id of event {event.id} is not its hash")
    return form


def check_sig(event: Event) -> None:
    """Check the signature over the stated id; raise `EventRefused(bad_sig)`."""
    if not verify(event.pubkey, bytes.fromhex(event.id), bytes.fromhex(event.sig)):
        raise EventRefused(EventFault.BAD_SIG, f"event {event.id} is not signed by {event.pubkey}")


def event_id(pubkey: str, created_at: int, kind: int, tags: tuple[tuple[str, ...], ...], content: str) -> str:
    """Hash an event to its id: NIP-01 with exactly its seven escapes, everything else verbatim.

    Raises ValueError for text that has no UTF-8 (lone surrogates).
    """
    return sha256(serialise(pubkey, created_at, kind, tags, content)).hexdigest()


def id_form(event: UnsignedEvent, stated_id: str) -> IdForm | None:
    """Tell which form of the event hashes to the stated id; None when neither does."""
    parts = (event.pubkey, event.created_at, event.kind, event.tags, event.content)
    escaped = _json(parts)
    if b"\\u00" not in escaped:  # no control byte can be in there, and the two forms are one
        return IdForm.VERBATIM if sha256(escaped).hexdigest() == stated_id else None
    if sha256(serialise(*parts)).hexdigest() == stated_id:
        return IdForm.VERBATIM
    return IdForm.JSON_ESCAPED if sha256(escaped).hexdigest() == stated_id else None


def sign_event(unsigned: UnsignedEvent, secret: SecretKey, aux32: bytes = NO_AUX) -> Event:
    """Give the event its id and signature.

    Raises ValueError when the key is not the author's, or a text holds a control byte that
    implementations hash in two ways (see `IdForm`); such an event would be valid for half of the world.
    """
    if unsigned.pubkey != secret.public_key:
        raise ValueError("an event is signed by its author's key only")
    refuse_unwritable(unsigned)
    digest = sha256(_serialise_event(unsigned)).digest()
    return Event(
        pubkey=unsigned.pubkey,
        created_at=unsigned.created_at,
        kind=unsigned.kind,
        tags=unsigned.tags,
        content=unsigned.content,
        id=digest.hex(),
        sig=sign(secret, digest, aux32).hex(),
    )


def to_json(event: Event) -> str:
    """Write the event compactly, keys in NIP-01's order, UTF-8 text unescaped."""
    return orjson.dumps(
        {
            "id": event.id,
            "pubkey": event.pubkey,
            "created_at": event.created_at,
            "kind": event.kind,
            "tags": event.tags,
            "content": event.content,
            "sig": event.sig,
        }
    ).decode()


def first_tag(event: UnsignedEvent, name: str) -> tuple[str, ...] | None:
    """Give the first tag of a name, whole, its name included."""
    return next((tag for tag in event.tags if tag[0] == name), None)


def tag_values(event: UnsignedEvent, name: str) -> tuple[str, ...]:
    """Give the value (second element) of every tag of a name, in order; tags without one are left out."""
    return tuple(tag[1] for tag in event.tags if tag[0] == name and len(tag) > 1)


def serialise(pubkey: str, created_at: int, kind: int, tags: tuple[tuple[str, ...], ...], content: str) -> bytes:
    """Write the array that is hashed, without spaces: `[0,pubkey,created_at,kind,tags,content]`.

    orjson writes the same seven escapes and escapes no other character but the remaining control
    bytes; where those occur, our own slower writer puts them verbatim.
    """
    escaped = _json((pubkey, created_at, kind, tags, content))
    if b"\\u00" not in escaped:
        return escaped
    listed = ",".join("[" + ",".join(_quoted(text) for text in tag) + "]" for tag in tags)
    return f'[0,"{pubkey}",{created_at},{kind},[{listed}],{_quoted(content)}]'.encode()


def parse_object(text: bytes | str, size_max: int) -> dict[str, Any]:
    """Read one JSON object strictly: bounded bytes and depth, no duplicate keys, no NaN, valid UTF-8.

    Raises `EventRefused` (`bad_json`, `bad_shape` when it is no object or too deep, `too_big`).
    """
    if len(text) > size_max:
        raise EventRefused(EventFault.TOO_BIG, f"the text is longer than {size_max} bytes")
    try:
        data = text.encode() if isinstance(text, str) else text
        fields = orjson.loads(data)
    except ValueError:  # orjson's error carries the whole text, which may be someone's letter
        raise EventRefused(EventFault.BAD_JSON, "the text is not strict JSON") from None
    if len(data) > size_max:
        raise EventRefused(EventFault.TOO_BIG, f"the text is longer than {size_max} bytes")
    if not isinstance(fields, dict):
        raise EventRefused(EventFault.BAD_SHAPE, "the text is not a JSON object")
    _refuse_deep_or_double(data, fields)
    return fields


def shape[Shape: UnsignedEvent](model: type[Shape], fields: dict[str, Any]) -> Shape:
    """Check parsed fields against a model; raise `EventRefused(bad_shape)` naming the fields at fault."""
    try:
        event = model.model_validate(fields)
    except ValidationError as error:
        places = sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)})
        raise EventRefused(EventFault.BAD_SHAPE, f"not as NIP-01 says: {', '.join(places)}") from None
    if any(tag[0] == "p" and len(tag) > 1 and tag[1].startswith("npub1") for tag in event.tags):
        raise EventRefused(EventFault.BAD_SHAPE, "a p tag holds an npub; on the wire keys are hex (NIP-19)")
    return event


def refuse_unwritable(event: UnsignedEvent) -> None:
    """Raise ValueError when any text holds a control byte outside NIP-01's seven escapes."""
    if _UNWRITABLE.search(event.content) or any(_UNWRITABLE.search(text) for tag in event.tags for text in tag):
        raise ValueError("a text to be written holds a control byte that has no agreed form")


def writable(text: str) -> str:
    """Drop the control bytes that `refuse_unwritable` refuses, so that a stranger's words can be quoted."""
    return _UNWRITABLE.sub("", text)


def _serialise_event(event: UnsignedEvent) -> bytes:
    return serialise(event.pubkey, event.created_at, event.kind, event.tags, event.content)


def _json(parts: tuple[object, ...]) -> bytes:
    try:
        return orjson.dumps((0, *parts))
    except orjson.JSONEncodeError as error:
        raise ValueError("the event holds text that has no UTF-8") from error


def _quoted(text: str) -> str:
    for character, escape in _SEVEN_ESCAPES:  # a table for `translate` costs a stranger's long text thirty times this
        text = text.replace(character, escape)
    return f'"{text}"'


def _refuse_deep_or_double(data: bytes, fields: dict[str, Any]) -> None:
    key_ends = len(_KEY_END.findall(data))
    if b"\\" in data and b"\\\\" not in data:  # so that a backslash before a quote does escape it
        key_ends -= len(_ESCAPED_KEY_END.findall(data))
    if key_ends == len(fields) and data.count(b"[") + data.count(b"{") <= JSON_DEPTH_MAX:
        return  # no key but the outermost, none of them twice, and too few brackets to nest deep
    if key_ends != _count_keys(fields, JSON_DEPTH_MAX):
        json.loads(data, object_pairs_hook=_once_each)


def _count_keys(value: dict[str, Any] | list[Any], depth_left: int) -> int:
    """Count every object's keys, and refuse nesting past the limit on the way."""
    if depth_left == 0:
        raise EventRefused(EventFault.BAD_SHAPE, f"the JSON nests deeper than {JSON_DEPTH_MAX}")
    keys, members = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    for member in members:
        if isinstance(member, (dict, list)):
            keys += _count_keys(member, depth_left - 1)
    return keys


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise EventRefused(EventFault.BAD_JSON, "an object holds one key twice")
    return fields
