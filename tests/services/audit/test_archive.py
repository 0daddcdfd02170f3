"""The archive of finished things."""

from __future__ import annotations

import hashlib
import sys

from services.audit.archive import Archive, _Shard


def names(count: int) -> list[str]:
    """So many names as a hash gives them."""
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]


def test_what_was_put_is_found_again_and_nothing_else() -> None:
    """Over many growths, with numbers up to 32 bits."""
    archive, many = Archive(), names(20_000)
    for number, name in enumerate(many, 1):
        archive.put(name, number * 200_000)

    assert len(archive) == 20_000
    assert [archive.get(name) for name in many] == [n * 200_000 for n in range(1, 20_001)]
    assert archive.get("00" * 32) == archive.get("ff" * 16) == 0


def test_a_number_put_again_takes_the_first_ones_place() -> None:
    """And counts once."""
    archive = Archive()
    archive.put("ab" * 16, 1)
    archive.put("ab" * 16, 2)

    assert (archive.get("ab" * 16), len(archive)) == (2, 1)


def test_a_name_of_noughts_is_a_name() -> None:
    """Though a free slot is marked by noughts."""
    archive = Archive()
    archive.put("00" * 16, 7)

    assert archive.get("00" * 16) == 7


def test_a_thing_takes_a_few_dozen_bytes() -> None:
    """Whatever the moment of growth it is looked at."""
    archive = Archive()
    for name in names(50_000):
        archive.put(name, 1)
    shards: list[_Shard] = list(archive._shards.values())
    used = sum(sys.getsizeof(shard.keys) + sys.getsizeof(shard.numbers) for shard in shards)

    assert used / len(archive) < 48
