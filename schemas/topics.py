"""The one table of Kafka topics: name, key, who writes, who reads, how long it is kept, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas import limits
from schemas.rows import ROWS

PARTITIONS_DEFAULT = 12
"""Chosen once per deployment; a topic found with another count refuses start."""

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Cleanup(StrEnum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table; `retention_ms` is -1 for ever and ignored where the topic is compacted."""

    name: str
    key: str
    value: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    cleanup: Cleanup
    retention_ms: int
    why: str

    @property
    def config(self) -> dict[str, str]:
        """The topic's Kafka configuration."""
        config = {"cleanup.policy": self.cleanup.value, "max.message.bytes": str(MESSAGE_BYTES_MAX)}
        if self.cleanup is Cleanup.DELETE:
            config["retention.ms"] = str(self.retention_ms)
        return config


MESSAGE_BYTES_MAX = limits.RECORD.most
"""An event is at most 128 KiB; a decision that carries one, and its headers, stays far below this."""

RAW = Topic(
    name="ncc.raw",
    key="event id (or the text's sha256 where there is none)",
    value="the event's original text; headers relay, subscription, received_ms",
    producers=("ingest", "api"),
    consumers=("intake",),
    cleanup=Cleanup.DELETE,
    retention_ms=7 * _DAY_MS,
    why="Every sighting is kept before any decision; ciphertext, so it is short-lived (REL-03).",
)
COMMANDS = Topic(
    name="ncc.commands",
    key="merchant public key",
    value="schemas.messages.Command",
    producers=("intake", "api", "payments", "decider", "auditor"),
    consumers=("decider",),
    cleanup=Cleanup.DELETE,
    retention_ms=21 * _DAY_MS,
    why="The decider needs contiguous offsets: never compacted, never transactional (D3).",
)
JOURNAL = Topic(
    name="ncc.journal",
    key="merchant public key",
    value="schemas.messages.JournalRecord",
    producers=("decider",),
    consumers=("decider", "views", "payments", "publisher", "metrics", "api", "auditor"),
    cleanup=Cleanup.DELETE,
    retention_ms=-1,
    why="The truth, kept for ever; readers see committed records only.",
)
DELIVERIES = Topic(
    name="ncc.deliveries",
    key="merchant public key",
    value="schemas.deliveries.Delivery",
    producers=("publisher",),
    consumers=("metrics",),
    cleanup=Cleanup.DELETE,
    retention_ms=28 * _DAY_MS,
    why="What became of each message on each relay.",
)
OUTBOX = Topic(
    name="ncc.outbox",
    key="effect id; its partition is that of the journal record it follows from",
    value="schemas.deliveries.Owed, or nothing where nothing is owed any more",
    producers=("publisher",),
    consumers=("publisher",),
    cleanup=Cleanup.COMPACT,
    retention_ms=-1,
    why="Which relays have not answered for a message that another one has, so that a restart asks only those.",
)
QUARANTINE = Topic(
    name="ncc.quarantine",
    key="quarantine id: sha256 of reason and original",
    value="schemas.quarantine.Quarantined",
    producers=("ingest", "intake", "decider"),
    consumers=("metrics", "api"),
    cleanup=Cleanup.DELETE,
    retention_ms=90 * _DAY_MS,
    why="Bad input is data: the original bytes, where they were met and a stable reason.",
)
MERCHANTS = Topic(
    name="ncc.merchants",
    key="merchant public key",
    value="schemas.merchants.Merchant",
    producers=("api",),
    consumers=("ingest", "intake", "publisher", "api"),
    cleanup=Cleanup.COMPACT,
    retention_ms=-1,
    why="Configuration without secrets; its partitions also say which ingest process holds which sockets (D11).",
)
CURSORS = Topic(
    name="ncc.cursors",
    key="sha256 of relay address and subscription",
    value="schemas.merchants.RelayCursor",
    producers=("ingest",),
    consumers=("ingest",),
    cleanup=Cleanup.COMPACT,
    retention_ms=-1,
    why="Up to when each relay is known complete, so that the look-back covers down-time (REL-07).",
)
HINTS = Topic(
    name="ncc.hints",
    key="merchant public key",
    value="schemas.hints.PaymentHint",
    producers=("api",),
    consumers=("payments",),
    cleanup=Cleanup.DELETE,
    retention_ms=_HOUR_MS,
    why="A vendor's webhook says where to look; read live only, since what is lost is found by polling (PAY-16).",
)

VIEWS_APP = "ncc-views"
TABLES = tuple(ROWS)
"""The state tables, in the order the views declare them."""


def changelog(table: str) -> Topic:
    """The compacted topic behind one state table; Faust's name for it, so that nothing is auto-created."""
    return Topic(
        name=f"{VIEWS_APP}-{table}-changelog",
        key="row key",
        value=f"schemas.rows: a row of {table}",
        producers=("views",),
        consumers=("views", "metrics"),
        cleanup=Cleanup.COMPACT,
        retention_ms=-1,
        why=f"State of {table}, one row a key, each with the journal sequence it reflects.",
    )


TOPICS: tuple[Topic, ...] = (
    RAW,
    COMMANDS,
    JOURNAL,
    DELIVERIES,
    OUTBOX,
    QUARANTINE,
    MERCHANTS,
    CURSORS,
    HINTS,
    *(changelog(table) for table in TABLES),
)


def partition_of(key_hex: str, partitions: int) -> int:
    """The partition of a key: its first 32 bits modulo the count.

    Public keys and event ids are uniform already, so no second hash is needed,
    and every writer agrees without sharing a client library's partitioner.
    """
    return int(key_hex[:8], 16) % partitions
