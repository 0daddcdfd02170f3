"""The judge sees each kind of fault, so that a quiet search means something."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from functools import lru_cache
from random import Random

import pytest

from tests.fuzz.blind import changed, search
from tests.fuzz.judge import GROWTH_MAX, MEMORY_MAX, growth, judge, traced_peak
from tests.fuzz.mutate import mutated_json
from tests.fuzz.tagged import read_tags, written
from tests.fuzz.target import MARK, SIZE_MAX, Tape, Target, with_choices


class Refused(Exception):
    """What the made-up reader may raise."""


def a_target(run: Callable[[bytes], None]) -> Target:
    """A made-up reader that may raise `Refused`."""
    return Target("made-up", run, lambda: (), (Refused,))


def raises(error: Exception) -> Target:
    """A reader that always raises this."""

    def run(_: bytes) -> None:
        raise error

    return a_target(run)


def burn(_: bytes) -> None:
    """Takes 60 ms of processor time, whatever the machine does besides."""
    until_s = time.process_time() + 0.06
    while time.process_time() < until_s:
        pass


def test_what_a_reader_may_raise_is_no_finding() -> None:
    """Neither a return nor the documented error is complained about."""
    assert judge(raises(Refused("no")), b"") is None
    assert judge(a_target(lambda _: None), b"") is None


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), AssertionError("broken"), MemoryError()])
def test_any_other_error_is_a_finding_with_its_place(error: Exception) -> None:
    """The complaint names the error and where it arose, the same for each input that meets it."""
    assert judge(raises(error), b"a") == f"{type(error).__name__} at test_judge.py:run"


def test_an_error_that_quotes_its_input_is_a_finding() -> None:
    """The mark that seeds carry must not come back in an error."""
    assert judge(raises(Refused(f"cannot read {MARK}")), b"") == "quotes its input: Refused at test_judge.py:run"


def test_an_input_that_takes_long_is_a_finding() -> None:
    """Over 50 ms of processor time at every try."""
    assert judge(a_target(burn), b"") == "slow: more than 50 ms"


def test_a_proxy_of_something_gone_does_not_disturb_the_judge() -> None:
    """Libraries keep such, and looking for caches passes every object there is."""
    gone = raises(Refused())
    kept = weakref.proxy(gone.run)
    del gone

    assert judge(a_target(burn), b"") == "slow: more than 50 ms"
    with pytest.raises(ReferenceError):
        kept(b"")


def test_one_slow_moment_is_no_finding() -> None:
    """A pause that does not come again is the collector's or the machine's."""
    pauses = [burn]

    assert judge(a_target(lambda data: pauses.pop()(data) if pauses else None), b"") is None


def test_a_cache_does_not_hide_a_slow_input() -> None:
    """Whoever sends it again sends it a little changed, so a second try starts without what the first left behind."""
    names = lru_cache(maxsize=100)(lambda data: burn(data))
    names.__module__ = "schemas.made_up"

    assert judge(a_target(names), b"") == "slow: more than 50 ms"


def test_memory_at_the_peak_is_measured() -> None:
    """What is let go at once counts too."""

    def take(_: bytes) -> None:
        bytes(MEMORY_MAX + 1)

    assert traced_peak(a_target(take), b"") > MEMORY_MAX


def test_what_stays_behind_is_measured() -> None:
    """A list that only grows is seen, a cache that is full is not."""
    kept: list[bytes] = []
    cache: dict[bytes, bytes] = {}

    def fill(data: bytes) -> None:
        cache.setdefault(data, bytes(GROWTH_MAX))

    assert growth(a_target(lambda _: kept.append(bytes(GROWTH_MAX))), [b"a"], rounds=2) > GROWTH_MAX
    assert growth(a_target(fill), [b"a", b"b"], rounds=2) < GROWTH_MAX


def test_json_is_changed_as_json() -> None:
    """Most changed documents still have the old one's members, and the same chance gives the same change."""
    document = b'{"a":{"b":[1,2,"three"]},"c":"four"}'
    made = [mutated_json(document, 4_096, Random(seed)) for seed in range(200)]

    assert made == [mutated_json(document, 4_096, Random(seed)) for seed in range(200)]
    assert len(set(made)) > 100
    assert sum(b'"c":"four"' in (one or b"") for one in made) > 50
    assert any(b"\\ud800" in (one or b"") for one in made)
    assert mutated_json(b"{", 4_096, Random(1)) is None
    assert mutated_json(document, 10, Random(1)) is None


def test_a_search_without_guidance_changes_what_it_has() -> None:
    """The same chance gives the same inputs, hardly two of them alike, none too large, some of them still JSON."""
    target = Target("made-up", lambda _: None, lambda: (), words=("word",), json_after=1)
    starts = [b"\0" + b'{"a":[1,2]}', b"\1" + b"x" * SIZE_MAX]
    first, second = (
        [changed(target, starts[n % 2], starts, [b"word"], chance) for n in range(300)]
        for chance in (Random(1), Random(1))
    )

    assert first == second
    assert len(set(first)) > 200
    assert max(map(len, first)) <= SIZE_MAX
    assert any(b"word" in data for data in first)
    assert any(data.startswith(b'\0{"a":') and data.endswith(b"}") for data in first)


def test_a_search_without_guidance_ends_in_time() -> None:
    """It says how many inputs it put."""
    put: list[bytes] = []

    assert search(a_target(lambda _: None), [b"start"], 0.05, 1, put.append) == len(put) > 10


def test_tags_are_text_and_a_line_can_be_repeated() -> None:
    """The last line comes as often as the choice says, numbered where it has a `#`."""
    tags = (("d", "tea"), ("t", "x-#", "y"))

    assert read_tags(Tape(with_choices(written(tags, "words"), 0))) == (tags, "words")
    repeated, content = read_tags(Tape(with_choices(written(tags), 1)))
    assert content == ""
    assert repeated[:3] == (("d", "tea"), ("t", "x-#", "y"), ("t", "x-0", "y"))
    assert len(repeated) == 32
