"""Currencies: how small their smallest unit is, and a total of whole ones of it (ISO 4217)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final, Self

from schemas.values import Value

_WHOLE: Final = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF"),
    *("XOF", "XPF", "SAT", "SATS", "MSAT", "MSATS"),
)
_THOUSANDTHS: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_PLACES: Final[Mapping[str, int]] = {**dict.fromkeys(_WHOLE, 0), **dict.fromkeys(_THOUSANDTHS, 3), "BTC": 8}


def minor_places(currency: str) -> int:
    """Decimal places of a currency's smallest unit: 2 for EUR, 0 for JPY, 3 for KWD."""
    return _PLACES.get(currency, 2)


class FiatTotal(Value):
    """What is asked for in a currency that is no bitcoin, in whole smallest units: `30.57` `EUR`."""

    amount: Decimal
    currency: str

    @classmethod
    def of_units(cls, units: int, currency: str) -> Self:
        """So many smallest units: 30.57 EUR for 3057."""
        return cls(amount=Decimal(f"{units}E-{minor_places(currency)}"), currency=currency)

    @property
    def minor_units(self) -> int:
        """The amount in smallest units: 3057 for 30.57 EUR."""
        return int(Fraction(self.amount) * 10 ** minor_places(self.currency))

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
