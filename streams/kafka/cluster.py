"""One cluster: its clients, and the topics of the table on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)

from schemas.topics import MESSAGE_BYTES_MAX, TOPICS, Topic
from streams.kafka.consumer import Consumer, Listener, OnPartitions
from streams.kafka.producer import Producer

SESSION_TIMEOUT_MS = 6_000
"""How long a dead worker's partitions stay without an owner."""
HEARTBEAT_MS = 1_500
REJOIN_S = 15.0
"""How long a cluster that answers may name none of its brokers before that is an error."""
GATHER_BYTES = 262_144
REQUEST_BYTES_MAX = 4 * MESSAGE_BYTES_MAX


class TopicsRefused(Exception):
    """The broker's topics are not the table's; the message names each difference and what to do."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """What the broker has of one topic of the table: its partition count, or None where it is missing."""

    topic: Topic
    partitions: int | None


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

    async def producer(self, transactional_id: str | None = None, paced: bool = False) -> Producer:
        """A started producer; with a transactional id this fences whoever had it and settles their transaction.

        A `paced` one gathers records under load (`streams.kafka.pace`).
        """
        inner = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            client_id=self._client,
            enable_idempotence=True,
            acks="all",
            max_batch_size=MESSAGE_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=30_000,
            transactional_id=transactional_id,
            transaction_timeout_ms=15_000,
        )
        await _start(inner)
        return Producer(inner, self.partitions, paced)

    async def consumer(
        self,
        topic: Topic,
        group: str | None = None,
        committed_only: bool = False,
        on_assigned: OnPartitions | None = None,
        on_revoked: OnPartitions | None = None,
        patience_ms: int = 0,
    ) -> Consumer:
        """A started consumer: of a group where one is named, else to be given partitions by `assign`.

        With `patience_ms` the broker gathers records that long before it answers: a reader whose records
        nobody waits for then costs it a few answers a second instead of one for every decision.
        """
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
            fetch_min_bytes=GATHER_BYTES if patience_ms else 1,
            fetch_max_wait_ms=patience_ms or 500,
            max_partition_fetch_bytes=2 * MESSAGE_BYTES_MAX,
            metadata_max_age_ms=30_000,
        )
        if group is not None:
            nothing: OnPartitions = _nothing
            listener = Listener(on_assigned or nothing, on_revoked or nothing)
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
        """Every topic of the table as the broker has it.

        A broker that stood still is shut out by its controller until it has reported back; it answers
        meanwhile, and names no broker, not even itself. That is waited out, up to `REJOIN_S`.
        """
        give_up_s = time.monotonic() + REJOIN_S
        while True:
            try:
                return await self._topic_states()
            except NodeNotReadyError:
                if time.monotonic() > give_up_s:
                    raise
                await asyncio.sleep(0.1)

    async def _topic_states(self) -> list[TopicState]:
        async with self._admin() as admin:
            known = set(await admin.list_topics())
            wanted = [topic.name for topic in TOPICS if topic.name in known]
            found = {d["topic"]: len(d["partitions"]) for d in await admin.describe_topics(wanted)} if wanted else {}
        return [TopicState(topic, found.get(topic.name)) for topic in TOPICS]

    async def ensure_topics(self, replication: int = 1) -> list[TopicState]:
        """Create what is missing; raise `TopicsRefused` where a topic has another partition count."""
        states = await self.topic_states()
        self._refuse_wrong(states)
        missing = [s.topic for s in states if s.partitions is None]
        if missing:
            await self._create(missing, replication)
            states = await self.topic_states()
            self._refuse_wrong(states)  # somebody else may have made one in the same moment
        return states

    def _refuse_wrong(self, states: list[TopicState]) -> None:
        wrong = [state for state in states if state.partitions not in (None, self.partitions)]
        if wrong:
            names = ", ".join(f"{state.topic.name} has {state.partitions}" for state in wrong)
            raise TopicsRefused(
                f"{names} partitions, but this deployment is set to {self.partitions}: "
                "set NCC_PARTITIONS to the count the topics were made with"
            )

    async def _create(self, topics: list[Topic], replication: int) -> None:
        async with self._admin() as admin:
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
        for name, code, *rest in response.topic_errors:
            error = for_code(code)
            if code != 0 and error is not TopicAlreadyExistsError:
                raise TopicsRefused(f"cannot create topic {name}: {rest[0] if rest and rest[0] else error.__name__}")

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, client_id=self._client)
        await _start(admin)
        try:
            yield admin
        finally:
            await admin.close()


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
