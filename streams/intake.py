"""Intake: `ncc.raw` to `ncc.commands` or `ncc.quarantine`, on Faust (D4).

A record is acknowledged to Faust only once what it led to is in Kafka, so a crash repeats it;
the repeat gives the same command, which the decider ignores by meaning.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from typing import Any

import faust
import structlog

from schemas import topics
from schemas.quarantine import Quarantined
from streams.kafka import Producer
from streams.reading import Commands, Known, Raw, Reader

SEEN_MAX = 50_000
"""Texts remembered, so that another relay's copy of the same event costs one hash."""
IN_FLIGHT_MAX = 2_000

log = structlog.get_logger(role="intake")


class Intake:
    """Reads each record, and hands what it led to on."""

    def __init__(self, reader: Reader, producer: Producer) -> None:
        self._reader = reader
        self._producer = producer
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.counts: Counter[str] = Counter()

    async def handle(self, text: bytes, headers: dict[str, bytes], done: Any) -> None:
        """Read one record; `done()` is called once everything it led to is in Kafka."""
        digest = hashlib.sha256(text).digest()
        if digest in self._seen and b"replay" not in headers.get("why", b""):
            self.counts["duplicate"] += 1
            done()
            return
        raw = Raw(
            text=text,
            relay=headers.get("relay", b"").decode("utf-8", "replace"),
            received_ms=int(headers.get("received_ms", b"0")),
            tenants=tuple(t for t in headers.get("tenants", b"").decode("ascii", "replace").split(",") if t),
        )
        sent: list[asyncio.Future[tuple[int, int]]] = []
        match self._reader.read(raw):
            case Commands(commands=commands):
                for command in commands:
                    self.counts[command.body.type] += 1
                    sent.append(await self._producer.put(topics.COMMANDS, command.merchant, command))
            case Quarantined() as quarantined:
                self.counts[quarantined.reason] += 1
                sent.append(await self._producer.put(topics.QUARANTINE, quarantined.id, quarantined))
            case Known(why=why):
                self.counts[why] += 1
        self._remember(digest)
        if not sent:
            done()
            return
        await self._slots.acquire()
        asyncio.gather(*sent).add_done_callback(lambda all_sent: self._finish(all_sent, done))

    def _finish(self, all_sent: asyncio.Future[Any], done: Any) -> None:
        self._slots.release()
        if all_sent.cancelled():
            return
        if (error := all_sent.exception()) is not None:
            if not self.failure.done():
                self.failure.set_exception(error)
            return
        done()

    def _remember(self, digest: bytes) -> None:
        self._seen[digest] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)


def attach(app: faust.App, intake: Intake) -> None:
    """Give the app its one agent: every raw record through `intake`, acknowledged when it is done with."""
    raw_topic = app.topic(topics.RAW.name, key_type=bytes, value_type=bytes, internal=False)

    @app.agent(raw_topic, name="intake")  # type: ignore[untyped-decorator,unused-ignore]
    async def read_raw(stream: Any) -> None:
        async for event in stream.noack().events():
            await intake.handle(event.value or b"", dict(event.headers or {}), event.ack)
