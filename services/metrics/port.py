"""What every part of the metrics service shares: a query's result, and the two ways a call can fail.

    MetricsError
    ├── StoreUnavailable   the store's fault or the network's: the same call may succeed later
    └── BadQuery           the caller's mistake: the message is one sentence for them, trying again is no use

Nothing here imports an engine, so that a client of the query door stays small.
"""

from __future__ import annotations

from dataclasses import dataclass


class MetricsError(Exception):
    """The store did not do what it was asked."""


class StoreUnavailable(MetricsError):
    """The store could not be reached, is busy or is out of means; whether a write took effect is unknown."""


class BadQuery(MetricsError, ValueError):
    """The statement cannot be answered as it is written."""


@dataclass(frozen=True, slots=True)
class Result:
    """A query's answer: column names, their ClickHouse types, and the rows in the engine's order."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def dicts(self) -> list[dict[str, object]]:
        """The rows, each by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
