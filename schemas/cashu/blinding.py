"""Blinds secrets, takes the blinding off what a mint signed, and checks its proof (NUT-00, NUT-12).

Points are 33 bytes compressed, scalars 32 bytes; `k` is a mint's key for one amount and `K` its public half.
"""

from __future__ import annotations

import hashlib
from typing import Final

from schemas.nostr.secp256k1 import (
    KeyRefused,
    add,
    base_point,
    is_point,
    multiply,
    subtract,
    uncompressed,
)

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""How many points the curve has."""
_DOMAIN: Final = b"Secp256k1_HashToCurve_Cashu_"
_TRIES_MAX: Final = 2**16


def hash_to_curve(message: bytes) -> bytes:
    """The point `Y` that a secret stands for."""
    digest = hashlib.sha256(_DOMAIN + message).digest()
    for counter in range(_TRIES_MAX):
        point = b"\x02" + hashlib.sha256(digest + counter.to_bytes(4, "little")).digest()
        if is_point(point):
            return point
    raise KeyRefused("no point was found for a message")  # pragma: no cover - each try finds one half the time


def blind(secret: bytes, r: bytes) -> bytes:
    """`B_`, what a mint is asked to sign. Raises `KeyRefused` where `r` is no scalar."""
    return add(hash_to_curve(secret), base_point(r))


def unblind(blinded: bytes, r: bytes, key: bytes) -> bytes:
    """`C`, the mint's signature on the secret itself, from `C_`. Raises `KeyRefused` for points that are none."""
    return subtract(blinded, multiply(key, r))


def sign_blinded(blinded: bytes, k: bytes) -> bytes:
    """`C_`, as a mint makes it."""
    return multiply(blinded, k)


def is_signed_by(message: bytes, signature: bytes, k: bytes) -> bool:
    """Whether `C` is on this secret, which only the mint itself can tell."""
    return multiply(hash_to_curve(message), k) == signature


def prove(blinded: bytes, signed: bytes, k: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    """`e` and `s`, as a mint shows that it signed with the key that it publishes; one `nonce` for one signature."""
    challenge = hash_points(base_point(nonce), multiply(blinded, nonce), base_point(k), signed)
    s = (int.from_bytes(nonce) + int.from_bytes(challenge) * int.from_bytes(k)) % ORDER
    return challenge, s.to_bytes(32)


def is_proven(key: bytes, blinded: bytes, signed: bytes, e: bytes, s: bytes) -> bool:
    """Whether `e` and `s` prove that `C_` was made of `B_` with the key behind `K`; False for what are no scalars."""
    try:
        one = subtract(base_point(s), multiply(key, e))
        other = subtract(multiply(blinded, s), multiply(signed, e))
        return hash_points(one, other, key, signed) == e
    except (KeyRefused, ValueError):
        return False


def is_proven_to_another(secret: bytes, signature: bytes, key: bytes, e: bytes, s: bytes, r: bytes) -> bool:
    """The same for somebody who was given the secret, its signature `C` and the blinding factor."""
    try:
        return is_proven(key, blind(secret, r), add(signature, multiply(key, r)), e, s)
    except (KeyRefused, ValueError):
        return False


def hash_points(*points: bytes) -> bytes:
    """`hash_e` of NUT-12: over the points in hex, uncompressed."""
    return hashlib.sha256("".join(uncompressed(point).hex() for point in points).encode()).digest()


def scalar_of(digest: bytes) -> bytes:
    """A scalar out of 32 bytes that were derived; raises `KeyRefused` for the few that give none."""
    number = int.from_bytes(digest) % ORDER
    if number == 0:
        raise KeyRefused("a scalar is not zero")  # pragma: no cover - one digest in 2**255
    return number.to_bytes(32)
