"""Asking over HTTP: what agrees becomes a rate, what fails is named, what is pinned stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.rates.fixed import FixedRates
from services.rates.live import BYTES_MAX, LiveRates
from services.rates.sources import parse

NOTHING = FixedRates({})


class Prices:
    """A server that says what it is told to; None hangs up."""

    def __init__(self) -> None:
        self.body: bytes | None = b""
        self.status = 200
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if self.body is not None:
            head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + self.body)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def servers() -> AsyncIterator[tuple[Prices, Prices]]:
    """Two sources on this machine."""
    both = (Prices(), Prices())
    running = [await asyncio.start_server(one.answer, "127.0.0.1", 0) for one in both]
    for one, server in zip(both, running, strict=True):
        one.port = server.sockets[0].getsockname()[1]
    try:
        yield both
    finally:
        for server in running:
            server.close()


@asynccontextmanager
async def asking(one: Prices, two: Prices, pinned: FixedRates, said: list[str]) -> AsyncIterator[LiveRates]:
    """Rates that ask both many times a second."""
    sources = parse(f"mempool=http://127.0.0.1:{one.port}/,yadio=http://127.0.0.1:{two.port}/")
    rates = LiveRates(sources, pinned, said.append)
    task = asyncio.ensure_future(rates.run(every_s=0.02))
    try:
        yield rates
    finally:
        task.cancel()


async def until(rates: LiveRates, currency: str) -> None:
    async with asyncio.timeout(5):
        while currency not in rates.now(0):  # noqa: ASYNC110 nobody is told of a new rate
            await asyncio.sleep(0.01)


@pytest.mark.req("C-07")
async def test_what_two_sources_agree_on_is_the_rate_now() -> None:
    """As old as the answers are; a pinned rate comes before it."""
    said: list[str] = []
    async with servers() as (one, two):
        one.body, two.body = b'{"USD":100000,"EUR":80000}', b'{"BTC":{"USD":100000,"EUR":80000}}'
        async with asking(one, two, FixedRates.parse("EUR=1100"), said) as rates:
            await until(rates, "USD")
            now_ms = time.time_ns() // 1_000_000
            found = rates.now(now_ms)

    assert (found["USD"].msat_per_unit, found["USD"].source) == (1_000_000, "mempool+yadio")
    assert now_ms - 5_000 < found["USD"].as_of_ms <= now_ms
    assert (found["EUR"].msat_per_unit, found["EUR"].source) == (1_100_000, "fixed")
    assert set(said) == {""}


@pytest.mark.parametrize("fault", ["hangs up", "fails", "says too much", "says nonsense"])
async def test_a_source_that_fails_is_named_and_asked_again(fault: str) -> None:
    """No rate while one is left alone; as soon as it answers there is one, and the word about it is gone."""
    said: list[str] = []
    async with servers() as (one, two):
        one.body = b'{"USD":100000}'
        match fault:
            case "hangs up":
                two.body = None
            case "fails":
                two.status = 503
            case "says too much":
                two.body = b" " * (BYTES_MAX + 1)
            case _:
                two.body = b"<html>"
        async with asking(one, two, NOTHING, said) as rates:
            async with asyncio.timeout(5):
                while not any("yadio" in sentence for sentence in said):  # noqa: ASYNC110 as above
                    await asyncio.sleep(0.01)
            assert rates.now(0) == {}

            two.body, two.status = b'{"BTC":{"USD":100100}}', 200
            await until(rates, "USD")
            assert said[-1] == ""


async def test_without_sources_the_pinned_rates_are_all() -> None:
    """Nothing is asked, and nothing ends."""
    rates = LiveRates((), FixedRates.parse("USD=1000"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await rates.run()
    assert rates.now(7)["USD"].as_of_ms == 7
