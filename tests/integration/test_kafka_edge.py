"""Kafka's edge on a broker of its own: the topics, transactions that fail, and a broker that stands still or dies."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NodeNotReadyError

from schemas import topics
from schemas.topics import COMMANDS, JOURNAL, RAW, TOPICS, Cleanup, Topic
from services.config import Role
from services.embedded.kafka import EmbeddedKafka
from streams.kafka import Fenced, Kafka, KafkaError, Producer, TopicsRefused
from streams.sinks import UNACKED_MAX, Sinks
from tests.support import cluster
from tests.support.builders import an_id
from tests.support.cluster import PARTITIONS, Worker, a_record, caught_up, merchant_in, offers, orders, until

pytestmark = pytest.mark.real

ANN = merchant_in(0)
NOWHERE = Topic("ncc.nowhere", "", "", (), (), Cleanup.DELETE, -1, "in no table")


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker that may be stopped and killed."""
    with EmbeddedKafka(tmp_path_factory.mktemp("own-kafka")) as broker:
        yield broker


@pytest.fixture
async def bare(own_broker: EmbeddedKafka) -> Kafka:
    """A cluster without one of our topics."""
    kafka = Kafka(own_broker.bootstrap, PARTITIONS, "test")
    await cluster.no_topics(kafka)
    return kafka


@pytest.fixture
async def kafka(own_broker: EmbeddedKafka) -> Kafka:
    """A cluster with the table's topics, empty."""
    kafka = Kafka(own_broker.bootstrap, PARTITIONS, "test")
    await cluster.fresh_topics(kafka)
    return kafka


@asynccontextmanager
async def producing(kafka: Kafka, transactional_id: str | None = None, paced: bool = False) -> AsyncIterator[Producer]:
    producer = await kafka.producer(transactional_id, paced)
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def standing_still(broker: EmbeddedKafka) -> AsyncIterator[None]:
    """The broker's process is stopped in its tracks inside, and goes on after."""
    assert broker.process is not None
    broker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.process.send_signal(signal.SIGCONT)


# Topics


async def test_neither_writing_nor_reading_makes_a_topic(bare: Kafka) -> None:
    """A name that is misspelt somewhere stays a fault there; it never becomes a topic with one partition."""
    async with producing(bare) as producer:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(producer.put(NOWHERE, ANN, b"lost"), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bare.consumer(NOWHERE, group="test-nowhere"), 1)

    assert await cluster.topic_names(bare) == set()


async def test_the_table_is_made_as_it_is_written_and_only_once(bare: Kafka) -> None:
    """Every topic of the table, nothing else, with its partitions and its retention; a second time changes nothing."""
    await bare.ensure_topics()
    await until(lambda: _same_names(bare), "the topics")
    again = await bare.ensure_topics()

    assert {state.topic.name: state.partitions for state in again} == {t.name: PARTITIONS for t in TOPICS}
    assert await cluster.topic_names(bare) == {topic.name for topic in TOPICS}
    async with cluster.admin_of(bare) as admin:
        for topic in TOPICS:
            found = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
            has = {name: value for name, value, *_ in found[0].resources[0][4]}
            assert {name: has[name] for name in topic.config} == topic.config


async def _same_names(kafka: Kafka) -> bool:
    return await cluster.topic_names(kafka) == {topic.name for topic in TOPICS}


async def test_a_missing_topic_is_made_beside_those_that_are_there(bare: Kafka) -> None:
    """A newer release's new topic comes into being at its first start."""
    async with cluster.admin_of(bare) as admin:
        await admin.create_topics([NewTopic(name=JOURNAL.name, num_partitions=PARTITIONS, replication_factor=1)])
    await bare.ensure_topics()

    await until(lambda: _same_names(bare), "the topics")


async def test_another_partition_count_is_refused_in_words_that_help(kafka: Kafka) -> None:
    """A key's partition follows from the count, so a wrong one would split shops; the operator is told the cure."""
    before = await kafka.topic_states()
    with pytest.raises(TopicsRefused) as caught:
        await Kafka(kafka.bootstrap, PARTITIONS + 3, "test").ensure_topics()

    said = str(caught.value)
    assert all(f"{topic.name} has 4" in said for topic in TOPICS)
    assert said.endswith(
        "partitions, but this deployment is set to 7: set NCC_PARTITIONS to the count the topics were made with"
    )
    assert await kafka.topic_states() == before


async def test_a_broker_that_is_not_back_in_its_cluster_yet_is_waited_for(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stood still for twelve seconds named no broker, not even itself, for some 30 ms after."""
    before = await kafka.topic_states()
    list_topics, refusals = AIOKafkaAdminClient.list_topics, iter([NodeNotReadyError] * 3)

    async def named_after_a_while(admin: AIOKafkaAdminClient) -> list[str]:
        for refusal in refusals:
            raise refusal
        return await list_topics(admin)

    monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", named_after_a_while)
    assert await kafka.topic_states() == before


async def test_one_topic_with_another_count_stops_the_making_of_the_others(bare: Kafka) -> None:
    """Nothing is made beside a topic that does not fit."""
    async with cluster.admin_of(bare) as admin:
        await admin.create_topics([NewTopic(name=COMMANDS.name, num_partitions=1, replication_factor=1)])
    await until(lambda: is_there(bare), "the broker to show the topic it made")
    with pytest.raises(TopicsRefused, match=r"^ncc\.commands has 1 partitions"):
        await bare.ensure_topics()

    assert await cluster.topic_names(bare) == {COMMANDS.name}


async def is_there(kafka: Kafka) -> bool:
    """Whether the broker's metadata has caught up with its own answer."""
    return await cluster.topic_names(kafka) == {COMMANDS.name}


# Transactions


async def test_a_record_the_broker_refuses_undoes_its_whole_transaction(kafka: Kafka) -> None:
    """The client would commit the rest without it; a decision must not lose a record that way."""

    async def write(producer: Producer) -> None:
        async with producer.transaction():
            await producer.put(JOURNAL, ANN, b"small")
            await producer.put(JOURNAL, ANN, b"x" * (topics.MESSAGE_BYTES_MAX + 1))
            await producer.put(JOURNAL, merchant_in(1), b"elsewhere")

    async with producing(kafka, "test-big") as producer:
        with pytest.raises(KafkaError):
            await write(producer)
        assert not any((await cluster.read(kafka, JOURNAL, committed_only=True)).values())
    async with producing(kafka, "test-big") as producer, producer.transaction():
        await producer.put(JOURNAL, ANN, b"after it")

    found = (await cluster.read(kafka, JOURNAL, committed_only=True))[0]
    assert [record.value for record in found] == [b"after it"]


async def test_a_fenced_producer_says_so_wherever_it_is_in_its_transaction(kafka: Kafka) -> None:
    """Before its first record, between records and at the commit: always `Fenced`, and nothing of it is visible."""

    async def overtaken_at(place: str) -> None:
        async def overtake(here: str) -> None:
            if here == place:
                await (await kafka.producer("test-fenced")).stop()

        async with producing(kafka, "test-fenced") as producer:
            await overtake("start")
            async with producer.transaction():
                await (await producer.put(JOURNAL, ANN, b"first"))
                await overtake("middle")
                await (await producer.put(JOURNAL, merchant_in(1), b"second"))
                await overtake("commit")

    for place in ("start", "middle", "commit"):
        with pytest.raises((Fenced, KafkaError)) as caught:
            await overtaken_at(place)
        assert caught.type is Fenced or place != "commit"
    assert not any((await cluster.read(kafka, JOURNAL, committed_only=True)).values())


async def test_a_producer_that_is_stopped_in_a_transaction_leaves_nobody_waiting(kafka: Kafka) -> None:
    """A rebalance stops writers at any moment: the transaction ends whole, or as `Fenced`, but it ends."""

    async def write(producer: Producer, number: int) -> None:
        async with producer.transaction():
            await producer.put(JOURNAL, ANN, a_record(ANN, number))
            await producer.put(JOURNAL, merchant_in(1), a_record(ANN, number))

    ended: list[BaseException | None] = []
    for number in range(12):
        producer = await kafka.producer("test-stopped")
        writing = asyncio.create_task(write(producer, number))
        for _ in range(number):
            await asyncio.sleep(0)
        await producer.stop()
        ended += await asyncio.wait_for(asyncio.gather(writing, return_exceptions=True), 5)

    assert all(one is None or isinstance(one, Fenced) for one in ended)
    found = await cluster.read(kafka, JOURNAL, committed_only=True)
    assert len(found[0]) == len(found[1]) == ended.count(None) > 0


# Records that gather


async def test_what_gathers_goes_in_order_and_in_few_requests(kafka: Kafka) -> None:
    """400 records within a second: none overtakes another, each hears its place, and many share a request."""
    requests = 0
    async with producing(kafka, paced=True) as producer:
        send = producer._inner._sender._send_produce_req

        async def counted(*arguments: object) -> None:
            nonlocal requests
            requests += 1
            await send(*arguments)

        producer._inner._sender._send_produce_req = counted
        placed = []
        for number in range(400):
            placed.append(await producer.put(RAW, ANN, b"%d" % number))
            await asyncio.sleep(0.002)
        assert await asyncio.gather(*placed) == [(0, number) for number in range(400)]

    arrived = (await cluster.read(kafka, RAW, committed_only=False))[0]
    assert [record.value for record in arrived] == [b"%d" % number for number in range(400)]
    assert requests < 60


async def test_what_has_gathered_is_sent_by_a_flush_and_by_a_stop(kafka: Kafka) -> None:
    """Neither leaves anything behind, and neither waits for company."""
    async with producing(kafka, paced=True) as producer:
        for number in range(3):
            placed = [await producer.put(RAW, ANN, b"%d %d" % (number, one)) for one in range(50)]
            await asyncio.sleep(0)
            placed += [await producer.put(RAW, ANN, b"%d late" % number)]
            if number < 2:
                await producer.flush()
                assert all(one.done() for one in placed)
    assert [one.result() for one in placed][-1] == (0, 152)


async def test_a_record_too_big_fails_alone_among_those_it_gathered_with(kafka: Kafka) -> None:
    """Who waits for it hears why; its neighbours are stored."""
    async with producing(kafka, paced=True) as producer:
        values = (b"before", b"x" * 5_000_000, b"after")
        placed = [await producer.put(RAW, ANN, value) for value in values]
        answers = await asyncio.gather(*placed, return_exceptions=True)
    assert [isinstance(answer, KafkaError) for answer in answers] == [False, True, False]


# A broker that stands still, or dies


@pytest.mark.req("REL-04")
async def test_no_sighting_is_lost_while_the_broker_stands_still(kafka: Kafka, own_broker: EmbeddedKafka) -> None:
    """500 sightings a second for ten seconds, the broker stopped for five of them: every one arrives, once."""
    sent = [an_id(f"sighting {number}") for number in range(5_000)]
    async with producing(kafka, paced=True) as producer:
        sinks = Sinks(producer)

        async def ingest() -> None:
            started_s = time.monotonic()
            for number, name in enumerate(sent):
                if number % 25 == 0:
                    await asyncio.sleep(max(0.0, started_s + number / 500 - time.monotonic()))
                await sinks.put_raw(name, name.encode(), [("relay", b"wss://r1.example")])

        reading = asyncio.create_task(ingest())
        await asyncio.sleep(2)
        async with standing_still(own_broker):
            await asyncio.sleep(5)
        await reading
        await producer.flush()
        assert not sinks.failure.done()

    arrived = [r for records in (await cluster.read(kafka, RAW, committed_only=False)).values() for r in records]
    assert sorted(record.value.decode() for record in arrived) == sorted(sent)
    assert {tuple(record.headers) for record in arrived} == {(("relay", b"wss://r1.example"),)}


@pytest.mark.req("REL-04")
async def test_the_sockets_wait_while_too_much_is_not_acknowledged(kafka: Kafka, own_broker: EmbeddedKafka) -> None:
    """A flood against a broker that stands still stops at the limit, and goes on where it stopped."""
    flood, taken = UNACKED_MAX + 1_000, 0
    async with producing(kafka, paced=True) as producer:
        sinks = Sinks(producer)
        await sinks.put_raw(ANN, b"first", [])
        await producer.flush()

        async def read_sockets() -> None:
            nonlocal taken
            for number in range(flood):
                await sinks.put_raw(an_id(str(number)), b"%d" % number, [])
                taken += 1

        async with standing_still(own_broker):
            reading = asyncio.create_task(read_sockets())
            await until(lambda: taken == UNACKED_MAX, "the limit to be reached")
            await asyncio.sleep(0.5)
            assert taken == UNACKED_MAX
        await asyncio.wait_for(reading, 30)
        await producer.flush()

    arrived = await cluster.read(kafka, RAW, committed_only=False)
    assert {r.value for records in arrived.values() for r in records} == {b"first", *(b"%d" % n for n in range(flood))}


async def test_a_full_buffer_is_waited_out(kafka: Kafka, own_broker: EmbeddedKafka) -> None:
    """The client gives up on a full buffer with a time-out; for us that is back-pressure, and nothing is dropped."""
    inner = AIOKafkaProducer(
        bootstrap_servers=own_broker.bootstrap,
        enable_idempotence=True,
        acks="all",
        max_batch_size=1_024,
        request_timeout_ms=400,
    )
    await inner.start()
    producer = Producer(inner, PARTITIONS)
    await producer.write(RAW, ANN, b"first")

    async def fill() -> None:
        for number in range(200):
            await producer.put(RAW, ANN, b"%d" % number)

    async with standing_still(own_broker):
        filling = asyncio.create_task(fill())
        await asyncio.sleep(2.5)
        assert not filling.done()
    await asyncio.wait_for(filling, 30)
    await producer.stop()

    arrived = (await cluster.read(kafka, RAW, committed_only=False))[0]
    assert [record.value for record in arrived] == [b"first", *(b"%d" % number for number in range(200))]


async def test_a_broker_that_is_killed_under_a_decider_costs_time_and_nothing_else(
    kafka: Kafka, own_broker: EmbeddedKafka, tmp_path: Path
) -> None:
    """Kill -9 and a restart in the middle of 800 commands: each is decided once, by the same process."""
    sent = [offers(ANN), *orders(ANN, range(799))]
    with Worker(Role.DECIDER, kafka, tmp_path) as decider:
        await decider.start().ready()
        sending = asyncio.create_task(cluster.send(kafka, sent, per_s=200))
        await until(lambda: caught_up(kafka, 0, 100), "some commands to be decided")
        own_broker.kill()
        own_broker.start()
        await asyncio.to_thread(own_broker.wait_ready)
        await sending
        await until(lambda: caught_up(kafka, 0, len(sent)), "every command to be decided", 60)
        assert decider.is_alive

    cluster.follows_the_commands((await cluster.journal(kafka))[0], sent)
