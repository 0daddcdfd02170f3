"""A ClickHouse of its own for every test: the real engine on an empty folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.metrics.store import Store, open_store
from services.metrics.writer import MetricsWriter


def pseudonym(merchant: str, buyer: str) -> str:
    """A stand-in for the keyed hash."""
    return hashlib.sha256(f"test key {merchant} {buyer}".encode()).hexdigest()[:32]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store, closed afterwards: a process has one engine."""
    opened = open_store(f"chdb://{tmp_path / 'clickhouse'}")
    yield opened
    opened.close()


@pytest.fixture
def writer(store: Store) -> MetricsWriter:
    """A writer whose tables exist."""
    made = MetricsWriter(store, pseudonym)
    made.migrate()
    return made
