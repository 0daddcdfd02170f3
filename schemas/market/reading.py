"""How tags are read: tolerant of what does no harm, with a recorded warning; strict on money and measures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from schemas import limits
from schemas.market.geohash import geohash_of
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind

READER = 2
"""The version of these rules. Raised when an event is read as something more than before: the new reading of an
event that a shop has already then replaces the old one.
1 knew neither collections, sizes, volumes and distances nor whose variation a listing is."""

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
    NO_KIND = "no_kind"
    BAD_PARENT = "bad_parent"
    BAD_COORD = "bad_coord"
    FOREIGN_SHAPE = "foreign_shape"
    FOREIGN_REVIEW = "foreign_review"


class MarketRefused(ValueError):
    """An event that is not the market event its kind says; `reason` is for counting."""

    def __init__(self, reason: MarketFault, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class Tagged(Protocol):
    """An event, or the template of one."""

    @property
    def tags(self) -> tuple[tuple[str, ...], ...]:
        """Every tag, as its author wrote it."""


class TagReader:
    """One event's tags by name, and the warnings met while reading them."""

    def __init__(self, event: Tagged) -> None:
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


def identifier(tags: TagReader) -> str:
    """The first `d`, as it is written: it is part of the address. Raises `MarketRefused` (`no_d`)."""
    d = tags.first("d")
    if d is None or not d[1]:
        raise MarketRefused(MarketFault.NO_D)
    return d[1]


def title(tags: TagReader, *aliases: str) -> str:
    """The title, cut where it is longer than what a quote may hold. Raises `MarketRefused` (`no_title`)."""
    text = tags.text("title", *aliases)
    if text is None:
        raise MarketRefused(MarketFault.NO_TITLE)
    return cut(tags, "title", text, limits.TITLE)


def cut(tags: TagReader, name: str, text: str, limit: limits.Limit) -> str:
    """The text as far as it is kept, with a warning where that is not all of it."""
    if len(text) > limit.most:
        tags.warn(f"{name}_cut")
    return text[: limit.most]


def time(tags: TagReader, name: str) -> int | None:
    """A time tag in unix seconds; another shape is dropped with a warning (EVT-06)."""
    text = tags.text(name)
    if text is None:
        return None
    seconds = unix_seconds(text)
    if seconds is None:
        tags.warn(f"bad_{name}")
    return seconds


def place(tags: TagReader) -> str | None:
    """`location` as it is written, cut where it is longer than what a quote may hold."""
    text = tags.text("location")
    if text is None:
        return None
    if text.startswith(f"{int(Kind.COLLECTION)}:"):  # meant as an address, and it is none
        tags.warn("bad_location")
        return None
    return cut(tags, "location", text, limits.PLACE)


def cell(tags: TagReader) -> str | None:
    """The most precise geohash among the `g` tags; many clients write every prefix of one (T402-11)."""
    found = [tag[1] for tag in tags.all("g")]
    cells = [hash_ for text in found if (hash_ := geohash_of(text))]
    if len(cells) < len([text for text in found if coordinate(text, Kind.COLLECTION) is None]):
        tags.warn("bad_g")
    return max(cells, key=len, default=None)


def coordinate(text: str, *kinds: Kind) -> str | None:
    """The address in a text, where it is one of these kinds."""
    try:
        found = Coordinate.parse(text.strip())
    except CoordinateRefused:
        return None
    return str(found) if found.kind in kinds else None


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
