"""Ciphers and key derivation: ChaCha20 in its three uses, AES-CBC, HKDF-SHA256, scrypt, derived one-time values.

The one place that imports cryptography.
Keys, nonces and plain texts are bytes; nothing here draws a random number (callers pass nonces).
HMAC comes from the standard library (2 µs, the same as cryptography's), HKDF-expand from cryptography
(3.5 µs for the three blocks of NIP-44, against 8.8 µs as a loop over the standard library's HMAC).
"""

import hmac
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES256, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

_DERIVE_SALT: Final = b"ncc-derive-v1"
_SHA256: Final = SHA256()
_HKDF_MAX: Final = 255 * 32
_CHACHA_CONSTANT: Final = b"expand 32-byte k"
_WORD: Final = 0xFFFFFFFF


class CipherRefused(ValueError):
    """A box that this key does not open: wrong key, wrong associated data, or changed bytes."""


def chacha20(key32: bytes, nonce12: bytes, data: bytes, counter: int = 0) -> bytes:
    """Apply the raw stream of RFC 8439 §2.4 from a block counter; the same call undoes itself.

    There is no authentication here: NIP-44 adds its own. Raises ValueError for other key or nonce sizes.
    """
    if len(nonce12) != 12:
        raise ValueError("a ChaCha20 nonce has 12 bytes")
    cipher = Cipher(ChaCha20(key32, struct.pack("<I", counter) + nonce12), mode=None)
    return cipher.encryptor().update(data)


def aes_cbc_encrypt(key32: bytes, iv16: bytes, data: bytes) -> bytes:
    """Pad (PKCS #7) and encrypt with AES-256-CBC, as NIP-04 wants it; nothing here authenticates."""
    padder, encryptor = PKCS7(128).padder(), Cipher(AES256(key32), CBC(iv16)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def aes_cbc_decrypt(key32: bytes, iv16: bytes, ciphertext: bytes) -> bytes:
    """Undo `aes_cbc_encrypt`, given whole blocks; raise `CipherRefused` where the padding is none."""
    decryptor, unpadder = Cipher(AES256(key32), CBC(iv16)).decryptor(), PKCS7(128).unpadder()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise CipherRefused("the padding is none") from None


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Authenticate a message (RFC 2104), 32 bytes."""
    return hmac.digest(key, message, "sha256")


def same_bytes(one: bytes, other: bytes) -> bool:
    """Compare two values without telling by the time taken where they differ."""
    return hmac.compare_digest(one, other)


def hkdf_extract(salt: bytes, key_material: bytes) -> bytes:
    """Extract a 32-byte pseudo-random key (RFC 5869 §2.2)."""
    return hmac.digest(salt, key_material, "sha256")


def hkdf_expand(key32: bytes, info: bytes, length: int) -> bytes:
    """Expand a pseudo-random key to a length of 1..8160 bytes (RFC 5869 §2.3)."""
    if not 0 < length <= _HKDF_MAX:
        raise ValueError("HKDF expands to between 1 and 8160 bytes")
    return HKDFExpand(_SHA256, length, info).derive(key32)


def derive(secret: bytes, *labels: str | bytes, length: int = 32) -> bytes:
    """Derive bytes from a secret and what they are for, the same bytes for the same labels.

    Every deterministic nonce, one-time key and time offset comes from here, so that a repeated effect
    is byte for byte the same message.
    The first label names the use; each label is preceded by its length, so that no two different
    lists of labels run together to the same text.
    """
    info = b"".join(_prefixed(label) for label in labels)
    return hkdf_expand(hkdf_extract(_DERIVE_SALT, secret), info, length)


def seal_box(key32: bytes, nonce12: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Encrypt and authenticate one personal field (ChaCha20-Poly1305, RFC 8439 §2.8); 16 bytes longer."""
    return ChaCha20Poly1305(key32).encrypt(nonce12, plaintext, aad)


def open_box(key32: bytes, nonce12: bytes, box: bytes, aad: bytes) -> bytes:
    """Open what `seal_box` made; raise `CipherRefused` unless key, nonce, bytes and `aad` all match."""
    try:
        return ChaCha20Poly1305(key32).decrypt(nonce12, box, aad)
    except InvalidTag:
        raise CipherRefused("the box does not open with this key") from None


def xchacha20poly1305_encrypt(key32: bytes, nonce24: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Encrypt with a 24-byte nonce (draft-irtf-cfrg-xchacha-03 §2.3), as NIP-49 wants it."""
    subkey, nonce12 = _x_subkey(key32, nonce24)
    return seal_box(subkey, nonce12, plaintext, aad)


def xchacha20poly1305_decrypt(key32: bytes, nonce24: bytes, box: bytes, aad: bytes) -> bytes:
    """Open what `xchacha20poly1305_encrypt` made; raise `CipherRefused` when it does not open."""
    subkey, nonce12 = _x_subkey(key32, nonce24)
    return open_box(subkey, nonce12, box, aad)


def scrypt(password: bytes, salt: bytes, log_n: int, block_size: int = 8) -> bytes:
    """Stretch a password to 32 bytes (RFC 7914) in 2**(log_n + 7) * block_size bytes of memory.

    The standard library's stops short of 2 GiB, which is log n 21 at the usual block size.
    """
    return Scrypt(salt=salt, length=32, n=1 << log_n, r=block_size, p=1).derive(password)


def hchacha20(key32: bytes, nonce16: bytes) -> bytes:
    """Hash a key and a nonce to a subkey (draft-irtf-cfrg-xchacha-03 §2.2).

    In plain Python, 100 µs: no library at hand offers it, and only opening a key file needs it.
    """
    if len(key32) != 32 or len(nonce16) != 16:
        raise ValueError("HChaCha20 takes a key of 32 and a nonce of 16 bytes")
    words = list(struct.unpack("<16I", _CHACHA_CONSTANT + key32 + nonce16))
    for _ in range(10):
        _quarter_round(words, 0, 4, 8, 12)
        _quarter_round(words, 1, 5, 9, 13)
        _quarter_round(words, 2, 6, 10, 14)
        _quarter_round(words, 3, 7, 11, 15)
        _quarter_round(words, 0, 5, 10, 15)
        _quarter_round(words, 1, 6, 11, 12)
        _quarter_round(words, 2, 7, 8, 13)
        _quarter_round(words, 3, 4, 9, 14)
    return struct.pack("<8I", *words[:4], *words[12:])


def _x_subkey(key32: bytes, nonce24: bytes) -> tuple[bytes, bytes]:
    if len(nonce24) != 24:
        raise ValueError("an XChaCha20 nonce has 24 bytes")
    return hchacha20(key32, nonce24[:16]), bytes(4) + nonce24[16:]


def _quarter_round(words: list[int], a: int, b: int, c: int, d: int) -> None:
    for first, second, third, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        words[first] = (words[first] + words[second]) & _WORD
        mixed = words[third] ^ words[first]
        words[third] = ((mixed << shift) | (mixed >> (32 - shift))) & _WORD


def _prefixed(label: str | bytes) -> bytes:
    data = label.encode() if isinstance(label, str) else label
    return struct.pack(">I", len(data)) + data
