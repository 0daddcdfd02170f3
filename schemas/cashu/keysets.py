"""A mint's keysets: their ids, reckoned from their keys, what they charge, and how an amount is made up (NUT-02)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.nostr.secp256k1 import is_point

KEYS_MAX: Final = 100
"""Keys of one keyset; a mint has one for each power of two, 64 at most."""
FEE_PPK_MAX: Final = 1_000_000
SHORT_ID_CHARS: Final = 16
ID_V2_CHARS: Final = 66
AMOUNT_MAX: Final = 2**63
_V1, _V2 = "00", "01"


class KeysetRefused(ValueError):
    """What a mint says of a keyset is none, or not what its id stands for."""


@dataclass(frozen=True, slots=True)
class Keyset:
    """One keyset: `keys` are compressed points by amount. Only an active one signs anything new.

    `fee_ppk` is what a thousand inputs cost, in the keyset's unit; `final_expiry` is unix seconds.
    """

    id: str
    unit: str
    is_active: bool
    keys: Mapping[int, bytes]
    fee_ppk: int = 0
    final_expiry: int | None = None


def keyset_id_v1(keys: Mapping[int, bytes]) -> str:
    """The deprecated id, 16 hex digits."""
    return _V1 + hashlib.sha256(b"".join(keys[amount] for amount in sorted(keys))).hexdigest()[:14]


def keyset_id_v2(keys: Mapping[int, bytes], unit: str, fee_ppk: int = 0, final_expiry: int | None = None) -> str:
    """The id, 66 hex digits, of everything that holders of the keyset's ecash rely on."""
    said = ",".join(f"{amount}:{keys[amount].hex()}" for amount in sorted(keys)) + f"|unit:{unit.lower()}"
    if fee_ppk:
        said += f"|input_fee_ppk:{fee_ppk}"
    if final_expiry:
        said += f"|final_expiry:{final_expiry}"
    return _V2 + hashlib.sha256(said.encode()).hexdigest()


def is_own_id(keyset: Keyset) -> bool:
    """Whether the id is that of the keys, so that no mint passes off another keyset under it."""
    if keyset.id.startswith(_V1):
        return keyset.id == keyset_id_v1(keyset.keys)
    return keyset.id == keyset_id_v2(keyset.keys, keyset.unit, keyset.fee_ppk, keyset.final_expiry)


def read_keyset(said: Any, keys: Any) -> Keyset:
    """A keyset of what a mint lists of it and of its keys, which its id is reckoned from. Raises `KeysetRefused`."""
    if not isinstance(said, dict) or not isinstance(keys, dict) or not 0 < len(keys) <= KEYS_MAX:
        raise KeysetRefused("it is not in the shape of a keyset")
    name, unit, fee_ppk, expiry = (said.get(key) for key in ("id", "unit", "input_fee_ppk", "final_expiry"))
    if not isinstance(name, str) or not isinstance(unit, str) or not isinstance(said.get("active"), bool):
        raise KeysetRefused("it has no id, unit or state")
    if not _is_count(fee_ppk, FEE_PPK_MAX) or not _is_count(expiry, AMOUNT_MAX):
        raise KeysetRefused("its fee or its end is no number")
    points: dict[int, bytes] = {}
    for amount, point in keys.items():
        if not isinstance(amount, str) or not isinstance(point, str) or len(amount) > 20 or not amount.isdecimal():
            raise KeysetRefused("an amount or a key is none")
        points[int(amount)] = _point(point)
    keyset = Keyset(name, unit, said["active"], points, fee_ppk or 0, expiry)
    if not is_own_id(keyset):
        raise KeysetRefused("its id is not that of its keys")
    return keyset


def expand(short: str, known: Iterable[str]) -> str:
    """The one keyset that a token's id names, in full or by its beginning. Raises `TokenRefused`."""
    names = set(known)
    if short in names and len(short) != SHORT_ID_CHARS:
        return short
    found = sorted(name for name in names if name[:SHORT_ID_CHARS] == short)
    if not found:
        raise TokenRefused(TokenFault.UNKNOWN_KEYSET)
    if len(found) > 1:
        raise TokenRefused(TokenFault.AMBIGUOUS_KEYSET)
    return found[0]


def fee_of(fees_ppk: Iterable[int]) -> int:
    """What a mint charges for inputs of these fees, rounded up once."""
    return -(-sum(fees_ppk) // 1_000)


def make_up(amount: int, keyset: Keyset) -> tuple[int, ...]:
    """An amount in the keyset's own, smallest first, as few as can be. Raises `KeysetRefused`."""
    parts: list[int] = []
    for part in sorted(keyset.keys, reverse=True):
        while part and amount >= part and len(parts) < KEYS_MAX:
            parts.append(part)
            amount -= part
    if amount:
        raise KeysetRefused("its keys do not make up the amount")
    return tuple(reversed(parts))


def _is_count(number: object, most: int) -> bool:
    return number is None or (isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most)


def _point(text: str) -> bytes:
    try:
        point = bytes.fromhex(text) if text.isalnum() else b""  # fromhex passes over blanks
    except ValueError:
        point = b""
    if not is_point(point):
        raise KeysetRefused("a key is no point of the curve")
    return point
