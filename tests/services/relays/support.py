"""Helpers of the relay tests: quick settings, a sink that remembers, waiting for a fact."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from services.relays.connection import ConnectionSettings
from services.relays.line import LineSettings
from services.relays.pace import Backoff
from services.relays.pool import RelayPool
from services.relays.reports import RawSighting
from services.relays.session import ReadSettings
from services.relays.subscriptions import Subscription

QUICK = Backoff(first_s=0.02, most_s=0.1)
READ = ReadSettings(
    auth_timeout_s=0.5, tick_s=0.01, eose_timeout_s=5.0, again=QUICK, reconnect=QUICK, ping_interval_s=30.0
)
LINE = LineSettings(ok_timeout_s=0.3, auth_timeout_s=0.5, idle_s=30.0, retry=QUICK, reconnect=QUICK)
CONNECTION = ConnectionSettings(connect_timeout_s=1.0, send_timeout_s=2.0, close_timeout_s=0.2)
WRAPS = Subscription("orders", ({"kinds": [1059], "#p": ["aa" * 32]},))


def everyone(_url: str) -> bool:
    """Trust every relay: these stand on loopback."""
    return True


class Sink:
    """Remembers sightings; stalls while `is_open` is cleared."""

    def __init__(self) -> None:
        self.sightings: list[RawSighting] = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def __call__(self, sighting: RawSighting) -> None:
        await self.is_open.wait()
        self.sightings.append(sighting)

    @property
    def texts(self) -> list[str]:
        return [sighting.text for sighting in self.sightings]

    def ids(self, relay: str | None = None) -> set[str]:
        return {one.event_id for one in self.sightings if relay in (None, one.relay)}


@asynccontextmanager
async def a_pool(
    sink: Callable[[RawSighting], Any], *, settings: ReadSettings = READ, **ports: Any
) -> AsyncIterator[RelayPool]:
    """Open a pool that trusts loopback and is quick; it is early in 1970, so no event is too old."""
    defaults = {
        "is_trusted": everyone,
        "draw": lambda: 0.5,
        "connection_settings": CONNECTION,
        "now_ms": lambda: 1_000_000,
    }
    async with RelayPool(sink, settings=settings, **{**defaults, **ports}) as pool:
        yield pool


async def until(fact: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait until a fact holds; fails the test when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)
