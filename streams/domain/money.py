"""Exact money: any listed amount to msat, one conversion, one rounding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Context, Decimal, localcontext

from schemas.orders import Charge, Rate
from schemas.values import MSAT_PER_SAT

EXACT = Context(prec=120)
"""Wide enough that sums and products of 18-digit amounts, quantities, weights and rates are never rounded."""

BITCOIN_UNITS: Mapping[str, int] = {
    "MSAT": 1,
    "MSATS": 1,
    "SAT": MSAT_PER_SAT,
    "SATS": MSAT_PER_SAT,
    "BTC": 100_000_000 * MSAT_PER_SAT,
}
"""Currencies that need no exchange rate, in msat a unit (EVT-05)."""


class NoRate(Exception):
    """A charge is in a currency for which no fresh enough rate is known."""

    def __init__(self, currency: str) -> None:
        super().__init__(f"no fresh exchange rate for {currency}")
        self.currency = currency


def rates_for(currencies: Iterable[str], rates: Mapping[str, Rate], now_ms: int, age_max_s: int) -> tuple[Rate, ...]:
    """One rate for each currency that needs one, sorted; raises `NoRate` where it is missing, too old or no price."""
    used: list[Rate] = []
    for currency in sorted(set(currencies) - BITCOIN_UNITS.keys()):
        rate = rates.get(currency)
        if rate is None or rate.msat_per_unit <= 0 or now_ms - rate.as_of_ms > age_max_s * 1_000:
            raise NoRate(currency)
        used.append(rate)
    return tuple(used)


def total_msat(charges: Iterable[Charge], rates: Iterable[Rate]) -> int:
    """The charges' sum in msat, rounded up once to whole sats (SHP formula, C-08)."""
    per_unit = {rate.currency: rate.msat_per_unit for rate in rates}
    with localcontext(EXACT):
        exact = sum(
            (charge.amount * (per_unit.get(charge.currency) or BITCOIN_UNITS[charge.currency]) for charge in charges),
            Decimal(0),
        )
        sats = (exact / MSAT_PER_SAT).to_integral_value(rounding=ROUND_CEILING)
    return int(sats) * MSAT_PER_SAT


def times(amount: Decimal, factor: int | Decimal) -> Decimal:
    """An exact product."""
    with localcontext(EXACT):
        return amount * factor


def plus(one: Decimal, other: Decimal) -> Decimal:
    """An exact sum."""
    with localcontext(EXACT):
        return one + other


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """`amount` × `part` ÷ `whole`, divided last: exact wherever the result has an end."""
    with localcontext(EXACT):
        return amount * part / whole
