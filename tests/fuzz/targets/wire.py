"""What comes over a socket: frames, events, encrypted payloads, wraps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from schemas.nostr import nip44
from schemas.nostr.nip01 import (
    Event,
    EventRefused,
    UnsignedEvent,
    check_id,
    check_sig,
    parse_event,
    read_event,
    sign_event,
    to_json,
)
from schemas.nostr.nip44 import PayloadRefused
from schemas.nostr.nip59 import WrapRefused, is_own_copy, make_wrap, open_wrap
from services.relays.frames import (
    AuthFrame,
    BadFrame,
    ClosedFrame,
    CountFrame,
    EoseFrame,
    EventFrame,
    FrameTooBig,
    NoticeFrame,
    OkFrame,
    auth_message,
    event_message,
    prefix_of,
    read_frame,
)
from tests.fuzz.target import MARK, Tape, Target, with_choices
from tests.schemas.nostr.given import (
    BUYER,
    MERCHANT,
    PLACED_AT,
    a_seal,
    a_wrap,
    an_event,
    an_order,
    as_fields,
    as_rumor_fields,
    payload_around,
)

_KEY = nip44.conversation_key(BUYER, MERCHANT.public_key)
_REFUSED_EVENT = (EventRefused,)


def read_any_frame(data: bytes) -> None:
    """A frame is always answered by a value; what it holds can be logged, hashed and sent on."""
    frame = read_frame(data)
    match frame:
        case EventFrame(subscription, text, event_id, _):
            texts = [subscription, text, event_id]
            assert text in data.decode(), "the event's text is the relay's own"
        case EoseFrame(subscription) | CountFrame(subscription, _):
            texts = [subscription]
        case OkFrame(event_id, _, message):
            texts = [event_id, message, prefix_of(message)]
        case ClosedFrame(subscription, message):
            texts = [subscription, message, prefix_of(message)]
        case NoticeFrame(message):
            texts = [message]
        case AuthFrame(challenge):
            texts = [challenge]
        case BadFrame(reason, size_bytes):
            texts = [reason]
            assert MARK not in reason, "a reason never repeats the frame"
            assert size_bytes == len(data)
        case FrameTooBig():
            texts = []
    for text in texts:
        text.encode()


def _frames() -> Iterator[bytes]:
    event = to_json(an_event(content=MARK))
    yield event_message(event).replace('["EVENT",', '["EVENT","sub",').encode()
    yield auth_message(event).encode()
    yield json.dumps(["OK", an_event().id, True, f"duplicate: {MARK}"]).encode()
    yield json.dumps(["OK", an_event().id, False, "pow: 28 bits needed"]).encode()
    yield from (json.dumps(frame).encode() for frame in _SHORT_FRAMES)
    yield b'["NOTICE","\\ud800 \\ude00"]'
    yield b'["AUTH","\\udfff"]'
    yield b'["OK","\\ud800",true,"\\ud800:"]'
    yield b'["CLOSED","\\ud83d\\ude00","error: \\u0000"]'
    yield b'["EVENT","s",{"id":"' + b"a" * 64 + b'","created_at":1e400,"id":1}]'
    yield b'["EVENT","s",{"created_at":' + b"9" * 2_000 + b"}]"
    yield b'["NOTICE",' + b"[" * 1_500 + b"]" * 1_500 + b"]"
    yield b'["COUNT","s",{"count":NaN}] '
    yield b'\xef\xbb\xbf["EOSE","s"]'


_SHORT_FRAMES = (
    ["EOSE", "sub"],
    ["CLOSED", "sub", f"auth-required: {MARK}"],
    ["NOTICE", MARK],
    ["AUTH", "challenge"],
    ["COUNT", "sub", {"count": 3, "approximate": False}],
    ["COUNT", "sub", {"count": True}],
    [MARK, {"a": [1.5, None]}],
)


def read_any_event(data: bytes) -> None:
    """Whatever parses writes back to what it was; whatever can be signed is read by everybody's rules."""
    tape = Tape(data)
    if tape.choice(2):
        event = parse_event(tape.rest())
        assert parse_event(to_json(event)) == event, "an event written is the event read"
        _sign_and_read(event)
        check_id(event)
        check_sig(event)
    else:
        read_event(tape.text())


def _sign_and_read(event: Event) -> None:
    unsigned = UnsignedEvent(
        pubkey=BUYER.public_key,
        created_at=event.created_at,
        kind=event.kind,
        tags=event.tags,
        content=event.content,
    )
    try:
        signed = sign_event(unsigned, BUYER)
    except ValueError:  # a control byte that has no agreed form is not written
        return
    assert read_event(to_json(signed)) == signed, "what we sign is valid"


def _events() -> Iterator[bytes]:
    for event in (an_event(content=MARK), an_event(tags=(("e", "a" * 64), ("p", "b" * 64, "wss://r.example"), ("é",)))):
        yield with_choices(to_json(event), 0)
        yield with_choices(to_json(event), 1)
    fields = as_fields(an_event())
    for change in (
        {"content": '":"\\":' + MARK, "x": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
        {"content": "\x00\x08\x0b\x1f\x7f\u2028\U0010ffff"},
        {"kind": 65536, "created_at": 2**53 + 1},
        {"created_at": -0.0, "tags": [[]]},
        {"tags": [["p", "npub1" + "q" * 58]], "sig": 1},
        {"tags": [["t"] * 33], MARK: MARK},
    ):
        yield with_choices(json.dumps({**fields, **change}), 1)
    yield with_choices(json.dumps(fields).replace('"kind": 1', '"kind": 1, "kind": 2'), 1)
    yield with_choices(json.dumps(fields).replace("1700000000", "1" * 300), 1)
    yield with_choices(json.dumps({**fields, "content": '":'}).replace("1700000000", "0." + "7" * 2_000), 1)
    yield with_choices(json.dumps(fields).replace("Two", "\\ud800"), 1)
    yield with_choices("[" * 2_000 + "]" * 2_000, 1)


def read_any_payload(data: bytes) -> None:
    """Of strangers' payloads, of any padding under a good MAC, and of our own: a text, or a refusal with a code."""
    tape = Tape(data)
    match tape.choice(3):
        case 0:
            text = tape.text()
            nip44.payload_nonce(text)
            nip44.decrypt(text, _KEY)
        case 1:
            padded = tape.rest()
            payload = payload_around(padded, _KEY, hashlib.sha256(padded).digest())
            assert nip44.payload_nonce(payload) == hashlib.sha256(padded).digest()
            nip44.decrypt(payload, _KEY)
        case _:
            words = tape.text()
            payload = nip44.encrypt(words, _KEY, hashlib.sha256(words.encode()).digest())
            assert nip44.decrypt(payload, _KEY) == words, "what we encrypt is read"


def _payloads() -> Iterator[bytes]:
    nonce = bytes(range(32))
    for words in ("a", MARK, "é\u2028\U0001f600" * 5, "\x00" * 33, "x" * 257):
        yield with_choices(nip44.encrypt(words, _KEY, nonce), 0)
        yield with_choices(words, 2)
        length = len(words.encode())
        yield with_choices(length.to_bytes(2) + words.encode().ljust(nip44.padded_length(length), b"\0"), 1)
    yield with_choices((0).to_bytes(2) + (65_536).to_bytes(4) + bytes(100), 1)
    yield with_choices((0).to_bytes(2) + (2**32 - 1).to_bytes(4), 1)
    yield with_choices((2).to_bytes(2) + b"\xff\xfe" + bytes(30), 1)
    yield with_choices("#" + "A" * 200, 0)
    yield with_choices("A" * 131 + "\u00e9", 0)


def open_any_wrap(data: bytes) -> None:
    """A wrap, a seal or a rumor of any text, each inside sound outer layers: opened, or refused with a code."""
    tape = Tape(data)
    match tape.choice(3):
        case 0:
            wrap = parse_event(tape.rest())
        case 1:
            wrap = a_wrap(tape.text() or " ")
        case _:
            wrap = a_wrap(json.dumps(a_seal(tape.text() or " ")))
    is_own_copy(wrap, MERCHANT)
    opened = open_wrap(wrap, MERCHANT)
    assert opened.sender == opened.rumor.pubkey, "the sender is who sealed it"
    assert MARK not in repr(opened), "a value that may be logged shows no one's words"


def _wraps() -> Iterator[bytes]:
    rumor = as_rumor_fields(an_order(content=MARK))
    for rumor_change in _RUMOR_CHANGES:
        yield with_choices(json.dumps({**rumor, **rumor_change}), 2)
    seal = a_seal(json.dumps(rumor))
    for seal_change in _SEAL_CHANGES:
        yield with_choices(json.dumps({**seal, **seal_change}), 1)
    yield with_choices(to_json(make_wrap(an_order(content=MARK), BUYER, MERCHANT.public_key, "first")), 0)
    own = make_wrap(an_order(MERCHANT, content=MARK), MERCHANT, MERCHANT.public_key, "own")
    yield with_choices(to_json(own), 0)
    yield with_choices(json.dumps({**as_fields(own), "pubkey": "05".rjust(64, "0")}), 0)
    yield with_choices(json.dumps({**rumor, "created_at": PLACED_AT, "content": '":{'}), 2)


_RUMOR_CHANGES: tuple[dict[str, object], ...] = (
    {},
    {"id": ""},
    {"id": None},
    {"id": "0" * 64},
    {"pubkey": MERCHANT.public_key},
    {"sig": "00"},
)
_SEAL_CHANGES: tuple[dict[str, object], ...] = (
    {},
    {"kind": 14},
    {"tags": [["expiration", "1"]]},
    {"tags": [["p", MARK]]},
    {"sig": "0" * 128},
)

_EVENT_WORDS = ('"id":', '"pubkey":', '"created_at":', '"kind":', '"tags":[[', '"content":"', '"sig":', "\\u0000")
_NASTY_WORDS = ("\\ud800", "\\u0007", "1e400", "NaN", "-0", "null", "true", '"":', "[[[[[[[[", "\u2028", "\x7f")

TARGETS = (
    Target("frame", read_any_frame, _frames, words=('["EVENT","', '["OK","', '"NOTICE"', '"AUTH"', *_NASTY_WORDS)),
    Target("event", read_any_event, _events, _REFUSED_EVENT, (*_EVENT_WORDS, *_NASTY_WORDS), json_after=1),
    Target("payload", read_any_payload, _payloads, (PayloadRefused,), ("Ag", "==", "\x00\x00", "\xff\xff")),
    Target("wrap", open_any_wrap, _wraps, (EventRefused, WrapRefused), (*_EVENT_WORDS, *_NASTY_WORDS), json_after=1),
)
