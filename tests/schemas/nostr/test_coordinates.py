"""Coordinates: split at the first two colons, strict in kind and key."""

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from tests.schemas.nostr.given import MERCHANT, STEADY, an_event

M = MERCHANT.public_key


@pytest.mark.req("EVT-03")
@pytest.mark.parametrize("d", ["tea", "a:b", "", ":", "30402:x:y", " tea ", "茶", "a\nb"])
def test_a_coordinate_keeps_any_d(d: str) -> None:
    """All behind the second colon is the `d` tag, colons and spaces included."""
    assert Coordinate.parse(f"30402:{M}:{d}") == Coordinate(30_402, M, d)


@pytest.mark.req("EVT-03")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "30402",
        f"30402:{M}",
        f"30402:{M.upper()}:tea",
        f"30402:{M[:-1]}:tea",
        f"30402:{M} :tea",
        f"30402:０{M[1:]}:tea",
        f"70000:{M}:tea",
        f"-1:{M}:tea",
        f"030402:{M}:tea",
        f" 30402:{M}:tea",
        f"３0402:{M}:tea",
        f"3e4:{M}:tea",
        f":{M}:tea",
        f"a:30402:{M}:tea",
    ],
)
def test_text_that_is_no_coordinate_is_refused(text: str) -> None:
    """Upper-case keys, other digits and missing parts have the code bad_coord."""
    with pytest.raises(CoordinateRefused) as refused:
        Coordinate.parse(text)
    assert refused.value.code == "bad_coord"


@STEADY
@given(st.integers(0, 65_535), st.text())
def test_a_written_coordinate_is_read_back(kind: int, d: str) -> None:
    """Writing and parsing is a round trip."""
    coordinate = Coordinate(kind, M, d)
    assert Coordinate.parse(str(coordinate)) == coordinate


def test_nostr_sdk_reads_the_same_identifier() -> None:
    """For a `d` without colons both agree."""
    theirs = nostr_sdk.Coordinate.parse(f"30402:{M}:tea")
    assert theirs.identifier() == Coordinate.parse(f"30402:{M}:tea").d


def test_an_event_has_the_address_of_its_first_d_tag() -> None:
    """Without one, or with an empty one, the identifier is empty."""
    listing = an_event(MERCHANT, kind=30_402, tags=(("t", "x"), ("d", "tea"), ("d", "other")))
    assert str(Coordinate.of(listing)) == f"30402:{M}:tea"
    assert Coordinate.of(an_event(MERCHANT, kind=10_050)) == Coordinate(10_050, M, "")
