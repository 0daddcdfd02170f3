"""Events, payloads and wraps to ask every implementation about: seeded, and as nasty as the wire can be."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from schemas.nostr.nip01 import event_id
from schemas.nostr.secp256k1 import KeyRefused, SecretKey, is_public_key, sign

CONTROLS = "".join(map(chr, range(0x20)))
WRITABLE = "\b\t\n\f\r"
"""The control characters that every implementation writes in one way (NIP-01 names their escapes)."""

_RANGES = (
    (0x20, 0x7F),
    (0x20, 0x7F),
    (0x7F, 0xA0),
    (0xA0, 0x800),
    (0x2000, 0x2070),
    (0x3000, 0xD800),
    (0xE000, 0x10000),
    (0x1F300, 0x1FAFF),
    (0x10000, 0x110000),
)
_PIECES = ('"', "\\", "/", "\\u0000", "\\n", "\u2028", "\u2029", "\ufeff", "\uffff", "e\u0301", "\u00e9", "</script>")


def a_secret(chance: Random) -> SecretKey:
    """Any key."""
    while True:
        try:
            return SecretKey(chance.randbytes(32))
        except KeyRefused:
            continue


def a_text(chance: Random, longest: int = 60, more: str = WRITABLE) -> str:
    """Characters of every plane, quotes and backslashes, and `more`; never half a character."""
    parts = []
    for _ in range(chance.randint(0, longest)):
        low, high = chance.choice(_RANGES)
        parts.append(
            chance.choice((chr(chance.randrange(low, high)), chance.choice(_PIECES), chance.choice(more or "x")))
        )
    return "".join(parts)


def an_event(chance: Random, more: str = WRITABLE) -> dict[str, Any]:
    """The fields that are hashed, of any kind, time, tags and content."""
    tags = [
        [a_text(chance, 8, more) or "t", *(a_text(chance, 12, more) for _ in range(chance.randint(0, 4)))]
        for _ in range(chance.choice((0, 1, 2, 5, 5, 60)))
    ]
    if chance.random() < 0.02:
        tags.append(["big", a_text(chance, 4_000, more)])
    return {
        "pubkey": a_secret(chance).public_key,
        "created_at": chance.choice((0, 1, 1_700_000_000, 2**31, 2**32, 2**53 - 1, chance.randrange(2**40))),
        "kind": chance.choice((0, 1, 13, 1059, 30402, 65535, chance.randrange(65536))),
        "tags": tags,
        "content": a_text(chance, chance.choice((0, 20, 60, 400)), more),
    }


def id_of(event: dict[str, Any]) -> str:
    """The id by our own hand."""
    tags = tuple(tuple(tag) for tag in event["tags"])
    return event_id(event["pubkey"], event["created_at"], event["kind"], tags, event["content"])


def signed(event: dict[str, Any], secret: SecretKey, chance: Random) -> dict[str, Any]:
    """The event as its author signs it."""
    event = {**event, "pubkey": secret.public_key}
    name = id_of(event)
    return {**event, "id": name, "sig": sign(secret, bytes.fromhex(name), chance.randbytes(32)).hex()}


@dataclass(frozen=True, slots=True)
class Case:
    """An event's text and what was done to it."""

    what: str
    text: str


def event_cases(chance: Random, count: int) -> Iterator[Case]:
    """Sound events, and events spoiled in one way each."""
    names = ["sound", "sound", *SPOILS]
    for number in range(count):
        event = signed(an_event(chance), a_secret(chance), chance)
        what = names[number % len(names)]
        if what != "sound":
            event = SPOILS[what](event, chance)
        yield Case(what, json.dumps(event, ensure_ascii=chance.random() < 0.5))


def _flipped(name: str) -> Callable[[dict[str, Any], Random], dict[str, Any]]:
    def flip(event: dict[str, Any], chance: Random) -> dict[str, Any]:
        data = bytearray.fromhex(event[name])
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return {**event, name: data.hex()}

    return flip


def _with(**fields: Any) -> Callable[[dict[str, Any], Random], dict[str, Any]]:
    return lambda event, _: {**event, **fields}


def _rehashed(**fields: Any) -> Callable[[dict[str, Any], Random], dict[str, Any]]:
    """The id is right for what the fields are changed to, the signature is for what they were."""

    def change(event: dict[str, Any], _: Random) -> dict[str, Any]:
        changed = {**event, **fields}
        return {**changed, "id": id_of(changed)}

    return change


def _off_curve(event: dict[str, Any], chance: Random) -> dict[str, Any]:
    while True:
        pubkey = chance.randbytes(32).hex()
        if not is_public_key(pubkey):
            changed = {**event, "pubkey": pubkey}
            return {**changed, "id": id_of(changed)}


def _high_s(event: dict[str, Any], _: Random) -> dict[str, Any]:
    """The other root of s: a signature in ECDSA, none in BIP-340."""
    s = int(event["sig"][64:], 16)
    return {**event, "sig": event["sig"][:64] + f"{_ORDER - s:064x}"}


def _other_author(event: dict[str, Any], chance: Random) -> dict[str, Any]:
    changed = {**event, "pubkey": a_secret(chance).public_key}
    return {**changed, "id": id_of(changed)}


_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_FIELD = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F

SPOILS: dict[str, Callable[[dict[str, Any], Random], dict[str, Any]]] = {
    "a bit of the signature": _flipped("sig"),
    "a bit of the id": _flipped("id"),
    "a bit of the key": _flipped("pubkey"),
    "other content": lambda event, chance: {**event, "content": event["content"] + "!"},
    "another time": lambda event, chance: {**event, "created_at": event["created_at"] + 1},
    "one tag more": lambda event, chance: {**event, "tags": [*event["tags"], ["p", event["pubkey"]]]},
    "a right id under an old signature": _rehashed(content="other"),
    "a key off the curve": _off_curve,
    "the key of another": _other_author,
    "the other root of s": _high_s,
    "r of zero": lambda event, chance: {**event, "sig": "0" * 64 + event["sig"][64:]},
    "s of zero": lambda event, chance: {**event, "sig": event["sig"][:64] + "0" * 64},
    "s past the order": lambda event, chance: {**event, "sig": event["sig"][:64] + f"{_ORDER:064x}"},
    "r past the field": lambda event, chance: {**event, "sig": f"{_FIELD:064x}" + event["sig"][64:]},
    "a key past the field": _rehashed(pubkey=f"{_FIELD + 1:064x}"),
    "a key of zero": _rehashed(pubkey="0" * 64),
    "a signature too short": lambda event, chance: {**event, "sig": event["sig"][:-2]},
    "a signature too long": lambda event, chance: {**event, "sig": event["sig"] + "00"},
    "no signature": lambda event, chance: {key: value for key, value in event.items() if key != "sig"},
    "no tags": lambda event, chance: {key: value for key, value in event.items() if key != "tags"},
    "a tag that is no list": lambda event, chance: {**event, "tags": [*event["tags"], "t"]},
    "a number in a tag": lambda event, chance: {**event, "tags": [*event["tags"], ["t", 1]]},
    "content that is no text": _with(content=1),
    "a kind that is no number": _with(kind="1"),
    "a field nobody knows": _with(relays=["wss://r.example"]),
    # What follows is where readers differ, see the table in the test.
    "the key in capitals": lambda event, chance: {**event, "pubkey": event["pubkey"].upper()},
    "the id in capitals": lambda event, chance: {**event, "id": event["id"].upper()},
    "the signature in capitals": lambda event, chance: {**event, "sig": event["sig"].upper()},
}


def payload_cases(chance: Random, payload: str) -> Iterator[tuple[str, str]]:
    """A payload, and the same spoiled in one way each."""
    data = bytearray(base64.b64decode(payload))
    yield "sound", payload
    for what, place in (("version", 0), ("nonce", 1 + chance.randrange(32)), ("MAC", -1 - chance.randrange(32))):
        spoiled = bytearray(data)
        spoiled[place] ^= 1 << chance.randrange(8)
        yield f"a bit of the {what}", base64.b64encode(spoiled).decode()
    spoiled = bytearray(data)
    spoiled[33 + chance.randrange(len(data) - 65)] ^= 1 << chance.randrange(8)
    yield "a bit of the ciphertext", base64.b64encode(spoiled).decode()
    yield "a byte less", base64.b64encode(data[:-1]).decode()
    yield "a byte more", base64.b64encode(data + b"\0").decode()
    yield "cut short", payload[: chance.randrange(len(payload))]
    yield "a mark of the future", "#" + payload
    yield "a letter that is none of base64", payload[:50] + "*" + payload[51:]
    yield "empty", ""
