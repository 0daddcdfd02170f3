"""Fetches what a stranger's address points to, without being led into our own network.

`https` only, to public addresses only: the name is looked up here, and the address that was checked is the one
dialled. Each redirect is a new address and is checked alike. Answers are bounded in size and time, and are not
decompressed. Whoever may be asked otherwise, a machine of the operator, is named by `is_trusted`.

FetchError
├── Forbidden   we do not ask there; never helps
├── NotSent     no connection could be made, so nothing happened; helps later
└── Lost        it was asked, and there is no answer that can be used: what happened is unknown
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from services.relays.connection import Resolve, resolve_host
from services.relays.urls import is_fit_for_strangers, is_public_address

BODY_BYTES_MAX: Final = 64 * 1024
REDIRECTS_MAX: Final = 3
RETRY_AFTER_MAX_S: Final = 3_600.0

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """Anything that went wrong; the message names the host at most."""


class Forbidden(FetchError):
    """An address where a stranger must not send us."""


class NotSent(FetchError):
    """Nobody was asked."""


class Lost(FetchError):
    """Somebody was asked and gave no usable answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of at most 64 KiB; `retry_after_s` as the server says it."""

    status: int
    body: bytes
    retry_after_s: float | None = None


def trust_nobody(_netloc: str) -> bool:
    """Ask public hosts over `https` only."""
    return False


class SafeFetch:
    """Asks by GET; belongs to one event loop, and whoever made it closes it."""

    def __init__(
        self,
        *,
        is_trusted: Callable[[str], bool] = trust_nobody,
        resolve: Resolve = resolve_host,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`is_trusted` takes `host` or `host:port`; such a host may be inside, and spoken to without TLS."""
        self.is_trusted = is_trusted
        self._resolve = resolve
        self._http = httpx.AsyncClient(
            # A connection kept for one name must not serve another that shares its address.
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=None,  # noqa: S113 - one deadline for the whole call, below
            trust_env=False,
            follow_redirects=False,
            transport=transport,
            headers={"User-Agent": "ncc", "Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def close(self) -> None:
        """Let go of the sockets."""
        await self._http.aclose()

    async def get(self, url: str, *, timeout_s: float) -> Answer:
        """Fetch an address, through three redirects at most; raise `FetchError`."""
        target = _url(url)
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(REDIRECTS_MAX + 1):
                    found = await self._hop(target)
                    if isinstance(found, Answer):
                        return found
                    target = found
        except TimeoutError:
            raise Lost(f"{target.host} did not answer within {timeout_s:g} s") from None
        raise Forbidden(f"more than {REDIRECTS_MAX} redirects from {_url(url).host}")

    async def _hop(self, target: httpx.URL) -> Answer | httpx.URL:
        request = await self._request(target)
        try:
            response = await self._http.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise NotSent(f"{target.host} cannot be reached") from None
        except httpx.HTTPError as error:
            raise Lost(f"{target.host} broke off: {type(error).__name__}") from None
        try:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return _url(response.headers["location"], target)
            return Answer(response.status_code, await _body(target, response), _retry_after_s(response))
        except httpx.HTTPError as error:
            raise Lost(f"{target.host} broke off: {type(error).__name__}") from None
        finally:
            await response.aclose()

    async def _request(self, target: httpx.URL) -> httpx.Request:
        """The request to an address that may be asked, dialled where it was checked."""
        netloc = target.netloc.decode("ascii")
        if self.is_trusted(netloc):
            return self._http.build_request("GET", target)
        named = f"wss://{netloc}"
        if target.scheme != "https" or target.userinfo or not is_fit_for_strangers(named):
            raise Forbidden(f"{target.host} is not a public https address")
        try:
            addresses = await self._resolve(target.host, target.port or 443)
        except OSError:
            raise NotSent(f"{target.host} has no address") from None
        if not addresses or not all(is_public_address(address) for address in addresses):
            raise Forbidden(f"{target.host} leads to an address that is not public")
        return self._http.build_request(
            "GET",
            target.copy_with(host=addresses[0]),
            headers={"Host": netloc},
            extensions={"sni_hostname": target.host},
        )


async def _body(target: httpx.URL, response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Lost(f"{target.host} answers in an encoding that was not asked for")
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise Lost(f"{target.host} answers with more than {BODY_BYTES_MAX:,} bytes")
    return bytes(body)


def _url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        url = base.join(text) if base is not None else httpx.URL(text)
        url.netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Forbidden("that is no address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise Forbidden("that is no web address")
    return url


def _retry_after_s(response: httpx.Response) -> float | None:
    said = response.headers.get("retry-after", "")
    return min(float(said), RETRY_AFTER_MAX_S) if said.isascii() and said.isdigit() else None
