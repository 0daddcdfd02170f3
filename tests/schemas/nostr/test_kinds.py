"""Kinds: which of them replace, address or vanish."""

import pytest

from schemas.nostr import kinds
from schemas.nostr.kinds import Kind


@pytest.mark.parametrize("kind", [0, 3, 10_000, 10_002, 10_050, 19_999])
def test_some_kinds_are_replaceable(kind: int) -> None:
    """Profiles, contacts and 10000..19999 have one newest version per author."""
    assert kinds.is_replaceable(kind)
    assert not kinds.is_addressable(kind)
    assert not kinds.is_ephemeral(kind)


@pytest.mark.parametrize("kind", [30_000, 30_402, 31_555, 39_999])
def test_some_kinds_are_addressable(kind: int) -> None:
    """30000..39999 have one newest version per author and `d` tag."""
    assert kinds.is_addressable(kind)
    assert not kinds.is_replaceable(kind)


@pytest.mark.parametrize("kind", [20_000, 21_059, 22_242, 29_999])
def test_some_kinds_are_ephemeral(kind: int) -> None:
    """20000..29999 are not kept."""
    assert kinds.is_ephemeral(kind)
    assert not kinds.is_replaceable(kind)


@pytest.mark.parametrize("kind", [1, 4, 5, 13, 14, 16, 1059, 9735, 9_999, 40_000, 65_535])
def test_other_kinds_are_regular(kind: int) -> None:
    """They are kept one by one."""
    assert not kinds.is_replaceable(kind)
    assert not kinds.is_addressable(kind)
    assert not kinds.is_ephemeral(kind)


def test_every_kind_fits_the_wire() -> None:
    """NIP-01 ends at 65535, and no two names share a number."""
    assert max(Kind) <= kinds.KIND_MAX
    assert len(set(Kind)) == len(Kind.__members__)
