"""What the tests of the Nostr core start from: four people with fixed keys, their events, and forged wraps."""

import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

from hypothesis import settings

from schemas.ciphers import chacha20, hmac_sha256
from schemas.nostr import nip44
from schemas.nostr.nip01 import Event, UnsignedEvent, event_id, sign_event, to_json
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import Rumor
from schemas.nostr.secp256k1 import SecretKey

PLACED_AT = 1_700_000_000

CURVE_ORDER = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
OFF_CURVE = "05".rjust(64, "0")

STEADY = settings(derandomize=True, deadline=None, max_examples=100, database=None)
"""Hypothesis with the same examples at every run."""


def a_key(name: str) -> SecretKey:
    """Give the person of that name their key, always the same."""
    return SecretKey(sha256(name.encode()).digest())


MERCHANT, OTHER_MERCHANT, BUYER, STRANGER = map(a_key, ("merchant", "other merchant", "buyer", "stranger"))


def an_unsigned_event(author: SecretKey = BUYER, **changes: Any) -> UnsignedEvent:
    """Give a short note, valid by default."""
    fields: dict[str, Any] = {
        "pubkey": author.public_key,
        "created_at": PLACED_AT,
        "kind": 1,
        "tags": (("t", "tea"),),
        "content": "Two tins, please",
    }
    return UnsignedEvent(**(fields | changes))


def an_event(author: SecretKey = BUYER, **changes: Any) -> Event:
    """Give a signed note, valid by default."""
    return sign_event(an_unsigned_event(author, **changes), author)


def as_fields(event: Event) -> dict[str, Any]:
    """Give an event's JSON fields, to be spoiled."""
    fields: dict[str, Any] = json.loads(to_json(event))
    return fields


def an_order(author: SecretKey = BUYER, **changes: Any) -> Rumor:
    """Give an order rumor to the merchant, valid by default."""
    fields: dict[str, Any] = {
        "created_at": PLACED_AT,
        "kind": 16,
        "tags": [["p", MERCHANT.public_key], ["type", "1"], ["order", "o-1"]],
        "content": "",
    }
    return make_rumor(author.public_key, **(fields | changes))


def as_rumor_fields(rumor: Rumor) -> dict[str, Any]:
    """Give a rumor's JSON fields, to be spoiled."""
    return rumor.model_dump(mode="json")


def signed_as(author: SecretKey, **fields: Any) -> dict[str, Any]:
    """Give the fields of an event with a valid id and signature, whatever else is wrong with it."""
    event = UnsignedEvent(pubkey=author.public_key, **fields)
    return as_fields(sign_event(event, author))


def a_seal(rumor_text: str, author: SecretKey = BUYER, to: SecretKey = MERCHANT, **changes: Any) -> Any:
    """Give the fields of a seal around any text, well signed even if otherwise wrong."""
    key = nip44.conversation_key(author, to.public_key)
    content = nip44.encrypt(rumor_text, key, sha256(rumor_text.encode()).digest())
    fields: dict[str, Any] = {"created_at": PLACED_AT, "kind": 13, "tags": (), "content": content}
    return signed_as(author, **(fields | changes))


def a_wrap(seal_text: str, to: SecretKey = MERCHANT, **changes: Any) -> Event:
    """Give a wrap around any text, well signed even if otherwise wrong."""
    one_time = a_key("one-time " + seal_text)
    key = nip44.conversation_key(one_time, to.public_key)
    fields: dict[str, Any] = {
        "pubkey": one_time.public_key,
        "created_at": PLACED_AT,
        "kind": 1059,
        "tags": (("p", to.public_key),),
        "content": nip44.encrypt(seal_text, key, sha256(seal_text.encode()).digest()),
    }
    return sign_event(UnsignedEvent(**(fields | changes)), one_time)


def wrapped(rumor_fields: dict[str, Any], author: SecretKey = BUYER) -> Event:
    """Give a wrap to the merchant around any rumor fields, sealed by the author."""
    return a_wrap(json.dumps(a_seal(json.dumps(rumor_fields), author)))


def payload_around(padded: bytes, key: bytes, nonce: bytes) -> str:
    """Encrypt bytes as they are, with a valid MAC: the sender decides what the padding claims."""
    chacha_key, chacha_nonce, hmac_key = nip44.message_keys(key, nonce)
    ciphertext = chacha20(chacha_key, chacha_nonce, padded)
    mac = hmac_sha256(hmac_key, nonce + ciphertext)
    return b64encode(b"\x02" + nonce + ciphertext + mac).decode()


def hashed(fields: dict[str, Any]) -> str:
    """Give the id that belongs to some fields."""
    tags = tuple(tuple(tag) for tag in fields["tags"])
    return event_id(fields["pubkey"], fields["created_at"], fields["kind"], tags, fields["content"])
