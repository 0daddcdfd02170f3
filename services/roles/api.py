"""The api role, composed."""

from __future__ import annotations

from services.api.app import Services, make_app
from services.metrics.client import QueryClient
from services.roles.http import serve
from services.roles.stage import Stage, together
from services.vault import Vault
from streams.follower import JournalTail
from streams.merchants import MerchantTable
from streams.replay import Replay
from streams.sinks import Desk, Sinks


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
            seal=vault.seal_goods,
            replayer=Replay(stage.kafka, sinks),
            is_signer_for=lambda key: key in stage.signer.merchants(),
            letters=vault,
        )
    )
    stage.ready_when(lambda: tail.started.is_set() and table.ready.is_set())
    try:
        await together(tail.run(), table.run(), serve(app, stage.settings.api_url), sinks.failure)
    finally:
        await queries.close()
        vault.close()
        await producer.stop()
