"""Checks the small readers all market events share: numbers, times, currencies, tags by name, places, weights."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.market.countries import country_code, region_code
from schemas.market.reading import (
    TIME_MAX_S,
    TagReader,
    currency_code,
    exact_decimal,
    unix_seconds,
    whole_number,
)
from schemas.market.units import GRAMS, in_unit, measured
from tests.support.builders import an_event

HOSTILE = [
    "",
    " ",
    "-1",
    "+1",
    "1e3",
    "1E3",
    "१",
    "１",
    "²",
    "1,5",
    "1 000",
    "1_000",
    "NaN",
    "inf",
    "0x1",
    "1.",
    ".1",
]


@pytest.mark.req("EVT-04")
@pytest.mark.parametrize("text", [*HOSTILE, str(10**30), "1" * 19, "1.1.1", "1\n", " 1"])
def test_hostile_numbers_are_no_decimals(text: str) -> None:
    """Whatever Python's own parser would make of them."""
    assert exact_decimal(text) is None


@pytest.mark.parametrize("text", [*HOSTILE, "1.0", str(10**30), "1\n", " 1"])
def test_hostile_numbers_are_no_whole_numbers(text: str) -> None:
    """Neither fractions nor other scripts' digits."""
    assert whole_number(text, 10**17) is None


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789.,+-eE _Naif१１", max_size=12))
def test_every_accepted_decimal_is_the_number_it_looks_like(text: str) -> None:
    """Digits and one dot, or nothing."""
    number = exact_decimal(text)
    plain = text.isascii() and text.count(".") <= 1 and all(part.isdigit() for part in text.split("."))

    assert (number is not None) == plain
    assert number is None or number == Decimal(text)


def test_a_limit_is_inclusive() -> None:
    """At it, and one beyond."""
    assert (whole_number("100", 100), whole_number("101", 100)) == (100, None)
    assert (unix_seconds(str(TIME_MAX_S)), unix_seconds(str(TIME_MAX_S + 1))) == (TIME_MAX_S, None)


@pytest.mark.req("EVT-06")
def test_thirteen_digits_are_no_time() -> None:
    """Milliseconds are rejected, not divided."""
    assert unix_seconds("1700000000000") is None
    assert unix_seconds("1700000000") == 1_700_000_000


@pytest.mark.parametrize("text", ["", "€", "US", "DOLLAR", "U5D", "ＵＳＤ", "U D"])
def test_what_is_no_currency_code(text: str) -> None:
    """Three to five letters it must be."""
    assert currency_code(text) is None
    assert currency_code(" usd ") == "USD"


def test_a_tag_reader_prefers_the_new_name_and_warns_of_an_old_one_once() -> None:
    """Even when the old one stands first."""
    tags = TagReader(an_event(30406, ("name", "old"), ("title", "new"), ("t", "x"), ("t",)))
    assert (tags.text("title", "name"), tags.warnings) == ("new", [])

    assert [tags.text("gone", "name"), tags.text("gone", "name")] == ["old", "old"]
    assert tags.warnings == ["alias_name"]
    assert list(tags.all("t")) == [("t", "x")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("Germany", "DE"),
        (" united states ", "US"),
        ("United Kingdom", "GB"),
    ],
)
def test_countries_as_people_write_them(text: str, code: str) -> None:
    """Two letters, three letters or the name."""
    assert country_code(text) == code


@pytest.mark.parametrize("text", ["", "X", "ZZ", "Germ", "276", "104", "Berlin", "x" * 65])
def test_no_country_is_guessed(text: str) -> None:
    """Neither from a part of a name nor from a postcode that happens to be a country's number."""
    assert country_code(text) is None


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [("US", "FL", "US-FL"), ("US", "us-fl", "US-FL"), ("US", "Florida", "US-FL"), ("DE", "Berlin", "DE-BE")],
)
def test_regions_as_people_write_them(country: str, text: str, code: str) -> None:
    """Short code, full code or name, within the country."""
    assert region_code(country, text) == code


@pytest.mark.parametrize(
    ("country", "text"), [("US", "Bavaria"), ("US", "DE-BE"), ("ZZ", "FL"), ("US", ""), ("US", "x" * 65)]
)
def test_no_region_is_guessed(country: str, text: str) -> None:
    """Another country's region is none of this one's."""
    assert region_code(country, text) is None


@pytest.mark.req("SHP-14")
def test_the_units_are_exact_by_definition() -> None:
    """Sixteen ounces are a pound; nothing is rounded."""
    assert GRAMS["oz"] * 16 == GRAMS["lb"] == Decimal("453.59237")
    assert measured(("weight", "10", "lb"), GRAMS) == Decimal("4535.9237")
    assert measured(("weight", "999999999999999999", "oz"), GRAMS) == Decimal("28349523124999999971.650476875")


@pytest.mark.parametrize("unit", ["", "stone", "kgs", "m", "ｋｇ"])
def test_other_units_are_not_guessed(unit: str) -> None:
    """The table is closed (A-11)."""
    assert in_unit(unit, GRAMS) is None
    assert measured(("weight", "1", unit), GRAMS) is None
