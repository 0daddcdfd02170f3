"""Reads Stripe's lists page by page: what is newest comes first, and each page says whether there are more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from services.payments.asking import left_s
from services.payments.http_calls import HttpCalls
from services.payments.port import Retry
from services.payments.stripe_words import WHOM

PAGE: Final = 100
"""Rows of a page at most."""

type Row = Mapping[str, Any]
type Wanted = Mapping[str, str | int]


async def pages(
    calls: HttpCalls, path: str, wanted: Wanted, deadline_s: float, after: str = ""
) -> AsyncIterator[tuple[list[Row], bool]]:
    """Each page's rows, after the row of that name if one is given, and whether more follow. Raises `Retry`."""
    is_more = True
    while is_more:
        asked = {**wanted, "limit": PAGE, **({"starting_after": after} if after else {})}
        rows, is_more = rows_in((await calls.get(path, asked, timeout_s=left_s(deadline_s, WHOM))).body)
        is_more = is_more and bool(rows)
        yield rows, is_more
        after = str(rows[-1]["id"]) if rows else after


async def first_page(calls: HttpCalls, path: str, wanted: Wanted, deadline_s: float) -> tuple[list[Row], bool]:
    """One page alone, and whether more follow. Raises `Retry`."""
    return await anext(pages(calls, path, wanted, deadline_s))


async def all_rows(calls: HttpCalls, path: str, wanted: Wanted, deadline_s: float, after: str = "") -> list[Row]:
    """Every row of a list, after the row of that name if one is given. Raises `Retry`."""
    return [row async for rows, _ in pages(calls, path, wanted, deadline_s, after) for row in rows]


def rows_in(said: Any) -> tuple[list[Row], bool]:
    """The rows of a list, and whether there are more. Raises `Retry`."""
    rows = said.get("data") if isinstance(said, dict) else None
    if not isinstance(rows, list) or not isinstance(said.get("has_more"), bool):
        raise Retry("Stripe lists in words that cannot be read")
    if not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
        raise Retry("Stripe lists something that has no name")
    return rows, said["has_more"]
