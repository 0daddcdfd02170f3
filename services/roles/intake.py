"""The intake role, composed."""

from __future__ import annotations

import asyncio

from schemas import topics
from services.roles.stage import Stage, together
from services.vault import Vault
from streams import faust_app, intake
from streams.bursts import Bursts
from streams.intake import Intake
from streams.merchants import MerchantTable
from streams.reading import Reader


async def run(stage: Stage) -> None:
    """`ncc.raw` → commands or quarantine."""
    producer = await stage.kafka.producer(paced=True)
    table, vault = MerchantTable(stage.kafka), Vault(stage.home.secrets / "vault.db")
    holding = asyncio.ensure_future(table.run())
    try:
        await table.ready.wait()
        reader = Reader(table.hosted_since, stage.signer, vault, Bursts(), table.takes_nip15)
        work = Intake(reader, producer, stage.notify)
        app = faust_app.make_app(
            "ncc-intake",
            stage.settings.kafka,
            stage.settings.partitions,
            stage.home.root / "faust",
            committed_only=False,
            instance=stage.settings.instance,
        )
        room = intake.WaitingRoom(work, lambda key: table.get(key) is not None)
        intake.attach(app, room)
        readiness = faust_app.Readiness(app, topics.RAW.name)
        stage.ready_when(readiness, readiness.lag)
        await together(faust_app.run_app(app), room.run(), work.failure, holding)
    finally:
        holding.cancel()
        await producer.stop()
        vault.close()
