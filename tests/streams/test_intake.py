"""Checks how raw records come to be read: by shops in turn, each acknowledged, whatever their headers hold."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from streams.intake import WaitingRoom, raw_record
from tests.support.builders import MERCHANT, OTHER_MERCHANT


@dataclass
class Event:
    """What Faust hands over."""

    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)

    def ack(self) -> None:
        """Nobody asks here."""


class Notes:
    """Stands in for intake and notes what it is given, in order."""

    def __init__(self) -> None:
        self.texts: asyncio.Queue[bytes] = asyncio.Queue()
        self.slow = asyncio.Event()

    async def handle(self, text: bytes, headers: dict[str, bytes], done: object) -> None:
        """Note it."""
        await self.slow.wait()
        self.texts.put_nowait(text)

    async def read(self, count: int) -> list[bytes]:
        """The first so many, waited for."""
        return [await self.texts.get() for _ in range(count)]


def wrap_for(merchant: str, number: int) -> bytes:
    """As much of a wrap as says whose it is."""
    return f'{{"tags":[["p","{merchant}"]],"n":{number}}}'.encode()


async def test_a_shop_that_is_flooded_does_not_keep_another_waiting() -> None:
    """A thousand for one, then one for the other: it is read second."""
    notes = Notes()
    room = WaitingRoom(notes, {MERCHANT, OTHER_MERCHANT}.__contains__)  # type: ignore[arg-type]
    for number in range(1_000):
        await room.put(Event(wrap_for(MERCHANT, number)))
    await room.put(Event(wrap_for(OTHER_MERCHANT, 0)))
    notes.slow.set()
    running = asyncio.create_task(room.run())
    read = await notes.read(1_001)
    running.cancel()

    assert read[1] == wrap_for(OTHER_MERCHANT, 0)
    assert [text for text in read if MERCHANT.encode() in text] == [wrap_for(MERCHANT, n) for n in range(1_000)]


async def test_whoever_fills_the_room_waits_until_something_was_read() -> None:
    """Bounded in bytes: fetching stops, and goes on."""
    notes = Notes()
    room = WaitingRoom(notes, lambda _key: False)  # type: ignore[arg-type]
    big = Event(b" " * 1_000_000)
    filling = asyncio.create_task(_fill(room, big, 40))
    running = asyncio.create_task(room.run())
    await asyncio.sleep(0.05)
    assert not filling.done()

    notes.slow.set()
    await asyncio.wait_for(filling, 5)
    assert await notes.read(40) == [big.value] * 40
    running.cancel()


async def _fill(room: WaitingRoom, event: Event, count: int) -> None:
    for _ in range(count):
        await room.put(event)


async def test_what_waits_before_anybody_reads_is_read() -> None:
    """Also a record without a value, as a tombstone is."""
    notes = Notes()
    notes.slow.set()
    room = WaitingRoom(notes, lambda _key: False)  # type: ignore[arg-type]
    await room.put(Event(None))
    running = asyncio.create_task(room.run())
    assert await notes.read(1) == [b""]
    running.cancel()


@pytest.mark.parametrize("number", [b"", b"soon", b"-1", b"1.5", b"9" * 400, b"\xff", "１".encode()])
def test_a_header_that_is_no_number_is_as_if_it_were_not_there(number: bytes) -> None:
    """A record must not stop the others, whoever wrote it."""
    raw = raw_record(b"{}", {"received_ms": number, "replayed_ms": number, "relay": b"\xff", "tenants": b"\xff,"})

    assert (raw.received_ms, raw.replayed_ms, raw.at_ms) == (0, None, 0)


def test_headers_are_read_as_ingest_writes_them() -> None:
    """Times, relay, and for whom."""
    headers = {"received_ms": b"5", "replayed_ms": b"7", "relay": b"wss://r", "tenants": b"a,b"}

    raw = raw_record(b"{}", headers)

    assert (raw.received_ms, raw.at_ms, raw.relay, raw.tenants) == (5, 7, "wss://r", ("a", "b"))
