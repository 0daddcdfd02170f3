"""Calls an LNbits server with one wallet's key, and says what an answer, or its absence, means.

A key opens a wallet, so it goes into a header and nowhere else: no message here quotes a key or an answer.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from services.payments.port import BackendError, Rejected, Retry, Unauthorized, Unknown

ANSWER_BYTES_MAX: Final = 8_000_000
"""More than a thousand payments take; a server that sends more is not listened to."""
IDLE_CONNECTIONS: Final = 8
CALL_TIMEOUT_MAX_S: Final = 120.0
FAILED: Final = 520
"""What LNbits answers where it, or the node behind it, would not make an invoice."""


class BadWalletUrl(ValueError):
    """An address that a wallet's key must not be sent to; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, and when by its own clock (unix seconds), if it told."""

    body: Any
    date_s: int | None


def wallet_url(text: str) -> str:
    """Read a server's address: https, or http where nobody listens in between (this machine, a private network, Tor).

    Gives it without a slash at its end. Raises `BadWalletUrl`.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise BadWalletUrl("it needs the form https://HOST, with a path if the server has one, and no key in it")
    if parts.scheme == "http" and not _is_near(parts.hostname):
        raise BadWalletUrl("without https anybody on the way could read the wallet's key")
    return text.strip().rstrip("/")


class LnbitsCalls:
    """One wallet at one server; whoever makes it closes it."""

    def __init__(self, url: str, key: SecretStr, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`url` as `wallet_url` gives it; `transport` stands in for the network in tests."""
        self.url, self.key = url, key
        self.host = urlsplit(url).netloc
        self._http = httpx.AsyncClient(
            headers={"X-Api-Key": key.get_secret_value(), "Accept": "application/json"},
            follow_redirects=False,  # a redirect would carry the key to another server
            trust_env=False,
            timeout=CALL_TIMEOUT_MAX_S,  # each call has a deadline of its own, before this one
            limits=httpx.Limits(max_keepalive_connections=IDLE_CONNECTIONS),
            transport=transport,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, str | int] | None = None, *, timeout_s: float) -> Answer:
        """Read; a failure changed nothing, so it is `Retry` unless the key is wrong."""
        try:
            return await self._call("GET", path, timeout_s, params=dict(params or {}))
        except Unknown as doubt:
            raise Retry(str(doubt)) from None

    async def post(self, path: str, body: Mapping[str, Any], *, timeout_s: float) -> Answer:
        """Act once; whatever may have happened without our hearing of it is `Unknown` (L5)."""
        return await self._call("POST", path, timeout_s, json=dict(body))

    async def _call(self, method: str, path: str, timeout_s: float, **rest: Any) -> Answer:
        try:
            async with asyncio.timeout(timeout_s), self._http.stream(method, f"{self.url}{path}", **rest) as answer:
                content = bytearray()
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > ANSWER_BYTES_MAX:
                        raise Unknown(f"LNbits at {self.host} answers with more than {ANSWER_BYTES_MAX:,} bytes")
        except (httpx.ConnectError, httpx.ConnectTimeout, ssl.SSLError) as error:
            raise Retry(f"LNbits at {self.host} is not reached: {type(error).__name__}") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unknown(f"LNbits at {self.host} did not answer in full: {type(error).__name__}") from None
        return _judged(self.host, answer, bytes(content))


def _judged(host: str, answer: httpx.Response, content: bytes) -> Answer:
    """An answer that is one, else what its status means."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    code = answer.status_code
    if answer.is_success and body is not None:
        return Answer(body, _date_s(answer.headers.get("date", "")))
    raise _error(f"LNbits at {host} answers {code}", code, body, answer.headers.get("retry-after", ""))


def _error(said: str, code: int, body: Any, retry_after: str) -> BackendError:
    if code in {401, 403, 404}:  # LNbits answers 404 to a key it does not know
        return Unauthorized(f"{said}: it does not know this key, or has no LNbits API at this address")
    if code == 429:
        return Retry(f"{said}: too many calls", float(retry_after) if retry_after.isdecimal() else None)
    if 300 <= code < 400:
        return Retry(f"{said}: it is not set up yet, or its address is another one")
    if 400 <= code < 500 or (code == FAILED and isinstance(body, dict) and body.get("status") == "failed"):
        return Rejected(f"{said}: it refuses the call")
    return Unknown(said)


def _date_s(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        return None


def _is_near(host: str) -> bool:
    if host == "localhost" or host.endswith(".onion"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host  # a name within one machine's or one company's own network
    return address.is_private or address.is_loopback
