"""Writing: idempotent, acknowledged by all replicas, in a transaction where a decision needs one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    ProducerFenced,
)
from pydantic import BaseModel

from schemas.codec import encode
from schemas.topics import Topic, partition_of
from streams.kafka.pace import Pace

GATHER_MAX_S = 0.1
"""The longest that a paced producer lets records wait for company."""
TRANSACTION_END_S = 3.0
"""How long a producer that stops lets its transaction end by itself, and a failed one tries to abort."""

Headers = Sequence[tuple[str, bytes]]
Placed = asyncio.Future[tuple[int, int]]
"""Where a record is, (partition, offset), once every replica has it."""


class Fenced(Exception):
    """Another owner of this transactional id has started; this one must not write again."""


class Producer:
    """Writes contracts by key; a full buffer is back-pressure, waited out and never an error."""

    def __init__(self, inner: AIOKafkaProducer, partitions: int, paced: bool = False) -> None:
        """A `paced` one gathers records under load, and must not be used in transactions."""
        self._inner = inner
        self._pace = Pace(GATHER_MAX_S) if paced else None
        self._gathered: list[tuple[dict[str, Any], Placed]] = []
        self._departing: asyncio.Task[None] | None = None
        self._at_once = asyncio.Event()
        self._partitions = partitions
        self._idle = asyncio.Event()
        self._idle.set()
        self._in_transaction: list[Placed] = []
        self._stopped: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def put(
        self,
        topic: Topic,
        key_hex: str,
        value: BaseModel | bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> Placed:
        """Queue one record; the future gives (partition, offset) once every replica has it.

        A value of None ends its key in a compacted topic.
        """
        record: dict[str, Any] = {
            "topic": topic.name,
            "value": encode(value) if isinstance(value, BaseModel) else value,
            "key": key_hex.encode(),
            "partition": partition_of(key_hex, self._partitions) if partition is None else partition,
            "headers": list(headers),
        }
        placed: Placed = asyncio.get_running_loop().create_future()
        if self._pace is None:
            await self._send(record, placed)
        else:
            self._gathered.append((record, placed))
            if self._departing is None or self._departing.done():
                self._departing = asyncio.create_task(self._depart(self._pace))
        if not self._idle.is_set():
            self._in_transaction.append(placed)
        return placed

    async def _send(self, record: dict[str, Any], placed: Placed) -> None:
        while True:
            try:
                sent = await self._inner.send(**record)
            except KafkaTimeoutError:
                await asyncio.sleep(0.05)
            else:
                sent.add_done_callback(lambda done: _settle(done, placed))
                return

    async def _depart(self, pace: Pace) -> None:
        """Send what has gathered, as one request where it fits, then again while there is more."""
        while self._gathered:
            going, self._gathered = self._gathered, []
            pace.took(len(going))
            for record, placed in going:
                try:
                    await self._send(record, placed)
                except Exception as error:  # noqa: BLE001  # whatever it is, who waits for this record must hear it
                    placed.set_exception(error)
            if not self._at_once.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._at_once.wait(), pace.between_s)

    async def write(
        self, topic: Topic, key_hex: str, value: BaseModel | bytes, headers: Headers = ()
    ) -> tuple[int, int]:
        """The same, waited for."""
        return await (await self.put(topic, key_hex, value, headers))

    async def flush(self) -> None:
        """Wait until everything queued is acknowledged."""
        await self._depart_now()
        await self._inner.flush()

    async def _depart_now(self) -> None:
        if self._departing is not None:
            self._at_once.set()
            await asyncio.wait({self._departing})
            self._at_once.clear()

    async def stop(self) -> None:
        """Send what is queued and close. A transaction under way may end first; one that cannot is `Fenced`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TRANSACTION_END_S):
                await self._idle.wait()
        if not self._stopped.done():
            self._stopped.set_result(None)
        await self._depart_now()
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


def _settle(sent: asyncio.Future[Any], placed: Placed) -> None:
    """Pass the client's answer on."""
    if placed.done():
        return
    if sent.cancelled():
        placed.cancel()
    elif (error := sent.exception()) is not None:
        placed.set_exception(error)
    else:
        metadata = sent.result()
        placed.set_result((metadata.partition, metadata.offset))
