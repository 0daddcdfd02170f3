"""How tags are read: tolerant of what does no harm, with a recorded warning; strict on money and measures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from schemas import limits
from schemas.nostr.nip01 import UnsignedEvent

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_DIGITS_MAX = 18

TIME_MAX_S = limits.TIME.most
"""Unix seconds have at most eleven digits; thirteen are milliseconds and are rejected, not divided (EVT-06)."""


class MarketFault(StrEnum):
    """Why a public market event cannot be used: stable codes."""

    NO_D = "no_d"
    NO_TITLE = "no_title"
    NO_PRICE = "no_price"
    NO_THUMB = "no_thumb"
    BAD_COORD = "bad_coord"
    FOREIGN_SHAPE = "foreign_shape"
    FOREIGN_REVIEW = "foreign_review"


class MarketRefused(ValueError):
    """An event that is not the market event its kind says; `reason` is for counting."""

    def __init__(self, reason: MarketFault, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class TagReader:
    """One event's tags by name, and the warnings met while reading them."""

    def __init__(self, event: UnsignedEvent) -> None:
        self.event = event
        self.warnings: list[str] = []

    def warn(self, code: str) -> None:
        """Record something odd that does no harm, once."""
        if code not in self.warnings:
            self.warnings.append(code)

    def all(self, *names: str) -> Iterator[tuple[str, ...]]:
        """Every tag of these names, in order; an alias that is used (not the first name) is warned of."""
        for tag in self.event.tags:
            if tag[0] in names and len(tag) > 1:
                if tag[0] != names[0]:
                    self.warn(f"alias_{tag[0]}")
                yield tag

    def first(self, *names: str) -> tuple[str, ...] | None:
        """The first tag of these names, the preferred name before its aliases."""
        for name in names:
            for tag in self.event.tags:
                if tag[0] == name and len(tag) > 1:
                    if name != names[0]:
                        self.warn(f"alias_{name}")
                    return tag
        return None

    def text(self, *names: str) -> str | None:
        """The first such tag's value, stripped; None where it is missing or blank."""
        tag = self.first(*names)
        return (tag[1].strip() or None) if tag else None


def exact_decimal(text: str) -> Decimal | None:
    """Digits with at most one dot and at most 18 significant digits; None for anything else (EVT-04)."""
    if not _DECIMAL.fullmatch(text) or len(text) > 40:
        return None
    number = Decimal(text)
    return number if len(number.as_tuple().digits) <= _DIGITS_MAX else None


def whole_number(text: str, most: int) -> int | None:
    """ASCII digits up to `most`; None for signs, spaces, fractions and other scripts' digits."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        return None
    number = int(text)
    return number if number <= most else None


def unix_seconds(text: str) -> int | None:
    """A time in unix seconds, or None."""
    return whole_number(text, TIME_MAX_S)


def currency_code(text: str) -> str | None:
    """An upper-case currency code of 3 to 5 letters; whether it can be priced is decided when it is quoted."""
    code = text.strip().upper()
    return code if code.isascii() and code.isalpha() and 3 <= len(code) <= 5 else None
