"""The ingest role, composed."""

from __future__ import annotations

from services.ingest import Ingest
from services.roles.stage import Stage, together
from streams.merchants import MerchantTable
from streams.sinks import Sinks, load_cursors


async def run(stage: Stage) -> None:
    """Relays → `ncc.raw`."""
    producer = await stage.kafka.producer(paced=True)
    sinks, table = Sinks(producer), MerchantTable(stage.kafka)

    async def authenticate(relay_url: str, challenge: str) -> list[str]:
        return stage.auth_events((merchant.public_key for merchant in table.all()), relay_url, challenge)

    ingest = Ingest(sinks, table.all, stage.settings.relay_list, authenticate, {})

    async def read_cursors() -> None:
        ingest.read_before(await load_cursors(stage.kafka))

    stage.ready_when(table.ready.is_set)
    try:
        holding = table.run_owned("ncc-ingest", ingest.merchants_changed, read_cursors)
        await together(ingest.run(), holding, sinks.failure)
    finally:
        await producer.stop()
