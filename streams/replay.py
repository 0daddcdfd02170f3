"""Reads quarantined input again: raw events from their start, commands from where they stand (OPS-07, EVT-09).

What is good now becomes what it should have become, once; what is bad again falls under the id it has already.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum

from schemas import topics
from schemas.codec import NotOurContract, decode
from schemas.hearing import HearMessage
from schemas.messages import Command
from schemas.orders import MoveOrder, MoveShipping
from schemas.parking import ReleaseParked
from schemas.payments import ReportPayment
from schemas.quarantine import Quarantined
from schemas.topics import partition_of
from schemas.values import OrderKey
from streams.kafka import Kafka
from streams.sinks import Sinks
from streams.topic_reader import read_all, read_one

HEX = frozenset("0123456789abcdef")
EARLY = (MoveOrder, MoveShipping, ReportPayment)
"""What may be parked."""


class Replayed(StrEnum):
    """What became of a wish to replay."""

    READ_AGAIN = "read_again"
    UNKNOWN = "unknown"
    NOT_KEPT = "not_kept"


class Replay:
    """Finds quarantine records in their topic and puts what they are about back where it was read."""

    def __init__(self, kafka: Kafka, sinks: Sinks) -> None:
        self._kafka, self._sinks = kafka, sinks

    async def find(self, quarantine_id: str) -> Quarantined | None:
        """The newest record of this id."""
        return (await self._find([quarantine_id])).get(quarantine_id)

    async def replay(self, quarantine_ids: Iterable[str]) -> dict[str, Replayed]:
        """Have each read again; tells for each what became of the wish."""
        wanted = list(dict.fromkeys(quarantine_ids))
        found = await self._find(wanted)
        return {name: await self._again(found.get(name)) for name in wanted}

    async def _find(self, ids: list[str]) -> dict[str, Quarantined]:
        """The newest record of each id, read from the partitions that ids like these are in."""
        wanted = {name for name in ids if len(name) >= 8 and HEX.issuperset(name)}
        partitions = sorted({partition_of(name, self._kafka.partitions) for name in wanted})
        found: dict[str, Quarantined] = {}
        if not partitions:
            return found
        async for record in read_all(self._kafka, topics.QUARANTINE, partitions):
            name = (record.key or b"").decode("ascii", "replace")
            if name in wanted:
                try:
                    found[name] = decode(Quarantined, record.value)
                except NotOurContract:
                    continue
        return found

    async def _again(self, record: Quarantined | None) -> Replayed:
        if record is None:
            return Replayed.UNKNOWN
        if record.original is not None:
            await self._read_again(record, record.original)
            return Replayed.READ_AGAIN
        if record.topic == topics.COMMANDS.name and record.partition is not None and record.offset is not None:
            return await self._decide_again(record.partition, record.offset)
        return Replayed.NOT_KEPT

    async def _read_again(self, record: Quarantined, original: str) -> None:
        """The original through the whole pipeline, with the time it was first received and that of the replay."""
        headers = (
            ("relay", (record.relay or "").encode()),
            ("received_ms", str(record.at_ms).encode()),
            ("replayed_ms", str(_now_ms()).encode()),
            ("tenants", (record.merchant or "").encode()),
            ("why", b"replay"),
        )
        await self._sinks.put_raw(record.id, original.encode(), headers)

    async def _decide_again(self, partition: int, offset: int) -> Replayed:
        """The command as it stands in its topic, said now; what is none goes as it is, and is refused as before."""
        record = await read_one(self._kafka, topics.COMMANDS, partition, offset)
        if record is None:
            return Replayed.NOT_KEPT
        try:
            command = decode(Command, record.value)
        except NotOurContract:
            await self._sinks.send_bytes(partition, record.key or b"", record.value or b"")
            return Replayed.READ_AGAIN
        again = [command]
        if isinstance(command.body, ReleaseParked):  # what was given up then is what the wish is about
            again = await self._parked_before(partition, offset, command.body.order)
        for one in again:
            await self._sinks.send(one.model_copy(update={"at_ms": _now_ms()}))
        return Replayed.READ_AGAIN if again else Replayed.NOT_KEPT

    async def _parked_before(self, partition: int, offset: int, order: OrderKey) -> list[Command]:
        """The messages about an order that stand before a place; one that had its effect decides nothing again."""
        found: list[Command] = []
        async for record in read_all(self._kafka, topics.COMMANDS, [partition]):
            if record.offset >= offset or order.buyer.encode() not in (record.value or b""):
                continue
            with suppress(NotOurContract):
                command = decode(Command, record.value)
                said = command.body.said if isinstance(command.body, HearMessage) else command.body
                if isinstance(said, EARLY) and said.order == order:
                    found.append(command)
        return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
