"""Encrypted payloads, version 2 (NIP-44).

Texts up to 65,535 bytes are written with the two-byte length; the six-byte length that the NIP added in
June 2026 is read up to our cap and never written, because clients older than that cannot read it.
"""

import base64
import binascii
from enum import StrEnum
from typing import Final

from schemas.ciphers import chacha20, hkdf_expand, hkdf_extract, hmac_sha256, same_bytes
from schemas.nostr.secp256k1 import SecretKey, ecdh_x

PLAINTEXT_WRITE_MAX: Final = 65_535
"""Bytes of text that every client can read."""
PLAINTEXT_READ_MAX: Final = 128 * 1024
"""Bytes of text we read: no more than the largest event that could carry it."""

_VERSION: Final = 2
_EXTENDED_FROM: Final = 65_536
_OVERHEAD: Final = 1 + 32 + 32  # version, nonce, MAC
_DECODED_MIN: Final = _OVERHEAD + 2 + 32
_PAYLOAD_MIN: Final = 132
_PAYLOAD_MAX: Final = -(-(_OVERHEAD + 6 + PLAINTEXT_READ_MAX) // 3) * 4
_NONCE_CHARS: Final = 44  # 33 bytes: the version and the nonce


class PayloadFault(StrEnum):
    """Why a payload or a text is refused."""

    VERSION = "nip44_version"
    SIZE = "nip44_size"
    BASE64 = "nip44_base64"
    MAC = "nip44_mac"
    PADDING = "nip44_padding"
    UTF8 = "nip44_utf8"


class PayloadRefused(ValueError):
    """A payload that cannot be read, or a text that cannot be written; the message quotes neither."""

    def __init__(self, reason: PayloadFault) -> None:
        super().__init__(str(reason))
        self.reason = reason


def conversation_key(secret: SecretKey, pubkey_hex: str) -> bytes:
    """Give the 32-byte key two parties share, the same from either side (NIP-44, Encryption 1).

    Raises `KeyRefused` when the other side is no public key.
    """
    return hkdf_extract(b"nip44-v2", ecdh_x(secret, pubkey_hex))


def encrypt(plaintext: str, key: bytes, nonce32: bytes) -> str:
    """Encrypt a text of 1..65,535 UTF-8 bytes to base64.

    A nonce is never used with one key for two texts: whoever saw both could read them.
    Raises `PayloadRefused` (`nip44_size`, `nip44_utf8`).
    """
    try:
        text = plaintext.encode()
    except UnicodeEncodeError:
        raise PayloadRefused(PayloadFault.UTF8) from None
    if not 1 <= len(text) <= PLAINTEXT_WRITE_MAX:
        raise PayloadRefused(PayloadFault.SIZE)
    chacha_key, chacha_nonce, hmac_key = message_keys(key, nonce32)
    padded = len(text).to_bytes(2) + text.ljust(padded_length(len(text)), b"\0")
    ciphertext = chacha20(chacha_key, chacha_nonce, padded)
    mac = hmac_sha256(hmac_key, nonce32 + ciphertext)
    return base64.b64encode(bytes((_VERSION,)) + nonce32 + ciphertext + mac).decode()


def decrypt(payload: str, key: bytes) -> str:
    """Read a payload: bounds, strict base64, version, MAC in constant time, and only then its content.

    Raises `PayloadRefused` with a code of its own for each step.
    """
    nonce, ciphertext, mac = _split(payload)
    chacha_key, chacha_nonce, hmac_key = message_keys(key, nonce)
    if not same_bytes(hmac_sha256(hmac_key, nonce + ciphertext), mac):
        raise PayloadRefused(PayloadFault.MAC)
    text = _unpad(chacha20(chacha_key, chacha_nonce, ciphertext))
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise PayloadRefused(PayloadFault.UTF8) from None


def message_keys(key: bytes, nonce32: bytes) -> tuple[bytes, bytes, bytes]:
    """Derive one message's ChaCha20 key, ChaCha20 nonce and HMAC key (NIP-44, Encryption 3)."""
    if len(key) != 32 or len(nonce32) != 32:
        raise ValueError("a conversation key and a nonce have 32 bytes each")
    keys = hkdf_expand(key, nonce32, 76)
    return keys[:32], keys[32:44], keys[44:]


def padded_length(length: int) -> int:
    """Give the padded size of a text of so many bytes (at least 1), without the length prefix."""
    if length <= 32:
        return 32
    power = 1 << (length - 1).bit_length()
    chunk = 32 if power <= 256 else power // 8
    return -(-length // chunk) * chunk


def payload_nonce(payload: str) -> bytes | None:
    """Read the 32-byte nonce off a payload without decrypting it; None when it is no version 2 payload."""
    try:
        head = binascii.a2b_base64(payload[:_NONCE_CHARS], strict_mode=True)
    except ValueError:
        return None
    return head[1:] if len(head) == 33 and head[0] == _VERSION else None


def _split(payload: str) -> tuple[bytes, bytes, bytes]:
    if payload.startswith("#"):  # the NIP's flag for a future encoding
        raise PayloadRefused(PayloadFault.VERSION)
    if not _PAYLOAD_MIN <= len(payload) <= _PAYLOAD_MAX:
        raise PayloadRefused(PayloadFault.SIZE)
    data = _decode_base64(payload)
    if len(data) < _DECODED_MIN:
        raise PayloadRefused(PayloadFault.SIZE)
    if data[0] != _VERSION:
        raise PayloadRefused(PayloadFault.VERSION)
    return data[1:33], data[33:-32], data[-32:]


def _decode_base64(payload: str) -> bytes:
    try:
        data = binascii.a2b_base64(payload, strict_mode=True)
    except ValueError:
        raise PayloadRefused(PayloadFault.BASE64) from None
    # The decoder ignores stray bits behind the last byte; one payload must have one spelling.
    if base64.b64encode(data[(len(data) - 1) // 3 * 3 :]) != payload[-4:].encode():
        raise PayloadRefused(PayloadFault.BASE64)
    return data


def _unpad(padded: bytes) -> bytes:
    prefix, length = 2, int.from_bytes(padded[:2])
    if length == 0:
        prefix, length = 6, int.from_bytes(padded[2:6])
        if not _EXTENDED_FROM <= length <= PLAINTEXT_READ_MAX:
            raise PayloadRefused(PayloadFault.PADDING)
    if len(padded) != prefix + padded_length(length):
        raise PayloadRefused(PayloadFault.PADDING)
    return padded[prefix : prefix + length]
