"""`ncc up`: Kafka, a relay and every role in one home folder, kept running until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.topics import PARTITIONS_DEFAULT
from services.cli.options import Home
from services.cli.output import ERR, OUT, fail, table
from services.config import Role, Settings
from services.embedded import kafka as embedded_kafka
from services.embedded.ports import LOOPBACK, KeptPorts, PortTakenError
from services.home import Home as HomeFolder
from services.home import HomeBusyError, Ready
from services.rates.fixed import BadRates, FixedRates
from services.rates.sources import BadSources
from services.rates.sources import parse as parse_sources
from services.relays.errors import BadRelayUrl
from services.relays.urls import normalise_relay_url
from services.supervision.launchers import ForkServer
from services.supervisor import Child, ChildState, ChildStatus, supervise
from streams.kafka import Kafka, TopicsRefused

app = typer.Typer()

NEEDS: dict[Role, tuple[str, ...]] = {Role.INGEST: ("kafka", "relay"), Role.PUBLISHER: ("kafka", "relay")}
"""What a role needs to be up before it starts; the others need Kafka alone."""

JOBS: dict[str, str] = {
    "kafka": "keeps every event and decision",
    "relay": "where buyers and merchants meet",
    "ingest": "relays → ncc.raw",
    "intake": "verify, open, parse → commands",
    "decider": "decides → the journal",
    "views": "journal → state tables",
    "payments": "asks for money, sees it arrive",
    "publisher": "answers buyers, publishes listings",
    "metrics": "journal → ClickHouse",
    "api": "answers the operator",
    "auditor": "keeps its own books, freezes what they do not cover",
}


@app.command()
def up(
    home: Home = None,
    relay: Annotated[
        list[str] | None, typer.Option(help="Use this relay instead of an embedded one; may be given again.")
    ] = None,
    rates: Annotated[str, typer.Option(envvar="NCC_RATES", help="Pinned, sats a unit: USD=1000,EUR=1100.")] = "",
    rate_sources: Annotated[
        str, typer.Option(envvar="NCC_RATE_SOURCES", help="Live, two or more: coinbase,kraken,mempool.")
    ] = "",
    kafka_port: Annotated[int | None, typer.Option(help="Port of the broker; a free one without it.")] = None,
    relay_port: Annotated[int | None, typer.Option(help="Port of the relay; a free one without it.")] = None,
    api_port: Annotated[int | None, typer.Option(help="Port of the API; a free one without it.")] = None,
    partitions: Annotated[
        int, typer.Option(envvar="NCC_PARTITIONS", min=1, max=1_000, help="Partitions, chosen once a deployment.")
    ] = PARTITIONS_DEFAULT,
) -> None:
    """Start the whole stack in one folder and keep it running until Ctrl-C."""
    folder = HomeFolder(home or Path())
    try:
        FixedRates.parse(rates)
        parse_sources(rate_sources)
        relays = [normalise_relay_url(url) for url in relay or []]
    except (BadRates, BadSources, BadRelayUrl) as error:
        fail(str(error), 2)

    def compose() -> tuple[Sequence[Child], Ready]:
        return _compose(folder, relays, rates, rate_sources, partitions, kafka_port, relay_port, api_port)

    watch = _Watch(folder)
    try:
        asyncio.run(supervise(folder, compose, on_change=watch.changed))
    except HomeBusyError as error:
        fail(str(error), 3)
    except (embedded_kafka.KafkaError, PortTakenError, TopicsRefused) as error:
        fail(str(error), 2)
    finally:
        watch.end()


def _compose(
    folder: HomeFolder,
    relays: list[str],
    rates: str,
    rate_sources: str,
    partitions: int,
    kafka_port: int | None,
    relay_port: int | None,
    api_port: int | None,
) -> tuple[list[Child], Ready]:
    """Every child of the stack, and where it will answer. Secrets are made first, so that no two roles make one."""
    ports = KeptPorts(folder.run / "ports.json")
    broker = embedded_kafka.prepare(folder.kafka, port=kafka_port)
    own_relay = None if relays else f"ws://{LOOPBACK}:{ports.take('relay', relay_port)}"
    settings = Settings(
        home=folder.root,
        kafka=broker.bootstrap,
        partitions=partitions,
        relays=",".join(relays or [own_relay or ""]),
        rates=rates,
        rate_sources=rate_sources,
        instance="1",
        metrics_url=f"http://{LOOPBACK}:{ports.take('metrics')}",
        api_url=f"http://{LOOPBACK}:{ports.take('api', api_port)}",
    )
    folder.token()
    children = [
        Child("kafka", broker.argv, env=broker.env, ready=_kafka_ready(broker, settings), fatal=(TopicsRefused,))
    ]
    if own_relay is not None:
        argv = [sys.executable, "-m", "services.embedded.relay", "--host", LOOPBACK]
        argv += ["--port", own_relay.rpartition(":")[2], "--folder", str(folder.relay)]
        children.append(Child("relay", argv, ready=own_relay))
    forks = ForkServer([sys.executable, "-m", "services.roles.fork_server"], folder.logs / "roles.log")
    for role in Role:
        needs = tuple(n for n in NEEDS.get(role, ("kafka",)) if n != "relay" or own_relay)
        children.append(
            Child(
                role.value,
                [role.value],
                env=settings.environment(),
                ready=_role_ready(folder, role),
                depends=needs,
                waits=False,
                launcher=forks,
            )
        )
    ready = Ready(
        relay=settings.relay_list[0],
        api=settings.api_url,
        kafka=broker.bootstrap,
        token_file=str(folder.token_file),
        pid=os.getpid(),
        partitions=partitions,
    )
    return children, ready


def _kafka_ready(broker: embedded_kafka.Broker, settings: Settings):  # type: ignore[no-untyped-def]
    """The broker answers and has the topics of the table; a wrong partition count stops the start."""

    async def ready() -> bool:
        if not await asyncio.to_thread(broker.answers):
            return False
        await Kafka(settings.kafka, settings.partitions, "ncc-up").ensure_topics(settings.replication)
        return True

    return ready


def _role_ready(folder: HomeFolder, role: Role):  # type: ignore[no-untyped-def]
    """The role said so itself within the last seconds."""
    path = folder.run / f"{role.value}.alive"

    def ready() -> bool:
        said = json.loads(path.read_text())
        return bool(said["ready"] and time.time() - said["at_ms"] / 1_000 < 5)

    return ready


class _Watch:
    """Shows the start as a bar, then one calm table, then only what goes wrong."""

    def __init__(self, folder: HomeFolder) -> None:
        self._folder = folder
        self._states: dict[str, ChildStatus] = {}
        self._shown = False
        columns = (
            TextColumn("[bold]ncc up[/bold]"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=OUT, transient=True)
        self._task = self._progress.add_task("starting", total=len(JOBS))
        self._progress.start()

    def changed(self, status: ChildStatus) -> None:
        """Called by the supervisor whenever a child's state changes."""
        self._states[status.name] = status
        up_now = [name for name, known in self._states.items() if known.state is ChildState.UP]
        if not self._shown:
            waiting = [name for name in self._states if name not in up_now]
            self._progress.update(
                self._task,
                completed=len(up_now),
                total=len(self._states),
                description=f"waiting for {', '.join(waiting[:3])}",
            )
            if self._folder.ready_file.exists():
                self._show()
        if status.state is ChildState.FAILING:
            ERR.print(f"[red]{status.name}[/red] keeps dying: {status.last_error} (logs/{status.name}.log)")
        elif status.state is ChildState.RESTARTING and self._shown:
            ERR.print(f"[yellow]{status.name}[/yellow] died and is started again: {status.last_error}")

    def _show(self) -> None:
        self._shown = True
        self._progress.stop()
        ready = self._folder.ready()
        if ready is None:
            return
        places = {"kafka": ready.kafka, "relay": ready.relay, "api": ready.api}
        table(
            f"Running in {self._folder.root}",
            ("what", "where", "pid", "its job"),
            ((s.name, places.get(s.name, ""), s.pid, JOBS.get(s.name, "")) for s in self._states.values()),
            "",
        )
        OUT.print("Stop with Ctrl-C. Add a shop with `ncc merchant add NAME`, look with `ncc status`.")

    def end(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()
