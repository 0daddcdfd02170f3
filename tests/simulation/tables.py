"""Faust's tables as the simulation has them: rows that go to a changelog, and what is recovered from one."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemas import topics
from schemas.codec import encode
from streams.views import newest
from tests.simulation.log import Broker, PartitionLog

_NAMES = {table: topics.changelog(table).name for table in topics.TABLES}


class Put(NamedTuple):
    """A row in a changelog, as bytes for the production rule, and as the history carries it."""

    key: bytes
    value: bytes
    row: Any


class Changelog:
    """One partition of a table's changelog, and the rows that a recovery takes from it, batch after batch."""

    def __init__(self, log: PartitionLog) -> None:
        self.log = log
        self._read = 0
        self._puts: dict[bytes, Put] = {}

    def recovered(self) -> dict[bytes, Put]:
        """Every row as it is taken now."""
        entries, self._read = self.log.read(self._read, len(self.log.entries), False)
        if entries:
            puts = (Put(e.key, e.value if isinstance(e.value, bytes) else encode(e.value), e.value) for e in entries)
            self._puts.update((put.key, put) for put in newest(self._known, puts))
        return self._puts

    def _known(self, key: bytes) -> bytes | None:
        put = self._puts.get(key)
        return None if put is None else put.value


def changelogs(broker: Broker) -> dict[str, list[Changelog]]:
    """Those of every table, partition by partition."""
    return {table: [Changelog(log) for log in broker.topic(name)] for table, name in _NAMES.items()}


class Table(dict[bytes, Any]):
    """One of Faust's tables: puts go to the changelog with the next flush."""

    def __init__(self, puts: list[tuple[str, bytes, Any]], name: str) -> None:
        super().__init__()
        self._puts, self._name = puts, name

    def __setitem__(self, key: bytes, value: Any) -> None:
        super().__setitem__(key, value)
        self._puts.append((self._name, key, value))
