"""Judges one input: whatever escapes a reader, takes long, or takes much memory is a finding."""

from __future__ import annotations

import functools
import gc
import resource
import time
import traceback
import tracemalloc
from pathlib import Path, PurePath

from tests.fuzz.target import MARK, Target

CPU_MAX_S = 0.050
"""Processor time for one input. Nobody may buy more than that with one message."""
MEMORY_MAX = 32 * 1024 * 1024
"""Bytes that one input of a few kB may cost at its peak."""
GROWTH_MAX = 2 * 1024 * 1024
"""Bytes that may stay behind when the same inputs are read again and again."""

_ROOT = Path(__file__).parents[2]
_PRODUCT = ("schemas", "streams", "services")
_RETRIES = 3


def judge(target: Target, data: bytes) -> str | None:
    """What is wrong with how the target takes this input; None where nothing is.

    The same fault gives the same words, so that they can be counted: they name the kind and the place.
    """
    rss_kb = _peak_rss_kb()
    complaint, took_s = _once(target, data)
    if complaint is not None:
        return complaint
    for _ in range(_RETRIES):
        if took_s <= CPU_MAX_S:
            break
        _forget()
        took_s = min(took_s, _once(target, data)[1])  # a pause of the collector is nobody's fault
    if took_s > CPU_MAX_S:
        return f"slow: more than {CPU_MAX_S * 1_000:.0f} ms"
    if (_peak_rss_kb() - rss_kb) * 1024 > MEMORY_MAX:
        return f"memory: more than {MEMORY_MAX >> 20} MB"
    return None


def traced_peak(target: Target, data: bytes) -> int:
    """The most bytes this input costs at once, by the interpreter's own books."""
    tracemalloc.start()
    try:
        _once(target, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(target: Target, inputs: list[bytes], rounds: int) -> int:
    """The bytes left behind by so many more rounds of the same inputs, after a first one that fills the caches."""
    for data in inputs:
        _once(target, data)
    tracemalloc.start()
    try:
        for _ in range(rounds):
            for data in inputs:
                _once(target, data)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def _once(target: Target, data: bytes) -> tuple[str | None, float]:
    """The complaint, if any, and the processor seconds it took."""
    complaint = None
    started_s = time.process_time()
    try:
        target.run(data)
    except target.refused as error:
        took_s = time.process_time() - started_s
        if target.tells_nothing and MARK in f"{error} {error!r}":
            complaint = f"quotes its input: {type(error).__name__} at {_place(error)}"
    except Exception as error:  # noqa: BLE001 - whatever escapes a reader is what is looked for
        took_s = time.process_time() - started_s
        complaint = f"{type(error).__name__} at {_place(error)}"
    else:
        took_s = time.process_time() - started_s
    return complaint, took_s


def _forget() -> None:
    """Empty the product's bounded caches: who sends a slow input again sends it a little changed.

    Those without a bound hold tables of ours, which are made once.
    """
    for cached in gc.get_objects():
        # Its type and not its class: asked for that, a proxy of something gone raises.
        if type(cached) is functools._lru_cache_wrapper and cached.cache_parameters()["maxsize"] is not None:
            module = getattr(cached, "__module__", None) or ""
            if module.startswith(_PRODUCT):
                cached.cache_clear()


def _place(error: BaseException) -> str:
    """The innermost place in our product that the error passed, else the innermost of all; no line numbers."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if _within(frame.filename)]
    frame = (ours or list(frames))[-1]
    return f"{_within(frame.filename) or PurePath(frame.filename).name}:{frame.name}"


def _within(filename: str) -> str:
    """The path in the tree of a file of the product, or nothing."""
    path = PurePath(filename)
    if not path.is_relative_to(_ROOT):
        return ""
    relative = path.relative_to(_ROOT)
    return str(relative) if relative.parts[0] in _PRODUCT else ""


def _peak_rss_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
