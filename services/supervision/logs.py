"""Children's log files: kept small, and searched for why a child died."""

import re
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

LOG_BYTES_MAX: Final = 20_000_000
"""Above this a log is moved aside: at a child's start, and while it runs."""
OLD_LOGS_MAX: Final = 3
_TAIL_BYTES: Final = 16_384
_ERROR_CHARS_MAX: Final = 300
_ERROR_WORDS: Final = re.compile(
    r"error|exception|fatal|critical|panic|refused|denied|cannot|could not|unable|failed|no such|not found|in use", re.I
)
_NOISE: Final = re.compile(r"^\s*(at |File |\^|~|\.\.\.|Traceback|During handling|The above exception)")


def rotate(log: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Moves a large log aside (`.1` is the newest old one) while nobody writes to it."""
    if _size(log) > bytes_max:
        _shift(log)
        log.replace(_old(log, 1))


def shed(log: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
    """Does the same while a child appends to it: copies it aside and empties it.

    Lines written between the two are lost; an endless file would be worse.
    """
    if _size(log) > bytes_max:
        _shift(log)
        with suppress(OSError):  # a full disk is one more reason to empty it
            shutil.copyfile(log, _old(log, 1))
        with log.open("r+b") as stream:
            stream.truncate(0)


def last_error(log: Path, from_byte: int) -> str | None:
    """The last line since `from_byte` that looks like an error, else the last line; None without any."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, 2)
            # A log that was emptied meanwhile is shorter than the mark.
            stream.seek(max(0 if size < from_byte else from_byte, size - _TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except FileNotFoundError:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.match(line)]
    errors = [line for line in lines if _ERROR_WORDS.search(line)]
    chosen = errors or lines
    return chosen[-1][:_ERROR_CHARS_MAX] if chosen else None


def _shift(log: Path) -> None:
    for number in range(OLD_LOGS_MAX - 1, 0, -1):
        if _old(log, number).exists():
            _old(log, number).replace(_old(log, number + 1))


def _old(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0
