"""Distances on earth between geohash cells, for prices by distance (SHP-05, A-13)."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt

from schemas.market.geohash import centre, geohash_of

EARTH_RADIUS_M = 6_371_008.8
"""The mean radius of the earth (IUGG)."""


@lru_cache(maxsize=10_000)
def distance_m(one: str, other: str) -> Decimal | None:
    """Along the great circle between two cells' centres, to the nearest whole metre; None where one is no geohash.

    A cell is metres to kilometres wide, so that a finer figure would say nothing, and no two machines disagree on this.
    Options that were recorded before geohashes were checked may name any text.
    """
    cells = geohash_of(one), geohash_of(other)
    if cells[0] is None or cells[1] is None:
        return None
    (lat, lon), (other_lat, other_lon) = (
        (radians(latitude), radians(longitude)) for latitude, longitude in (centre(cells[0]), centre(cells[1]))
    )
    chord = sin((other_lat - lat) / 2) ** 2 + cos(lat) * cos(other_lat) * sin((other_lon - lon) / 2) ** 2
    return Decimal(round(2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))))
