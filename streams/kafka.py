"""Kafka's edge: the only module that speaks to the client library.

Producers here are idempotent and wait for all replicas; consumers never commit by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka import ConsumerRecord as Record
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    ProducerFenced,
    TopicAlreadyExistsError,
    for_code,
)
from pydantic import BaseModel

from schemas.codec import encode
from schemas.topics import MESSAGE_BYTES_MAX, TOPICS, Topic, partition_of

SESSION_TIMEOUT_MS = 6_000
"""How long a dead worker's partitions stay without an owner."""
HEARTBEAT_MS = 1_500
REQUEST_BYTES_MAX = 4 * MESSAGE_BYTES_MAX
TRANSACTION_END_S = 3.0
"""How long a producer that stops lets its transaction end by itself, and a failed one tries to abort."""

Headers = Sequence[tuple[str, bytes]]

__all__ = ["Consumer", "Fenced", "Headers", "Kafka", "KafkaError", "Producer", "Record", "TopicsRefused"]


class Fenced(Exception):
    """Another owner of this transactional id has started; this one must not write again."""


class TopicsRefused(Exception):
    """The broker's topics are not the table's; the message names each difference and what to do."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """What the broker has of one topic of the table: its partition count, or None where it is missing."""

    topic: Topic
    partitions: int | None


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


OnPartitions = Callable[[set[int]], Awaitable[None]]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, assigned: OnPartitions, revoked: OnPartitions) -> None:
        self._assigned, self._revoked = assigned, revoked

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._assigned({tp.partition for tp in assigned})

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._revoked({tp.partition for tp in revoked})


class Consumer:
    """Reads one topic, by partition number."""

    def __init__(self, inner: AIOKafkaConsumer, topic: Topic) -> None:
        self._inner = inner
        self._topic = topic

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic.name, partition)

    async def poll(
        self, timeout_ms: int, records_max: int = 500, partitions: Sequence[int] | None = None
    ) -> dict[int, list[Record[bytes, bytes]]]:
        """What has arrived, by partition, at most `records_max` in all; empty after `timeout_ms`."""
        chosen = () if partitions is None else tuple(self._tp(p) for p in partitions)
        batches = await self._inner.getmany(*chosen, timeout_ms=timeout_ms, max_records=records_max)
        return {tp.partition: records for tp, records in batches.items() if records}

    def assign(self, partitions: Sequence[int]) -> None:
        """Read exactly these partitions, outside any group."""
        self._inner.assign([self._tp(p) for p in partitions])

    def seek(self, partition: int, offset: int) -> None:
        """Read on from `offset`; what was fetched before is dropped. A partition just lost is left alone."""
        try:
            self._inner.seek(self._tp(partition), offset)
        except IllegalStateError:
            return

    async def seek_to_start(self, partitions: Sequence[int]) -> None:
        """Read these from the oldest record kept."""
        await self._inner.seek_to_beginning(*(self._tp(p) for p in partitions))

    async def seek_to_end(self, partitions: Sequence[int]) -> None:
        """Read only what comes from now on."""
        await self._inner.seek_to_end(*(self._tp(p) for p in partitions))

    def pause(self, partitions: Sequence[int]) -> None:
        """Fetch nothing from these until they are resumed."""
        self._inner.pause(*(self._tp(p) for p in partitions))

    def resume(self, partitions: Sequence[int]) -> None:
        """Fetch from these again; one just lost is left alone."""
        held = {tp.partition for tp in self._inner.assignment()}
        self._inner.resume(*(self._tp(p) for p in partitions if p in held))

    def assignment(self) -> set[int]:
        """The partitions held now."""
        return {tp.partition for tp in self._inner.assignment()}

    async def start_offset(self, partition: int) -> int:
        """The oldest offset kept."""
        return int((await self._inner.beginning_offsets([self._tp(partition)]))[self._tp(partition)])

    async def end_offset(self, partition: int) -> int:
        """The offset after the newest readable record (committed ones only, where the consumer is so)."""
        return int((await self._inner.end_offsets([self._tp(partition)]))[self._tp(partition)])

    async def position(self, partition: int) -> int:
        """The offset that is read next."""
        return int(await self._inner.position(self._tp(partition)))

    async def lag(self) -> dict[int, int]:
        """Records behind the newest readable one, by partition held; what was fetched but not taken counts as read."""
        lags: dict[int, int] = {}
        for tp in self._inner.assignment():
            newest = self._inner.last_stable_offset(tp) or self._inner.highwater(tp)
            if newest is not None:
                lags[tp.partition] = max(0, newest - await self._inner.position(tp))
        return lags

    async def committed(self, partition: int) -> int | None:
        """The group's stored offset, or None."""
        offset = await self._inner.committed(self._tp(partition))
        return None if offset is None else int(offset)

    async def commit(self, offsets: dict[int, int]) -> None:
        """Store offsets for the group; what was lost meanwhile is left to its new owner, who reads it again."""
        held = self.assignment()
        mine = {self._tp(p): offset for p, offset in offsets.items() if p in held}
        if mine:
            with suppress(CommitFailedError):
                await self._inner.commit(mine)

    async def stop(self) -> None:
        """Leave the group and close."""
        await self._inner.stop()


class Kafka:
    """One cluster, and the partition count every topic of the table has on it."""

    def __init__(self, bootstrap: str, partitions: int, client: str, instance: str = "") -> None:
        """`instance` names this process among those of its role; it then takes its partitions up again at once.

        Without a name the group waits out the session of a killed process first. Two living processes
        of one name throw each other out, so the name must be the operator's, never a default shared by two.
        """
        self.bootstrap = bootstrap
        self.partitions = partitions
        self._client = client
        self._instance = instance

    @property
    def all_partitions(self) -> list[int]:
        """Every partition number."""
        return list(range(self.partitions))

    async def producer(self, transactional_id: str | None = None, linger_ms: int = 0) -> Producer:
        """A started producer; with a transactional id this fences whoever had it and settles their transaction."""
        inner = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            client_id=self._client,
            enable_idempotence=True,
            acks="all",
            linger_ms=linger_ms,
            max_batch_size=MESSAGE_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=30_000,
            transactional_id=transactional_id,
            transaction_timeout_ms=15_000,
        )
        await _start(inner)
        return Producer(inner, self.partitions)

    async def consumer(
        self,
        topic: Topic,
        group: str | None = None,
        committed_only: bool = False,
        on_assigned: OnPartitions | None = None,
        on_revoked: OnPartitions | None = None,
    ) -> Consumer:
        """A started consumer: of a group where one is named, else to be given partitions by `assign`."""
        inner = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            client_id=self._client,
            group_id=group,
            group_instance_id=f"{group}-{self._instance}" if group and self._instance else None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed" if committed_only else "read_uncommitted",
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            max_poll_interval_ms=600_000,
            rebalance_timeout_ms=10_000,
            max_partition_fetch_bytes=2 * MESSAGE_BYTES_MAX,
            metadata_max_age_ms=30_000,
        )
        if group is not None:
            nothing: OnPartitions = _nothing
            listener = _Listener(on_assigned or nothing, on_revoked or nothing)
            inner.subscribe([topic.name], listener=listener)
        await _start(inner)
        return Consumer(inner, topic)

    async def wait_until_served(self) -> None:
        """Wait until the cluster answers and has every topic of the table; a role may start before its broker.

        Raises `TopicsRefused` for a wrong partition count.
        """
        while True:
            if await self._listens():
                try:
                    states = await self.topic_states()
                except KafkaError:
                    states = []
                self._refuse_wrong(states)
                if states and all(state.partitions is not None for state in states):
                    return
            await asyncio.sleep(0.1)

    async def _listens(self) -> bool:
        """Whether anything takes connections at the first address; the client itself would fill the log asking."""
        host, _, port = self.bootstrap.split(",")[0].rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    async def topic_states(self) -> list[TopicState]:
        """Every topic of the table as the broker has it."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, client_id=self._client)
        await _start(admin)
        try:
            known = set(await admin.list_topics())
            wanted = [topic.name for topic in TOPICS if topic.name in known]
            found = {d["topic"]: len(d["partitions"]) for d in await admin.describe_topics(wanted)} if wanted else {}
        finally:
            await admin.close()
        return [TopicState(topic, found.get(topic.name)) for topic in TOPICS]

    async def ensure_topics(self, replication: int = 1) -> list[TopicState]:
        """Create what is missing; raise `TopicsRefused` where a topic has another partition count."""
        states = await self.topic_states()
        self._refuse_wrong(states)
        missing = [s.topic for s in states if s.partitions is None]
        if missing:
            await self._create(missing, replication)
        return await self.topic_states()

    def _refuse_wrong(self, states: list[TopicState]) -> None:
        wrong = [state for state in states if state.partitions not in (None, self.partitions)]
        if wrong:
            names = ", ".join(f"{state.topic.name} has {state.partitions}" for state in wrong)
            raise TopicsRefused(
                f"{names} partitions, but this deployment is set to {self.partitions}: "
                "set NCC_PARTITIONS to the count the topics were made with"
            )

    async def _create(self, topics: list[Topic], replication: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, client_id=self._client)
        await _start(admin)
        try:
            response = await admin.create_topics(
                [
                    NewTopic(
                        name=topic.name,
                        num_partitions=self.partitions,
                        replication_factor=replication,
                        topic_configs=topic.config,
                    )
                    for topic in topics
                ]
            )
        finally:
            await admin.close()
        for name, code, *rest in response.topic_errors:
            error = for_code(code)
            if code != 0 and error is not TopicAlreadyExistsError:
                raise TopicsRefused(f"cannot create topic {name}: {rest[0] if rest and rest[0] else error.__name__}")


async def _nothing(_partitions: set[int]) -> None:
    return None


async def _start(client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Start a client; one that cannot start is closed again, so that nothing is left behind."""
    try:
        await client.start()
    except BaseException:
        closing = client.close if isinstance(client, AIOKafkaAdminClient) else client.stop
        await closing()
        raise
