"""Whether a child answers: a function is asked, or a URL."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

PROBE_S: Final = 2.0
"""The longest one probe may take."""


async def is_ready(probe: Callable[[], bool | Awaitable[bool]] | str) -> bool:
    """Asks once; no connection, no answer within `PROBE_S` and unreadable answers are a no.

    Raises what else the function raises.
    """
    with suppress(OSError, TimeoutError, ValueError, LookupError):
        async with asyncio.timeout(PROBE_S):
            return await (_url_answers(probe) if isinstance(probe, str) else _says_yes(probe))
    return False


async def _says_yes(probe: Callable[[], bool | Awaitable[bool]]) -> bool:
    if inspect.iscoroutinefunction(probe):
        return bool(await probe())
    # A plain function may block on a socket; in a thread it holds up nobody.
    answer = await asyncio.to_thread(probe)
    return bool(await answer) if inspect.isawaitable(answer) else bool(answer)


async def _url_answers(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or 80
    reader, writer = await asyncio.open_connection(parts.hostname, port)
    try:
        if parts.scheme != "http":
            return True
        path = parts.path or "/"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()
        return len(status) > 1 and status[1] < b"400"
    finally:
        writer.close()
