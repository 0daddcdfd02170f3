"""Checks whose preferences intake records, and in which shops (market spec §2)."""

from __future__ import annotations

import pytest

from schemas.preferences import AppHandler, AppRecommendation, MintList, Profile, RecordPreference
from streams.raw import Commands, Known
from tests.schemas.nostr import given as people
from tests.streams.test_reading_market import MERCHANT, OTHER, public, read, refused, told

HANDLER = (("d", "shop"), ("k", "30402"))
RECOMMENDATION = (("d", "30402"), ("a", f"31990:{people.STRANGER.public_key}:shop"))


@pytest.mark.parametrize(
    ("kind", "tags", "contract"),
    [
        (0, (("payment_preference", "lud16"),), Profile),
        (10019, (("mint", "https://mint.example"),), MintList),
        (31989, RECOMMENDATION, AppRecommendation),
        (31990, HANDLER, AppHandler),
    ],
)
def test_a_merchants_own_preferences_are_recorded(kind: int, tags: tuple[tuple[str, ...], ...], contract: type) -> None:
    """In the own shop."""
    reading = read(public(kind, tags))

    assert told(reading) == [MERCHANT]
    assert isinstance(reading, Commands)
    body = reading.commands[0].body
    assert isinstance(body, RecordPreference)
    assert isinstance(body.preference, contract)


@pytest.mark.parametrize(("kind", "tags"), [(0, ()), (10019, ()), (31989, RECOMMENDATION)])
def test_other_peoples_profiles_are_seen_and_not_kept(kind: int, tags: tuple[tuple[str, ...], ...]) -> None:
    """A relay may bring them; who asked does not matter."""
    assert read(public(kind, tags, people.STRANGER), (MERCHANT,)) == Known("foreign_profile")


def test_an_application_is_recorded_in_the_shops_that_recommend_it() -> None:
    """And is nobody's business elsewhere."""
    theirs = public(31990, HANDLER, people.STRANGER)

    assert told(read(theirs, (MERCHANT, OTHER))) == sorted((MERCHANT, OTHER))
    assert refused(read(theirs)) == "foreign_author"


def test_what_is_recommended_for_other_kinds_is_seen_and_not_kept() -> None:
    """And one that does not say for what is set aside."""
    assert read(public(31989, (("d", "1"), RECOMMENDATION[1]))) == Known("other_recommendation")
    assert refused(read(public(31989, (("d", "notes"), RECOMMENDATION[1])))) == "no_kind"
    assert refused(read(public(31989, (RECOMMENDATION[1],)))) == "no_d"
