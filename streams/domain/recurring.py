"""Goods whose price recurs: the first period is billed with the order, and when the next is due (CAT-12)."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from schemas.orders import Quote
from schemas.rows import Renewal

_SPANS = {"H": timedelta(hours=1), "D": timedelta(days=1), "W": timedelta(weeks=1)}
_MONTHS = {"M": 1, "Y": 12}


def renewals(quote: Quote) -> tuple[Renewal, ...]:
    """The lines of a quote that will be due again, nothing of it due before the order is confirmed."""
    return tuple(
        Renewal(coordinate=line.coordinate, frequency=line.unit_price.frequency)
        for line in quote.lines
        if line.unit_price.frequency
    )


def begun(waiting: tuple[Renewal, ...], sold_ms: int) -> tuple[Renewal, ...]:
    """The same, each due one period after the order was sold; what is due already stays so."""
    return tuple(
        one if one.due_ms else one.model_copy(update={"due_ms": due_ms(sold_ms, one.frequency)}) for one in waiting
    )


def due_ms(first_ms: int, frequency: str, periods: int = 1) -> int | None:
    """When so many periods after `first_ms` are over, UTC; None for a frequency of no known length.

    Months are counted from the first day, so 31 January is followed by 28 or 29 February and then by 31 March.
    """
    if span := _SPANS.get(frequency):
        return first_ms + periods * span // timedelta(milliseconds=1)
    if (months := _MONTHS.get(frequency)) is None:
        return None
    first = datetime.fromtimestamp(first_ms // 1_000, UTC)
    year, month = divmod(first.year * 12 + first.month - 1 + periods * months, 12)
    day = min(first.day, calendar.monthrange(year, month + 1)[1])
    return int(first.replace(year=year, month=month + 1, day=day).timestamp()) * 1_000 + first_ms % 1_000
