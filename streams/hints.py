"""Hears hints at payments while they happen: from now on, of every partition, outside any group."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from schemas import topics
from schemas.codec import NotOurContract, decode
from schemas.hints import PaymentHint
from streams.kafka import Kafka

POLL_MS = 500

log = structlog.get_logger(role="hints")


async def hear_hints(kafka: Kafka, take: Callable[[int, PaymentHint], None]) -> None:
    """Hand over each hint with its partition, which is its merchant's in the journal too, until cancelled.

    Whoever takes it leaves out what other processes hold: so few are sent that each may hear them all.
    """
    consumer = await kafka.consumer(topics.HINTS)
    try:
        consumer.assign(kafka.all_partitions)
        await consumer.seek_to_end(kafka.all_partitions)
        while True:
            for partition, records in (await consumer.poll(timeout_ms=POLL_MS)).items():
                for record in records:
                    try:
                        take(partition, decode(PaymentHint, record.value))
                    except NotOurContract as error:
                        log.warning("not a hint", offset=record.offset, partition=partition, error=str(error))
    finally:
        await consumer.stop()
