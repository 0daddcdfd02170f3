"""Buyers' addresses as live clients write them: one line, several lines, or a JSON object (T16A-06)."""

from __future__ import annotations

import re

import orjson

from schemas import limits
from schemas.market.countries import country_code, region_code
from schemas.values import Destination

ADDRESS_MAX = limits.ADDRESS.most
_SPLIT = re.compile(r"[\n,;]+")
_POSTCODE = re.compile(r"\s*\b[0-9][0-9A-Z-]*\b\s*", re.IGNORECASE)


def destination_of(address: str) -> Destination:
    """The country and region an address names; None where it does not say so plainly: nothing is guessed (SHP-08)."""
    fields = _json_fields(address)
    if fields is not None:
        country = country_code(fields.get("country", ""))
        state = fields.get("state") or fields.get("region") or ""
        return Destination(country=country, region=region_code(country, state) if country and state else None)
    parts = [part.strip() for part in _SPLIT.split(address) if part.strip()]
    if not parts:
        return Destination()
    country = country_code(parts[-1])
    if country is None:
        return Destination()
    for part in reversed(parts[:-1]):
        bare = _POSTCODE.sub(" ", part).strip()
        if bare and (region := region_code(country, bare)):
            return Destination(country=country, region=region)
    return Destination(country=country)


def _json_fields(address: str) -> dict[str, str] | None:
    """The object's text fields, or None where the address is no JSON object."""
    if not address.lstrip().startswith("{"):
        return None
    try:
        fields = orjson.loads(address)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    return {key.lower(): value for key, value in fields.items() if isinstance(value, str)}
