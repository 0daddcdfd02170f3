"""How long to wait: back-off between attempts, and a token bucket for a relay that talks too much.

Nothing here reads a clock or rolls dice; both arrive as arguments.
"""

from dataclasses import dataclass

_DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double from `first_s` up to `most_s`, each jittered down by up to one half."""

    first_s: float = 0.5
    most_s: float = 60.0

    def delay_s(self, attempt: int, draw: float) -> float:
        """Return the wait before attempt 0, 1, 2, …; `draw` is a random number in [0, 1)."""
        full = min(self.most_s, self.first_s * 2.0 ** min(attempt, _DOUBLINGS_MAX))
        return float(full * (0.5 + draw / 2))


class TokenBucket:
    """Allows `burst` at once and `rate_per_s` for ever; the excess is told how long to wait."""

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._filled_at_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """The seconds until one may be taken without waiting, mostly 0; takes none."""
        gained = 0.0 if self._filled_at_s is None else (now_s - self._filled_at_s) * self._rate_per_s
        missing = 1 - min(self._burst, self._tokens + gained)
        return max(0.0, missing / self._rate_per_s)

    def take(self, now_s: float) -> float:
        """Take one token at `now_s` (any steady clock) and return the seconds to wait for it, mostly 0."""
        if self._filled_at_s is not None:
            gained = (now_s - self._filled_at_s) * self._rate_per_s
            self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at_s = now_s
        self._tokens -= 1
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate_per_s
