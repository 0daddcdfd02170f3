"""Hears over a WebSocket what a wallet's server says of its payments while it happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from services.payments.port import Cursor, Hint, Retry, Scan

OPEN_TIMEOUT_S: Final = 10.0
MESSAGE_BYTES_MAX: Final = 1_000_000
MESSAGES_WAITING_MAX: Final = 64
"""What is not taken in time waits with the server; a look-up finds what is lost."""


async def notices(whom: str, url: str, path: str, headers: Mapping[str, str]) -> AsyncGenerator[str, None]:
    """Give one empty text once connected, then each message; raise `Retry` where the connection ends.

    `url` is the server's as `wallet_url` gives it. No message of ours quotes `path`: it may hold a key.
    """
    host = urlsplit(url).netloc
    try:
        async with connect(
            f"ws{url.removeprefix('http')}{path}",
            additional_headers=headers,
            open_timeout=OPEN_TIMEOUT_S,
            max_size=MESSAGE_BYTES_MAX,
            max_queue=MESSAGES_WAITING_MAX,
            proxy=None,
        ) as socket:
            yield ""
            async for message in socket:
                if isinstance(message, str):
                    yield message
    except (OSError, TimeoutError, WebSocketException) as error:
        raise Retry(f"{whom} at {host} is not heard: {type(error).__name__}") from None
    raise Retry(f"{whom} at {host} ended the connection")


async def hints(
    heard: AsyncGenerator[str, None],
    cursor: Cursor,
    scan: Callable[[Cursor], Awaitable[Scan]],
    read: Callable[[str], Hint | None],
) -> AsyncGenerator[Hint, None]:
    """Hint at what settled since the cursor, as soon as `notices` are connected, then at what each of them tells."""
    async with aclosing(heard) as messages:
        async for message in messages:
            if message:
                if (hint := read(message)) is not None:
                    yield hint
                continue
            while (found := await scan(cursor)).observations:
                cursor = found.cursor
                for one in found.observations:
                    yield Hint(one.backend_ref, at=one.settled_at or 0)
