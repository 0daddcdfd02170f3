"""Raw events that come in over HTTP rather than from a relay: where they go, and what intake is told of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, Protocol

HANDED_MAX: Final = 100
"""How many signed events a person hands in at once."""


class Raw(Protocol):
    """Where raw events go (`streams.sinks`)."""

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Queue one sighting."""


def headers_of(relay: str, subscription: str) -> tuple[tuple[str, bytes], ...]:
    """The headers of a sighting made now, by whatever stands in for a relay."""
    return (
        ("relay", relay.encode()),
        ("subscription", subscription.encode()),
        ("received_ms", str(time.time_ns() // 1_000_000).encode()),
        ("tenants", b""),
    )
