"""The merchants' configuration as a live table, whole or for the partitions one process owns (D11)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from schemas import topics
from schemas.codec import NotOurContract, decode
from schemas.merchants import Merchant
from schemas.shops import StallMessages
from schemas.topics import partition_of
from streams.kafka import Consumer, Kafka, Record

log = structlog.get_logger(role="merchants")

OnChange = Callable[[], Awaitable[None]]


class MerchantTable:
    """`ncc.merchants` in memory: the newest configuration of each merchant."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._rows: dict[str, Merchant] = {}
        self._owned: set[int] | None = None
        self._consumer: Consumer | None = None
        self._rewind: set[int] = set()
        self.ready = asyncio.Event()

    def __getitem__(self, public_key: str) -> Merchant:
        return self._rows[public_key]

    def get(self, public_key: str) -> Merchant | None:
        """A merchant of this deployment (or of the partitions owned here), or None."""
        return self._rows.get(public_key)

    def hosted_since(self, public_key: str) -> int | None:
        """Since when a merchant is run here, unix seconds; None for a stranger."""
        merchant = self._rows.get(public_key)
        return None if merchant is None else merchant.added_ms // 1_000

    def takes_nip15(self, public_key: str) -> bool:
        """Whether a merchant reads kind 4."""
        merchant = self._rows.get(public_key)
        return merchant is not None and merchant.settings.nip15 is StallMessages.ON

    def all(self) -> list[Merchant]:
        """Every merchant known here, in the order they were added."""
        return sorted(self._rows.values(), key=lambda merchant: (merchant.added_ms, merchant.public_key))

    async def run(self, on_change: OnChange | None = None) -> None:
        """Hold every merchant until cancelled."""
        consumer = await self._kafka.consumer(topics.MERCHANTS)
        try:
            consumer.assign(self._kafka.all_partitions)
            await consumer.seek_to_start(self._kafka.all_partitions)
            ends = {p: await consumer.end_offset(p) for p in self._kafka.all_partitions}
            while True:
                await self._take(await consumer.poll(timeout_ms=200), on_change)
                if not self.ready.is_set() and all([await consumer.position(p) >= end for p, end in ends.items()]):
                    self.ready.set()
        finally:
            await consumer.stop()

    async def run_owned(self, group: str, on_change: OnChange, on_gain: OnChange) -> None:
        """Hold the merchants of the partitions this process owns in `group`; the rest are another's.

        `on_gain` comes before merchants of new partitions are told: what a former owner left can be read by then.
        """
        self._owned = set()

        async def assigned(partitions: set[int]) -> None:
            self._owned = set(partitions)
            self._rewind |= partitions

        async def revoked(partitions: set[int]) -> None:
            self._owned = (self._owned or set()) - partitions
            lost = [key for key in self._rows if partition_of(key, self._kafka.partitions) in partitions]
            for key in lost:
                del self._rows[key]
            if lost:
                await on_change()

        consumer = await self._kafka.consumer(topics.MERCHANTS, group, on_assigned=assigned, on_revoked=revoked)
        try:
            while True:
                if self._rewind:
                    rewind = sorted(self._rewind & consumer.assignment())
                    self._rewind.clear()
                    await on_gain()
                    await consumer.seek_to_start(rewind)
                await self._take(await consumer.poll(timeout_ms=200), on_change)
                self.ready.set()
        finally:
            await consumer.stop()

    @property
    def owned(self) -> set[int]:
        """The partitions held here."""
        return set(self._kafka.all_partitions) if self._owned is None else self._owned

    async def _take(self, batches: dict[int, list[Record[bytes, bytes]]], on_change: OnChange | None) -> None:
        changed = False
        for record in (record for records in batches.values() for record in records):
            try:
                merchant = decode(Merchant, record.value) if record.value else None
            except NotOurContract as error:
                log.warning("not a merchant", offset=record.offset, partition=record.partition, error=str(error))
                continue
            key = (record.key or b"").decode()
            if merchant is None:
                changed = self._rows.pop(key, None) is not None or changed
            elif self._rows.get(key) != merchant:
                self._rows[key] = merchant
                changed = True
        if changed and on_change is not None:
            await on_change()
