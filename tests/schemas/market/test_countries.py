"""Checks how countries and regions are recognised: every way ISO has of naming one, and no guessing."""

import subprocess
import sys

import pycountry
import pytest

from schemas.market.countries import country_code, region_code

_SHARED = "from schemas.market.countries import region_code; print(region_code('ES', 'La Rioja'))"


def test_every_code_and_name_of_every_country_is_known() -> None:
    """Whatever the library itself finds by a code or a name is found here too, in any case."""
    for country in pycountry.countries:
        for text in dict(country).values():
            if not text.isdigit() and len(text) <= 64:
                assert country_code(text) == country_code(f" {text.upper()} ") == country.alpha_2


@pytest.mark.parametrize("text", ["", "X", "Germanyy", "276", "x" * 65, "\x00\x00", "Ger many"])
def test_what_is_no_country_is_none(text: str) -> None:
    """A part of a name, a number and nonsense name no country."""
    assert country_code(text) is None


def test_a_region_is_known_by_its_code_and_by_its_name() -> None:
    """With or without the country's prefix, in any case."""
    assert {region_code("US", text) for text in ("FL", "us-fl", "Florida", " FLORIDA ")} == {"US-FL"}
    assert region_code("DE", "Florida") is None


@pytest.mark.parametrize(("country", "name"), [("ES", "La Rioja"), ("EE", "Tartu"), ("HU", "Veszprém")])
def test_a_name_that_two_regions_share_names_neither(country: str, name: str) -> None:
    """ISO lists towns and counties, provinces and communities by the same name; which is meant is not guessed."""
    assert region_code(country, name) is None


def test_the_answer_is_the_same_in_every_process() -> None:
    """A record that is read again elsewhere must lead to the same command."""
    ran = [subprocess.run([sys.executable, "-c", _SHARED], capture_output=True, check=True).stdout for _ in range(3)]

    assert ran == [b"None\n"] * 3
