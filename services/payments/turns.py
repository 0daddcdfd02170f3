"""Look-ups that no hint led to: when each request has its turn, and how many a wallet is asked for at once (P26).

A request is looked up often at first, each minute until its end, then every ten minutes; what is to be found was mostly
hinted at before. Each wallet has a turn of its own, so that neither a slow one nor a shop with ten thousand open
requests keeps the others waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from services.payments.listening import PATIENCE_MAX_S
from services.payments.open_requests import Open
from services.payments.port import BackendError, Rejected

SWEEP_EVERY_S: Final = 15.0
EARLY_S: Final = (5, 10, 20, 40)
EVERY_S: Final = 60.0
"""After how many seconds a request is looked up, and how often from then on."""
LATE_S: Final = 60
LATE_EVERY_S: Final = 600.0
"""The same after its end, while it is watched."""
LOOK_EVERY_S: Final = 0.5
"""One wallet is asked twice a second: less than two thirds of what LNbits allows to all that call it."""
TURN_MAX: Final = int(SWEEP_EVERY_S / LOOK_EVERY_S)

Wallet = tuple[str, bool]
"""A merchant's, and whether it is the spare one."""
Look = asyncio.Task[BackendError | None]
"""A look-up under way, and why it was not answered."""


def next_look_s(entry: Open) -> float:
    """When a shown request is looked up again, though nobody hints at it (unix seconds).

    What waits for its wallet to answer or remember, and what no hint would ever tell of, has its turn in each sweep.
    """
    asked_s, ends_s = entry.asked_s, entry.wanted.expires_at
    if entry.is_waited_for or entry.is_forgotten:
        return asked_s + SWEEP_EVERY_S
    if asked_s < ends_s:
        every_s = SWEEP_EVERY_S if entry.is_deaf else EVERY_S
        early = (entry.shown_s + after_s for after_s in EARLY_S if asked_s < entry.shown_s + after_s)
        return min(next(early, asked_s + every_s), ends_s)
    late_s = ends_s + LATE_S if asked_s < ends_s + LATE_S else asked_s + LATE_EVERY_S
    last_s = entry.watched_until_s + 1
    return min(late_s, last_s) if asked_s < last_s else late_s


def by_wallet(due: Iterable[Open], now_s: Callable[[Open], float]) -> dict[Wallet, list[Open]]:
    """Each wallet's requests: those whose order is about to end first, then those that waited longest."""
    turns: dict[Wallet, list[Open]] = {}
    for entry in due:
        turns.setdefault((entry.merchant, entry.is_spare), []).append(entry)
    for entries in turns.values():
        entries.sort(key=lambda entry: (not entry.is_unheard(now_s(entry)), entry.asked_s))
    return turns


async def take_turn(
    due: list[Open], look: Callable[[Open], Look | None], missed: Callable[[Open], Awaitable[None]]
) -> None:
    """Look one wallet's requests up, one after another, as many as it has a turn for.

    Where it does not answer, `missed` is told of all of them, and it is left alone as long as it says.
    """
    for entry in due[:TURN_MAX]:
        task = look(entry)
        if task is None:
            continue
        await asyncio.wait((task,))
        error = None if task.cancelled() or task.exception() is not None else task.result()
        if error is not None and not isinstance(error, Rejected):
            for other in due:
                await missed(other)
            await asyncio.sleep(min(error.retry_after_s, PATIENCE_MAX_S))
            return
        await asyncio.sleep(LOOK_EVERY_S)
