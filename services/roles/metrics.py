"""The metrics role, composed."""

from __future__ import annotations

import asyncio
import hmac
from typing import Any

import structlog

from schemas import topics
from schemas.codec import NotOurContract, decode
from schemas.deliveries import Delivery
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, MessageRow, OfferRow, OrderRow, RatingRow, ReviewRow
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

    async def orders(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_orders, _decoded(OrderRow, records))

    async def inventory(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_inventory, _decoded(InventoryRow, records))

    async def reviews(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_reviews, _decoded(ReviewRow, records))

    async def ratings(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_ratings, _decoded(RatingRow, records))

    async def messages(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_messages, _decoded(MessageRow, records))

    async def offers(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_offers, _decoded(OfferRow, records))

    async def deliveries(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_deliveries, _decoded(Delivery, records))

    async def quarantine(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_quarantine, _decoded(Quarantined, records))

    server = serve(query_app(store, stage.home.token()), stage.settings.metrics_url)
    await together(
        follow(stage, role, patience_ms=PATIENCE_MS),
        role.flush(),
        follow_batches(kafka, topics.changelog("orders"), "ncc-metrics-orders", orders, FLUSH_EVERY_S, PATIENCE_MS),
        follow_batches(
            kafka, topics.changelog("inventory"), "ncc-metrics-inventory", inventory, FLUSH_EVERY_S, PATIENCE_MS
        ),
        follow_batches(kafka, topics.changelog("reviews"), "ncc-metrics-reviews", reviews, FLUSH_EVERY_S, PATIENCE_MS),
        follow_batches(kafka, topics.changelog("ratings"), "ncc-metrics-ratings", ratings, FLUSH_EVERY_S, PATIENCE_MS),
        follow_batches(
            kafka, topics.changelog("messages"), "ncc-metrics-messages", messages, FLUSH_EVERY_S, PATIENCE_MS
        ),
        follow_batches(kafka, topics.changelog("offers"), "ncc-metrics-offers", offers, FLUSH_EVERY_S, PATIENCE_MS),
        follow_batches(kafka, topics.DELIVERIES, "ncc-metrics-deliveries", deliveries, FLUSH_EVERY_S, PATIENCE_MS),
        follow_batches(kafka, topics.QUARANTINE, "ncc-metrics-quarantine", quarantine, FLUSH_EVERY_S, PATIENCE_MS),
        server,
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
