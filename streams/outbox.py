"""The outbox's topic: what is owed to relays of one journal partition, and the journal records it follows from."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from schemas import topics
from schemas.codec import NotOurContract, decode
from schemas.deliveries import Owed
from schemas.messages import JournalRecord
from streams.kafka import Kafka, Producer
from streams.stretch import journal_stretch
from streams.topic_reader import read_all


class OutboxTopic:
    """`ncc.outbox`: the newest record of each effect counts, and an empty one says that nothing is owed."""

    def __init__(self, kafka: Kafka, producer: Producer) -> None:
        self._kafka = kafka
        self._producer = producer

    async def put_owed(self, partition: int, effect_id: str, owed: Owed | None) -> None:
        """Store how an effect stands, beside its journal partition; None forgets it."""
        await (await self._producer.put(topics.OUTBOX, effect_id, owed, partition=partition))

    async def owed(self, partition: int) -> list[Owed]:
        """Everything that is owed of one journal partition; what cannot be read is owed to nobody."""
        found: dict[bytes, Owed] = {}
        async for record in read_all(self._kafka, topics.OUTBOX, [partition]):
            found.pop(record.key, None)
            if record.value:
                try:
                    found[record.key] = decode(Owed, record.value)
                except NotOurContract:
                    continue
        return list(found.values())

    def reread(self, partition: int, first: int, until: int) -> AsyncGenerator[tuple[int, JournalRecord]]:
        """The journal's records from offset `first` to before `until`."""
        return journal_stretch(self._kafka, partition, first, until)
