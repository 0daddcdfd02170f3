"""ISO 3166 codes as people write them: two letters, three letters, or a country's name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import pycountry

_REGIONS = cast(Any, pycountry.subdivisions)


@lru_cache(maxsize=4096)
def country_code(text: str) -> str | None:
    """The ISO 3166-1 alpha-2 code meant by `text`, or None; names match in full only, nothing is guessed."""
    wanted = text.strip()
    if not 2 <= len(wanted) <= 64 or wanted.isdigit():  # digits are a postcode, though ISO has numbers too
        return None
    try:
        found = pycountry.countries.lookup(wanted)
    except LookupError:
        return None
    return str(found.alpha_2)


@lru_cache(maxsize=4096)
def region_code(country: str, text: str) -> str | None:
    """The ISO 3166-2 code of a region of `country` given as code (`FL`, `US-FL`) or name, or None."""
    wanted = text.strip()
    if not 1 <= len(wanted) <= 64:
        return None
    code = wanted.upper()
    code = code if code.startswith(f"{country}-") else f"{country}-{code}"
    if _REGIONS.get(code=code) is not None:
        return code
    name = wanted.casefold()
    for region in _REGIONS.get(country_code=country) or ():
        if region.name.casefold() == name:
            return str(region.code)
    return None
