"""The rates one quote converts with: whatever it compares or sums across currencies is noted, for the quote to keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from schemas.orders import Charge, Rate
from schemas.values import Price
from streams.domain.money import BITCOIN_UNITS, exact, rates_for


class Rates:
    """One snapshot. Nothing is converted, and no rate asked for, where all that is compared is in one currency."""

    def __init__(self, known: Mapping[str, Rate], at_ms: int, age_max_s: int) -> None:
        self._known = known
        self._at_ms = at_ms
        self._age_max_s = age_max_s
        self.asked: set[str] = set()

    def msat(self, charges: Iterable[Charge]) -> Fraction:
        """The exact sum in msat. Raises `NoRate`."""
        return sum((exact(charge) * self._per_unit(charge.currency) for charge in charges), Fraction())

    def reaches(self, charges: Iterable[Charge], least: Price) -> bool:
        """Whether charges come to at least a sum. Raises `NoRate`."""
        charges = tuple(charges)
        if all(charge.currency == least.currency for charge in charges):
            return sum(map(exact, charges), Fraction()) >= Fraction(least.amount)
        return self.msat(charges) >= Fraction(least.amount) * self._per_unit(least.currency)

    def dearest(self, charges: Iterable[Charge]) -> Charge:
        """The first of the charges that come to the most. Raises `NoRate`, and `ValueError` where there is none."""
        charges = tuple(charges)
        if len({charge.currency for charge in charges}) == 1:
            return max(charges, key=exact)
        return max(charges, key=lambda charge: self.msat((charge,)))

    def _per_unit(self, currency: str) -> Fraction:
        if currency in BITCOIN_UNITS:
            return Fraction(BITCOIN_UNITS[currency])
        self.asked.add(currency)
        (rate,) = rates_for((currency,), self._known, self._at_ms, self._age_max_s)
        return Fraction(rate.msat_per_unit)
