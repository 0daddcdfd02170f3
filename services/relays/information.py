"""What relays say about their own limits (NIP-11): asked over HTTP, believed within reason, kept for a while.

A relay that says nothing, or nonsense, gets the defaults, which suit the relays seen in the wild.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from schemas import limits
from services.relays.connection import Resolve, checked_address, resolve_host
from services.relays.errors import RelayError
from services.relays.subscriptions import RelayLimits

FOUND_AGE_S = 86_400.0
MISSING_AGE_S = 3_600.0
"""How long an answer, or its absence, counts."""
PATIENCE_S = 5.0
DOCUMENT_BYTES_MAX = limits.RELAY_DOCUMENT.most
RELAYS_MAX = 1_000
BOUNDS = {
    "max_message_length": (1_024, 65_536),
    "max_subscriptions": (2, 200),
    "max_filters": (1, 100),
    "max_limit": (1, 100),
    "default_limit": (1, 100),
}
"""What is believed of each: below, nothing could be read at all; above, a promise would only make bigger frames.

A page is never taken for longer than the default, since relays cut answers at less than they say.
"""

log = structlog.get_logger(role="relays")


class RelayInformation:
    """The limits of relays, each asked at most once in its age; `is_trusted` as in `RelayPool`."""

    def __init__(
        self,
        *,
        is_trusted: Callable[[str], bool] = lambda _url: False,
        resolve: Resolve = resolve_host,
        proxy: str | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._is_trusted = is_trusted
        self._resolve = resolve
        self._proxy = proxy
        self._now_s = now_s
        self._known: OrderedDict[str, tuple[float, RelayLimits]] = OrderedDict()

    async def limits(self, url: str) -> RelayLimits:
        """The limits of a relay by its normalised address; never raises for the relay's sake, nor waits long."""
        known = self._known.get(url)
        if known is not None and known[0] > self._now_s():
            return known[1]
        document, age_s = None, FOUND_AGE_S
        try:
            async with asyncio.timeout(PATIENCE_S):
                document = await self._ask(url)
        except (
            OSError,
            RecursionError,
            TimeoutError,
            ValueError,
            RelayError,
            httpx.HTTPError,
            httpx.InvalidURL,
        ) as error:
            age_s = MISSING_AGE_S
            # The text of a foreign error may quote the relay's bytes; its type says enough.
            log.info("relay does not say its limits", relay=url, why=type(error).__name__)
        found = limits_in(document)
        self._known[url] = (self._now_s() + age_s, found)
        self._known.move_to_end(url)
        if len(self._known) > RELAYS_MAX:
            self._known.popitem(last=False)
        return found

    async def _ask(self, url: str) -> object:
        """The document; an untrusted relay is dialled at the address that was checked, and nowhere else."""
        parts = urlsplit(url)
        target = httpx.URL(url.replace("ws", "http", 1))
        extensions: dict[str, Any] = {}
        if not self._is_trusted(url):
            address = await checked_address(url, self._proxy, self._resolve)
            if address is not None:
                target = target.copy_with(host=address[0], port=address[1])
                extensions["sni_hostname"] = parts.hostname or ""
        headers = {
            "Accept": "application/nostr+json",
            "Accept-Encoding": "identity",  # a bomb of compression would amplify a thousandfold
            "Host": parts.netloc,
            "User-Agent": "ncc",
        }
        async with (
            httpx.AsyncClient(timeout=PATIENCE_S, follow_redirects=False, trust_env=False, proxy=self._proxy) as http,
            http.stream("GET", target, headers=headers, extensions=extensions) as answer,
        ):
            answer.raise_for_status()
            body = bytearray()
            async for part in answer.aiter_raw():
                body += part
                if len(body) > DOCUMENT_BYTES_MAX:
                    raise ValueError("a relay's description of itself is longer than any")
        return json.loads(bytes(body))


def limits_in(document: object) -> RelayLimits:
    """The limits a NIP-11 document names, each within its bounds; what is no whole number is not there."""
    said = document.get("limitation") if isinstance(document, dict) else None
    said = said if isinstance(said, dict) else {}

    def figure(name: str, default: int) -> int:
        value = said.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            return default
        least, most = BOUNDS[name]
        return max(least, min(most, value))

    usual = RelayLimits()
    return RelayLimits(
        message_max_bytes=figure("max_message_length", usual.message_max_bytes),
        subscriptions_max=figure("max_subscriptions", usual.subscriptions_max),
        filters_max=figure("max_filters", usual.filters_max),
        page_events=min(figure("max_limit", usual.page_events), figure("default_limit", usual.page_events)),
    )
