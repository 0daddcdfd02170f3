"""Which relay URLs are kept out of lists that others wrote.

Only the shape is judged here; that the host is a public address is checked where it is dialled.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from schemas import limits

FOREIGN_RELAYS_MAX: Final = limits.FOREIGN_RELAYS.most
"""URLs kept out of one list by someone else: lists of 9,025 URLs have been seen."""
URL_SIZE_MAX: Final = limits.RELAY_URL.most


def is_relay_url(text: str) -> bool:
    """Tell whether the text is a plain `ws://` or `wss://` URL with a host and without a user."""
    if not 0 < len(text) <= URL_SIZE_MAX or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        url = urlsplit(text)
        _ = url.port  # raises ValueError when it is no port
    except ValueError:
        return False
    return url.scheme in ("ws", "wss") and bool(url.hostname) and "@" not in url.netloc


def keep_relay_urls(urls: Iterable[str], keep: int = FOREIGN_RELAYS_MAX) -> tuple[str, ...]:
    """Keep the first few different relay URLs as they are written, in their order."""
    kept: dict[str, None] = {}
    for url in urls:
        if len(kept) == keep:
            break
        if is_relay_url(url):
            kept[url] = None
    return tuple(kept)
