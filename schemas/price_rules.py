"""What a merchant may add to the market spec's prices, each off by default: taxes, coupons, thresholds (C-09, C-10)."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from schemas import limits
from schemas.catalogue import Format, Sides
from schemas.values import Price, Value

_SUM = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?) +([A-Za-z]{3,5})", re.ASCII)


def _spelled_out(value: Any) -> Any:
    """A sum as a person types it, `50 EUR`; nothing, or `none`, is no sum."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() in ("", "none"):
        return None
    match = _SUM.fullmatch(value.strip())
    if match is None:
        raise ValueError("a sum is written like 50 EUR")
    return {"amount": match[1], "currency": match[2].upper()}


def _rules(value: Any) -> Any:
    """A list as a person types it, in JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value or "[]")
    except orjson.JSONDecodeError:
        raise ValueError("a list of rules is written in JSON") from None


def _box(value: Any) -> Any:
    """A size as a person types it, `20x10x5` in centimetres; nothing, or `none`, is no size."""
    if not isinstance(value, str):
        return value
    return None if value.strip().lower() in ("", "none") else value.strip().lower().split("x")


def _shortest_first(sides: Sides) -> Sides:
    shortest, middle, longest = sorted(sides)
    return shortest, middle, longest


def _or_nothing(value: Any) -> Any:
    """A number as a person types it; an empty text is none."""
    return None if value == "" else value


Measure = Annotated[Decimal, Field(ge=0)]
Percent = Annotated[Annotated[int, Field(ge=0, le=100)] | None, BeforeValidator(_or_nothing)]
Box = Annotated[tuple[Measure, Measure, Measure], AfterValidator(_shortest_first)]
DefaultSides = Annotated[Box | None, BeforeValidator(_box)]
Code = Annotated[str, StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{limits.COUPON.most}}}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")]
Sum = Annotated[Price | None, BeforeValidator(_spelled_out)]


class ExtraCost(StrEnum):
    """How often a listing's extra cost of a shipping option counts (SHP-03, A-15)."""

    PER_UNIT = "per_unit"
    PER_LINE = "per_line"
    MAX_ONCE = "max_once"


class TaxRule(Value):
    """A tax on what goes to some places: added to the listed price, or included in it already.

    No countries means anywhere, an unknown country too. Regions narrow the country they are in; without any
    countries they are all it fits.
    Without a format it is on all goods. Of a shop's rules the first that fits a line counts, and no other;
    `on_shipping` says whether this rule may be the one for the shipping cost as well.
    """

    name: str = Field(default="VAT", min_length=1, max_length=64)
    percent: Decimal = Field(ge=0, le=100, decimal_places=8, max_digits=11)
    is_included: bool = True
    countries: tuple[Country, ...] = ()
    regions: tuple[Region, ...] = ()
    format: Format | None = None
    on_shipping: bool = True


class Coupon(Value):
    """A code that makes goods cheaper: by a part of their price, before tax, and by a sum, after it.

    A sum is never more than what goods and their tax come to. Until `expires_at` (unix seconds), if it is set;
    from `goods_min` on, if that is set. Its letter case does not matter.
    """

    code: Code
    percent: Decimal = Field(default=Decimal(0), ge=0, le=100, decimal_places=8, max_digits=11)
    sum: Sum = None
    goods_min: Sum = None
    expires_at: int | None = None


Taxes = Annotated[tuple[TaxRule, ...], BeforeValidator(_rules), Field(max_length=limits.TAXES.most)]
Coupons = Annotated[tuple[Coupon, ...], BeforeValidator(_rules), Field(max_length=limits.COUPONS.most)]
