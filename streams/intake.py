"""Intake: `ncc.raw` to `ncc.commands` or `ncc.quarantine`, on Faust (D4).

A record is acknowledged to Faust only once what it led to is in Kafka, so a crash repeats it;
the repeat gives the same command, which the decider ignores by meaning.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import faust
import structlog

from schemas import topics
from schemas.crash_points import Point, reach
from schemas.quarantine import Quarantined
from schemas.signing import ASK_AGAIN_S, SignerDenies
from streams.kafka import Producer
from streams.quarantining import place_of
from streams.raw import Commands, Known, Raw, Reading, quarantined
from streams.reading import Reader
from streams.turns import Turns, lane_of

SEEN_MAX = 50_000
"""Texts remembered, so that another relay's copy of the same event costs one hash."""
IN_FLIGHT_MAX = 2_000
WAITING_BYTES_MAX = 32 * 1_048_576
"""Records that wait for their turn: some ten thousand wraps, so that a flood is seen as one before it is read."""
EVENT_OVERHEAD_BYTES = 1_000
BREATH_EVERY = 16
NUMBER_DIGITS_MAX = 15

log = structlog.get_logger(role="intake")


class Intake:
    """Reads each record, and hands what it led to on."""

    def __init__(self, reader: Reader, producer: Producer, notify: Callable[[str], None] = lambda _: None) -> None:
        """`notify` shows the operator a sentence; an empty one takes it away."""
        self._reader = reader
        self._notify = notify
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
        sent: list[asyncio.Future[tuple[int, int]]] = []
        reading = await self._read(raw_record(text, headers))
        reach(Point.INTAKE_READ)
        match reading:
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
        reach(Point.INTAKE_SENT)
        if not sent:
            done()
            return
        await self._slots.acquire()
        asyncio.gather(*sent).add_done_callback(lambda all_sent: self._finish(all_sent, done))

    async def _read(self, raw: Raw) -> Reading:
        """What it leads to; while the signer denies, this record and those behind it wait."""
        denied = False
        while True:
            reading = self._read_once(raw)
            if isinstance(reading, SignerDenies):
                self._notify(f"messages wait for the signer: {reading}")
                denied = True
                await asyncio.sleep(ASK_AGAIN_S)
                continue
            if denied:
                self._notify("")
            return reading

    def _read_once(self, raw: Raw) -> Reading | SignerDenies:
        try:
            return self._reader.read(raw)
        except SignerDenies as denied:
            log.warning("signer denies", why=str(denied))
            return denied
        except Exception as error:  # noqa: BLE001  # one record must not stop the others, whatever it is (OPS-07)
            where = place_of(error)
            log.error("record not read", error=where)
            return quarantined(raw, "not_read", where, None)

    def _finish(self, all_sent: asyncio.Future[Any], done: Any) -> None:
        self._slots.release()
        if all_sent.cancelled():
            return
        if (error := all_sent.exception()) is not None:
            if not self.failure.done():
                self.failure.set_exception(error)
            return
        done()
        reach(Point.INTAKE_ACKNOWLEDGED)

    def _remember(self, digest: bytes) -> None:
        self._seen[digest] = None
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)


def raw_record(text: bytes, headers: dict[str, bytes]) -> Raw:
    """A record of `ncc.raw`; a header that is no number counts as none, for a record must never stop the others."""
    replayed_ms = _number(headers.get("replayed_ms", b""))
    return Raw(
        text=text,
        relay=headers.get("relay", b"").decode("utf-8", "replace"),
        received_ms=_number(headers.get("received_ms", b"")) or 0,
        tenants=tuple(t for t in headers.get("tenants", b"").decode("ascii", "replace").split(",") if t),
        replayed_ms=replayed_ms,
    )


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else None


class WaitingRoom:
    """Holds what was fetched and gives it to `intake` by merchants in turn (C-38)."""

    def __init__(self, intake: Intake, is_hosted: Callable[[str], bool]) -> None:
        self._intake = intake
        self._is_hosted = is_hosted
        self._turns: Turns[Any] = Turns(WAITING_BYTES_MAX)
        self._wake = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, event: Any) -> None:
        """Let a raw event wait for its turn; waits itself while too much does."""
        text = event.value or b""
        self._turns.put(lane_of(text, self._is_hosted), event, len(text) + EVENT_OVERHEAD_BYTES)
        self._wake.set()
        while self._turns.is_full:
            self._room.clear()
            await self._room.wait()

    async def run(self) -> None:
        """Take turns until cancelled; raises what intake cannot cure."""
        while True:
            while not self._turns:
                self._wake.clear()
                await self._wake.wait()
            taken = 0
            while self._turns:
                event = self._turns.take()
                self._room.set()
                await self._intake.handle(event.value or b"", dict(event.headers or {}), event.ack)
                taken += 1
                if taken % BREATH_EVERY == 0:
                    await asyncio.sleep(0)  # lets what was fetched meanwhile take its place in the lanes


def attach(app: faust.App, room: WaitingRoom) -> None:
    """Give the app its one agent: every raw record through the waiting room, acknowledged when it is done with."""
    raw_topic = app.topic(topics.RAW.name, key_type=bytes, value_type=bytes, internal=False)

    @app.agent(raw_topic, name="intake")  # type: ignore[untyped-decorator,unused-ignore]
    async def read_raw(stream: Any) -> None:
        async for event in stream.noack().events():
            await room.put(event)
