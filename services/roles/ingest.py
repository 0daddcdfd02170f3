"""The ingest role, composed."""

from __future__ import annotations

import time

from schemas.nostr.nip01 import to_json
from services.ingest import Ingest
from services.roles.stage import Stage, together
from streams.merchants import MerchantTable
from streams.sinks import Sinks, load_cursors


async def run(stage: Stage) -> None:
    """Relays → `ncc.raw`."""
    producer = await stage.kafka.producer(paced=True)
    sinks, table, signer = Sinks(producer), MerchantTable(stage.kafka), stage.signer

    async def authenticate(relay_url: str, challenge: str) -> list[str]:
        now_s = int(time.time())
        keys = sorted(signer.merchants() & {merchant.public_key for merchant in table.all()})
        return [to_json(signer.authenticate(key, relay_url, challenge, now_s)) for key in keys]

    cursors = await load_cursors(stage.kafka)
    ingest = Ingest(sinks, table.all, stage.settings.relay_list, authenticate, cursors)
    stage.ready_when(table.ready.is_set)
    try:
        await together(ingest.run(), table.run_owned("ncc-ingest", ingest.merchants_changed), sinks.failure)
    finally:
        await producer.stop()
