"""Many histories at once: both cores, one table of what they passed, and every failing seed kept for ever."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation.history import Failure, Result, run_many, smaller

CHUNK = 50
FAILURES_MAX = 20
"""Failures that are kept and made small; more of them say nothing new."""
REGRESSIONS = Path(__file__).with_name("regressions.txt")


@dataclass(slots=True)
class Tally:
    """What a number of histories came to."""

    histories: int = 0
    steps: int = 0
    records: int = 0
    cpu_s: float = 0.0
    coverage: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count another one's in."""
        self.histories += other.histories
        self.steps += other.steps
        self.records += other.records
        self.cpu_s += other.cpu_s
        self.coverage.update(other.coverage)
        self.failures.extend(other.failures[: FAILURES_MAX - len(self.failures)])

    def note(self, result: Result) -> None:
        """Count one history in."""
        self.histories += 1
        self.steps += result.steps
        self.records += len(result.journal)
        self.coverage.update(result.coverage)
        if result.failure is not None and len(self.failures) < FAILURES_MAX:
            self.failures.append(result.failure)


def run_chunk(seeds: tuple[int, ...]) -> Tally:
    """Some seeds in this process."""
    tally, began_s = Tally(), time.process_time()
    for result in run_many(seeds):
        tally.note(result)
    tally.cpu_s = time.process_time() - began_s
    return tally


def run_fleet(
    seeds: Iterable[int], processes: int, seen: Callable[[Tally], None] = lambda tally: None, stops: bool = False
) -> Tally:
    """All seeds, on so many processes; `seen` is told after every chunk. `stops` ends it at the first failure."""
    total = Tally()
    chunks = list(_chunks(seeds))
    if processes <= 1:
        for chunk in chunks:
            total.add(run_chunk(chunk))
            seen(total)
            if stops and total.failures:
                break
        return total
    context = multiprocessing.get_context("spawn")  # a test's process has threads, which a fork would cut in half
    with context.Pool(processes) as pool:
        for tally in pool.imap_unordered(run_chunk, chunks):
            total.add(tally)
            seen(total)
            if stops and total.failures:
                break
    return total


def _chunks(seeds: Iterable[int]) -> Iterator[tuple[int, ...]]:
    chunk: list[int] = []
    for seed in seeds:
        chunk.append(seed)
        if len(chunk) == CHUNK:
            yield tuple(chunk)
            chunk = []
    if chunk:
        yield tuple(chunk)


def regressions(path: Path = REGRESSIONS) -> list[int]:
    """Seeds that failed once; the words behind each say why."""
    if not path.exists():
        return []
    lines = (line.strip() for line in path.read_text().splitlines())
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def remember(failures: Iterable[Failure], path: Path = REGRESSIONS) -> None:
    """Add seeds to the list, so that they are run first from now on."""
    known = set(regressions(path))
    new = [failure for failure in failures if failure.seed not in known]
    if new:
        with path.open("a") as file:
            file.writelines(f"{failure.seed} {failure.said}\n" for failure in new)


def shrunk(failures: Iterable[Failure]) -> list[Failure]:
    """The first failures, each as small as it can be made."""
    return [smaller(failure) for failure in failures]
