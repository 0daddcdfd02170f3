"""Writes nip44.json beside it: NIP-44 vectors whose payloads come from nostr-sdk, in the published layout.

The published file may lie beside the project, and the tests prefer it; these stand in where it does not.
Nonces are nostr-sdk's own random ones, so every run writes another file of equal worth.
Run as `python -m tests.schemas.nostr.vectors.make_nip44`.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import nostr_sdk
from coincurve import PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

ORDER = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
# nostr-sdk writes no more than 65,408 bytes, though it reads 65,535.
TEXTS = (
    "a",
    "🍵",
    "order o-1: two tins",
    "é" * 100,
    "表ポあA鷗ŒéＢ逍Üßªąñ丂㐀𠀀",
    "x" * 32,
    "x" * 33,
    '"\\\n\t/',
)
LENGTHS = (
    1,
    16,
    32,
    33,
    37,
    64,
    65,
    100,
    128,
    129,
    200,
    256,
    257,
    320,
    383,
    500,
    512,
    515,
    1000,
    1024,
    65_408,
)


def _keys(name: str) -> Any:
    return nostr_sdk.Keys.parse(hashlib.sha256(name.encode()).hexdigest())


def _conversation_key(one: Any, other: Any) -> bytes:
    point = PublicKey(b"\x02" + bytes.fromhex(other.public_key().to_hex()))
    shared_x = point.multiply(bytes.fromhex(one.secret_key().to_hex())).format()[1:]
    return hmac.digest(b"nip44-v2", shared_x, "sha256")


def _payload(one: Any, other: Any, text: str) -> str:
    return str(nostr_sdk.nip44_encrypt(one.secret_key(), other.public_key(), text, nostr_sdk.Nip44Version.V2))


def _nonce(payload: str) -> str:
    return base64.b64decode(payload)[1:33].hex()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _conversations() -> list[dict[str, str]]:
    pairs = [(_keys(f"sender {number}"), _keys(f"receiver {number}")) for number in range(10)]
    return [
        {
            "sec1": one.secret_key().to_hex(),
            "pub2": other.public_key().to_hex(),
            "conversation_key": _conversation_key(one, other).hex(),
        }
        for one, other in pairs
    ]


def _messages() -> list[dict[str, str]]:
    one, other = _keys("sender"), _keys("receiver")
    rows = []
    for text in TEXTS:
        payload = _payload(one, other, text)
        rows.append(
            {
                "sec1": one.secret_key().to_hex(),
                "sec2": other.secret_key().to_hex(),
                "conversation_key": _conversation_key(one, other).hex(),
                "nonce": _nonce(payload),
                "plaintext": text,
                "payload": payload,
            }
        )
    return rows


def _long_messages() -> list[dict[str, Any]]:
    one, other = _keys("sender"), _keys("receiver")
    rows: list[dict[str, Any]] = []
    for pattern, repeat in (("x", 65_408), ("🍵", 16_352)):
        payload = _payload(one, other, pattern * repeat)
        rows.append(
            {
                "conversation_key": _conversation_key(one, other).hex(),
                "nonce": _nonce(payload),
                "pattern": pattern,
                "repeat": repeat,
                "plaintext_sha256": _sha256(pattern * repeat),
                "payload_sha256": _sha256(payload),
            }
        )
    return rows


def _padded(length: int) -> list[int]:
    payload = _payload(_keys("sender"), _keys("receiver"), "x" * length)
    return [length, len(base64.b64decode(payload)) - 65 - 2]


def _message_keys() -> dict[str, Any]:
    key = _conversation_key(_keys("sender"), _keys("receiver"))
    nonces = [hashlib.sha256(bytes([number])).digest() for number in range(10)]
    expanded = [(nonce, HKDFExpand(SHA256(), 76, nonce).derive(key)) for nonce in nonces]
    return {
        "conversation_key": key.hex(),
        "keys": [
            {
                "nonce": nonce.hex(),
                "chacha_key": keys[:32].hex(),
                "chacha_nonce": keys[32:44].hex(),
                "hmac_key": keys[44:].hex(),
            }
            for nonce, keys in expanded
        ],
    }


def _refused(payload: str, note: str) -> dict[str, str]:
    one, other = _keys("sender"), _keys("receiver")
    try:
        nostr_sdk.nip44_decrypt(other.secret_key(), one.public_key(), payload)
    except nostr_sdk.NostrSdkError:
        return {"conversation_key": _conversation_key(one, other).hex(), "payload": payload, "note": note}
    raise SystemExit(f"nostr-sdk accepts what must be refused: {note}")


def _spoiled() -> list[dict[str, str]]:
    payload = _payload(_keys("sender"), _keys("receiver"), "two tins")
    data = base64.b64decode(payload)
    changed = base64.b64encode(data[:-1] + bytes([data[-1] ^ 1])).decode()
    return [
        _refused("#" + payload[1:], "unknown encryption version"),
        _refused(base64.b64encode(b"\0" + data[1:]).decode(), "unknown encryption version 0"),
        _refused(payload[:-2] + "é=", "invalid base64"),
        _refused(changed, "invalid MAC"),
        _refused("", "invalid payload length: 0"),
        _refused("AgAA", "invalid payload length: 4"),
    ]


def main() -> None:
    """Write the file."""
    vectors = {
        "v2": {
            "valid": {
                "get_conversation_key": _conversations(),
                "get_message_keys": _message_keys(),
                "calc_padded_len": [_padded(length) for length in LENGTHS],
                "encrypt_decrypt": _messages(),
                "encrypt_decrypt_long_msg": _long_messages(),
            },
            "invalid": {
                "encrypt_msg_lengths": [0, 65_536, 100_000, 10_000_000],
                "get_conversation_key": [
                    {"sec1": ORDER, "pub2": "12" * 32, "note": "sec1 is the order of the curve"},
                    {"sec1": "00" * 32, "pub2": "12" * 32, "note": "sec1 is 0"},
                    {"sec1": "01" * 32, "pub2": "5".rjust(64, "0"), "note": "pub2 is off the curve"},
                    {"sec1": "01" * 32, "pub2": "ff" * 32, "note": "pub2 is past the field"},
                    {"sec1": "01" * 32, "pub2": "00" * 32, "note": "pub2 is 0"},
                ],
                "decrypt": _spoiled(),
            },
        }
    }
    target = Path(__file__).with_name("nip44.json")
    target.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
