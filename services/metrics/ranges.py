"""Brings values into their columns' range, so that nothing a stranger wrote can stop the writer."""

from __future__ import annotations

import hashlib
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

TEXT_CHARS_MAX: Final = 200
"""Titles, codes and ids are shorter; what is longer is cut."""
COORDINATE_CHARS_MAX: Final = 400
_INT64_MAX: Final = 2**63 - 1
_INSTANT_MAX_MS: Final = 10_413_791_999_999
"""The end of the year 2299, where DateTime64 ends."""
_SCORE_STEP: Final = Decimal(1).scaleb(-18)
_EXACT: Final = Context(prec=120)
_COORDINATE: Final = re.compile(r"[0-9]{1,5}:[0-9a-f]{64}:.*", re.ASCII | re.DOTALL)
_COUNTRY: Final = re.compile(r"[A-Z]{2}", re.ASCII)


def int64(value: int) -> int:
    """An Int64; a buyer may have written a quantity of any length."""
    return max(-_INT64_MAX, min(value, _INT64_MAX))


def instant(ms: int) -> int:
    """UTC milliseconds that DateTime64(3) holds; `created_at` of a stranger's event may be any number."""
    return max(0, min(ms, _INSTANT_MAX_MS))


def instant_or_none(ms: int | None) -> int | None:
    """The same, where there may be none."""
    return None if ms is None else instant(ms)


def short(value: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """A short text; half a surrogate pair, which JSON allows and UTF-8 does not, becomes a question mark."""
    return value[:chars_max].encode("utf-8", "replace").decode()


def coordinate_or_empty(value: str) -> str:
    """An address (`30402:pubkey:d`), or '' where a stranger wrote something else in its place.

    One that is too long is cut and ends with a hash of the whole, so that two never become the same.
    """
    if _COORDINATE.fullmatch(value) is None:
        return ""
    if len(value) <= COORDINATE_CHARS_MAX:
        return short(value, COORDINATE_CHARS_MAX)
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:32]
    return short(value, COORDINATE_CHARS_MAX - len(digest)) + digest


def country_or_empty(value: str | None) -> str:
    """An ISO 3166-1 alpha-2 code, or ''."""
    return value if value is not None and _COUNTRY.fullmatch(value) else ""


def score(value: Decimal) -> Decimal:
    """A score in 0..1 to 18 decimal places."""
    with localcontext(_EXACT):
        return max(Decimal(0), min(value, Decimal(1))).quantize(_SCORE_STEP, rounding=ROUND_HALF_EVEN)
