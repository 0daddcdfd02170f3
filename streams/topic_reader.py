"""Reading any topic of the table: once to its end, or on and on in batches, at least once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from schemas.topics import Topic
from streams.kafka import Kafka, Record

TakeBatch = Callable[[list[Record[bytes, bytes]]], Awaitable[None]]


async def read_all(kafka: Kafka, topic: Topic) -> AsyncIterator[Record[bytes, bytes]]:
    """Every record a topic holds now, partition by partition."""
    consumer = await kafka.consumer(topic)
    try:
        consumer.assign(kafka.all_partitions)
        await consumer.seek_to_start(kafka.all_partitions)
        ends = {p: await consumer.end_offset(p) for p in kafka.all_partitions}
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            for records in (await consumer.poll(timeout_ms=200, records_max=2_000)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()


async def follow_batches(kafka: Kafka, topic: Topic, group: str, take: TakeBatch, pause_s: float) -> None:
    """Hand over batches until cancelled; a batch's position is stored after it was taken.

    `pause_s` between batches lets them grow: whoever takes them pays for each batch more than for each record.
    """
    consumer = await kafka.consumer(topic, group, committed_only=True, patience_ms=int(pause_s * 1_000))
    try:
        while True:
            batches = await consumer.poll(timeout_ms=500, records_max=5_000)
            if not batches:
                continue
            await take([record for records in batches.values() for record in records])
            await consumer.commit({p: records[-1].offset + 1 for p, records in batches.items()})
            await asyncio.sleep(pause_s)
    finally:
        await consumer.stop()
