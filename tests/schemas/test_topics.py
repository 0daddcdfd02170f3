"""Checks the table of topics: complete, consistent, and with the promises each topic depends on."""

import re

import pytest

from schemas.topics import (
    COMMANDS,
    JOURNAL,
    MERCHANTS,
    RAW,
    TABLES,
    TOPICS,
    Cleanup,
    Topic,
    changelog,
    partition_of,
)
from tests.support.builders import BUYER, MERCHANT, an_id

ROLES = {"ingest", "intake", "decider", "views", "payments", "publisher", "metrics", "api", "auditor"}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_says_who_what_and_why(topic: Topic) -> None:
    """No row is half filled in, and no unknown role appears."""
    assert topic.key
    assert topic.value
    assert topic.why.endswith((".", ")."))
    assert topic.producers
    assert topic.consumers
    assert {*topic.producers, *topic.consumers} <= ROLES


def test_names_are_unique_and_spelt_alike() -> None:
    """Lower case, dots between, hyphens within; an underscore would clash with a dot in Kafka's metrics."""
    names = [topic.name for topic in TOPICS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+([.-][a-z]+)*", name) for name in names)


def test_the_journal_is_kept_for_ever() -> None:
    """Everything else can be made again from it."""
    assert JOURNAL.config["retention.ms"] == "-1"
    assert JOURNAL.config["cleanup.policy"] == "delete"


def test_commands_are_never_compacted() -> None:
    """The decider needs contiguous offsets (D3), and weeks to come back."""
    assert COMMANDS.cleanup is Cleanup.DELETE
    assert COMMANDS.retention_ms >= 14 * 86_400_000


def test_raw_is_short_lived() -> None:
    """Days, not weeks: ciphertext of strangers."""
    assert 0 < RAW.retention_ms <= 14 * 86_400_000


def test_configuration_and_state_are_compacted_and_have_no_retention() -> None:
    """The newest row of each key stays."""
    for topic in (MERCHANTS, *(changelog(table) for table in TABLES)):
        assert topic.config["cleanup.policy"] == "compact"
        assert "retention.ms" not in topic.config


def test_every_state_table_has_its_changelog_in_the_table_of_topics() -> None:
    """Nothing is created by itself."""
    names = {topic.name for topic in TOPICS}

    assert {f"ncc-views-{table}-changelog" for table in ("orders", "inventory", "reviews", "messages")} <= names


def test_a_message_fits_on_every_topic() -> None:
    """An event of 128 KiB, as text inside JSON, and a decision around it."""
    assert all(int(topic.config["max.message.bytes"]) >= 4 * 128 * 1024 for topic in TOPICS)


@pytest.mark.parametrize("partitions", [1, 2, 12, 100])
def test_a_keys_partition_is_its_first_32_bits_modulo_the_count(partitions: int) -> None:
    """The same in every writer, whatever its client library."""
    assert partition_of("0000000d" + "f" * 56, partitions) == 13 % partitions
    assert partition_of("ffffffff" + "0" * 56, partitions) == 0xFFFFFFFF % partitions
    assert partition_of(MERCHANT, partitions) == partition_of(MERCHANT, partitions) < partitions


def test_keys_spread_over_the_partitions() -> None:
    """Uniform keys need no second hash."""
    counts = [0] * 12
    for n in range(1_200):
        counts[partition_of(an_id(str(n)), 12)] += 1

    assert min(counts) > 60
    assert partition_of(BUYER, 12) in range(12)
