"""Several ingest processes share the merchants: one that dies leaves its subscriptions to the others."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from schemas import topics
from schemas.merchants import Merchant
from services.config import Role
from streams.kafka import Kafka
from streams.sinks import Sinks
from tests.services.relays.scripted_relay import ScriptedRelay, an_event, id_of
from tests.support import cluster
from tests.support.cluster import PARTITIONS, Worker, merchant_in

pytestmark = pytest.mark.real

WORKERS = 3
MERCHANTS = [merchant_in(partition, number) for partition in range(PARTITIONS) for number in range(3)]
TAKEN_OVER_S = 30.0


async def open_shops(kafka: Kafka, relay: str) -> None:
    """Every merchant is run here, and read at one relay."""
    producer = await kafka.producer()
    try:
        for number, key in enumerate(MERCHANTS):
            added_ms = time.time_ns() // 1_000_000
            await Sinks(producer).put_merchant(
                Merchant(public_key=key, name=f"shop {number}", relays=(relay,), added_ms=added_ms)
            )
    finally:
        await producer.stop()


async def wraps_for_all(relay: ScriptedRelay, first: int) -> list[str]:
    """One wrap for each merchant appears on the relay; gives their ids."""
    texts = [
        an_event(first + number, created_at=int(time.time()), tag_p=merchant)
        for number, merchant in enumerate(MERCHANTS)
    ]
    for text in texts:
        await relay.add(text)
    return [id_of(text) for text in texts]


async def are_logged(kafka: Kafka, ids: Iterable[str]) -> bool:
    """Whether `ncc.raw` has them all."""
    found = await cluster.read(kafka, topics.RAW, committed_only=False)
    return set(ids) <= {(record.key or b"").decode() for records in found.values() for record in records}


def listening_for(relay: ScriptedRelay) -> list[set[str]]:
    """The merchants whose inbox each connection reads."""
    return [
        {key for filters in guest.queries.values() for one in filters for key in one.get("#p", ())}
        for guest in relay.guests
    ]


@pytest.mark.req("OPS-03")
async def test_what_a_killed_ingest_listened_for_is_read_by_the_others(kafka: Kafka, tmp_path: Path) -> None:
    """Three share twelve shops; one is killed -9, and wraps of that moment are all in the log within half a minute."""
    async with ScriptedRelay() as relay:
        await open_shops(kafka, relay.url)
        with ExitStack() as running:
            workers = [
                running.enter_context(Worker(Role.INGEST, kafka, tmp_path / str(number))) for number in range(WORKERS)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                await worker.ready()

            def is_shared() -> bool:
                held = [keys for keys in listening_for(relay) if keys]
                return len(held) == WORKERS and sum(map(len, held)) == len(set().union(*held)) == len(MERCHANTS)

            await cluster.until(is_shared, "the shops to be dealt out among three", 60)
            before = await wraps_for_all(relay, 1)
            await cluster.until(lambda: are_logged(kafka, before), "the wraps of a quiet moment")

            workers[0].kill()
            killed_s = time.monotonic()
            during = await wraps_for_all(relay, 1_001)
            await cluster.until(lambda: are_logged(kafka, during), "the wraps of the dead one's shops", TAKEN_OVER_S)
            after = await wraps_for_all(relay, 2_001)
            await cluster.until(lambda: are_logged(kafka, after), "the wraps of the time after")
            assert time.monotonic() - killed_s < TAKEN_OVER_S
            live = [keys for keys in listening_for(relay) if keys]
            assert (len(live), set().union(*live)) == (WORKERS - 1, set(MERCHANTS))
