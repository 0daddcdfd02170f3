"""Hears what an LNbits wallet says of its payments while it happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from services.payments.lnbits_calls import LnbitsCalls
from services.payments.port import Retry

OPEN_TIMEOUT_S: Final = 10.0
MESSAGE_BYTES_MAX: Final = 1_000_000
MESSAGES_WAITING_MAX: Final = 64
"""What is not taken in time waits with the server; a look-up finds what is lost."""


async def notices(calls: LnbitsCalls) -> AsyncGenerator[str, None]:
    """Give one empty text once connected, then each message; raise `Retry` where the connection ends.

    LNbits takes the key in the address of this socket only, so a server's own access log has it.
    """
    address = f"ws{calls.url.removeprefix('http')}/api/v1/ws/{calls.key.get_secret_value()}"
    try:
        async with connect(
            address,
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
        raise Retry(f"LNbits at {calls.host} is not heard: {type(error).__name__}") from None
    raise Retry(f"LNbits at {calls.host} ended the connection")
