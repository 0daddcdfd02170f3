"""How long records may gather before they go out together, by how many a second there are.

A request to the broker costs it and its client about a millisecond whatever it holds. The first record after a
pause goes at once; the more there are, the longer the others wait for company.
"""

from __future__ import annotations

import time
from typing import Final

LEAST_S: Final = 0.025
"""The shortest time from one departure to the next."""
PER_RECORD_S: Final = 0.0015
"""What each record a second adds to it: at 100 a second some fifteen go together."""


class Pace:
    """The pace of one stream of records: `took` says how many went, `between_s` how long the next must wait."""

    def __init__(self, most_s: float, least_s: float = LEAST_S) -> None:
        self._most_s, self._least_s = most_s, least_s
        self._per_s = 0.0
        self._looked_s = time.monotonic()
        self._taken = 0

    def took(self, count: int) -> None:
        """Count what departs; the last second's load matters, not a moment's."""
        self._taken += count
        passed_s = time.monotonic() - self._looked_s
        if passed_s < self._least_s:
            return
        self._per_s += (self._taken / passed_s - self._per_s) * min(1.0, passed_s)
        self._looked_s += passed_s
        self._taken = 0

    @property
    def between_s(self) -> float:
        """Seconds from one departure to the next."""
        return min(self._most_s, max(self._least_s, self._per_s * PER_RECORD_S))
