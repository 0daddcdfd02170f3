"""Payment requests for ecash, `creqA`, and what a wallet sends back for one (NUT-18)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Final

from schemas.cashu import cbor
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.locks import P2PK, x_of
from schemas.cashu.tokens import TOKEN_CHARS_MAX, Token, token_of, unpack

PREFIX: Final = "creqA"
REQUEST_CHARS_MAX: Final = 8_000
ID_CHARS_MAX: Final = 128
POST: Final = "post"
NOSTR: Final = "nostr"
_NIP17: Final = ["n", "17"]
"""By private messages (NIP-17)."""
_ITEMS_MAX: Final = 20


class RequestRefused(ValueError):
    """A text that is no payment request; the message quotes nothing."""


@dataclass(frozen=True, slots=True)
class EcashRequest:
    """What is asked for: `amount` of `unit` from one of `mints`, locked to `lock_key` (compressed, hex).

    `post_to` is where the token may be posted, `nostr_to` (an nprofile) whom it may be sent to as a private message;
    without either it goes where the request was shown.
    """

    id: str | None = None
    amount: int | None = None
    unit: str | None = None
    mints: tuple[str, ...] = ()
    memo: str | None = None
    post_to: str | None = None
    lock_key: str | None = None
    is_single_use: bool = False
    nostr_to: str | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """What a wallet sends for a request: which one, and the ecash."""

    id: str | None
    token: Token


def write_request(request: EcashRequest) -> str:
    """A request as text, the same for the same request."""
    transports: list[dict[str, Any]] = []  # the door first, because it answers
    if request.post_to is not None:
        transports.append({"t": POST, "a": request.post_to})
    if request.nostr_to is not None:
        transports.append({"t": NOSTR, "a": request.nostr_to, "g": [_NIP17]})
    said: dict[str, Any] = {
        "i": request.id,
        "a": request.amount,
        "u": request.unit,
        "s": request.is_single_use or None,
        "m": list(request.mints) or None,
        "d": request.memo,
        "t": transports or None,
        "nut10": None if request.lock_key is None else {"k": P2PK, "d": request.lock_key},
    }
    packed = cbor.write({name: value for name, value in said.items() if value is not None})
    return PREFIX + urlsafe_b64encode(packed).decode().rstrip("=")


def read_request(text: str) -> EcashRequest:
    """A request as its payer reads it; transports and locks of other kinds are left out. Raises `RequestRefused`."""
    if not text.startswith(PREFIX) or len(text) > REQUEST_CHARS_MAX:
        raise RequestRefused("it is no payment request for ecash")
    try:
        said = cbor.read(unpack(text[len(PREFIX) :]))
    except (cbor.CborRefused, TokenRefused):
        raise RequestRefused("it cannot be unpacked") from None
    try:
        locks, transports = said.get("nut10") or {}, said.get("t") or []
        return EcashRequest(
            id=_text(said.get("i")),
            amount=_amount(said.get("a")),
            unit=_text(said.get("u")),
            mints=tuple(str(_text(mint)) for mint in (said.get("m") or [])[:_ITEMS_MAX]),
            memo=_text(said.get("d")),
            post_to=next((_text(one["a"]) for one in transports[:_ITEMS_MAX] if one["t"] == POST), None),
            lock_key=_lock_key(locks),
            is_single_use=said.get("s") is True,
            nostr_to=next((_text(one["a"]) for one in transports[:_ITEMS_MAX] if _is_private(one)), None),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise RequestRefused("it is not in the shape of a request") from None


def read_payload(text: bytes | str) -> Payload:
    """What was posted for a request. Raises `TokenRefused`."""
    if len(text) > TOKEN_CHARS_MAX:
        raise TokenRefused(TokenFault.TOO_LONG)
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise TokenRefused(TokenFault.BAD_ENCODING) from None
    if not isinstance(said, dict):
        raise TokenRefused(TokenFault.BAD_SHAPE)
    name = said.get("id")
    if name is not None and (not isinstance(name, str) or len(name) > ID_CHARS_MAX):
        raise TokenRefused(TokenFault.BAD_SHAPE)
    return Payload(name, token_of(said.get("mint"), said.get("unit"), said.get("proofs")))


def _is_private(transport: Any) -> bool:
    """Whether a transport is one by private messages."""
    return transport["t"] == NOSTR and any(
        tag[:1] == _NIP17[:1] and "17" in tag[1:] for tag in transport.get("g") or []
    )


def _text(said: Any) -> str | None:
    if said is not None and not isinstance(said, str):
        raise TypeError("no text")
    return said


def _amount(said: Any) -> int | None:
    if said is not None and (not isinstance(said, int) or isinstance(said, bool) or said < 0):
        raise TypeError("no amount")
    return said


def _lock_key(said: Any) -> str | None:
    if said.get("k") != P2PK:
        return None
    x_of(said["d"])
    return str(said["d"]).lower()
