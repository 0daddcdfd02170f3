"""Deletion requests: an author takes back what is their own, and nothing else."""

import pytest

from schemas.nostr.coordinates import Coordinate
from schemas.nostr.nip01 import Event
from schemas.nostr.nip09 import Deletion, read_deletion
from tests.schemas.nostr.given import MERCHANT, STRANGER, an_event

M = MERCHANT.public_key


def a_deletion(*tags: tuple[str, ...], created_at: int = 100) -> Deletion:
    """Read a deletion request by the merchant."""
    return read_deletion(an_event(MERCHANT, kind=5, tags=tags, created_at=created_at))


def a_listing(created_at: int, d: str = "tea") -> Event:
    """Give a version of the merchant's listing."""
    return an_event(MERCHANT, kind=30_402, tags=(("d", d),), created_at=created_at)


def test_an_address_is_deleted_up_to_the_time_of_the_request() -> None:
    """A newer version survives, as does another address."""
    deletion = a_deletion(("a", f"30402:{M}:tea"))
    assert deletion.covers(a_listing(90))
    assert deletion.covers(a_listing(100))
    assert not deletion.covers(a_listing(110))
    assert not deletion.covers(a_listing(90, d="coffee"))


def test_an_id_is_deleted_whatever_its_time() -> None:
    """An id names one version only, so the time does not matter."""
    listing = a_listing(110)
    assert a_deletion(("e", listing.id)).covers(listing)
    assert not a_deletion(("e", listing.id)).covers(a_listing(111))


def test_a_replaceable_event_is_deleted_by_an_empty_identifier() -> None:
    """Its address ends with the colon, whatever `d` tag it may carry."""
    profile = an_event(MERCHANT, kind=10_050, tags=(("d", "x"),), created_at=90)
    assert a_deletion(("a", f"10050:{M}:")).covers(profile)


def test_nobody_deletes_what_is_anothers() -> None:
    """Neither a stranger's id nor a stranger's address is touched."""
    theirs = an_event(STRANGER, kind=30_402, tags=(("d", "tea"),), created_at=90)
    deletion = a_deletion(("e", theirs.id), ("a", str(Coordinate.of(theirs))))
    assert not deletion.covers(theirs)
    assert deletion.coordinates == frozenset()


def test_a_deletion_is_not_taken_back() -> None:
    """Deleting a deletion request has no effect (NIP-09)."""
    request = an_event(MERCHANT, kind=5, tags=(("e", "ab" * 32),))
    assert not a_deletion(("e", request.id)).covers(request)


def test_a_regular_event_has_no_address() -> None:
    """A note is deleted by id only."""
    note = an_event(MERCHANT, kind=1, created_at=90)
    assert not a_deletion(("a", f"1:{M}:")).covers(note)


def test_malformed_tags_are_left_out() -> None:
    """One bad tag does not spoil the rest."""
    deletion = a_deletion(("e", "AB" * 32), ("e",), ("a", "30402"), ("a", f"30402:{M}:a:b"), ("e", "ab" * 32))
    assert deletion.ids == {"ab" * 32}
    assert deletion.coordinates == {Coordinate(30_402, M, "a:b")}


def test_another_kind_is_no_deletion() -> None:
    """Reading one is a mistake of ours."""
    with pytest.raises(ValueError, match="kind 1 is no deletion"):
        read_deletion(an_event(kind=1))
