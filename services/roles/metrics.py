"""The metrics role, composed."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Any

import structlog

from schemas import topics
from schemas.codec import NotOurContract, decode
from schemas.deliveries import Delivery
from schemas.quarantine import Quarantined
from schemas.rows import ROWS
from services.metrics.query_server import query_app
from services.metrics.role import FLUSH_EVERY_S, PATIENCE_MS, MetricsRole
from services.metrics.store import open_store
from services.metrics.writer import MetricsWriter
from services.roles.http import serve
from services.roles.stage import Stage, follow, together
from streams.kafka import Record
from streams.topic_reader import follow_batches

log = structlog.get_logger(role="metrics")


async def run(stage: Stage) -> None:
    """The journal, state rows, deliveries and quarantine → ClickHouse; and its query door."""
    store = await asyncio.to_thread(open_store, stage.settings.clickhouse_dsn)
    salt = stage.secret("pseudonym")
    writer = MetricsWriter(store, lambda merchant, buyer: pseudonym(salt, merchant, buyer))
    await asyncio.to_thread(writer.migrate)
    role = MetricsRole(writer)
    kafka = stage.kafka

    def following(topic: topics.Topic, name: str, contract: type[Any], write: Callable[[list[Any]], None]) -> Any:
        async def take(records: list[Record[bytes, bytes]]) -> None:
            await asyncio.to_thread(write, _decoded(contract, records))

        return follow_batches(kafka, topic, f"ncc-metrics-{name}", take, FLUSH_EVERY_S, PATIENCE_MS)

    tables: dict[str, Callable[[list[Any]], None]] = {
        "orders": writer.write_orders,
        "inventory": writer.write_inventory,
        "reviews": writer.write_reviews,
        "ratings": writer.write_ratings,
        "messages": writer.write_messages,
        "offers": writer.write_offers,
    }
    await together(
        follow(stage, role, patience_ms=PATIENCE_MS),
        role.flush(),
        *(following(topics.changelog(name), name, contract, tables[name]) for name, contract in ROWS.items()),
        following(topics.DELIVERIES, "deliveries", Delivery, writer.write_deliveries),
        following(topics.QUARANTINE, "quarantine", Quarantined, writer.write_quarantine),
        serve(query_app(store, stage.home.token()), stage.settings.metrics_url),
    )


def _decoded[M: Any](contract: type[M], records: list[Record[bytes, bytes]]) -> list[M]:
    """The records that hold such a contract; tombstones and others are left out, the latter with a word in the log."""
    found: list[M] = []
    for record in records:
        if record.value is None:
            continue
        try:
            found.append(decode(contract, record.value))
        except NotOurContract as error:
            log.warning("record skipped", topic=record.topic, offset=record.offset, error=str(error))
    return found


def pseudonym(salt: bytes, merchant: str, buyer: str) -> str:
    """A buyer's name in analytics: another one for each merchant, and unlinkable without the salt (C-44)."""
    return hmac.digest(salt, f"{merchant}:{buyer}".encode(), "sha256").hex()[:32]
