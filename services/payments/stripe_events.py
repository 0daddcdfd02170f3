"""Reads on in Stripe's list of events, which goes back thirty days: what was paid, given back or disputed lately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.payments.asking import monotonic_s
from services.payments.http_calls import HttpCalls
from services.payments.stripe_lists import all_rows
from services.payments.stripe_words import moment_of, object_in

EVENTS: Final = "/v1/events"
TYPES: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "charge.refunded",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
)
"""What is worth a look-up; a webhook's endpoint is best told the same."""
OVERLAP_S: Final = 600
"""How much of the list is read again each time: events are not listed in the order in which they happen."""


class Events:
    """One reader's place in the list."""

    def __init__(self, calls: HttpCalls, now_s: int) -> None:
        """It begins a little before `now_s`."""
        self._calls, self._since = calls, now_s - OVERLAP_S
        self._known: frozenset[str] = frozenset()

    async def news(self, timeout_s: float) -> list[Mapping[str, Any]]:
        """The objects of those that were not there the last time, the oldest first. Raises `Retry`."""
        wanted: dict[str, str | int] = {f"types[{place}]": name for place, name in enumerate(TYPES)}
        wanted["created[gte]"] = self._since
        rows = await all_rows(self._calls, EVENTS, wanted, monotonic_s() + timeout_s)
        fresh = [row for row in reversed(rows) if row["id"] not in self._known]
        self._known = frozenset(str(row["id"]) for row in rows)
        self._since = max([self._since, *(moment_of(row) - OVERLAP_S for row in rows)])
        return [about for row in fresh if (about := object_in(row)) is not None]
