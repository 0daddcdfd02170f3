"""What a fuzz target is: how input reaches a reader, what that reader may raise, and where the search begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MARK = "Qx7SECRETx7Q"
"""Stands in the seeds wherever a stranger's words stand; an error that repeats it quotes its input."""

SIZE_MAX = 4_096
"""Bytes of one input; what is larger than that in life is had by letting an input repeat a part of itself."""

INPUTS_MIN = 500
"""Inputs that a search reads at least, however busy the machine is: fewer are no search."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of strangers' input.

    `run` returns, or raises one of `refused`; everything else it raises is a finding, a broken promise
    (AssertionError) included. `tells_nothing` says that no error may repeat the input.
    `json_after` says that the body is JSON after so many bytes of choices, and may be changed as such.
    `seeds` are made from our own examples, and `words` help the search to guess what the reader looks for.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    refused: tuple[type[Exception], ...] = ()
    words: tuple[str, ...] = ()
    tells_nothing: bool = True
    json_after: int | None = None


class Tape:
    """Reads a fuzzed input from its start: a few choices first, then the body."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def choice(self, count: int) -> int:
        """A number below `count`, from one byte; 0 once there are no more."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1] % count

    def rest(self) -> bytes:
        """Everything that was not read yet."""
        return self._data[self._at :]

    def text(self) -> str:
        """The rest as text; bytes that are no UTF-8 become replacement characters."""
        return self.rest().decode("utf-8", "replace")


def with_choices(body: bytes | str, *choices: int) -> bytes:
    """An input that makes these choices before its body."""
    return bytes(choices) + (body.encode() if isinstance(body, str) else body)
