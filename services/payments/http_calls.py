"""Calls a wallet's server over HTTP with one credential, and says what an answer, or its absence, means.

A credential goes into a header and nowhere else: no message here quotes one, nor an answer.
What a status means is each vendor's own (`Judge`); what no answer means is the same for all:

    reading    `Retry`: nothing changed
    acting     `Unknown`: it may have happened (L5), unless no connection was made
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from services.payments.port import BackendError, Retry, Unknown

ANSWER_BYTES_MAX: Final = 8_000_000
"""More than a thousand payments take; a server that sends more is not listened to."""
IDLE_CONNECTIONS: Final = 8
CALL_TIMEOUT_MAX_S: Final = 120.0
OPEN_TIMEOUT_S: Final = 10.0
LINE_BYTES_MAX: Final = 1_000_000
"""One message of a stream: an invoice with all that came in for it."""
TOO_MANY_CALLS: Final = 429


class BadWalletUrl(ValueError):
    """An address that a wallet's key must not be sent to; the message is for the operator."""


class BadCertificate(ValueError):
    """A text that is no certificate; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, and when by its own clock (unix seconds), if it told."""

    body: Any
    date_s: int | None

    def clock_offset_s(self, now_s: float) -> int:
        """How far the server's clock is ahead of ours; 0 where it did not tell."""
        return 0 if self.date_s is None else self.date_s - int(now_s)


type Judge = Callable[[str, int, Any], BackendError]
"""What an answer that is none means: a beginning for the message, the status, and the body where that is JSON."""


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


def trust_in(certificate: str) -> ssl.SSLContext:
    """Trust one certificate (PEM) and what it signed, and nobody else. Raises `BadCertificate`."""
    try:
        context = ssl.create_default_context(cadata=certificate)
    except ssl.SSLError:
        raise BadCertificate("it is no certificate in PEM form") from None
    # Nodes sign their own certificates, and leave out what RFC 5280 wants of a certificate authority's.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


class HttpCalls:
    """One wallet at one server; whoever makes it closes it."""

    def __init__(
        self,
        whom: str,
        url: str,
        key: SecretStr,
        headers: Mapping[str, str],
        judge: Judge,
        *,
        certificate: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`whom` is the vendor's name, `url` as `wallet_url` gives it, `headers` say `key` in the vendor's way.
        `transport` stands in for the network in tests.

        `certificate` is the server's own (PEM), where no authority signed it.
        """
        self.whom, self.url, self.key = whom, url, key
        self.host = urlsplit(url).netloc
        self._judge = judge
        self._heard: tuple[int, float] | None = None
        """What the server's clock said last, and when that was by the loop's clock."""
        self._http = httpx.AsyncClient(
            headers={"Accept": "application/json", **headers},
            follow_redirects=False,  # a redirect would carry the key to another server
            trust_env=False,
            timeout=CALL_TIMEOUT_MAX_S,  # each call has a deadline of its own, before this one
            limits=httpx.Limits(max_keepalive_connections=IDLE_CONNECTIONS),
            verify=True if certificate is None else trust_in(certificate),
            transport=transport,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    def clock_offset_s(self, now_s: float) -> int:
        """How far the server's clock is ahead of ours, by its last answer; 0 where none told."""
        if self._heard is None:
            return 0
        date_s, heard_s = self._heard
        return round(date_s + asyncio.get_running_loop().time() - heard_s - now_s)

    async def get(self, path: str, params: Mapping[str, str | int] | None = None, *, timeout_s: float) -> Answer:
        """Read; a failure changed nothing, so it is `Retry` unless the key is wrong."""
        return await self._read("GET", path, timeout_s, params=dict(params or {}))

    async def get_text(self, path: str, *, timeout_s: float) -> str:
        """Read an answer that is a word and no JSON; failures as in `get`."""
        return str((await self._read("GET", path, timeout_s, read=_text)).body)

    async def ask(self, path: str, body: Mapping[str, Any], *, timeout_s: float) -> Answer:
        """Read by POST, for a server that reads so; failures as in `get`."""
        return await self._read("POST", path, timeout_s, json=dict(body))

    async def post(self, path: str, body: Mapping[str, Any], *, timeout_s: float) -> Answer:
        """Act once; whatever may have happened without our hearing of it is `Unknown` (L5)."""
        return await self._call("POST", path, timeout_s, json=dict(body))

    async def post_form(
        self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, *, timeout_s: float
    ) -> Answer:
        """Act once, saying it as a form does, an empty one too; failures as in `post`."""
        said = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self._call("POST", path, timeout_s, data=dict(fields), headers=said)

    async def lines(self, path: str, params: Mapping[str, str | int], *, idle_s: float) -> AsyncGenerator[str, None]:
        """Read an answer without end, line by line; it ends where nothing came for `idle_s`. Raises `Retry`."""
        request = self._http.build_request(
            "GET", f"{self.url}{path}", params=dict(params), timeout=httpx.Timeout(None, connect=OPEN_TIMEOUT_S)
        )
        answer: httpx.Response | None = None
        try:
            # Some servers say nothing at all, not even that they agree, before there is a first line.
            async with asyncio.timeout(idle_s):
                answer = await self._http.send(request, stream=True)
            if not answer.is_success:
                raise self._judged(answer, await _whole(self._said(answer), answer))
            waiting, parts = bytearray(), answer.aiter_bytes()
            while True:
                async with asyncio.timeout(idle_s):
                    waiting += await anext(parts)
                *whole, rest = waiting.split(b"\n")
                for line in whole:
                    yield line.decode(errors="replace")
                waiting = bytearray(rest)
                if len(waiting) > LINE_BYTES_MAX:
                    raise Retry(f"{self.whom} at {self.host} sends a line of more than {LINE_BYTES_MAX:,} bytes")
        except TimeoutError:
            return
        except StopAsyncIteration:
            raise Retry(f"{self.whom} at {self.host} ended the connection") from None
        except Unknown as doubt:
            raise Retry(str(doubt)) from None
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise Retry(f"{self.whom} at {self.host} is not heard: {type(error).__name__}") from None
        finally:
            if answer is not None:
                await answer.aclose()

    async def _read(self, method: str, path: str, timeout_s: float, **rest: Any) -> Answer:
        try:
            return await self._call(method, path, timeout_s, **rest)
        except Unknown as doubt:
            raise Retry(str(doubt)) from None

    async def _call(
        self, method: str, path: str, timeout_s: float, read: Callable[[bytes], Any] | None = None, **rest: Any
    ) -> Answer:
        try:
            async with asyncio.timeout(timeout_s), self._http.stream(method, f"{self.url}{path}", **rest) as answer:
                content = await _whole(f"{self.whom} at {self.host}", answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, ssl.SSLError) as error:
            raise Retry(f"{self.whom} at {self.host} is not reached: {_why(error)}") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise Unknown(f"{self.whom} at {self.host} did not answer in full: {type(error).__name__}") from None
        body, date_s = (read or _json)(content), _date_s(answer.headers.get("date", ""))
        if date_s is not None:
            self._heard = (date_s, asyncio.get_running_loop().time())
        if answer.is_success and body is not None:
            return Answer(body, date_s)
        raise self._judged(answer, content)

    def _said(self, answer: httpx.Response) -> str:
        return f"{self.whom} at {self.host} answers {answer.status_code}"

    def _judged(self, answer: httpx.Response, content: bytes) -> BackendError:
        if answer.status_code == TOO_MANY_CALLS:
            after = answer.headers.get("retry-after", "")
            return Retry(f"{self._said(answer)}: too many calls", float(after) if after.isdecimal() else None)
        if answer.is_success:
            return Unknown(self._said(answer))
        return self._judge(self._said(answer), answer.status_code, _json(content))


async def _whole(whose: str, answer: httpx.Response) -> bytes:
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > ANSWER_BYTES_MAX:
            raise Unknown(f"{whose} answers with more than {ANSWER_BYTES_MAX:,} bytes")
    return bytes(content)


def _json(content: bytes) -> Any:
    """The words of an answer; None where it is not JSON, or too deep to be read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _text(content: bytes) -> str:
    return content.decode(errors="replace").strip()


def _why(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate is not one that is trusted here; a node's own certificate has to be given"
    return type(error).__name__


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
