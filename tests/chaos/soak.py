"""`python -m tests.chaos.soak`: chaos, simulation and fuzzing beside each other for as long as the time lasts.

Each goes on, with seeds of its own, until it has reached what is wanted of it or the time is over; who is done leaves
the processors to the others. Figures are written every minute, so that a run that is cut short has them too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from tests.chaos.plan import EVERY_S
from tests.fuzz.targets import TARGETS
from tests.simulation.coverage import SEEDS_ENOUGH, missing

ROOT = Path(__file__).parents[2]
KILLS_WANTED, HISTORIES_WANTED, BYTES_WANTED = 500, 1_000_000, 1_000_000_000
KILLS_A_ROUND = 60
"""More on one stack would have each restart read an ever longer past of two days again."""
ROUND_EXTRA_S = 75.0
"""What a round of chaos takes beyond its faults: a start, the drain, the reckoning."""
TARGETS_A_ROUND = 5
FUZZ_S = 20.0
"""How long each target is searched in a round; what a round has read when the time is over is not counted."""
LINE_MAX = 1 << 20
WRITE_EVERY_S = 60.0
OVERTIME_S = 240.0
"""A round of chaos that is late is waited for that long; then something hangs, and that is a breach."""
NICE = {"chaos": 0, "simulation": 5, "fuzzing": 5}
"""Chaos mostly waits, and what it waits for is somebody's order."""


@dataclass(slots=True)
class Part:
    """One of the three: what is wanted, what is reached, and what it broke."""

    name: str
    unit: str
    wanted: int
    reached: int = 0
    rounds: int = 0
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    worst: dict[str, list[float | None]] = field(default_factory=dict)
    """Of faults by name: times, seconds until a process answered again, seconds until work went on."""

    @property
    def is_done(self) -> bool:
        """Whether it need not go on."""
        return self.reached >= self.wanted


class Soak:
    """The three parts, and the clock."""

    def __init__(self, minutes: float, seed: int, folder: Path, console: Console) -> None:
        self._began_s = time.monotonic()
        self._until_s = self._began_s + minutes * 60
        self._minutes, self._seed, self._folder, self._console = minutes, seed, folder, console
        self.chaos = Part("chaos", "kills", KILLS_WANTED)
        self.simulation = Part("simulation", "histories", HISTORIES_WANTED)
        self.fuzzing = Part("fuzzing", "bytes", BYTES_WANTED)
        self.parts = (self.chaos, self.simulation, self.fuzzing)

    async def run(self) -> None:
        """Everything at once, until all is reached or the time is over."""
        writing = asyncio.ensure_future(self._write_often())
        await asyncio.gather(
            self._rounds(self.chaos, self._chaos),
            self._rounds(self.simulation, self._simulation),
            self._rounds(self.fuzzing, self._fuzzing),
        )
        writing.cancel()
        gaps = missing(self.simulation.figures) if self.simulation.reached >= SEEDS_ENOUGH else []
        self.simulation.breaches += [f"never passed: {name}" for name in gaps]
        self.write()

    async def _rounds(self, part: Part, one: Callable[[int], Awaitable[bool]]) -> None:
        began_s = time.monotonic()
        while not part.is_done and self._left_s > 0:
            goes_on = await one(part.rounds)
            part.rounds += 1
            part.seconds = round(time.monotonic() - began_s, 1)
            self._console.print(
                f"{time.monotonic() - self._began_s:6.0f} s  {part.name}: {part.reached:,} of {part.wanted:,} "
                f"{part.unit}, {len(part.breaches)} breaches"
            )
            self.write()
            if not goes_on:
                break

    @property
    def _left_s(self) -> float:
        return self._until_s - time.monotonic()

    async def _chaos(self, number: int) -> bool:
        fits = int((self._left_s - ROUND_EXTRA_S) / (EVERY_S * 1.15))
        kills = min(KILLS_A_ROUND, max(fits, 0), self.chaos.wanted - self.chaos.reached)
        if kills < min(5, self.chaos.wanted - self.chaos.reached):
            return False
        seed = self._seed * 1_000 + number
        words = ("tests.chaos", "--kills", str(kills), "--seed", str(seed), "--json")
        said = await self._said(self.chaos, words, self._left_s + OVERTIME_S)
        if said is None:
            self.chaos.breaches.append(f"the round of seed {seed} with {kills} kills did not end in time")
            return False
        if said:
            self._note_chaos(said)
        return bool(said)

    def _note_chaos(self, said: dict[str, Any]) -> None:
        part = self.chaos
        part.reached += said["kills"]
        part.breaches += [f"seed {said['seed']} with {said['kills']} kills: {one}" for one in said["breaches"]]
        part.figures.update(other_faults=said["faults"] - said["kills"], orders=sum(said["orders"].values()))
        part.figures.update(messages=said["messages"], **said["outcomes"])
        part.figures["drain_worst_ms"] = max(part.figures["drain_worst_ms"], round(said["drain_s"] * 1_000))
        for line in said["lines"]:
            times, back_s, order_s = part.worst.get(line["name"], [0, None, None])
            part.worst[line["name"]] = [
                (times or 0) + line["count"],
                _worse(back_s, line["back_worst_s"]),
                _worse(order_s, line["order_worst_s"]),
            ]

    async def _simulation(self, number: int) -> bool:
        """One program for the whole time, whose every line replaces what the one before said."""
        part = self.simulation
        start = self._seed * 100_000_000 + number * part.wanted
        words = ("tests.chaos.histories", str(start), str(part.wanted - part.reached), "2")
        async with self._program(part, words) as process:
            assert process.stdout is not None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(1.0, self._left_s)):
                    async for line in process.stdout:
                        self._note_histories(json.loads(line))
                    if await process.wait() != 0:
                        part.breaches.append(f"the simulation ended with {process.returncode}: see {part.name}.log")
        return False

    def _note_histories(self, said: dict[str, Any]) -> None:
        part = self.simulation
        part.reached = said["histories"]
        part.figures = Counter(said["coverage"])
        part.figures.update({"steps": said["steps"], "journal records": said["records"], "cpu_s": said["cpu_s"]})
        part.breaches = [f"seed {one['seed']}: {one['said']}" for one in said["failures"]]

    async def _fuzzing(self, number: int) -> bool:
        names = sorted(TARGETS)
        some = [names[(number * TARGETS_A_ROUND + at) % len(names)] for at in range(min(TARGETS_A_ROUND, len(names)))]
        words = ("tests.fuzz", "--seconds", str(FUZZ_S), "--seed", str(self._seed * 1_000 + number), "--json")
        targets = [word for name in some for word in ("--target", name)]
        said = await self._said(self.fuzzing, (*words, *targets), self._left_s)
        for one in said or ():
            part = self.fuzzing
            part.reached += one["read_bytes"]
            part.figures.update(executions=one["executions"], **{f"executions of {one['target']}": one["executions"]})
            part.breaches += [f"{one['target']}: {found['complaint']}" for found in one["findings"]]
            part.breaches += [f"{one['target']}: {one['trouble']}"] if one["trouble"] else []
        return bool(said)

    async def _said(self, part: Part, words: Sequence[str], within_s: float) -> Any:
        """The JSON a program prints; None where time was over first, an empty one where it failed, which is noted."""
        async with self._program(part, words) as process:
            try:
                async with asyncio.timeout(max(1.0, within_s)):
                    printed, _ = await process.communicate()
            except TimeoutError:
                return None
        try:
            return json.loads(printed)
        except json.JSONDecodeError:
            part.breaches.append(
                f"{' '.join(words)} ended with {process.returncode} and no figures: see {part.name}.log"
            )
            return {}

    @contextlib.asynccontextmanager
    async def _program(self, part: Part, words: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
        """A module run as a program, which does not outlive the block; it complains into a log of its part's."""
        with (self._folder / f"{part.name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *("nice", "-n", str(NICE[part.name]), sys.executable, "-m", *words),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE_MAX,
            )
        try:
            yield process
        finally:
            await _end(process)

    async def _write_often(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            self.write()
            self._console.print(
                f"{time.monotonic() - self._began_s:6.0f} s  "
                + ", ".join(f"{part.reached:,} {part.unit}" for part in self.parts)
                + f"; {sum(len(part.breaches) for part in self.parts)} breaches"
            )

    def write(self) -> None:
        """The figures so far, for programs and for people."""
        plain = {
            "minutes": self._minutes,
            "seconds": round(time.monotonic() - self._began_s),
            "seed": self._seed,
            "parts": [
                {name: getattr(part, name) for name in Part.__slots__ if name != "figures"}
                | {"figures": dict(sorted(part.figures.items()))}
                for part in self.parts
            ],
        }
        (self._folder / "soak.json").write_text(json.dumps(plain, indent=2) + "\n")
        (self._folder / "soak.md").write_text(self.table())

    def table(self) -> str:
        """What was wanted and reached, and what each kind of fault cost at worst, as Markdown."""
        rows = ["| part | wanted | reached | in | breaches |", "|---|---:|---:|---:|---:|"]
        rows += [
            f"| {part.name} | {part.wanted:,} {part.unit} | {part.reached:,} | {part.seconds / 60:.0f} min "
            f"| {len(part.breaches)} |"
            for part in self.parts
        ]
        rows += ["", self._words(), ""]
        rows += [
            "| fault | times | answers again after, at worst | work goes on after, at worst |",
            "|---|---:|---:|---:|",
        ]
        rows += [
            f"| {name} | {times} | {_seconds(back_s)} | {_seconds(order_s)} |"
            for name, (times, back_s, order_s) in sorted(self.chaos.worst.items())
        ]
        return "\n".join(rows) + "\n"

    def _words(self) -> str:
        chaos, fuzzing = self.chaos.figures, self.fuzzing.figures
        return (
            f"{chaos['orders']:,} orders were placed under {self.chaos.reached:,} kills and {chaos['other_faults']:,} "
            f"other faults; {chaos['confirmed']:,} were confirmed, {chaos['cancelled']:,} cancelled or declined, "
            f"{chaos['pending']:,} left unpaid; after the last fault of a round everything was done within "
            f"{chaos['drain_worst_ms'] / 1_000:.1f} s.\n"
            f"The simulated histories had {self.simulation.figures['steps']:,} steps; "
            f"the searches made {fuzzing['executions']:,} executions."
        )


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program and whatever it has started, which may have left its group."""
    if process.returncode is not None:
        return
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
        for one in (*below, psutil.Process(process.pid)):
            with contextlib.suppress(psutil.Error):
                one.send_signal(signal.SIGKILL)
    await process.wait()


def _worse(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _seconds(worst_s: float | None) -> str:
    return "" if worst_s is None else f"{worst_s:.1f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where anything was broken; what was not reached in the time is only said."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=90.0, help="for how long (90)")
    parser.add_argument("--seed", type=int, default=1, help="where the seeds of all three begin (1)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "soak", help="where figures go (build/soak)")
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False, stderr=True)
    soak = Soak(chosen.minutes, chosen.seed, chosen.folder, console)
    asyncio.run(soak.run())
    print(soak.table())
    for part in soak.parts:
        if not part.is_done:
            print(f"not reached in {chosen.minutes:g} minutes: {part.reached:,} of {part.wanted:,} {part.unit}")
        for breach in part.breaches:
            print(f"BROKEN by {part.name}: {breach}")
    return 1 if any(part.breaches for part in soak.parts) else 0


if __name__ == "__main__":
    sys.exit(main())
