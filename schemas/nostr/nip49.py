"""Secret keys under a password: `ncryptsec` (NIP-49)."""

import unicodedata
from typing import Final

from schemas.ciphers import CipherRefused, scrypt, xchacha20poly1305_decrypt, xchacha20poly1305_encrypt
from schemas.nostr import bech32
from schemas.nostr.secp256k1 import KeyRefused, SecretKey

LOG_N_MAX: Final = 22
"""Four GiB of memory; a text that asks for more is refused before any work is done."""

_PREFIX: Final = "ncryptsec"
_VERSION: Final = 2
_SIZE: Final = 91  # version, log n, salt 16, nonce 24, security byte, key 32, tag 16
_TEXT_MAX: Final = 200
_SECURITY_BYTES: Final = (0, 1, 2)


class Nip49Refused(ValueError):
    """Text that is no ncryptsec, or that the password does not open; quotes neither."""


def encrypt_key(secret: SecretKey, password: str, log_n: int, salt16: bytes, nonce24: bytes, security: int = 2) -> str:
    """Write a key under a password; salt and nonce are fresh random bytes.

    `security` is the NIP's byte: 0 the key was once handled insecurely, 1 it was not, 2 not tracked.
    Memory is 2**(log_n + 10) bytes: 64 MiB for 16. Raises ValueError for values out of range.
    """
    if len(salt16) != 16 or len(nonce24) != 24 or security not in _SECURITY_BYTES:
        raise ValueError("NIP-49 wants a salt of 16 bytes, a nonce of 24, and a security byte of 0, 1 or 2")
    associated = bytes((security,))
    key = _password_key(password, salt16, log_n)
    box = xchacha20poly1305_encrypt(key, nonce24, secret.reveal(), associated)
    return bech32.encode(_PREFIX, bytes((_VERSION, log_n)) + salt16 + nonce24 + associated + box)


def decrypt_key(text: str, password: str) -> SecretKey:
    """Open an ncryptsec; raise `Nip49Refused` for other text, a wrong password, or a log n above 22."""
    data = _decode(text.strip())
    log_n, salt, nonce, associated, box = data[1], data[2:18], data[18:42], data[42:43], data[43:]
    try:
        return SecretKey(xchacha20poly1305_decrypt(_password_key(password, salt, log_n), nonce, box, associated))
    except CipherRefused:
        raise Nip49Refused("the password does not open this ncryptsec") from None
    except KeyRefused as error:
        raise Nip49Refused(str(error)) from None


def _decode(text: str) -> bytes:
    try:
        prefix, data = bech32.decode(text, _TEXT_MAX)
    except bech32.Bech32Refused as error:
        raise Nip49Refused(f"not an ncryptsec: {error}") from None
    if prefix != _PREFIX or len(data) != _SIZE or data[0] != _VERSION:
        raise Nip49Refused("not an ncryptsec of version 2")
    return data


def _password_key(password: str, salt16: bytes, log_n: int) -> bytes:
    if not 1 <= log_n <= LOG_N_MAX:
        raise Nip49Refused(f"log n must lie between 1 and {LOG_N_MAX}")
    return scrypt(unicodedata.normalize("NFKC", password).encode(), salt16, log_n)
