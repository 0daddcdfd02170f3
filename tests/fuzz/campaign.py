"""Searches targets one after another, and judges again whatever a search suspects."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.judge import GROWTH_MAX, MEMORY_MAX, growth, judge, traced_peak
from tests.fuzz.kept import corpus_of, found_by, keep_corpus, keep_found
from tests.fuzz.target import SIZE_MAX, Target

_REACHED = re.compile(r"cov: (\d+) ft: (\d+)")
_SEARCHED = re.compile(r"Done \d+ runs in (\d+) second")
_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Found:
    """An input that the target should take and does not."""

    complaint: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one search did. `features` are the engine's count of branches and how often they were taken."""

    target: str
    executions: int
    read_bytes: int
    """Of all inputs together."""
    seconds: float
    features: int
    corpus: int
    found: tuple[Found, ...] = ()
    trouble: str = ""

    @property
    def per_second(self) -> float:
        """Executions in one second of wall-clock time."""
        return self.executions / self.seconds if self.seconds else 0.0


def campaign(
    targets: Sequence[Target],
    seconds: float,
    seed: int,
    *,
    keep: bool = False,
    tell: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Search every target for so many seconds, starting from its corpus.

    Each finding becomes a file in the tree; with `keep` the corpus takes in what reaches more.
    `tell` hears of each search at its end.
    """
    outcomes: list[Outcome] = []
    by_name = {target.name: target for target in targets}
    with tempfile.TemporaryDirectory(prefix="ncc-fuzz-") as name:
        for target in targets:
            _prepare(target, Path(name) / target.name)
        with _searches(Path(name), seconds, seed, list(by_name)) as ended:
            for target_name, status in ended:
                target = by_name[target_name]
                outcome = _outcome(target, Path(name) / target_name, seconds, status, keep=keep)
                for found in outcome.found:
                    keep_found(target_name, found.data)
                outcomes.append(outcome)
                tell(outcome)
    missing = [name for name in by_name if name not in {outcome.target for outcome in outcomes}]
    if missing:
        raise RuntimeError(f"the searches of {', '.join(missing)} were not made")
    return outcomes


def leaks(target: Target, rounds: int = 3) -> bool:
    """Whether reading the corpus again and again leaves more and more behind."""
    return growth(target, [*corpus_of(target.name), *target.seeds()], rounds) > GROWTH_MAX


def _prepare(target: Target, folder: Path) -> None:
    for part in ("inputs", "starts", "suspects"):
        (folder / part).mkdir(parents=True)
    for number, data in enumerate(_starts(target)):
        (folder / "starts" / str(number)).write_bytes(data)


def _starts(target: Target) -> list[bytes]:
    return [*corpus_of(target.name), *found_by(target.name), *target.seeds()]


@contextmanager
def _searches(folder: Path, seconds: float, seed: int, names: list[str]) -> Iterator[Iterator[tuple[str, int]]]:
    """The searching process, as the names and statuses of the searches that have ended."""
    command = [sys.executable, "-m", "tests.fuzz.guided", str(folder), str(seconds), str(seed), *names]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=_PROJECT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    assert process.stdout is not None
    try:
        yield ((name, int(status)) for name, status in map(str.split, process.stdout))
        if process.wait() != 0:
            raise RuntimeError(f"the searching process failed: {(folder / 'log').read_text()[-2_000:]}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with the search that is under way, when we are interrupted
        process.wait()
        process.stdout.close()


def _outcome(target: Target, folder: Path, seconds: float, status: int, *, keep: bool) -> Outcome:
    log = (folder / "log").read_text(errors="replace")
    suspects = [path.read_bytes() for path in sorted((folder / "suspects").iterdir())]
    found = _judged(target, suspects, was_ended=status != 0)
    if keep:
        inputs = [path.read_bytes() for path in sorted((folder / "inputs").iterdir())]
        keep_corpus(target, [*_starts(target), *inputs])
    reached, searched = _REACHED.findall(log), _SEARCHED.findall(log)
    inputs_read, bytes_read = struct.unpack("=QQ", (folder / "read").read_bytes())
    return Outcome(
        target=target.name,
        executions=inputs_read,
        read_bytes=bytes_read,
        seconds=float(sum(map(int, searched))) if searched else seconds,
        features=int(reached[-1][1]) if reached else 0,
        corpus=len(corpus_of(target.name)),
        found=found,
        trouble="" if status == 0 or found else f"the search ended with status {status}: {log[-300:]}",
    )


def _judged(target: Target, suspects: list[bytes], *, was_ended: bool) -> tuple[Found, ...]:
    """One input, the smallest, for each fault that holds without instrumentation."""
    kinds: dict[str, Found] = {}
    for data in sorted(suspects, key=len):
        if len(data) > SIZE_MAX:
            continue
        # What ended that process could end this one as well, so it is believed without another look.
        complaint = "ends the process" if was_ended and len(suspects) == 1 else judge(target, data)
        if complaint is None and traced_peak(target, data) > MEMORY_MAX:
            complaint = f"memory: more than {MEMORY_MAX >> 20} MB"
        if complaint is not None:
            kinds.setdefault(complaint, Found(complaint, data))
    return tuple(kinds.values())
