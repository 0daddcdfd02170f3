"""One broker and one whole stack for all tests that need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.embedded.kafka import EmbeddedKafka
from streams.kafka import Kafka
from tests.support import cluster
from tests.support.cluster import PARTITIONS
from tests.support.stack import RunningStack


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A real Kafka broker; each test takes topics of its own or partitions nobody else uses."""
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka


@pytest.fixture
async def kafka(broker: EmbeddedKafka) -> Kafka:
    """The broker with the table's topics, empty."""
    kafka = Kafka(broker.bootstrap, PARTITIONS, "test")
    await cluster.fresh_topics(kafka)
    return kafka


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole stack; each test brings its own merchant and buyers."""
    with RunningStack(tmp_path_factory.mktemp("home")) as running:
        yield running
