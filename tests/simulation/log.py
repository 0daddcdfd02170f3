"""Kafka as it was measured to behave: logs with transactions and fencing, groups that give partitions out anew.

Nothing here talks to a client: `tests.simulation.kafka` puts the tree's own client classes on top.
"""

from __future__ import annotations

from typing import Any

OPEN, COMMITTED, ABORTED, MARKER = range(4)


class Entry:
    """A record in a log, and at the same time what a consumer is handed."""

    __slots__ = ("headers", "key", "offset", "partition", "state", "timestamp", "topic", "value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        timestamp: int,
        key: bytes,
        value: Any,
        headers: Any,
        state: int,
    ) -> None:
        self.topic, self.partition, self.offset, self.timestamp = topic, partition, offset, timestamp
        self.key, self.value, self.headers, self.state = key, value, headers, state


class PartitionLog:
    """One partition: every offset is taken by a record or by a transaction's marker."""

    __slots__ = ("entries", "is_plain", "number", "open_from", "topic")

    def __init__(self, topic: str, number: int) -> None:
        self.topic, self.number = topic, number
        self.entries: list[Entry] = []
        self.is_plain = True
        """Whether no transaction ever wrote here, so that every entry may be read."""
        self.open_from: dict[int, int] = {}

    def append(self, timestamp: int, key: bytes, value: Any, headers: Any = (), state: int = COMMITTED) -> Entry:
        """Add a record at the end."""
        entry = Entry(self.topic, self.number, len(self.entries), timestamp, key, value, headers, state)
        self.entries.append(entry)
        if state != COMMITTED:
            self.is_plain = False
        return entry

    def end(self, committed_only: bool) -> int:
        """The offset after the newest readable record."""
        if committed_only and self.open_from:
            return min(self.open_from.values())
        return len(self.entries)

    def read(self, start: int, limit: int, committed_only: bool) -> tuple[list[Entry], int]:
        """Up to `limit` records from an offset on, and the offset to go on at; markers are never shown."""
        if self.is_plain:
            shown = self.entries[start : start + limit]
            return shown, max(start, start + len(shown))
        end = self.end(committed_only)
        found: list[Entry] = []
        at = start
        while at < end and len(found) < limit:
            entry = self.entries[at]
            at += 1
            if entry.state == COMMITTED or (not committed_only and entry.state != MARKER):
                found.append(entry)
        return found, at


class Transaction:
    """What one transactional producer has written and not ended."""

    __slots__ = ("entries", "logs", "owner")

    def __init__(self, owner: int) -> None:
        self.owner = owner
        self.entries: list[Entry] = []
        self.logs: list[PartitionLog] = []

    def add(self, log: PartitionLog, entry: Entry) -> None:
        """Note one written record."""
        if self.owner not in log.open_from:
            log.open_from[self.owner] = entry.offset
            self.logs.append(log)
        self.entries.append(entry)

    def finish(self, is_commit: bool, timestamp: int) -> None:
        """Make every record of it visible, or none for ever."""
        state = COMMITTED if is_commit else ABORTED
        for entry in self.entries:
            entry.state = state
        for log in self.logs:
            log.append(timestamp, b"", b"", state=MARKER)
            log.open_from.pop(self.owner, None)


class Broker:
    """Every log, the epochs of transactional ids, and the groups' stored positions."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.logs: dict[str, list[PartitionLog]] = {}
        self.epochs: dict[str, int] = {}
        self.under_way: dict[str, Transaction] = {}
        self.positions: dict[tuple[str, str, int], int] = {}
        self.groups: dict[str, Group] = {}
        self.owners = 0

    def log(self, topic: str, partition: int) -> PartitionLog:
        """One partition of a topic."""
        return self.topic(topic)[partition]

    def topic(self, name: str) -> list[PartitionLog]:
        """Every partition of a topic."""
        found = self.logs.get(name)
        if found is None:
            found = self.logs[name] = [PartitionLog(name, number) for number in range(self.partitions)]
        return found

    def all(self, topic: str, committed_only: bool = True) -> list[Entry]:
        """Every readable record of a topic."""
        found: list[Entry] = []
        for log in self.topic(topic):
            found.extend(log.read(0, 1_000_000, committed_only)[0])
        return found

    def fence(self, transactional_id: str, timestamp: int) -> int:
        """Start a new epoch of a transactional id: the former owner's open transaction is settled first."""
        left = self.under_way.pop(transactional_id, None)
        if left is not None:
            left.finish(False, timestamp)
        self.epochs[transactional_id] = epoch = self.epochs.get(transactional_id, 0) + 1
        return epoch

    def group(self, name: str) -> Group:
        """A consumer group."""
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = Group(self.partitions)
        return found


class Group:
    """Who holds which partition of a topic; a member that does not answer is left out and learns it later."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.members: list[Any] = []
        self.generation = 0

    def deal(self) -> dict[int, set[int]]:
        """The partitions each member (by its place) is to hold; every deal turns by one, so that they move."""
        held: dict[int, set[int]] = {place: set() for place in range(len(self.members))}
        for number in range(self.partitions):
            if self.members:
                held[(number + self.generation) % len(self.members)].add(number)
        return held
