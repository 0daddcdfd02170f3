"""How many messages of one sender a shop reads in a minute, so that a flood costs an opened wrap and no more (C-38).

A gift wrap hides its sender, so nothing cheaper can be asked before it is opened. What is kept is of the present
minute only, as raw records tell it. A process that starts anew begins to count anew: then more gets through, and
the shop's own figures, which stand in the journal, decide as they always do.
"""

from __future__ import annotations

from schemas import limits

MINUTE_MS = 60_000


class Bursts:
    """Counts the different messages of each (merchant, sender) in the present minute."""

    def __init__(self, most: int = limits.SENDER_BURST.most) -> None:
        self._most = most
        self._minute = -1
        self._heard: dict[tuple[str, str], set[str]] = {}

    def is_one_too_many(self, merchant: str, sender: str, rumor_id: str, at_ms: int) -> bool:
        """Whether this message is past the figure; one that was counted before is not counted again."""
        minute = at_ms // MINUTE_MS
        if minute > self._minute:
            self._minute = minute
            self._heard.clear()
        heard = self._heard.setdefault((merchant, sender), set())
        if rumor_id in heard:
            return False
        if len(heard) >= self._most:
            return True
        heard.add(rumor_id)
        return False
