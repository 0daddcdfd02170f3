"""What the auditor holds the deployment to: the invariants by their stable code, and a breach of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """Where a breach of an invariant can be seen."""

    JOURNAL = "the journal"
    STORES = "the journal against wallets, relays and ClickHouse"
    TESTS = "tests alone"


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise of the deployment as a whole."""

    code: str
    meaning: str
    place: Place


INVARIANTS: dict[str, Invariant] = {
    one.code: one
    for one in (
        Invariant("I1", "every command is decided at most once, and no record is missing", Place.JOURNAL),
        Invariant("I2", "units on hand, held and sold add up; nothing is oversold", Place.JOURNAL),
        Invariant("I3", "an order has one live payment request, and is asked once a revision", Place.JOURNAL),
        Invariant("I4", "money has one outcome that the buyer is told; none without money", Place.JOURNAL),
        Invariant("I5", "what is asked, owed and received is the same money", Place.JOURNAL),
        Invariant("I6", "tables are what folding the journal gives", Place.STORES),
        Invariant("I7", "metrics' totals are the ledger's, by merchant and day", Place.STORES),
        Invariant("I8", "a merchant's records speak of that merchant alone", Place.JOURNAL),
        Invariant("I9", "intents and replies have the names that follow from their order", Place.JOURNAL),
        Invariant("I10", "the order of arrival changes nothing but who is first", Place.TESTS),
        Invariant("I11", "orders and parcels make legal moves by whoever may make them", Place.JOURNAL),
        Invariant("I12", "nothing personal stands in the journal unsealed", Place.JOURNAL),
        Invariant("I13", "what may grow stays within its bound", Place.JOURNAL),
        Invariant("I14", "what is owed is done within two minutes", Place.JOURNAL),
        Invariant("I15", "ratings are what the reviews that count add up to", Place.JOURNAL),
    )
}
"""Code → invariant (reliability-security §3.1), in the order of their numbers."""

FREEZING = frozenset(code for code in INVARIANTS if code not in ("I14", "I15"))
"""Those that freeze a merchant. Holding effects back cures no delay (I14), and no rating is worth that (I15)."""


@dataclass(frozen=True, slots=True)
class Breach:
    """An invariant that does not hold: for whom, since which journal record, and one sentence about it.

    `sequence` is 0 where no record is to blame: something outside disagrees with the journal.
    """

    code: str
    merchant: str
    sequence: int
    sentence: str

    def __str__(self) -> str:
        where = f"record {self.sequence}" if self.sequence else "outside the journal"
        return f"{self.code}, {where}: {self.sentence}"
