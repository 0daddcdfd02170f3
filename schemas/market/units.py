"""Weights in the units the market spec means, converted exactly (SHP-14, T402-10)."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

from schemas.market.reading import exact_decimal

GRAMS: dict[str, Decimal] = {
    "mg": Decimal("0.001"),
    "g": Decimal(1),
    "kg": Decimal(1000),
    "t": Decimal(1000000),
    "oz": Decimal("28.349523125"),
    "lb": Decimal("453.59237"),
}
"""Grams in one of each unit; exact by definition."""

_EXACT = Context(prec=80)


def grams(tag: tuple[str, ...] | None) -> Decimal | None:
    """`[name, value, unit]` as grams, or None where value or unit cannot be used."""
    if tag is None or len(tag) < 3:
        return None
    value, unit = exact_decimal(tag[1].strip()), GRAMS.get(tag[2].strip().lower())
    if value is None or unit is None or value <= 0:
        return None
    with localcontext(_EXACT):
        return value * unit


def unit_in_grams(unit: str) -> Decimal | None:
    """How many grams one `unit` has, or None for a unit that is not in the table."""
    return GRAMS.get(unit.strip().lower())
