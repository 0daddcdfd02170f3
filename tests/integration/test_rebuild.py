"""State tables that were wiped come back from the journal, the same to the byte, and nothing else happens meanwhile."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from services.config import Role
from streams.kafka import Kafka
from tests.integration.test_views import Rows, folded, stored
from tests.support import cluster
from tests.support.cluster import PARTITIONS, Worker, admin_of, history, merchant_in, until

pytestmark = pytest.mark.real

OUT = (topics.COMMANDS, topics.DELIVERIES, topics.QUARANTINE, topics.RAW, topics.JOURNAL)


def digest(rows: Rows) -> str:
    """One hash of all rows."""
    whole = hashlib.sha256()
    for key in sorted(rows, key=lambda key: (key.table, key.key)):
        whole.update(f"{key.table}/{key.key}\0".encode() + rows[key] + b"\0")
    return whole.hexdigest()


async def wipe(kafka: Kafka) -> None:
    """Forget the tables and how far they were: their topics, and the stored positions."""
    names = [topics.changelog(table).name for table in topics.TABLES]
    async with admin_of(kafka) as admin:
        await admin.delete_topics(names)
    await until(lambda: _gone(kafka, names), "the changelogs to go")
    await kafka.ensure_topics()
    group = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=topics.VIEWS_APP, enable_auto_commit=False)
    await group.start()
    try:
        parts = [TopicPartition(topics.JOURNAL.name, partition) for partition in kafka.all_partitions]
        group.assign(parts)
        await group.commit(dict.fromkeys(parts, 0))
    finally:
        await group.stop()


async def _gone(kafka: Kafka, names: list[str]) -> bool:
    return not await cluster.topic_names(kafka) & set(names)


async def said_outside(kafka: Kafka) -> dict[str, int]:
    """How many records every topic has that somebody may act on."""
    found = {topic.name: await cluster.read(kafka, topic, committed_only=False) for topic in OUT}
    return {name: sum(map(len, records.values())) for name, records in found.items()}


@pytest.mark.case("P38")
@pytest.mark.req("OPS-05")
async def test_wiped_tables_are_rebuilt_to_the_same_hash_without_a_word_to_anybody(
    kafka: Kafka, tmp_path: Path
) -> None:
    """Four shops with a past: rows as before, and no command, delivery or quarantine record more."""
    for partition in range(PARTITIONS):
        await cluster.append(kafka, history(merchant_in(partition), 120), batch=50)
    expected = folded(await cluster.journal(kafka))
    with Worker(Role.VIEWS, kafka, tmp_path / "first") as views:
        views.start()
        await until(views.is_tended, "the views to answer")
        await until(lambda: _is(kafka, expected), "the tables to be there", 60)
        assert views.stop() == 0
    before, outside = digest(await stored(kafka)), await said_outside(kafka)

    await wipe(kafka)
    assert await stored(kafka) == {}
    with Worker(Role.VIEWS, kafka, tmp_path / "second") as views:
        views.start()
        await until(views.is_tended, "the views to answer")
        await until(lambda: _is(kafka, expected), "the tables to be there again", 60)

    assert digest(await stored(kafka)) == before
    assert await said_outside(kafka) == outside


async def _is(kafka: Kafka, expected: Rows) -> bool:
    return await stored(kafka) == expected
