"""The publisher role, composed."""

from __future__ import annotations

import asyncio
from functools import partial

from services.brake import Brake
from services.directory import Directory
from services.publisher import PublisherRole
from services.relays import Publisher as RelayPublisher
from services.relays import normalise_relay_url
from services.roles.stage import Stage, follow, together
from services.vault import Vault
from streams.merchants import MerchantTable
from streams.outbox import OutboxTopic
from streams.sinks import Sinks
from streams.stretch import journal_stretch


async def run(stage: Stage) -> None:
    """Replies and listings → relays."""
    producer = await stage.kafka.producer(paced=True)
    sinks, table = Sinks(producer), MerchantTable(stage.kafka)
    vault = Vault(stage.home.secrets / "vault.db")

    async def authenticate(relay_url: str, challenge: str) -> list[str]:
        return stage.auth_events(None, relay_url, challenge)

    def is_trusted(url: str) -> bool:
        own = (relay for merchant in table.all() for relay in merchant.relays)
        named = (*own, *stage.settings.discovery_list)
        return stage.is_trusted_relay(url) or url in {normalise_relay_url(relay) for relay in named}

    holding = asyncio.ensure_future(table.run())
    try:
        await table.ready.wait()
        async with RelayPublisher(authenticate=authenticate, is_trusted=is_trusted) as relays:
            directory = Directory(relays, is_trusted, stage.settings.route_policy)
            outbox = OutboxTopic(stage.kafka, producer)
            role = PublisherRole(
                stage.signer,
                relays,
                directory,
                table.get,
                stage.settings.relay_list,
                sinks,
                outbox,
                stage.notify,
                vault.text,
                stage.settings.discovery_list,
            )
            brake = Brake(role, partial(journal_stretch, stage.kafka))
            await together(follow(stage, brake), role.failure, brake.failure, holding)
    finally:
        holding.cancel()
        await producer.stop()
        vault.close()
