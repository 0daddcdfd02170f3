"""The api role, composed."""

from __future__ import annotations

from schemas import topics
from schemas.codec import decode
from schemas.quarantine import Quarantined
from services.api.app import Services, make_app
from services.metrics.client import QueryClient
from services.roles.http import serve
from services.roles.stage import Stage, together
from services.vault import Vault
from streams.follower import JournalTail
from streams.kafka import Kafka
from streams.merchants import MerchantTable
from streams.sinks import Desk, Sinks
from streams.topic_reader import read_all


class Replay:
    """Quarantined originals, found in the topic and put back into `ncc.raw`."""

    def __init__(self, kafka: Kafka, sinks: Sinks) -> None:
        self._kafka, self._sinks = kafka, sinks

    async def find(self, quarantine_id: str) -> Quarantined | None:
        """The newest record of this id."""
        found: Quarantined | None = None
        async for record in read_all(self._kafka, topics.QUARANTINE):
            if (record.key or b"").decode() == quarantine_id:
                found = decode(Quarantined, record.value)
        return found

    async def replay(self, quarantine_id: str) -> bool:
        """Send the original through the pipeline again, with the time it was first received."""
        record = await self.find(quarantine_id)
        if record is None or record.original is None:
            return False
        headers = (
            ("relay", (record.relay or "").encode()),
            ("received_ms", str(record.at_ms).encode()),
            ("tenants", (record.merchant or "").encode()),
            ("why", b"replay"),
        )
        await self._sinks.put_raw(quarantine_id, record.original.encode(), headers)
        return True


async def run(stage: Stage) -> None:
    """The API over loopback HTTP."""
    producer = await stage.kafka.producer()
    sinks, tail, table = Sinks(producer), JournalTail(stage.kafka), MerchantTable(stage.kafka)
    queries = QueryClient(stage.settings.metrics_url, stage.home.token())
    vault = Vault(stage.home.secrets / "vault.db")
    app = make_app(
        Services(
            token=stage.home.token(),
            desk=Desk(sinks, tail),
            queries=queries,
            merchants=table,
            put_merchant=sinks.put_merchant,
            personal=vault.of_order,
            replayer=Replay(stage.kafka, sinks),
            is_signer_for=lambda key: key in stage.signer.merchants(),
        )
    )
    stage.ready_when(lambda: tail.started.is_set() and table.ready.is_set())
    try:
        await together(tail.run(), table.run(), serve(app, stage.settings.api_url), sinks.failure)
    finally:
        await queries.close()
        vault.close()
        await producer.stop()
