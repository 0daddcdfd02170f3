"""Locks on ecash: whom a secret lets spend it, and the signature that opens one of ours (NUT-10, NUT-11).

A key counts by its x alone, since that is all a Schnorr signature knows of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.nostr.secp256k1 import SecretKey, sign

P2PK: Final = "P2PK"
_KINDS: Final = frozenset({P2PK, "HTLC"})
_KEY: Final = re.compile(r"0[23][0-9a-f]{64}", re.ASCII)
_SINGLE: Final = frozenset({"sigflag", "n_sigs", "locktime", "n_sigs_refund"})
_MANY: Final = frozenset({"pubkeys", "refund"})


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may spend a proof: `needed` of `keys` (x only, hex), and others from `opens_at` on (unix seconds).

    `signs_all`: one signature covers the whole transaction (`SIG_ALL`).
    """

    keys: tuple[str, ...]
    needed: int = 1
    opens_at: int | None = None
    signs_all: bool = False


def read_lock(secret: str) -> Lock | None:
    """The lock of a secret; None for a plain one, which anybody may spend. Raises `TokenRefused`.

    A mint may take a broken lock for none, so what looks like one and cannot be read is refused.
    """
    try:
        said = json.loads(secret)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, list) or not said or not isinstance(said[0], str):
        return None
    if said[0] != P2PK:
        if said[0] in _KINDS:
            raise TokenRefused(TokenFault.FOREIGN_LOCK)
        raise TokenRefused(TokenFault.BAD_LOCK)
    try:
        data, tags = said[1]["data"], said[1].get("tags") or []
        return _lock(data, _tags(tags))
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, TokenRefused):
            raise
        raise TokenRefused(TokenFault.BAD_LOCK) from None


def write_lock(key33: str, nonce: str) -> str:
    """The secret of ecash that one key may spend for ever; `key33` compressed, `nonce` hex, drawn by the payer."""
    body = {"nonce": nonce, "data": key33, "tags": [["sigflag", "SIG_INPUTS"]]}
    return json.dumps([P2PK, body], separators=(",", ":"))


def open_lock(secret: str, key: SecretKey) -> str:
    """The witness with which the owner of a key spends a locked proof; the same for the same secret."""
    return json.dumps({"signatures": [sign(key, hashlib.sha256(secret.encode()).digest()).hex()]})


def x_of(key33: str) -> str:
    """The x of a compressed key in hex. Raises ValueError."""
    if not _KEY.fullmatch(key33.lower()):
        raise ValueError("it is no compressed key")
    return key33[2:].lower()


def _lock(data: Any, tags: dict[str, list[str]]) -> Lock:
    keys = [x_of(key) for key in (data, *tags.get("pubkeys", []))]
    needed = _number(tags, "n_sigs") or 1
    flag = tags.get("sigflag", ["SIG_INPUTS"])[0]
    refunds = [x_of(key) for key in tags.get("refund", [])]
    is_right = len(set(keys)) == len(keys) and len(set(refunds)) == len(refunds)
    if not is_right or not 1 <= needed <= len(keys) or flag not in ("SIG_INPUTS", "SIG_ALL"):
        raise TokenRefused(TokenFault.BAD_LOCK)
    return Lock(tuple(keys), needed, _number(tags, "locktime"), flag == "SIG_ALL")


def _number(tags: dict[str, list[str]], name: str) -> int | None:
    text = tags.get(name, ["0"])[0]
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise TokenRefused(TokenFault.BAD_LOCK)
    return int(text) or None


def _tags(said: Any) -> dict[str, list[str]]:
    """Each tag once; one that changes nothing is left out."""
    found: dict[str, list[str]] = {}
    for tag in said:
        if not isinstance(tag, list):
            raise TokenRefused(TokenFault.BAD_LOCK)
        name, *values = tag
        if name not in _SINGLE | _MANY:
            continue
        is_right = bool(values) and all(isinstance(value, str) and value for value in values)
        if name in found or not is_right or (name in _SINGLE and len(values) != 1):
            raise TokenRefused(TokenFault.BAD_LOCK)
        found[name] = values
    return found
