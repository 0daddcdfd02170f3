"""The inputs in the tree: the corpus of each target, which reaches its branches, and what was found and mended."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import CodeType

from tests.fuzz.judge import judge
from tests.fuzz.target import SIZE_MAX, Target
from tools.tidy import check_file

FOLDER = Path(__file__).parent
FILES_MAX = 100

_ROOT = FOLDER.parents[1]
_PRODUCT = tuple(str(_ROOT / folder) for folder in ("schemas", "streams", "services"))
_TOOL = sys.monitoring.COVERAGE_ID


def corpus_of(name: str) -> list[bytes]:
    """The target's kept inputs, in a steady order."""
    return _contents(FOLDER / "corpus" / name)


def found_by(name: str) -> list[bytes]:
    """The inputs that once were findings of the target."""
    return _contents(FOLDER / "found" / name)


def keep_found(name: str, data: bytes) -> Path:
    """Put a finding into the tree, so that the fast tests fail until it is mended, and hold it mended after."""
    return _write(FOLDER / "found" / name, data)


def keep_corpus(target: Target, candidates: Iterable[bytes]) -> int:
    """Replace the target's corpus by the fewest small inputs that take the same lines and jumps; says how many.

    Those that the target finds fault with, or that the tree's own rules would refuse as files, stay out.
    """
    folder = FOLDER / "corpus" / target.name
    fit = sorted({data for data in candidates if len(data) <= SIZE_MAX and _is_tidy(data)}, key=lambda d: (len(d), d))
    seen: set[tuple[int, int, int]] = set()
    chosen: list[bytes] = []
    for data in fit:
        complaint, paths = _paths(target, data)
        if complaint is None and not paths <= seen:
            seen |= paths
            chosen.append(data)
    chosen = chosen[-FILES_MAX:]  # the larger ones reach more
    for path in folder.glob("*"):
        path.unlink()
    for data in chosen:
        _write(folder, data)
    return len(chosen)


def _contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*"))]


def _write(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


def _is_tidy(data: bytes) -> bool:
    """Whether the tree's check of words has nothing against such a file."""
    return b"\0" in data or not check_file(PurePosixPath("tests/fuzz/corpus/x"), data.decode(errors="replace"))


def _paths(target: Target, data: bytes) -> tuple[str | None, set[tuple[int, int, int]]]:
    """What is wrong with the input, and every branch of the product it takes: code, from where, to where."""
    events = sys.monitoring.events
    paths: set[tuple[int, int, int]] = set()

    def at_line(code: CodeType, line: int) -> object:
        if not code.co_filename.startswith(_PRODUCT):
            return sys.monitoring.DISABLE
        paths.add((id(code), line, -1))
        return None

    def at_branch(code: CodeType, start: int, end: int) -> object:
        if not code.co_filename.startswith(_PRODUCT):
            return sys.monitoring.DISABLE
        paths.add((id(code), start, end))
        return None

    sys.monitoring.use_tool_id(_TOOL, "corpus")
    try:
        sys.monitoring.register_callback(_TOOL, events.LINE, at_line)
        sys.monitoring.register_callback(_TOOL, events.BRANCH, at_branch)
        sys.monitoring.set_events(_TOOL, events.LINE | events.BRANCH)
        return judge(target, data), paths
    finally:
        sys.monitoring.set_events(_TOOL, 0)
        sys.monitoring.free_tool_id(_TOOL)
