"""Reads what came into a Stripe account and what was taken back, in the order of a cursor.

Stripe lists sessions by when they were made, and one can be paid for a day. A cursor is a moment before which no
session can be paid any more, and the names of what was told after it. What was taken back from older ones stands in
the lists of disputes and refunds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from services.payments.asking import left_s, monotonic_s
from services.payments.http_calls import HttpCalls
from services.payments.port import BackendRef, Cursor, Observation, Retry, Scan, Unknown
from services.payments.stripe_index import SESSIONS, SessionIndex
from services.payments.stripe_lists import PAGE, all_rows, first_page
from services.payments.stripe_words import (
    PAYMENT,
    WHOM,
    Session,
    Sight,
    moment_of,
    observed,
    read_dispute,
    sessions_in,
)
from services.payments.time_cursor import NAME_CHARS, place_of

DISPUTES, REFUNDS = "/v1/disputes", "/v1/refunds"
FIRST: Final = 1_546_300_800
"""2019, the year of Stripe's first Checkout Session."""
FINAL_AFTER_S: Final = 2 * 86_400
"""How long after it was made a session may still be paid: a day, and a day."""


@dataclass(frozen=True, slots=True)
class Told:
    """A request with money: since when, and how it stands."""

    at: int
    seen: Observation

    @property
    def name(self) -> str:
        """What a cursor remembers of it: another one once its money stands otherwise."""
        said = (self.seen.evidence, self.seen.state.value, self.seen.gross_msat)
        return hashlib.sha256(repr(said).encode()).hexdigest()[:NAME_CHARS]


class History:
    """What one account has received and lost. Every call may raise `Retry`."""

    def __init__(self, calls: HttpCalls, index: SessionIndex) -> None:
        """What is taken back is noted in `index`, since it may be too old to stand there."""
        self._calls, self._index = calls, index
        self._walked: dict[Cursor, int] = {}
        """Up to when nothing was found after a cursor, of what cannot change any more."""

    async def sight(self, session: Session, timeout_s: float) -> Sight:
        """A session, and whether a bank took its money: a charge that is disputed may be so without any loss."""
        payment = session.payment
        if payment is None or payment.charge is None or not payment.charge.disputed:
            return Sight(session)
        rows, _ = await first_page(self._calls, DISPUTES, {"payment_intent": payment.id}, monotonic_s() + timeout_s)
        try:
            return Sight(session, any(read_dispute(row).is_taken for row in rows))
        except Unknown as doubt:
            raise Retry(str(doubt)) from None

    async def of_payment(self, payment_id: str, timeout_s: float) -> list[Session]:
        """The sessions of ours that a PaymentIntent belongs to: one, or none."""
        wanted = {"payment_intent": payment_id, "expand[0]": f"data.{PAYMENT}"}
        rows, _ = await first_page(self._calls, SESSIONS, wanted, monotonic_s() + timeout_s)
        return [self._index.note(session) for session in sessions_in(rows)]

    async def scan(self, cursor: Cursor, now_s: int, timeout_s: float) -> Scan:
        """Give some hundred requests with money that the cursor does not know, in the order in which they were paid."""
        place, deadline_s = place_of(cursor, "a Stripe account"), monotonic_s() + timeout_s
        told = await self._taken_back(place.at, now_s, deadline_s) if place.at else {}
        low, high = max(place.at, self._walked.get(cursor, 0), FIRST), None
        while True:
            try:
                found, high = await self._stretch(low, high, now_s, deadline_s)
            except Retry:
                if all(one.name in place.names for one in told.values()):
                    self._walked = {cursor: min(low, now_s - FINAL_AFTER_S)}  # a long history takes several calls
                    raise
                high = low
                break
            told |= {one.name: one for one in found if one.name not in told}
            if high is None or len(told.keys() - place.names) >= PAGE:
                break
            following = high + 2 * (high - low)
            low, high = high, following if following < now_s else None
        fresh = [one for name, one in told.items() if name not in place.names]
        if not fresh:
            return Scan((), cursor)
        final = max(place.at, min(now_s - FINAL_AFTER_S, now_s if high is None else high))
        names = {name for name, one in told.items() if one.at >= final} | (place.names if high is not None else set())
        fresh.sort(key=lambda one: (one.seen.settled_at or 0, one.seen.backend_ref))
        return Scan(tuple(one.seen for one in fresh), Cursor(".".join((str(final), *sorted(names)))))

    async def _stretch(
        self, low: int, high: int | None, now_s: int, deadline_s: float
    ) -> tuple[list[Told], int | None]:
        """All paid sessions made from a moment on, up to another one that is given back; None is the end."""
        wanted: dict[str, str | int] = {"status": "complete", "expand[0]": f"data.{PAYMENT}", "created[gte]": low}
        while True:
            bounds = wanted if high is None else {**wanted, "created[lt]": high}
            rows, is_more = await first_page(self._calls, SESSIONS, bounds, deadline_s)
            newest = max((moment_of(row) for row in rows), default=low)
            if not is_more or newest - low <= 1:
                break
            high = low + (newest - low) // 2  # half of it: the oldest of so many are not on this page
        if is_more:
            rows += await all_rows(self._calls, SESSIONS, bounds, deadline_s, after=str(rows[-1]["id"]))
        found = [await self._told(session, session.created, now_s, deadline_s) for session in sessions_in(rows)]
        return [one for one in found if one.seen.gross_msat], high

    async def _taken_back(self, since: int, now_s: int, deadline_s: float) -> dict[str, Told]:
        """What was disputed or given back since a moment, of whatever age, by its name."""
        found: dict[str, Told] = {}
        for path in (DISPUTES, REFUNDS):
            for row in await all_rows(self._calls, path, {"created[gte]": since}, deadline_s):
                payment = row.get("payment_intent")
                if not isinstance(payment, str):
                    continue
                for session in await self.of_payment(payment, left_s(deadline_s, WHOM)):
                    one = await self._told(session, moment_of(row), now_s, deadline_s)
                    if one.seen.gross_msat:
                        found[one.name] = one
        return found

    async def _told(self, session: Session, at: int, now_s: int, deadline_s: float) -> Told:
        sight = await self.sight(session, left_s(deadline_s, WHOM))
        return Told(at, observed(BackendRef(session.reference or ""), [sight], now_s))
