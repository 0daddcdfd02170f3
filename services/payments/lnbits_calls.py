"""Calls an LNbits server with one wallet's key, and says what LNbits means by an answer."""

from __future__ import annotations

from typing import Any, Final

import httpx
from pydantic import SecretStr

from services.payments.http_calls import HttpCalls
from services.payments.port import BackendError, Rejected, Retry, Unauthorized, Unknown

WHOM: Final = "LNbits"
FAILED: Final = 520
"""What LNbits answers where it, or the node behind it, would not make an invoice."""


def lnbits_calls(url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> HttpCalls:
    """The calls of one wallet, with its invoice key or admin key."""
    return HttpCalls(WHOM, url, key, {"X-Api-Key": key.get_secret_value()}, judge, transport=transport)


def judge(said: str, code: int, body: Any) -> BackendError:
    """What an LNbits answer that is none means."""
    if code in {401, 403, 404}:  # LNbits answers 404 to a key it does not know
        return Unauthorized(f"{said}: it does not know this key, or has no LNbits API at this address")
    if 300 <= code < 400:
        return Retry(f"{said}: it is not set up yet, or its address is another one")
    if 400 <= code < 500 or (code == FAILED and isinstance(body, dict) and body.get("status") == "failed"):
        return Rejected(f"{said}: it refuses the call")
    return Unknown(said)
