"""The brake between the journal and the effects: a frozen merchant's records wait where they stand (law L11).

It keeps an offset for each frozen merchant and no record. The position of the partition does not move past that
offset, so a process that dies meanwhile finds the freeze again; others' records go through as if nothing were.
After the thaw what waited is read again from there, while new records of the merchant queue up behind in Kafka.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

import structlog

from schemas.freezes import MerchantFrozen, MerchantThawed
from schemas.messages import JournalRecord

log = structlog.get_logger(role="brake")

Reread = Callable[[int, int, int], AsyncGenerator[tuple[int, JournalRecord]]]
"""(partition, first offset, offset to stop before) → committed records of the journal with their offsets."""


class Effects(Protocol):
    """A follower of the journal (`streams.follower.JournalHandler`) whose work for one merchant can be stopped."""

    async def begin(self, partition: int) -> int | None:
        """A partition is ours."""

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """One record."""

    async def caught_up(self, partition: int) -> None:
        """Everything that stood in the journal was taken, or is held."""

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The oldest offset a restart has to read again."""

    async def end(self, partition: int) -> None:
        """The partition is another's."""

    async def freeze(self, partition: int, merchant: str) -> int | None:
        """Stop everything under way for this merchant; gives the oldest offset it has to be started from again."""

    async def thaw(self, partition: int, merchant: str) -> None:
        """Everything that was held has been taken: do what is owed."""


class Brake:
    """Stands before one `Effects`, as the follower's handler in its place."""

    def __init__(self, effects: Effects, reread: Reread) -> None:
        self._effects = effects
        self._reread = reread
        self._held: dict[int, dict[str, int]] = {}
        self._next: dict[int, int] = {}
        self._releases: dict[tuple[int, str], asyncio.Task[None]] = {}
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self, partition: int) -> int | None:
        """Nobody is known to be frozen; where somebody is, the stored position lies before that record."""
        self._held[partition] = {}
        return await self._effects.begin(partition)

    async def take(self, partition: int, offset: int, record: JournalRecord) -> None:
        """Hand a record on, or leave it where it stands."""
        self._next[partition] = offset + 1
        held, merchant = self._held[partition], record.merchant
        match record.events[0] if record.events else None:
            case MerchantFrozen():
                await self._freeze(partition, merchant, offset)
            case MerchantThawed():
                if merchant in held:
                    self._release_soon(partition, merchant)
            case _ if merchant not in held:
                await self._effects.take(partition, offset, record)
            case _:
                pass

    async def caught_up(self, partition: int) -> None:
        """Hand it on."""
        await self._effects.caught_up(partition)

    def needed_from(self, partition: int, next_offset: int) -> int:
        """The oldest offset that waits, for whatever reason."""
        held = self._held.get(partition, {}).values()
        return min(self._effects.needed_from(partition, next_offset), *held, next_offset)

    async def end(self, partition: int) -> None:
        """Another process finds the freezes where we found them."""
        for merchant in self._held.pop(partition, {}):
            await self._stop_release(partition, merchant)
        self._next.pop(partition, None)
        await self._effects.end(partition)

    async def _freeze(self, partition: int, merchant: str, offset: int) -> None:
        """Hold from here, or from what was under way; a release that was not through is not through now either."""
        await self._stop_release(partition, merchant)
        held = self._held[partition]
        oldest = await self._effects.freeze(partition, merchant)
        held[merchant] = min(offset, held.get(merchant, offset), offset if oldest is None else oldest)
        log.warning("merchant frozen", merchant=merchant, partition=partition, held_from=held[merchant])

    async def _stop_release(self, partition: int, merchant: str) -> None:
        release = self._releases.pop((partition, merchant), None)
        if release is not None:
            release.cancel()
            await asyncio.gather(release, return_exceptions=True)

    def _release_soon(self, partition: int, merchant: str) -> None:
        name = (partition, merchant)
        if name in self._releases:
            return
        self._releases[name] = release = asyncio.ensure_future(self._release(partition, merchant))

        def finished(done: asyncio.Task[None]) -> None:
            if self._releases.get(name) is done:
                del self._releases[name]
            if not done.cancelled() and (error := done.exception()) is not None and not self.failure.done():
                self.failure.set_exception(error)

        release.add_done_callback(finished)

    async def _release(self, partition: int, merchant: str) -> None:
        """Hand on what was held until nothing more is behind; then the merchant's records go through again."""
        held = self._held[partition]
        while held[merchant] < (until := self._next[partition]):
            async with aclosing(self._reread(partition, held[merchant], until)) as stretch:
                async for offset, record in stretch:
                    if record.merchant == merchant and not _is_about_freezing(record):
                        await self._effects.take(partition, offset, record)
                    held[merchant] = offset + 1
            held[merchant] = until
        # Nothing is awaited between the last look at what is behind and this, so no record slips through.
        del held[merchant]
        await self._effects.thaw(partition, merchant)
        log.info("merchant thawed", merchant=merchant, partition=partition)


def _is_about_freezing(record: JournalRecord) -> bool:
    return bool(record.events) and isinstance(record.events[0], MerchantFrozen | MerchantThawed)
