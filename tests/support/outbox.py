"""An outbox log in memory: what a publisher leaves there, its successor finds."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from schemas.deliveries import Delivery, Owed
from schemas.messages import JournalRecord


class MemoryOutbox:
    """What is owed, every delivery record, and the journal that owed messages are read again from."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, str], Owed] = {}
        self.puts = 0
        self.delivered: list[Delivery] = []
        self.journal: dict[int, JournalRecord] = {}

    async def put_delivery(self, delivery: Delivery) -> None:
        """Note it."""
        self.delivered.append(delivery)

    async def put_owed(self, partition: int, effect_id: str, owed: Owed | None) -> None:
        """Keep or forget it."""
        self.puts += 1
        if owed is None:
            del self.kept[partition, effect_id]
        else:
            self.kept[partition, effect_id] = owed

    async def owed(self, partition: int) -> list[Owed]:
        """What is kept of one partition."""
        return [owed for (place, _), owed in self.kept.items() if place == partition]

    async def reread(self, partition: int, first: int, until: int) -> AsyncGenerator[tuple[int, JournalRecord]]:
        """The journal as the test wrote it."""
        for offset in range(first, until):
            if offset in self.journal:
                yield offset, self.journal[offset]
