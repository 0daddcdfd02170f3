"""What the searches once reached and once found goes through every target again, in the fast tests."""

from __future__ import annotations

import pytest

from tests.fuzz.campaign import leaks
from tests.fuzz.judge import MEMORY_MAX, judge, traced_peak
from tests.fuzz.kept import FILES_MAX, FOLDER, corpus_of, found_by
from tests.fuzz.target import SIZE_MAX
from tests.fuzz.targets import TARGETS


@pytest.mark.req("REL-06")
@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_is_taken_or_refused_as_promised(name: str) -> None:
    """No other error, no broken promise, no quoted input, within 50 ms of processor time."""
    target = TARGETS[name]
    complaints = {data[:200]: judge(target, data) for data in [*target.seeds(), *corpus_of(name), *found_by(name)]}

    assert {data: complaint for data, complaint in complaints.items() if complaint} == {}


@pytest.mark.parametrize("name", TARGETS)
def test_no_kept_input_costs_much_memory(name: str) -> None:
    """The dearest of a target's largest inputs stays under the bound at its peak."""
    target = TARGETS[name]
    largest = sorted([*target.seeds(), *corpus_of(name)], key=len)[-3:]

    assert max(traced_peak(target, data) for data in largest) <= MEMORY_MAX


@pytest.mark.real
@pytest.mark.parametrize("name", TARGETS)
def test_reading_the_same_inputs_again_leaves_nothing_behind(name: str) -> None:
    """Caches are filled once and bounded."""
    assert not leaks(TARGETS[name])


def test_the_kept_corpus_stays_small() -> None:
    """At most a hundred files a target, of at most 4 kB, and none for a target that is gone."""
    for kind in ("corpus", "found"):
        folders = {folder.name: list(folder.iterdir()) for folder in (FOLDER / kind).glob("*/")}
        assert set(folders) <= set(TARGETS)
        assert all(len(files) <= FILES_MAX for files in folders.values())
        assert all(file.stat().st_size <= SIZE_MAX for files in folders.values() for file in files)


def test_every_target_has_somewhere_to_start() -> None:
    """Seeds come from our own examples, differ from each other, and are small."""
    for target in TARGETS.values():
        seeds = list(target.seeds())
        assert len(seeds) >= 7
        assert len(set(seeds)) == len(seeds)
        assert max(map(len, seeds)) <= SIZE_MAX
