"""The search itself, with atheris: `python -m tests.fuzz.guided FOLDER SECONDS SEED TARGET…`.

The product is instrumented while it is imported, so that the search sees which branches an input takes;
that takes seconds, so one process imports and a copy of it searches each target, one after another.
After each it prints `TARGET STATUS`. `FOLDER/TARGET` holds the search's `log`, what it kept (`inputs`), what it
started from (`starts`), what it found fault with (`suspects`), and how many inputs and bytes it has `read`.

A clock says little about a search on a busy machine, so one that has read less than `INPUTS_MIN` goes on.

A search does not end at a finding: it writes the input down and goes on.
Instrumented code is slow, so what is found here is judged again in a process without instrumentation.
A crash of the interpreter or a hang ends the search; the engine then leaves the input among the suspects.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from random import Random

try:
    import atheris  # type: ignore[import-untyped,unused-ignore]
except ModuleNotFoundError:  # there are builds for Linux on x86-64 alone
    atheris = None

with atheris.instrument_imports(include=["schemas", "streams", "services"]) if atheris else nullcontext():
    from tests.fuzz import blind
    from tests.fuzz.judge import judge
    from tests.fuzz.mutate import mutated_json
    from tests.fuzz.target import INPUTS_MIN, SIZE_MAX, Target
    from tests.fuzz.targets import TARGETS

HANG_S = 10
GRACE_S = 30.0
"""What a search may take beyond its time: to read the corpus, and for one input that hangs."""
RSS_MAX_MB = 2_048
LONGER_MAX = 4
"""How often a search that read too little is begun anew, from what it has kept, for twice the time."""
SUSPECTS_MAX = 3
"""Inputs kept for one complaint; one of them may prove to be nothing."""


def main(folder: Path, seconds: float, seed: int, names: Sequence[str]) -> None:
    """Search each target for so many seconds, and say how each search ended."""
    for name in names:
        read = _counters(folder / name / "read")
        status = _searched(TARGETS[name], folder / name, seconds, seed, read)
        for longer in range(1, LONGER_MAX + 1):
            if status != 0 or read[0] >= INPUTS_MIN:
                break
            status = _searched(TARGETS[name], folder / name, seconds * 2**longer, seed + longer, read)
        print(name, status, flush=True)


def _searched(target: Target, folder: Path, seconds: float, seed: int, read: memoryview) -> int:
    """One search in a process of its own, and its status."""
    child = os.fork()
    if child == 0:
        _search(target, folder, seconds, seed, read)
    return _ended(child, seconds + GRACE_S)


def _ended(child: int, within_s: float) -> int:
    """The child's status; one that does not end in time is ended, and its status is the negative signal."""
    deadline_s = time.monotonic() + within_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline_s:
            os.kill(child, signal.SIGKILL)
            deadline_s += within_s
        time.sleep(0.05)


def _search(target: Target, folder: Path, seconds: float, seed: int, read: memoryview) -> None:
    """Search until the time is over; does not return."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    suspects: dict[str, int] = {}

    def take(data: bytes) -> None:
        read[0] += 1
        read[1] += len(data)
        complaint = judge(target, data)
        if complaint is not None and suspects.get(complaint, 0) < SUSPECTS_MAX:
            suspects[complaint] = suspects.get(complaint, 0) + 1
            (folder / "suspects" / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    if atheris is None:
        starts = [path.read_bytes() for path in sorted((folder / "starts").iterdir())]
        executions = blind.search(target, starts, seconds, seed, take)
        print(f"Done {executions} runs in {seconds:.0f} second(s)", flush=True)
        os._exit(0)
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-max_len={SIZE_MAX}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={RSS_MAX_MB}",
        f"-seed={seed}",
        f"-dict={_dictionary(target, folder)}",
        f"-artifact_prefix={folder / 'suspects'}/",
        "-reload=0",
        "-len_control=0",
    ]
    arguments = [sys.argv[0], *options, str(folder / "inputs"), str(folder / "starts")]
    if target.json_after is None:
        atheris.Setup(arguments, take)
    else:
        atheris.Setup(arguments, take, custom_mutator=partial(_mutated, target.json_after))
    atheris.Fuzz()


def _counters(path: Path) -> memoryview:
    """Two numbers of 64 bits in a file, which stay there however a search ends: inputs, and bytes of them all."""
    path.write_bytes(bytes(16))
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")


def _mutated(choices: int, data: bytes, size_max: int, seed: int) -> bytes:
    """The input changed as JSON, or, every third time, as bytes."""
    chance = Random(seed)
    body = None if chance.randrange(3) == 0 else mutated_json(data[choices:], size_max - choices, chance)
    changed: bytes = atheris.Mutate(data, size_max) if body is None else data[:choices] + body
    return changed


def _dictionary(target: Target, folder: Path) -> Path:
    """The target's words as the engine reads them."""
    path = folder / "words"
    path.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    return path


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
