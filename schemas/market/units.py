"""Weights, lengths, volumes and distances in the units the market spec means, converted exactly (SHP-14, A-11).

Every figure is exact by definition of its unit (ISO 80000, the international pound and yard).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal, localcontext

from schemas.catalogue import Sides
from schemas.market.reading import exact_decimal

_EXACT = Context(prec=200)

GRAMS: Mapping[str, Decimal] = {
    "mg": Decimal("0.001"),
    "g": Decimal(1),
    "kg": Decimal(1000),
    "t": Decimal(1000000),
    "oz": Decimal("28.349523125"),
    "lb": Decimal("453.59237"),
}
"""Grams in one of each unit."""
CENTIMETRES: Mapping[str, Decimal] = {
    "mm": Decimal("0.1"),
    "cm": Decimal(1),
    "m": Decimal(100),
    "in": Decimal("2.54"),
    "ft": Decimal("30.48"),
}
"""Centimetres in one of each unit."""
METRES: Mapping[str, Decimal] = {
    "m": Decimal(1),
    "km": Decimal(1000),
    "ft": Decimal("0.3048"),
    "mi": Decimal("1609.344"),
}
"""Metres in one of each unit of distance."""
CUBIC_CENTIMETRES: Mapping[str, Decimal] = {
    "ml": Decimal(1),
    "l": Decimal(1000),
    **{f"{unit}{power}": length * length * length for unit, length in CENTIMETRES.items() for power in ("", "3", "³")},
}
"""Cubic centimetres in one of each unit; a unit of length stands for its cube (A-12)."""

_SEPARATOR = re.compile(r"[x×*]", re.IGNORECASE)


def in_unit(unit: str, table: Mapping[str, Decimal]) -> Decimal | None:
    """How many of the table's base unit one `unit` has; None for one that is not in the table."""
    return table.get(unit.strip().lower())


def measured(tag: tuple[str, ...] | None, table: Mapping[str, Decimal], or_nought: bool = False) -> Decimal | None:
    """`[name, value, unit]` in the table's base unit; None where value or unit cannot be used, and for nought."""
    if tag is None or len(tag) < 3:
        return None
    value, unit = exact_decimal(tag[1].strip()), in_unit(tag[2], table)
    if value is None or unit is None or (not value and not or_nought):
        return None
    with localcontext(_EXACT):
        return value * unit


def sides(tag: tuple[str, ...] | None) -> Sides | None:
    """`[name, LxWxH, unit]`, or `[name, L, W, H, unit]` as the early protocol had it (A-09), the shortest side first.

    A bare number in the place of three is no size, nor is one with a side of nought.
    """
    if tag is None or len(tag) < 3:
        return None
    texts, unit = (tag[1:4], tag[4]) if len(tag) >= 5 else (tuple(_SEPARATOR.split(tag[1])), tag[2])
    lengths = [measured(("", text, unit), CENTIMETRES) for text in texts]
    if len(lengths) != 3 or any(length is None for length in lengths):
        return None
    shortest, middle, longest = sorted(length for length in lengths if length is not None)
    return shortest, middle, longest


def volume_cm3(box: Sides) -> Decimal:
    """The exact volume of a box."""
    with localcontext(_EXACT):
        return box[0] * box[1] * box[2]
