"""Holds the curve: secret keys, BIP-340 signatures, ECDH, recoverable ECDSA and sums of points.

The one place that imports coincurve.
It calls the bundled libsecp256k1 directly where the wrapper would do work twice
(the wrapper verifies what it has just signed and parses a key at every call).
Public keys are 64 lower-case hex digits (BIP-340, x only) everywhere outside this module.
"""

import re
from functools import lru_cache
from typing import Any, Never, Self

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found,unused-ignore]
from coincurve.context import GLOBAL_CONTEXT

PARSED_KEYS_MAX = 4096
"""How many parsed public keys are kept: merchants and regular buyers stay, one-time keys pass through."""

NO_AUX = bytes(32)

_COMPRESSED = 0x102  # SECP256K1_EC_COMPRESSED in secp256k1.h
_UNCOMPRESSED = 0x002
_CONTEXT: Any = GLOBAL_CONTEXT.ctx
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class KeyRefused(ValueError):
    """Bytes or text that are not a key of this curve; the message never quotes them."""


class SecretKey:
    """A secret scalar in 1..n-1, which neither prints, nor pickles, nor copies itself.

    Equal keys compare equal and hash alike, by their public halves.
    `kept` holds values derived from the key that are worth keeping as long as the key, and no longer:
    a cache elsewhere would keep secrets of a merchant who has left.
    """

    __slots__ = ("_keypair", "_secret", "kept", "public_key")

    kept: dict[str, bytes]

    public_key: str
    """The x-only public key, 64 lower-case hex digits (BIP-340)."""

    def __init__(self, secret: bytes) -> None:
        """Take 32 bytes; raise `KeyRefused` for another length, zero, or a value past the group order."""
        if not isinstance(secret, bytes) or len(secret) != 32:
            raise KeyRefused("a secret key has 32 bytes")
        self._secret = secret
        self.kept = {}
        self._keypair = ffi.new("secp256k1_keypair *")
        if not lib.secp256k1_keypair_create(_CONTEXT, self._keypair, secret):
            raise KeyRefused("a secret key lies between 1 and the order of the curve")
        point = ffi.new("secp256k1_xonly_pubkey *")
        lib.secp256k1_keypair_xonly_pub(_CONTEXT, point, ffi.NULL, self._keypair)
        public = ffi.new("unsigned char[32]")
        lib.secp256k1_xonly_pubkey_serialize(_CONTEXT, public, point)
        self.public_key = bytes(ffi.buffer(public, 32)).hex()

    @classmethod
    def from_bytes(cls, secret: bytes) -> Self:
        """Take 32 bytes; raise `KeyRefused` when they are no key."""
        return cls(secret)

    @classmethod
    def from_hex(cls, text: str) -> Self:
        """Take 64 lower-case hex digits; raise `KeyRefused` when they are no key."""
        if not _HEX64.fullmatch(text):
            raise KeyRefused("a secret key in hex has 64 lower-case digits")
        return cls(bytes.fromhex(text))

    def reveal(self) -> bytes:
        """Give the 32 bytes themselves, for derivation and for encryption at rest only."""
        return self._secret

    def __repr__(self) -> str:
        return f"SecretKey(of {self.public_key[:8]}…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretKey) and self.public_key == other.public_key

    def __hash__(self) -> int:
        return hash(self.public_key)

    def __reduce_ex__(self, protocol: object) -> Never:
        raise TypeError("a secret key is neither pickled nor copied")


def is_public_key(text: str) -> bool:
    """Tell whether the text is 64 lower-case hex digits and the x of a point on the curve (BIP-340)."""
    return _x_only(text) is not None


def sign(secret: SecretKey, digest32: bytes, aux32: bytes = NO_AUX) -> bytes:
    """Sign a 32-byte digest (BIP-340), the same 64 bytes for the same auxiliary bytes.

    Unlike the wrapper it does not verify its own signature: relays and the read path do.
    """
    _want_32(digest32)
    _want_32(aux32)
    signature = ffi.new("unsigned char[64]")
    if not lib.secp256k1_schnorrsig_sign32(_CONTEXT, signature, digest32, secret._keypair, aux32):
        raise KeyRefused("signing failed")  # pragma: no cover - the key pair is valid by construction
    return bytes(ffi.buffer(signature, 64))


def verify(pubkey_hex: str, digest32: bytes, sig64: bytes) -> bool:
    """Tell whether the signature is this key's over the digest (BIP-340); false for what is no key at all."""
    point = _x_only(pubkey_hex)
    if point is None or len(sig64) != 64 or len(digest32) != 32:
        return False
    return bool(lib.secp256k1_schnorrsig_verify(_CONTEXT, sig64, digest32, 32, point))


def ecdh_x(secret: SecretKey, pubkey_hex: str) -> bytes:
    """Give the 32-byte x of the shared point, not hashed (NIP-44 §1, NIP-04).

    In constant time: a tweak multiplication, which NIP-44 suggests, is a quarter faster but its
    time depends on the secret, and strangers choose the other factor.
    Raises `KeyRefused` when the other side is no public key.
    """
    point = _even_point(pubkey_hex)
    if point is None:
        raise KeyRefused("the other side's public key is not on the curve")
    shared_x = ffi.new("unsigned char[32]")
    if not lib.secp256k1_ecdh(_CONTEXT, shared_x, point, secret._secret, _copy_x, ffi.NULL):
        raise KeyRefused("no shared point")  # pragma: no cover - both factors are valid by construction
    return bytes(ffi.buffer(shared_x, 32))


def sign_recoverable(secret_bytes: bytes, digest32: bytes) -> bytes:
    """Sign with recoverable ECDSA (BOLT-11): r, s (32 bytes each), then the recovery id (one byte)."""
    _want_32(secret_bytes)
    _want_32(digest32)
    raw = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    if not lib.secp256k1_ecdsa_sign_recoverable(_CONTEXT, raw, digest32, secret_bytes, ffi.NULL, ffi.NULL):
        raise KeyRefused("a secret key lies between 1 and the order of the curve")
    compact, recovery_id = ffi.new("unsigned char[64]"), ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(_CONTEXT, compact, recovery_id, raw)
    return bytes(ffi.buffer(compact, 64)) + bytes([recovery_id[0]])


def recover(digest32: bytes, sig65: bytes) -> bytes:
    """Give the compressed 33-byte key that made a recoverable signature; raise `KeyRefused` if none did."""
    _want_32(digest32)
    if len(sig65) != 65 or sig65[64] > 3:
        raise KeyRefused("a recoverable signature has 64 bytes and a recovery id of 0 to 3")
    raw = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    point = ffi.new("secp256k1_pubkey *")
    parsed = lib.secp256k1_ecdsa_recoverable_signature_parse_compact(_CONTEXT, raw, sig65[:64], sig65[64])
    if not parsed or not lib.secp256k1_ecdsa_recover(_CONTEXT, point, raw, digest32):
        raise KeyRefused("no key makes this signature over this digest")
    return _serialised(point)


def base_point(scalar32: bytes) -> bytes:
    """The generator times a scalar, 33 bytes compressed; raise `KeyRefused` for a scalar that is no secret key."""
    _want_32(scalar32)
    point = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_create(_CONTEXT, point, scalar32):
        raise KeyRefused("a scalar lies between 1 and the order of the curve")
    return _serialised(point)


def multiply(point33: bytes, scalar32: bytes) -> bytes:
    """A point times a scalar, its time dependent on both; raise `KeyRefused` where either is none."""
    _want_32(scalar32)
    point = _point(point33)
    if not lib.secp256k1_ec_pubkey_tweak_mul(_CONTEXT, point, scalar32):
        raise KeyRefused("a scalar lies between 1 and the order of the curve")
    return _serialised(point)


def add(one33: bytes, other33: bytes) -> bytes:
    """The sum of two points; raise `KeyRefused` where one is none, or where they cancel each other out."""
    total, parts = ffi.new("secp256k1_pubkey *"), [_point(one33), _point(other33)]
    if not lib.secp256k1_ec_pubkey_combine(_CONTEXT, total, parts, len(parts)):
        raise KeyRefused("the points cancel each other out")
    return _serialised(total)


def subtract(one33: bytes, other33: bytes) -> bytes:
    """The difference of two points; raises as `add` does."""
    negated = _point(other33)
    lib.secp256k1_ec_pubkey_negate(_CONTEXT, negated)
    return add(one33, _serialised(negated))


def uncompressed(point33: bytes) -> bytes:
    """The same point in its 65 bytes (SEC1); raise `KeyRefused` where it is none."""
    whole, length = ffi.new("unsigned char[65]"), ffi.new("size_t *", 65)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, whole, length, _point(point33), _UNCOMPRESSED)
    return bytes(ffi.buffer(whole, 65))


def is_point(point33: bytes) -> bool:
    """Whether 33 bytes are a point of the curve, compressed (SEC1)."""
    point = ffi.new("secp256k1_pubkey *")
    return len(point33) == 33 and bool(lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, point33, 33))


def _point(point33: bytes) -> Any:
    point = ffi.new("secp256k1_pubkey *")
    if len(point33) != 33 or not lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, point33, 33):
        raise KeyRefused("these bytes are no point of the curve")
    return point


def _serialised(point: Any) -> bytes:
    compressed, length = ffi.new("unsigned char[33]"), ffi.new("size_t *", 33)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, compressed, length, point, _COMPRESSED)
    return bytes(ffi.buffer(compressed, 33))


@ffi.callback(  # type: ignore[untyped-decorator,unused-ignore]
    "int(unsigned char *, const unsigned char *, const unsigned char *, void *)"
)
def _copy_x(output: Any, x32: Any, _y32: Any, _data: Any) -> int:
    """Stand where libsecp256k1 would hash the shared point, and copy its x instead."""
    ffi.memmove(output, x32, 32)
    return 1


def _x_only(text: str) -> Any:
    return _parse_x_only(text) if _HEX64.fullmatch(text) else None


def _even_point(text: str) -> Any:
    return _parse_even_point(text) if _HEX64.fullmatch(text) else None


@lru_cache(maxsize=PARSED_KEYS_MAX)
def _parse_x_only(hex64: str) -> Any:
    point = ffi.new("secp256k1_xonly_pubkey *")
    parsed = lib.secp256k1_xonly_pubkey_parse(_CONTEXT, point, bytes.fromhex(hex64))
    return point if parsed else None


@lru_cache(maxsize=PARSED_KEYS_MAX)
def _parse_even_point(hex64: str) -> Any:
    point = ffi.new("secp256k1_pubkey *")
    parsed = lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, b"\x02" + bytes.fromhex(hex64), 33)
    return point if parsed else None


def _want_32(value: bytes) -> None:
    if len(value) != 32:
        raise ValueError(f"expected 32 bytes, got {len(value)}")
