"""Reads what vendors send by webhook: who may call where, what proves a call, and what it is a reason to look at.

A call is believed in nothing but this: somebody who knows the address, or the vendor's secret, says "look".
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b32encode
from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from services.payments.port import Mistimed, Unauthorized

HOOKS: Final = "hooks"
"""The name of the home's secret that addresses are made from."""
PATH: Final = "/hooks"
TOKEN_BYTES: Final = 20
"""160 bits: nobody guesses an address."""
SIGNATURE_LIFE_S: Final = 300
"""How far from our clock a signature's own moment may be: what Stripe's libraries allow."""
SIGNATURE_CHARS_MAX: Final = 2_000
"""As much of a header as a dozen signatures take."""


def hook_token(secret: bytes, place: str, kind: str) -> str:
    """What stands in the address that calls the wallet of this kind at a place: 32 characters a-z2-7.

    `secret` is the home's (`HOOKS`), `place` where the credential is kept: a merchant's key, or its spare's name.
    """
    said = hmac.digest(secret, f"ncc/hook/1:{place}:{kind}".encode(), "sha256")
    return b32encode(said[:TOKEN_BYTES]).decode().lower()


def hook_url(door: str, token: str) -> str:
    """The address to call, at the buyers' door as the caller reaches it."""
    return f"{door.rstrip('/')}{PATH}/{token}"


def check_token(token: str, said: str) -> None:
    """Raise `Unauthorized` where a call came to another address than this one; without a token each does."""
    if not token or not hmac.compare_digest(token.encode(), said.encode()):
        raise Unauthorized("this is not where the wallet is called")


def check_signature(secret: SecretStr | None, raw: bytes, said: str) -> None:
    """Raise `Unauthorized` where `said` is not the HMAC-SHA256 of the raw body in hex; without a secret nothing is."""
    known = "" if secret is None else secret.get_secret_value()
    made = hmac.new(known.encode(), raw, hashlib.sha256).hexdigest()
    if not known or not hmac.compare_digest(made.encode(), said.lower().encode()):
        raise Unauthorized("the notice does not carry the vendor's signature")


def check_timed_signature(secret: SecretStr | None, raw: bytes, said: str, now_s: float) -> None:
    """The same for a signature that is bound to its moment: `t=` unix seconds, and one or more `v1=` of `t.body`.

    It is `Mistimed` five minutes off our clock, so a call that somebody kept is none (Stripe's scheme).
    """
    parts = [part.strip().partition("=") for part in said[:SIGNATURE_CHARS_MAX].split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit() and len(moments[0]) <= 15):
        raise Unauthorized("the notice does not say when it was signed")
    signed, known = moments[0].encode() + b"." + raw, "" if secret is None else secret.get_secret_value()
    made = hmac.new(known.encode(), signed, hashlib.sha256).hexdigest().encode()
    fits = [hmac.compare_digest(made, value.lower().encode()) for name, _, value in parts if name == "v1"]
    if not known or not any(fits):
        raise Unauthorized("the notice does not carry the vendor's signature")
    if abs(offset_s := int(moments[0]) - int(now_s)) > SIGNATURE_LIFE_S:
        raise Mistimed(f"the notice was signed {offset_s} s off our clock")


def header(headers: Mapping[str, str], name: str) -> str:
    """A header, however its name is written; empty where there is none."""
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")


def json_in(raw: bytes) -> Any:
    """The words of a body: JSON, or JSON inside a JSON string (LNbits 1.6); None for anything else."""
    try:
        said = json.loads(raw)
        return json.loads(said) if isinstance(said, str) else said
    except (ValueError, RecursionError):
        return None
