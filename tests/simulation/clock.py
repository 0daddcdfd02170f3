"""Time and chance of a simulated history: one clock that only the history moves, and dice that follow from a seed."""

from __future__ import annotations

from collections.abc import Sequence

START_S = 1_700_000_000
HERE_SINCE_S = START_S - 30 * 86_400
"""When the shops came here, a month before their history begins."""
_MASK = (1 << 64) - 1


class Clock:
    """Stands in for the `time` module of whichever process runs; each process's wall clock may be off."""

    def __init__(self) -> None:
        self.passed_ms = 0
        self.skew_ms = 0

    @property
    def now_ms(self) -> int:
        """The true time, UTC milliseconds."""
        return START_S * 1_000 + self.passed_ms

    def advance(self, ms: int) -> None:
        """Let time pass."""
        self.passed_ms += ms

    def time(self) -> float:
        """The running process's wall clock, unix seconds."""
        return (self.now_ms + self.skew_ms) / 1_000

    def time_ns(self) -> int:
        """The same in nanoseconds."""
        return (self.now_ms + self.skew_ms) * 1_000_000

    def monotonic(self) -> float:
        """Seconds that never jump back and are never off."""
        return self.passed_ms / 1_000


class Dice:
    """A small generator (splitmix64): seeding costs nothing, so every action of a history has its own."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = (seed * 0x9E3779B97F4A7C15 + 0x1234567) & _MASK

    def bits(self) -> int:
        """64 bits."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        return state ^ (state >> 31)

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return self.bits() % limit

    def chance(self, percent: float) -> bool:
        """True in so many of a hundred cases."""
        return percent > 0 and self.bits() % 10_000 < percent * 100

    def one_of[T](self, things: Sequence[T]) -> T:
        """One of these."""
        return things[self.bits() % len(things)]
