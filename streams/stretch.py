"""Reading a stretch of the journal again: committed records of one partition, between two offsets."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from schemas import topics
from schemas.codec import decode
from schemas.messages import JournalRecord
from streams.kafka import Kafka

RECORDS_MAX = 500
"""Records in memory at once."""


async def journal_stretch(
    kafka: Kafka, partition: int, first: int, until: int
) -> AsyncGenerator[tuple[int, JournalRecord]]:
    """Every record from offset `first` to before `until`, with its offset; some of these offsets hold none."""
    if first >= until:
        return
    consumer = await kafka.consumer(topics.JOURNAL, committed_only=True)
    try:
        consumer.assign([partition])
        consumer.seek(partition, first)
        while await consumer.position(partition) < until:
            for record in (await consumer.poll(timeout_ms=200, records_max=RECORDS_MAX)).get(partition, []):
                if record.offset >= until:
                    return
                yield record.offset, decode(JournalRecord, record.value)
    finally:
        await consumer.stop()
