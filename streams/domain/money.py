"""Exact money: any listed amount to msat, one conversion, one rounding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, Inexact, localcontext
from fractions import Fraction
from math import ceil
from typing import NamedTuple

from schemas.currencies import FiatTotal, minor_places
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
    charges = tuple(charges)
    per_unit = {rate.currency: rate.msat_per_unit for rate in rates}
    if any(charge.ratio for charge in charges):
        units = {c.currency: Fraction(per_unit.get(c.currency) or BITCOIN_UNITS[c.currency]) for c in charges}
        sats = _just_above(sum((exact(charge) * units[charge.currency] for charge in charges), Fraction()))
        return int(sats.to_integral_value(rounding=ROUND_CEILING)) * MSAT_PER_SAT
    with localcontext(EXACT):
        msat = sum(
            (charge.amount * (per_unit.get(charge.currency) or BITCOIN_UNITS[charge.currency]) for charge in charges),
            Decimal(0),
        )
        sats = (msat / MSAT_PER_SAT).to_integral_value(rounding=ROUND_CEILING)
    return int(sats) * MSAT_PER_SAT


def _just_above(msat: Fraction) -> Decimal:
    """Sats that round as the exact sum does, for a sum that has no end as a decimal."""
    whole, rest = divmod(msat / MSAT_PER_SAT, 1)
    return Decimal(whole) + (Decimal("0.5") if rest else 0)


def exact(charge: Charge) -> Fraction:
    """What a charge comes to, without any rounding."""
    return Fraction(charge.amount) if charge.ratio is None else Fraction(charge.ratio[0]) / Fraction(charge.ratio[1])


def charge_of(label: str, value: Fraction, currency: str) -> Charge:
    """A charge of an exact value, whether it has an end as a decimal or not."""
    with localcontext(EXACT) as context:
        context.clear_flags()
        numerator, denominator = Decimal(value.numerator), Decimal(value.denominator)
        amount = numerator / denominator
        ratio = (numerator, denominator) if context.flags[Inexact] else None
    return Charge(label=label, amount=amount, currency=currency, ratio=ratio)


def share_charge(label: str, amount: Decimal, currency: str, part: Decimal, whole: Decimal) -> Charge:
    """A price of so much a unit for part of, or several, units: divided last."""
    with localcontext(EXACT) as context:
        context.clear_flags()
        product = amount * part
        quotient = product / whole
        ratio = (product, whole) if context.flags[Inexact] else None
    return Charge(label=label, amount=quotient, currency=currency, ratio=ratio)


def in_smallest_units(value: Fraction, currency: str) -> Decimal:
    """The value to the nearest smallest unit of its currency: for showing, never for reckoning on."""
    places = minor_places(currency)
    with localcontext(EXACT):
        scaled = Decimal(value.numerator * 10**places) / Decimal(value.denominator)
        return scaled.to_integral_value(rounding=ROUND_HALF_UP).scaleb(-places)


def fiat_total(charges: Iterable[Charge]) -> FiatTotal | None:
    """The charges' sum in their own currency, rounded up once; None where that is bitcoin, or several."""
    charges = tuple(charges)
    currencies = {charge.currency for charge in charges}
    if len(currencies) != 1 or currencies & BITCOIN_UNITS.keys():
        return None
    (currency,) = currencies
    whole = sum((exact(charge) for charge in charges), Fraction())
    return FiatTotal.of_units(ceil(whole * 10 ** minor_places(currency)), currency)


class FiatParts(NamedTuple):
    """A total in the shop's currency: what of it came, and what is missing."""

    paid: FiatTotal
    missing: FiatTotal


def fiat_parts(charges: Iterable[Charge], missing_msat: int, total_msat: int) -> FiatParts | None:
    """A part of a price in the charges' own currency, what is missing rounded up; None where that is bitcoin.

    A back-end rounds what came down to the msat, so that one of those that are missing is none.
    """
    whole = fiat_total(charges)
    if whole is None:
        return None
    missing = max(1, ceil(Fraction(whole.minor_units * (missing_msat - 1), total_msat)))
    paid = whole.minor_units - missing
    return FiatParts(FiatTotal.of_units(paid, whole.currency), FiatTotal.of_units(missing, whole.currency))


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
