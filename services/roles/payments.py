"""The payments role, composed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from schemas.ciphers import CipherRefused
from schemas.nostr.nip19 import Profile, encode_nprofile
from schemas.values import SealedDetails
from services.brake import Brake
from services.payments.credentials import WalletStore
from services.payments.notices import HOOKS, hook_token
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedWallet
from services.payments.wallets import Wallets
from services.roles.stage import Stage, follow, together
from services.vault import Erased, Vault
from streams.hints import hear_hints
from streams.merchants import MerchantTable
from streams.sinks import Sinks
from streams.stretch import journal_stretch

PROFILE_RELAYS_MAX = 3
"""Relays that a payer's wallet is told of: as many as an inbox list has."""
PROFILE_RELAY_CHARS_MAX = 255
"""What an nprofile can hold of one (NIP-19)."""


async def run(stage: Stage) -> None:
    """Payments wanted → requests, look-ups, observations."""
    producer = await stage.kafka.producer(paced=True)
    sinks, table = Sinks(producer), MerchantTable(stage.kafka)
    simulated = SimulatedWallet(stage.home.wallet / "simulated.db")

    def kind_of(merchant: str) -> str | None:
        row = table.get(merchant)
        return None if row is None else row.wallet

    def spare_kind_of(merchant: str) -> str | None:
        row = table.get(merchant)
        return None if row is None else row.spare_wallet

    troubles: dict[str, str] = {}

    def notify(what: str, sentence: str) -> None:
        troubles[what] = sentence
        stage.notify("; ".join(one for one in troubles.values() if one))

    async def send(command: Any) -> None:
        await sinks.send(command)

    vaults: list[Vault] = []

    def vault() -> Vault:
        if not vaults:  # only for ecash that is handed in and links that are given out, the role needs the vault
            vaults.append(Vault(stage.home.secrets / "vault.db"))
        return vaults[0]

    def open_token(merchant: str, sealed: SealedDetails) -> str | None:
        try:
            return vault().text(merchant, sealed)
        except (Erased, CipherRefused):
            return None

    def seal_link(merchant: str, refund_id: str, link: str) -> SealedDetails | None:
        return vault().seal_link(merchant, refund_id, link)

    store, door = WalletStore.of(stage.home), stage.settings.service_url or None
    token_of = partial(hook_token, stage.secret(HOOKS))

    def profile_of(merchant: str) -> str | None:
        row = table.get(merchant)
        relays = (row.relays if row else ()) or stage.settings.relay_list
        short = [relay for relay in relays if relay.isascii() and len(relay) <= PROFILE_RELAY_CHARS_MAX]
        return encode_nprofile(Profile(merchant, tuple(short[:PROFILE_RELAYS_MAX]))) if short else None

    wallets = Wallets(kind_of, store, simulated, partial(notify, "missing"), spare_kind_of, token_of, door, profile_of)
    role = PaymentsRole(
        wallets.backend_of,
        stage.secret("preimage"),
        send,
        wallets.spare_of,
        partial(notify, "failing"),
        open_token,
        seal_link,
    )
    holding = asyncio.ensure_future(table.run())
    try:
        await table.ready.wait()
        brake = Brake(role, partial(journal_stretch, stage.kafka))
        hearing = hear_hints(stage.kafka, role.hinted)
        await together(follow(stage, brake), role.sweep(), hearing, role.failure, brake.failure, holding)
    finally:
        holding.cancel()
        await role.close()
        await wallets.close()
        simulated.close()
        for opened in vaults:
            opened.close()
        await producer.stop()
