"""The composition root: each role built from its parts and run until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn
import uvloop

from schemas import topics
from schemas.bolt11 import Network
from schemas.codec import NotOurContract, decode
from schemas.deliveries import Delivery
from schemas.nostr.nip01 import to_json
from schemas.quarantine import Quarantined
from schemas.rows import InventoryRow, OrderRow, ReviewRow
from services.api.app import Services, make_app
from services.config import Role, Settings
from services.directory import Directory
from services.ingest import Ingest
from services.logs import configure_logs
from services.metrics.client import QueryClient
from services.metrics.query_server import query_app
from services.metrics.role import MetricsRole
from services.metrics.store import open_store
from services.metrics.writer import MetricsWriter
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from services.publisher import PublisherRole
from services.rates import FixedRates
from services.relays import Publisher as RelayPublisher
from services.relays import normalise_relay_url
from services.signer.keystore import Keystore, write_private
from services.signer.local import LocalSigner
from services.vault import Vault
from streams import faust_app, intake, views
from streams.decider import Decider
from streams.follower import Follower, JournalHandler, JournalTail
from streams.intake import Intake
from streams.kafka import Kafka, Record
from streams.merchants import MerchantTable
from streams.reading import Reader
from streams.sinks import Desk, Sinks, load_cursors
from streams.topic_reader import follow_batches, read_all

ALIVE_EVERY_S = 0.5
STOP_TIMEOUT_S = 8.0

log = structlog.get_logger()


class Stage:
    """What every role stands on: settings, the cluster, the home's secrets, and when it is ready."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self.settings = settings
        self.role = role
        self.home = settings.home
        self.kafka = Kafka(settings.kafka, settings.partitions, f"ncc-{role.value}")
        self.is_ready: Callable[[], bool] = lambda: False

    def ready_when(self, is_ready: Callable[[], bool]) -> None:
        """Say what has to hold before this role counts as answering."""
        self.is_ready = is_ready

    @property
    def signer(self) -> LocalSigner:
        """The signer over the home's keystore."""
        return LocalSigner(Keystore(self.home / "keys", self.home / "secrets" / "keystore-passphrase"))

    def secret(self, name: str) -> bytes:
        """A secret of 32 random bytes in the home, made at first use by whichever role comes first."""
        path = self.home / "secrets" / name
        if not path.exists():
            write_private(path, secrets.token_hex(32) + "\n")
        return bytes.fromhex(path.read_text().strip())

    @property
    def token(self) -> str:
        """The API token of this home."""
        path = self.home / "token"
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32) + "\n")
        return path.read_text().strip()

    def is_trusted_relay(self, url: str) -> bool:
        """Whether the operator vouches for this relay."""
        return url in {normalise_relay_url(own) for own in self.settings.relay_list}


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


async def run_ingest(stage: Stage) -> None:
    """Relays → `ncc.raw`."""
    producer = await stage.kafka.producer(linger_ms=2)
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


async def run_intake(stage: Stage) -> None:
    """`ncc.raw` → commands or quarantine."""
    producer = await stage.kafka.producer(linger_ms=2)
    table, vault = MerchantTable(stage.kafka), Vault(stage.home / "secrets" / "vault.db")
    holding = asyncio.ensure_future(table.run())
    try:
        await table.ready.wait()
        reader = Reader(lambda key: table.get(key) is not None, stage.signer, vault)
        work = Intake(reader, producer)
        app = faust_app.make_app(
            "ncc-intake", stage.settings.kafka, stage.settings.partitions, stage.home / "faust", committed_only=False
        )
        intake.attach(app, work)
        stage.ready_when(faust_app.Readiness(app))
        await together(faust_app.run_app(app), work.failure, holding)
    finally:
        holding.cancel()
        await producer.stop()
        vault.close()


async def run_decider(stage: Stage) -> None:
    """Commands → the journal."""
    rates = FixedRates.parse(stage.settings.rates)
    decider = Decider(stage.kafka, rates.now)
    stage.ready_when(lambda: decider.is_ready)
    await decider.run()


async def run_views(stage: Stage) -> None:
    """The journal → state tables."""
    app = faust_app.make_app(
        topics.VIEWS_APP, stage.settings.kafka, stage.settings.partitions, stage.home / "faust", committed_only=True
    )
    views.attach(app, stage.settings.partitions)
    stage.ready_when(faust_app.Readiness(app))
    await faust_app.run_app(app)


def follow(stage: Stage, handler: JournalHandler, from_start: bool = False) -> Coroutine[Any, Any, None]:
    """A follower of the journal under the role's own name; ready once it has caught up."""
    follower = Follower(stage.kafka, f"ncc-{stage.role.value}", handler, from_start)
    stage.ready_when(lambda: follower.is_caught_up)
    return follower.run()


async def run_payments(stage: Stage) -> None:
    """Payments wanted → requests, look-ups, observations."""
    producer = await stage.kafka.producer()
    sinks = Sinks(producer)
    wallet = SimulatedWallet(stage.home / "wallet" / "simulated.db")
    accounts: dict[str, SimulatedAccount] = {}

    def backend_of(merchant: str) -> SimulatedAccount:
        if merchant not in accounts:
            accounts[merchant] = wallet.account(merchant)
        return accounts[merchant]

    async def send(command: Any) -> None:
        await sinks.send(command)

    role = PaymentsRole(backend_of, Network.REGTEST, stage.secret("preimage"), send)
    try:
        await together(follow(stage, role), role.sweep(), role.failure)
    finally:
        await role.close()
        wallet.close()
        await producer.stop()


async def run_publisher(stage: Stage) -> None:
    """Replies and listings → relays."""
    producer = await stage.kafka.producer(linger_ms=2)
    sinks, table, signer = Sinks(producer), MerchantTable(stage.kafka), stage.signer

    async def authenticate(relay_url: str, challenge: str) -> list[str]:
        now_s = int(time.time())
        return [to_json(signer.authenticate(key, relay_url, challenge, now_s)) for key in sorted(signer.merchants())]

    def is_trusted(url: str) -> bool:
        own = (relay for merchant in table.all() for relay in merchant.relays)
        return stage.is_trusted_relay(url) or url in {normalise_relay_url(relay) for relay in own}

    holding = asyncio.ensure_future(table.run())
    try:
        await table.ready.wait()
        async with RelayPublisher(authenticate=authenticate, is_trusted=is_trusted) as relays:
            directory = Directory(relays, is_trusted, stage.settings.route_policy)
            role = PublisherRole(signer, relays, directory, table.get, stage.settings.relay_list, sinks)
            await together(follow(stage, role), role.failure, holding)
    finally:
        holding.cancel()
        await producer.stop()


async def run_metrics(stage: Stage) -> None:
    """The journal, state rows, deliveries and quarantine → ClickHouse; and its query door."""
    store = await asyncio.to_thread(open_store, stage.settings.clickhouse_dsn)
    salt = stage.secret("pseudonym")
    writer = MetricsWriter(store, lambda merchant, buyer: pseudonym(salt, merchant, buyer))
    await asyncio.to_thread(writer.migrate)
    role = MetricsRole(writer)
    kafka = stage.kafka

    async def orders(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_orders, _decoded(OrderRow, records))

    async def inventory(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_inventory, _decoded(InventoryRow, records))

    async def reviews(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_reviews, _decoded(ReviewRow, records))

    async def deliveries(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_deliveries, _decoded(Delivery, records))

    async def quarantine(records: list[Record[bytes, bytes]]) -> None:
        await asyncio.to_thread(writer.write_quarantine, _decoded(Quarantined, records))

    server = serve(query_app(store, stage.token), stage.settings.metrics_url)
    await together(
        follow(stage, role),
        role.flush(),
        follow_batches(kafka, topics.changelog("orders"), "ncc-metrics-orders", orders),
        follow_batches(kafka, topics.changelog("inventory"), "ncc-metrics-inventory", inventory),
        follow_batches(kafka, topics.changelog("reviews"), "ncc-metrics-reviews", reviews),
        follow_batches(kafka, topics.DELIVERIES, "ncc-metrics-deliveries", deliveries),
        follow_batches(kafka, topics.QUARANTINE, "ncc-metrics-quarantine", quarantine),
        server,
    )


def _decoded[M: Any](contract: type[M], records: list[Record[bytes, bytes]]) -> list[M]:
    """The records that hold such a contract; tombstones and others are left out, the latter with a word in the log."""
    found: list[M] = []
    for record in records:
        if record.value is None:
            continue
        try:
            found.append(decode(contract, record.value))
        except NotOurContract as error:
            log.warning("record skipped", topic=record.topic, offset=record.offset, error=str(error))
    return found


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


async def run_api(stage: Stage) -> None:
    """The API over loopback HTTP."""
    producer = await stage.kafka.producer()
    sinks, tail, table = Sinks(producer), JournalTail(stage.kafka), MerchantTable(stage.kafka)
    queries = QueryClient(stage.settings.metrics_url, stage.token)
    vault = Vault(stage.home / "secrets" / "vault.db")
    app = make_app(
        Services(
            token=stage.token,
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


def serve(app: Any, url: str) -> Coroutine[Any, Any, None]:
    """An HTTP server on the URL's address; it leaves signals to the role."""
    at = urlsplit(url)
    config = uvicorn.Config(
        app, host=at.hostname or "127.0.0.1", port=at.port or 80, log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server.serve()


def pseudonym(salt: bytes, merchant: str, buyer: str) -> str:
    """A buyer's name in analytics: another one for each merchant, and unlinkable without the salt (C-44)."""
    return hmac.digest(salt, f"{merchant}:{buyer}".encode(), "sha256").hex()[:32]


RUN: dict[Role, Callable[[Stage], Awaitable[None]]] = {
    Role.INGEST: run_ingest,
    Role.INTAKE: run_intake,
    Role.DECIDER: run_decider,
    Role.VIEWS: run_views,
    Role.PAYMENTS: run_payments,
    Role.PUBLISHER: run_publisher,
    Role.METRICS: run_metrics,
    Role.API: run_api,
}


def run_role(role: Role, settings: Settings) -> int:
    """Run one role in this process until SIGINT or SIGTERM; the exit code is 0 for a stop that was asked for."""
    configure_logs(role.value)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(role, settings))


async def _run(role: Role, settings: Settings) -> int:
    stage = Stage(settings, role)
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(RUN[role](stage))
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda number=number: (asked.append(number), work.cancel()))
    alive = asyncio.ensure_future(_say_alive(stage))
    try:
        await work
    except asyncio.CancelledError:
        if not asked:
            raise
    except Exception as error:  # the process's edge: the supervisor restarts it and shows this line
        log.critical("role stopped", role=role.value, error=f"{type(error).__name__}: {error}", exc_info=True)
        return 1
    finally:
        alive.cancel()
        with contextlib.suppress(FileNotFoundError):
            alive_file(settings.home, role).unlink()
    return 0


def alive_file(home: Path, role: Role) -> Path:
    """Where a role says, twice a second, that its event loop turns and whether it answers."""
    return home / "run" / f"{role.value}.alive"


async def _say_alive(stage: Stage) -> None:
    path = alive_file(stage.home, stage.role)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        said = {"pid": os.getpid(), "ready": stage.is_ready(), "at_ms": time.time_ns() // 1_000_000}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(said))
        temporary.replace(path)
        await asyncio.sleep(ALIVE_EVERY_S)
