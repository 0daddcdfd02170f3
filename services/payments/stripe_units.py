"""Says a total in the units that Stripe counts a currency in, which are not always the currency's own smallest ones.

Stripe's page on currencies: most have two places, some none, some three of which the last has to be 0. ISK has none
and is counted as if it had two; of UGX the page says both, so nothing is asked for in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from schemas.currencies import FiatTotal
from services.payments.port import Unsupported

_WHOLE: Final = (
    *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_TENS_OF_THOUSANDTHS: Final = ("BHD", "JOD", "KWD", "OMR", "TND")
_PLACES: Final[Mapping[str, int]] = {**dict.fromkeys(_WHOLE, 0), **dict.fromkeys(_TENS_OF_THOUSANDTHS, 3)}
_STEPS: Final[Mapping[str, int]] = {**dict.fromkeys(_TENS_OF_THOUSANDTHS, 10), "ISK": 100}
_UNCLEAR: Final = frozenset({"UGX"})
_LETTERS: Final = 3
_UNITS_MAX: Final = 10**12
"""More than any currency's limit; Stripe itself says where that is."""


def stripe_units(fiat: FiatTotal) -> tuple[int, str]:
    """3057 and `eur` for 30.57 EUR. Raises `Unsupported` for what Stripe cannot ask for to the last unit."""
    currency = fiat.currency
    if not (len(currency) == _LETTERS and currency.isascii() and currency.isalpha() and currency.isupper()):
        raise Unsupported("Stripe knows a currency by three letters")
    if currency in _UNCLEAR:
        raise Unsupported(f"Stripe says two things of how {currency} is counted")
    units = fiat.amount.scaleb(_PLACES.get(currency, 2))
    if not 0 < units <= _UNITS_MAX:
        raise Unsupported("Stripe takes no such amount")
    if units != units.to_integral_value() or units % _STEPS.get(currency, 1) != Decimal(0):
        raise Unsupported(f"Stripe takes no amount as fine as {fiat}")
    return int(units), currency.lower()
