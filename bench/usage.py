"""What processes take of the machine, and what that says about the limit of a load."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

CORE_FULL = 0.85
"""From this share of one core on, a process that mostly uses one thread can do no more."""
MACHINE_FULL = 0.9
"""From this share of all cores on, nothing on the machine can do more."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Processor seconds of each process by name, and of the whole machine, at one moment."""

    at_s: float
    by_name: dict[str, float]
    machine_s: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What happened between two readings: seconds passed, processor seconds by name, and by everybody else."""

    seconds: float
    by_name: dict[str, float]
    others_s: float

    def cores(self) -> dict[str, float]:
        """The cores each process kept busy, the busiest first."""
        busiest = sorted(self.by_name.items(), key=lambda item: -item[1])
        return {name: cpu_s / self.seconds for name, cpu_s in busiest}

    @property
    def others_cores(self) -> float:
        """The cores that programs which are not part of the measurement kept busy."""
        return self.others_s / self.seconds


def read(pids: Mapping[str, int]) -> Reading:
    """Read the counters of these processes; one that is gone counts nothing."""
    by_name = {name: cpu_s for name, pid in pids.items() if (cpu_s := _cpu_s(pid)) is not None}
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
    # Guests' time is counted in user and nice already.
    busy_s = sum(times) - idle_s - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return Reading(time.monotonic(), by_name, busy_s)


def between(before: Reading, after: Reading) -> Spent:
    """The difference; a process that was started anew meanwhile is left out."""
    spent = {
        name: cpu_s - before.by_name[name]
        for name, cpu_s in after.by_name.items()
        if cpu_s >= before.by_name.get(name, float("inf"))
    }
    others_s = max(0.0, after.machine_s - before.machine_s - sum(spent.values()))
    return Spent(after.at_s - before.at_s, spent, others_s)


def limiting(spent: Spent, cores: int) -> str:
    """What kept a load from going faster, in one sentence."""
    used = spent.cores()
    if not used:
        return "nothing was measured"
    name, most = next(iter(used.items()))
    total = sum(used.values()) + spent.others_cores
    if total >= MACHINE_FULL * cores:
        foreign = f", {spent.others_cores:.2f} by other programs" if spent.others_cores >= 0.1 else ""
        return f"the machine: {total:.2f} of {cores} cores busy{foreign}; the most by {name} ({most:.2f})"
    if most >= CORE_FULL:
        return f"{name}: it keeps one core busy ({most:.2f}) while {cores - total:.2f} of {cores} are idle"
    return f"waiting, not computing: {total:.2f} of {cores} cores busy, the most by {name} ({most:.2f})"


def memory_mb(pid: int) -> float:
    """A process's part of the machine's memory, megabytes of 10^6 bytes: shared pages count by halves, thirds, …

    Where the system has no such figure (PSS), pages of its own only.
    """
    full = psutil.Process(pid).memory_full_info()
    return float(getattr(full, "pss", full.uss)) / 1e6


def machine() -> dict[str, object]:
    """The machine, and how busy it was before anything of ours ran."""
    load = os.getloadavg()
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_before": [round(one, 2) for one in load],
        "busy_cores_before": round(psutil.cpu_percent(interval=1.0) / 100 * cores(), 2),
    }


def cores() -> int:
    """The cores there are."""
    return psutil.cpu_count() or 1


def _cpu_s(pid: int) -> float | None:
    """A process by itself: what it started has a name of its own."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
