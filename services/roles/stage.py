"""What every role stands on: settings, the cluster, the home's secrets, and how roles run their parts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import structlog

from schemas.nostr.nip01 import to_json
from schemas.signing import SignerDenies
from services.config import Role, Settings
from services.home import Home
from services.relays.urls import normalise_relay_url
from services.signer.keystore import Keystore, secret_of
from services.signer.local import LocalSigner
from services.signer.port import Signer
from services.signer.remote import RemoteSigner
from streams.follower import Follower, JournalHandler
from streams.kafka import Kafka

log = structlog.get_logger(role="stage")


class Stage:
    """What every role stands on: settings, the cluster, the home's secrets, and when it is ready."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self.settings = settings
        self.role = role
        self.home = Home(settings.home)
        self.kafka = Kafka(settings.kafka, settings.partitions, f"ncc-{role.value}", settings.instance)
        self.is_ready: Callable[[], bool] = lambda: False
        self.lag: Callable[[], Awaitable[dict[int, int]]] = _no_lag
        self.notice = ""
        """What the operator should see beside a role that runs: one sentence, or nothing."""

    def ready_when(
        self, is_ready: Callable[[], bool], lag: Callable[[], Awaitable[dict[int, int]]] | None = None
    ) -> None:
        """Say what has to hold before this role counts as answering, and how far it is behind."""
        self.is_ready = is_ready
        self.lag = lag or _no_lag

    @cached_property
    def signer(self) -> Signer:
        """The signer process that the settings name, else one in this process over the home's keystore."""
        if self.settings.signer:
            return RemoteSigner(Path(self.settings.signer))
        return LocalSigner(Keystore.of(self.home))

    def auth_events(self, among: Iterable[str] | None, relay_url: str, challenge: str) -> list[str]:
        """Answers to a relay's challenge as JSON, of every merchant we sign for (or those among some); none where
        the signer denies, for then the relay asks again."""
        now_s = int(time.time())
        try:
            keys = sorted(self.signer.merchants() if among is None else self.signer.merchants() & set(among))
            return [to_json(self.signer.authenticate(key, relay_url, challenge, now_s)) for key in keys]
        except SignerDenies as denied:
            log.warning("relay not answered", relay=relay_url, why=str(denied))
            return []

    def notify(self, sentence: str) -> None:
        """Show the operator a sentence beside this role until the next one; an empty one takes it away."""
        self.notice = sentence

    def secret(self, name: str) -> bytes:
        """A secret of 32 random bytes in the home, made at first use by whichever role comes first."""
        return secret_of(self.home, name)

    def is_trusted_relay(self, url: str) -> bool:
        """Whether the operator vouches for this relay."""
        return url in {normalise_relay_url(own) for own in self.settings.relay_list}


async def _no_lag() -> dict[int, int]:
    return {}


async def together(*work: Coroutine[Any, Any, None] | asyncio.Future[None]) -> None:
    """Run all until the first ends or fails; a failure is raised, and nothing is left running."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def follow(stage: Stage, handler: JournalHandler, patience_ms: int = 0) -> Coroutine[Any, Any, None]:
    """A follower of the journal under the role's own name; ready once it has caught up."""
    follower = Follower(stage.kafka, f"ncc-{stage.role.value}", handler, patience_ms)
    stage.ready_when(lambda: follower.is_caught_up, follower.lag)
    return follower.run()
