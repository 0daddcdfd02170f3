"""How long one buyer waits for a payment request while nothing else goes on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from bench.buyers import Buyers, answered
from bench.figures import Values, percentile

ORDERS = 200
WARM_UP = 5
"""Orders before the first that counts: code that never ran is slower once, and only once."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.05, 0.35
"""Random, so that no period of a poll somewhere hides behind a period of ours."""
TIMEOUT_S = 30.0
SEED = 7


async def measure(buyers: Buyers, scale: float, report: Callable[[float], None]) -> dict[str, Values]:
    """`order_to_payment_request_ms`: from before the order is sent until the request is decrypted."""
    pauses, waits_ms = random.Random(SEED), list[float]()
    count = max(10, round(ORDERS * scale))
    buyers.write(WARM_UP + count)
    for number in range(WARM_UP + count):
        placed = await buyers.place()
        if not await answered(placed.confirmed, TIMEOUT_S) or placed.requested_s is None:
            return {"order_to_payment_request_ms": {"p50": None, "p99": None}}
        if number >= WARM_UP:
            waits_ms.append((placed.requested_s - placed.sent_s) * 1_000)
        report(number / (WARM_UP + count))
        await asyncio.sleep(pauses.uniform(PAUSE_MIN_S, PAUSE_MAX_S))
    return {"order_to_payment_request_ms": {"p50": percentile(waits_ms, 0.5), "p99": percentile(waits_ms, 0.99)}}
