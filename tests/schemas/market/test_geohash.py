"""Checks geohashes: which text is one, and where on earth it lies."""

import pytest

from schemas.market.geohash import centre, geohash_of


@pytest.mark.parametrize(
    ("cell", "latitude", "longitude"),
    [
        ("ezs42", 42.605, -5.603),
        ("u33dc0", 52.517, 13.397),
        ("9q8yyk", 37.775, -122.42),
        ("s0000000", 0.0, 0.0),
        ("7", -22.5, -22.5),
    ],
)
def test_a_cell_lies_where_it_lies(cell: str, latitude: float, longitude: float) -> None:
    """Well known places, to the size of the cell."""
    lat, lon = centre(cell)

    assert lat == pytest.approx(latitude, abs=0.02)
    assert lon == pytest.approx(longitude, abs=0.02)


def test_a_longer_geohash_lies_within_the_shorter() -> None:
    """Each letter halves both ways, five times in turns."""
    outer, inner = centre("u33"), centre("u33dc0")

    assert abs(outer[0] - inner[0]) <= 180 / 2**8
    assert abs(outer[1] - inner[1]) <= 360 / 2**9


@pytest.mark.parametrize("text", ["", " ", "a", "ilo", "u33dc0u33dc0u", "u 33", "ü33"])
def test_what_is_no_geohash(text: str) -> None:
    """Four letters are left out of the alphabet; twelve are the most."""
    assert geohash_of(text) is None
    with pytest.raises(ValueError, match="no geohash"):
        centre(text)


def test_letter_case_and_blanks_do_no_harm() -> None:
    """Lower case is how it is kept."""
    assert geohash_of(" U33DC0 ") == "u33dc0"
