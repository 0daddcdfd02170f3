"""The rates that several sources agree on: pure, given what each said last and when (C-07)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from statistics import median

from schemas.orders import Rate
from services.rates.sources import Prices

FRESH_MS = 120_000
"""How old what a source said may be to be heard."""
APART_MAX = Decimal("0.02")
"""How far from the middle a source may be to be believed."""
AGREE_MIN = 2
"""How many have to agree."""
JUMP_MAX = Decimal("0.05")
"""How far a rate may move from one look to the next; a larger move has to be seen twice."""

_MSAT_PER_BTC = Decimal(10**11)
_STEP = Decimal("0.000001")


class Board:
    """Keeps what each source said last, and the rates that follow."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[int, Prices]] = {}
        self._rates: dict[str, Rate] = {}
        self._doubted: dict[str, Decimal] = {}

    def hear(self, source: str, at_ms: int, prices: Prices) -> None:
        """A source answered."""
        self._said[source] = (at_ms, prices)

    def look(self, now_ms: int) -> dict[str, Rate]:
        """The rates now. One that nobody agrees on any more stays as it was, and grows old (PAY-07)."""
        fresh = {name: said for name, said in self._said.items() if now_ms - said[0] <= FRESH_MS}
        for currency in sorted({code for _, prices in fresh.values() for code in prices}):
            agreed = _agreed({name: (at_ms, p[currency]) for name, (at_ms, p) in fresh.items() if currency in p})
            if agreed is not None and self._is_believed(currency, agreed[1]):
                at_ms, price, names = agreed
                self._rates[currency] = Rate(
                    currency=currency,
                    msat_per_unit=(_MSAT_PER_BTC / price).quantize(_STEP, ROUND_HALF_EVEN),
                    source="+".join(names),
                    as_of_ms=at_ms,
                )
        return dict(self._rates)

    def _is_believed(self, currency: str, price: Decimal) -> bool:
        """Whether the move from the last rate is small, or is seen for the second time."""
        known, doubted = self._rates.get(currency), self._doubted.pop(currency, None)
        if known is None or _apart(price, _MSAT_PER_BTC / known.msat_per_unit) <= JUMP_MAX:
            return True
        if doubted is not None and _apart(price, doubted) <= APART_MAX:
            return True
        self._doubted[currency] = price
        return False


def _agreed(said: Mapping[str, tuple[int, Decimal]]) -> tuple[int, Decimal, tuple[str, ...]] | None:
    """The middle of those who agree, as old as the oldest of them, and who they are; None where too few do."""
    if len(said) < AGREE_MIN:
        return None
    middle = median(price for _, price in said.values())
    near = {name: one for name, one in said.items() if _apart(one[1], middle) <= APART_MAX}
    if len(near) < AGREE_MIN:
        return None
    return min(at_ms for at_ms, _ in near.values()), median(price for _, price in near.values()), tuple(sorted(near))


def _apart(one: Decimal, other: Decimal) -> Decimal:
    return abs(one / other - 1)
