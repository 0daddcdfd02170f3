"""Geohashes: a place on earth as a cell, named by up to twelve letters and digits; the longer, the smaller."""

from __future__ import annotations

LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"
LENGTH_MAX = 12
_VALUES = {letter: value for value, letter in enumerate(LETTERS)}


def geohash_of(text: str) -> str | None:
    """The geohash in lower case; None for text that is none (T402-11)."""
    cell = text.strip().lower()
    return cell if 1 <= len(cell) <= LENGTH_MAX and all(letter in _VALUES for letter in cell) else None


def centre(cell: str) -> tuple[float, float]:
    """Latitude and longitude of the cell's centre in degrees, exact in binary; ValueError where it is no geohash.

    Five bits a letter, the most significant first; bits take turns, and longitude has the first one.
    """
    if geohash_of(cell) != cell:
        raise ValueError("no geohash")
    counts, bits = [0, 0], [0, 0]
    axis = 1
    for letter in cell:
        for shift in (4, 3, 2, 1, 0):
            counts[axis] = counts[axis] * 2 + (_VALUES[letter] >> shift & 1)
            bits[axis] += 1
            axis = 1 - axis
    latitude, longitude = (
        (2 * count + 1) * span / 2 ** (width + 1) - span / 2
        for count, width, span in zip(counts, bits, (180, 360), strict=True)
    )
    return latitude, longitude
