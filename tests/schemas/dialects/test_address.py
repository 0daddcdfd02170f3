"""Checks where an address says it is: one line, several lines or a JSON object, and never by a guess."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.dialects.address import destination_of
from schemas.values import Destination


def place(address: str) -> tuple[str | None, str | None]:
    """Country and region as read."""
    destination = destination_of(address)
    return destination.country, destination.region


@pytest.mark.req("T16A-06")
@pytest.mark.parametrize(
    "address",
    [
        "Ann Bee, 1 Main St, Miami, FL 33101, USA",
        "Ann Bee\n1 Main St\nMiami\nFlorida 33101\nUnited States",
        '{"name": "Ann Bee", "street1": "1 Main St", "city": "Miami", "state": "FL", "zip": "33101", "country": "US"}',
        '{"Country": "usa", "region": "us-fl"}',
        "1 Main St; Miami; FL; us",
        "Virginia\n1 Main St\nMiami\nFL 33101\nUSA",
        "1 Main St,\r\n Miami, Florida,\r\n US\r\n",
    ],
)
def test_one_place_in_every_encoding(address: str) -> None:
    """Country and region come out the same."""
    assert place(address) == ("US", "US-FL")


@pytest.mark.parametrize(
    ("address", "country", "region"),
    [
        ("Hauptstr. 1, 10115 Berlin, Germany", "DE", "DE-BE"),
        ("Hauptstr. 1\n80331 München\nDE", "DE", None),
        ("10 Downing St\nLondon\nSW1A 2AA\nUnited Kingdom", "GB", None),
        ("Germany", "DE", None),
        ('{"country": "DE"}', "DE", None),
        ('{"country": "DE", "state": "Florida"}', "DE", None),
    ],
)
def test_places_elsewhere(address: str, country: str, region: str | None) -> None:
    """A region is named only where it is one of that country's."""
    assert place(address) == (country, region)


@pytest.mark.req("SHP-08")
@pytest.mark.parametrize(
    "address",
    [
        "",
        " \n ",
        "1 Main St, Miami, FL 33101",
        "somewhere",
        "Germany, 10115 Berlin",
        "Laugavegur 1, Reykjavik, 104",
        '{"city": "Berlin"}',
        '{"country": 276}',
        '{"country": {"code": "DE"}}',
        '["Germany"]',
        '{"country": "DE"',
        "Atlantis",
        ",,,;;;",
    ],
)
def test_no_country_is_guessed(address: str) -> None:
    """What does not end in a country, or is half a JSON object, is nowhere; a postcode is no country."""
    assert destination_of(address) == Destination()


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet='{}[]":,\n US', max_size=40))
def test_no_text_is_too_odd_to_be_read(address: str) -> None:
    """Buyers write what they like; it leads to a place or to nowhere, never to an error."""
    country, region = place(address)

    assert country is None or len(country) == 2
    assert region is None or region.startswith(f"{country}-")
