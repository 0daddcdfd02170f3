"""Writing: idempotent, acknowledged by all replicas, in a transaction where a decision needs one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    ProducerFenced,
)
from pydantic import BaseModel

from schemas.codec import encode
from schemas.topics import Topic, partition_of

TRANSACTION_END_S = 3.0
"""How long a producer that stops lets its transaction end by itself, and a failed one tries to abort."""

Headers = Sequence[tuple[str, bytes]]


class Fenced(Exception):
    """Another owner of this transactional id has started; this one must not write again."""


class Producer:
    """Writes contracts by key; a full buffer is back-pressure, waited out and never an error."""

    def __init__(self, inner: AIOKafkaProducer, partitions: int) -> None:
        self._inner = inner
        self._partitions = partitions
        self._idle = asyncio.Event()
        self._idle.set()
        self._in_transaction: list[asyncio.Future[tuple[int, int]]] = []
        self._stopped: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def put(
        self,
        topic: Topic,
        key_hex: str,
        value: BaseModel | bytes,
        headers: Headers = (),
        partition: int | None = None,
    ) -> asyncio.Future[tuple[int, int]]:
        """Queue one record; the future gives (partition, offset) once every replica has it."""
        data = value if isinstance(value, bytes) else encode(value)
        where = partition_of(key_hex, self._partitions) if partition is None else partition
        while True:
            try:
                sent = await self._inner.send(
                    topic.name, data, key=key_hex.encode(), partition=where, headers=list(headers)
                )
            except KafkaTimeoutError:
                await asyncio.sleep(0.05)
                continue
            placed = _placed(sent)
            if not self._idle.is_set():
                self._in_transaction.append(placed)
            return placed

    async def write(
        self, topic: Topic, key_hex: str, value: BaseModel | bytes, headers: Headers = ()
    ) -> tuple[int, int]:
        """The same, waited for."""
        return await (await self.put(topic, key_hex, value, headers))

    async def flush(self) -> None:
        """Wait until everything queued is acknowledged."""
        await self._inner.flush()

    async def stop(self) -> None:
        """Send what is queued and close. A transaction under way may end first; one that cannot is `Fenced`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TRANSACTION_END_S):
                await self._idle.wait()
        if not self._stopped.done():
            self._stopped.set_result(None)
        await self._inner.stop()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All puts inside become visible together or not at all. Raises `Fenced` when another owner took over."""
        self._idle.clear()
        self._in_transaction.clear()
        try:
            await self._wait(self._inner.begin_transaction())
            try:
                yield
                # The client would commit without the records that the broker refused.
                await self._wait(asyncio.gather(*self._in_transaction))
            except BaseException:
                await self._abort()
                raise
            await self._wait(self._inner.commit_transaction())
        except ProducerFenced as error:
            raise Fenced(str(error)) from error
        finally:
            self._idle.set()

    async def _abort(self) -> None:
        """A producer that failed for good, or has no broker, cannot: the next owner's start settles it then."""
        with suppress(AssertionError, KafkaError, Fenced, TimeoutError):
            async with asyncio.timeout(TRANSACTION_END_S):
                await self._wait(self._inner.abort_transaction())

    async def _wait(self, work: Awaitable[object]) -> None:
        """Wait for the client, which leaves its callers waiting for ever when it is stopped meanwhile."""
        waiting: asyncio.Future[object] = asyncio.ensure_future(work)
        try:
            await asyncio.wait({waiting, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise Fenced("the producer was stopped in the middle of a transaction")
        finally:
            waiting.cancel()
        waiting.result()


def _placed(sent: asyncio.Future[object]) -> asyncio.Future[tuple[int, int]]:
    """The client's metadata future as one of (partition, offset)."""
    placed: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

    def settle(done: asyncio.Future[object]) -> None:
        if placed.cancelled():
            return
        if done.cancelled():
            placed.cancel()
        elif (error := done.exception()) is not None:
            placed.set_exception(error)
        else:
            metadata = done.result()
            placed.set_result((metadata.partition, metadata.offset))  # type: ignore[attr-defined]

    sent.add_done_callback(settle)
    return placed
