"""Reading any topic of the table: once to its end, or on and on in batches, at least once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from schemas.topics import Topic
from streams.kafka import Kafka, Record

TakeBatch = Callable[[list[Record[bytes, bytes]]], Awaitable[None]]


async def read_all(
    kafka: Kafka, topic: Topic, partitions: Sequence[int] | None = None
) -> AsyncIterator[Record[bytes, bytes]]:
    """Every record a topic holds now, or some partitions of it, each partition in its order."""
    consumer = await kafka.consumer(topic)
    try:
        # Asked before anything is fetched: behind a fetch of nothing, the broker answers half a second later.
        ends = {
            p: end
            for p in (kafka.all_partitions if partitions is None else partitions)
            if await consumer.start_offset(p) < (end := await consumer.end_offset(p))
        }
        if not ends:
            return
        consumer.assign(list(ends))
        await consumer.seek_to_start(list(ends))
        while any([await consumer.position(p) < end for p, end in ends.items()]):
            for records in (await consumer.poll(timeout_ms=200, records_max=2_000)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()


async def read_one(kafka: Kafka, topic: Topic, partition: int, offset: int) -> Record[bytes, bytes] | None:
    """The record at this place; None where the topic no longer holds it, or never did."""
    consumer = await kafka.consumer(topic)
    try:
        consumer.assign([partition])
        if not await consumer.start_offset(partition) <= offset < await consumer.end_offset(partition):
            return None
        consumer.seek(partition, offset)
        while await consumer.position(partition) <= offset:
            records = (await consumer.poll(timeout_ms=200, records_max=1)).get(partition, [])
            if records:
                return records[0] if records[0].offset == offset else None
        return None
    finally:
        await consumer.stop()


async def follow_batches(
    kafka: Kafka, topic: Topic, group: str, take: TakeBatch, pause_s: float, patience_ms: int
) -> None:
    """Hand over batches until cancelled; a batch's position is stored after it was taken.

    `pause_s` after each batch lets the next one grow: whoever takes them pays for a batch more than for a record.
    """
    consumer = await kafka.consumer(topic, group, committed_only=True, patience_ms=patience_ms)
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
