"""Exchange rates from a fixed table; a live source takes its place behind the same call."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from schemas.market.reading import exact_decimal
from schemas.orders import Rate
from schemas.values import MSAT_PER_SAT

SATS_EVER = 21_000_000 * 100_000_000
"""As many sats as there will ever be."""


class BadRates(ValueError):
    """The rates setting cannot be read; the message says how it is written."""


class FixedRates:
    """The same sats per unit at all times, pinned by the operator and so never stale."""

    def __init__(self, sats_per_unit: Mapping[str, Decimal]) -> None:
        self._sats_per_unit = dict(sats_per_unit)

    @classmethod
    def parse(cls, text: str) -> FixedRates:
        """Read `USD=1000,EUR=1100` (sats a unit). Raises `BadRates`."""
        table: dict[str, Decimal] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            currency, _, figure = entry.partition("=")
            sats = exact_decimal(figure.strip())
            if sats is None:
                raise BadRates(f"the rate {entry!r} is not written like USD=1000 (sats a unit)")
            if not 0 < sats <= SATS_EVER:
                raise BadRates("an exchange rate must be more than zero sats a unit, and not more than there are")
            table[currency.strip().upper()] = sats
        return cls(table)

    def now(self, now_ms: int) -> dict[str, Rate]:
        """Every rate, as of now (UTC milliseconds)."""
        return {
            currency: Rate(currency=currency, msat_per_unit=sats * MSAT_PER_SAT, source="fixed", as_of_ms=now_ms)
            for currency, sats in self._sats_per_unit.items()
        }
