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

    cursors: dict[tuple[str, str], int] = {}

    async def read_cursors() -> None:
        """How far relays were read, by whoever held a merchant before us."""
        for key, complete_s in (await load_cursors(stage.kafka)).items():
            cursors[key] = max(complete_s, cursors.get(key, 0))

    ingest = Ingest(sinks, table.all, stage.settings.relay_list, authenticate, cursors)
    stage.ready_when(table.ready.is_set)
    try:
        holding = table.run_owned("ncc-ingest", ingest.merchants_changed, read_cursors)
        await together(ingest.run(), holding, sinks.failure)
    finally:
        await producer.stop()
