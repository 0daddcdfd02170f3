"""What services put into Kafka, each by its own topic's rules; they never meet the client library."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from schemas import topics
from schemas.codec import decode
from schemas.deliveries import Delivery
from schemas.hints import PaymentHint
from schemas.merchants import Merchant, RelayCursor
from schemas.messages import Command, JournalRecord
from schemas.quarantine import Quarantined
from streams.follower import JournalTail
from streams.kafka import Kafka, Producer
from streams.topic_reader import read_all

DECISION_TIMEOUT_S = 20.0
UNACKED_MAX = 5_000
"""Sightings on their way to Kafka at once; beyond it the sockets are not read (REL-04)."""


class Sinks:
    """One producer, and a put for each topic that services write."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._slots = asyncio.Semaphore(UNACKED_MAX)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def put_raw(self, key_hex: str, text: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Queue one sighting; waits while too many are not acknowledged."""
        await self._slots.acquire()
        sent = await self._producer.put(topics.RAW, key_hex, text, headers)
        sent.add_done_callback(self._acked)

    def _acked(self, sent: asyncio.Future[tuple[int, int]]) -> None:
        self._slots.release()
        if not sent.cancelled() and (error := sent.exception()) is not None and not self.failure.done():
            self.failure.set_exception(error)

    async def put_quarantine(self, record: Quarantined) -> None:
        """Store one quarantine record."""
        await self._producer.write(topics.QUARANTINE, record.id, record)

    async def put_cursor(self, key_hex: str, cursor: RelayCursor) -> None:
        """Store a cursor once everything before it is acknowledged."""
        await self._producer.flush()
        await self._producer.write(topics.CURSORS, key_hex, cursor)

    async def put_delivery(self, delivery: Delivery) -> None:
        """Store one delivery record."""
        await self._producer.write(topics.DELIVERIES, delivery.merchant, delivery)

    async def put_hint(self, hint: PaymentHint) -> None:
        """Store a reason to look payments up."""
        await self._producer.write(topics.HINTS, hint.merchant, hint)

    async def put_merchant(self, merchant: Merchant) -> None:
        """Store a merchant's configuration."""
        await self._producer.write(topics.MERCHANTS, merchant.public_key, merchant)

    async def send_bytes(self, partition: int, key: bytes, value: bytes) -> None:
        """Store what may or may not be a command, once more where it stood."""
        sent = await self._producer.put(topics.COMMANDS, key.decode("ascii", "replace"), value, partition=partition)
        await sent

    async def send(self, command: Command) -> tuple[int, int]:
        """Store a command; gives its (partition, offset)."""
        return await self._producer.write(topics.COMMANDS, command.merchant, command)


class Desk:
    """Sends commands for people and waits for what the decider makes of them."""

    def __init__(self, sinks: Sinks, tail: JournalTail) -> None:
        self._sinks = sinks
        self._tail = tail

    async def ask(self, command: Command) -> JournalRecord | None:
        """The decision, or None where the command said nothing new. Raises TimeoutError when nobody decides."""
        await self._tail.started.wait()
        partition, offset = await self._sinks.send(command)
        return await self._tail.decision(partition, offset, DECISION_TIMEOUT_S)


async def load_cursors(kafka: Kafka) -> dict[tuple[str, str], int]:
    """How far each relay was read, by (relay, subscription with its filters)."""
    cursors: dict[tuple[str, str], int] = {}
    async for record in read_all(kafka, topics.CURSORS):
        cursor = decode(RelayCursor, record.value)
        cursors[cursor.relay, cursor.cursor_key] = cursor.complete_s
    return cursors
