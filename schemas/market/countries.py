"""ISO 3166 codes as people write them: two letters, three letters, or a country's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import pycountry

_REGIONS = cast(Any, pycountry.subdivisions)


def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code meant by `text`, or None; names match in full only, nothing is guessed."""
    wanted = text.strip()
    if not 2 <= len(wanted) <= 64 or wanted.isdigit():  # digits are a postcode, though ISO has numbers too
        return None
    return _country_codes().get(wanted.lower())


def region_code(country: str, text: str) -> str | None:
    """The ISO 3166-2 code of a region of `country` given as code (`FL`, `US-FL`) or name, or None.

    A name that two regions of the country share (Tartu is a town and a county) names neither.
    """
    wanted = text.strip()
    if not 1 <= len(wanted) <= 64:
        return None
    code = wanted.upper()
    code = code if code.startswith(f"{country}-") else f"{country}-{code}"
    codes, by_name = _regions(country)
    return code if code in codes else by_name.get(wanted.casefold())


@cache
def currency_codes() -> frozenset[str]:
    """Every currency's code (ISO 4217)."""
    return frozenset(currency.alpha_3 for currency in cast(Any, pycountry.currencies))


@cache
def _country_codes() -> dict[str, str]:
    """Every code and name of every country in lower case, and what it means.

    The library's own look-up walks all countries for each word that is none, and strangers send such words by
    the thousand.
    """
    return {str(value).lower(): str(country.alpha_2) for country in pycountry.countries for value in _fields(country)}


@cache
def _regions(country: str) -> tuple[frozenset[str], dict[str, str]]:
    """The codes of a country's regions, and the names that only one of them has, with its code.

    The library keeps a country's regions in no order that lasts, so the first of a name would differ by process.
    """
    found = [(str(region.code), region.name.casefold()) for region in _REGIONS.get(country_code=country) or ()]
    shared = Counter(name for _, name in found)
    return frozenset(code for code, _ in found), {name: code for code, name in found if shared[name] == 1}


def _fields(country: Any) -> Iterable[str]:
    return cast(Iterable[str], dict(country).values())
