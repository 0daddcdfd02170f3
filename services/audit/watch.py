"""The auditor's watch: books of every partition that is ours, and what is to be done about their breaches.

What was found is level-triggered, so nothing is stored: a breach is answered once the journal holds a freeze or a
thaw of its merchant after it. A restart reads everything again and acts only on what is unanswered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.freezes import REASON_MAX, FreezeMerchant
from schemas.messages import Command
from schemas.values import Origin
from services.audit.books import Books
from services.audit.invariants import FREEZING, Breach

IS_KEY = re.compile("[0-9a-f]{64}")
"""A record that names no merchant can freeze none; its breach is said all the same."""


@dataclass(slots=True)
class Desk:
    """One partition: its books, the first unanswered breach of each merchant, and what was asked for already."""

    books: Books = field(default_factory=Books)
    open: dict[str, Breach] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)


class Watch:
    """All partitions of ours. Takes the journal's bytes, gives breaches and the freezes they call for."""

    def __init__(self) -> None:
        self._desks: dict[int, Desk] = {}

    def begin(self, partition: int) -> None:
        """Start a partition's books anew."""
        self._desks[partition] = Desk()

    def end(self, partition: int) -> None:
        """Forget a partition."""
        self._desks.pop(partition, None)

    def take(self, partition: int, value: bytes) -> list[Breach]:
        """Enter one record; gives what it breaks."""
        desk = self._desks[partition]
        breaches = desk.books.enter_bytes(value)
        answered = desk.books.answered
        for merchant in [m for m, breach in desk.open.items() if breach.sequence <= answered.get(m, 0)]:
            del desk.open[merchant]
            desk.asked.discard(merchant)
        for breach in breaches:
            is_new = breach.sequence > answered.get(breach.merchant, 0)
            if is_new and breach.code in FREEZING and IS_KEY.fullmatch(breach.merchant):
                desk.open.setdefault(breach.merchant, breach)
        return breaches

    def unanswered(self, partition: int, at_ms: int) -> list[Command]:
        """Freezes that are still owed here, each given once: one for each merchant, for the first breach."""
        desk = self._desks.get(partition)
        if desk is None:
            return []
        known = desk.asked | desk.books.frozen.keys()
        owed = [breach for merchant, breach in desk.open.items() if merchant not in known]
        desk.asked |= {breach.merchant for breach in owed}
        return [_freeze(partition, breach, at_ms) for breach in owed]

    def overdue(self, now_ms: int) -> Iterator[Breach]:
        """What has been owed for more than two minutes, anywhere (I14)."""
        for desk in self._desks.values():
            yield from desk.books.overdue(now_ms)

    def frozen(self) -> dict[str, str]:
        """Merchants whose effects wait, and why."""
        return {merchant: why for desk in self._desks.values() for merchant, why in desk.books.frozen.items()}


def _freeze(partition: int, breach: Breach, at_ms: int) -> Command:
    """The command a breach calls for; found again after a restart, it is the same one and counts once."""
    cause = f"{breach.code} at {partition}:{breach.sequence}"
    return Command(
        id=hashlib.sha256(f"freeze:{breach.merchant}:{cause}".encode()).hexdigest()[:32],
        merchant=breach.merchant,
        at_ms=at_ms,
        origin=Origin.AUDITOR,
        source=cause,
        body=FreezeMerchant(code=breach.code, reason=str(breach)[:REASON_MAX], cause=cause),
    )
