"""One socket: limits on what comes in, and where it may go."""

import asyncio
import time

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Response

from schemas import limits
from services.relays.connection import Connection, ConnectionSettings, open_connection
from services.relays.errors import ConnectionLost, Forbidden, Unreachable
from services.relays.frames import BadFrame, FrameTooBig, NoticeFrame
from tests.services.relays.scripted_relay import Guest, ScriptedRelay
from tests.services.relays.support import CONNECTION


async def connect(relay: ScriptedRelay, settings: ConnectionSettings = CONNECTION) -> Connection:
    """Connect to a relay of our own."""
    return await open_connection(relay.url, settings, is_trusted=True)


def notice_of(size_bytes: int) -> str:
    """Return a NOTICE frame of exactly so many bytes."""
    return '["NOTICE","' + "x" * (size_bytes - len('["NOTICE",""]')) + '"]'


@pytest.mark.req("REL-18")
async def test_a_frame_at_the_cap_is_read_and_one_byte_more_is_dropped() -> None:
    """192 KiB pass; beyond it the size is reported, and the socket goes on."""
    async with ScriptedRelay() as relay:
        connection = await connect(relay)
        for raw in (notice_of(196_608), notice_of(196_609), notice_of(5_000_000), '["NOTICE","on"]'):
            await relay.say_to_all(raw)
        frames = [await connection.receive() for _ in range(4)]
        await connection.close()
    assert isinstance(frames[0], NoticeFrame)
    assert frames[1:] == [FrameTooBig(196_609), FrameTooBig(5_000_000), NoticeFrame("on")]


async def test_a_frame_over_the_hard_cap_ends_the_connection() -> None:
    """What would fill memory is not read to its end."""
    async with ScriptedRelay() as relay:
        settings = ConnectionSettings(frame_hard_max_bytes=300_000, close_timeout_s=0.2)
        connection = await connect(relay, settings)
        await relay.say_to_all(notice_of(300_001))
        with pytest.raises(ConnectionLost) as lost:
            await connection.receive()
        await connection.close()
    assert lost.value.is_oversized


async def test_bytes_that_are_no_text_are_a_bad_frame_not_an_end() -> None:
    """Broken UTF-8 costs one frame."""

    async def greet(guest: Guest) -> None:
        await guest.connection.send(b"\xff\xfe", text=True)

    async with ScriptedRelay(on_connect=greet) as relay:
        connection = await connect(relay)
        assert await connection.receive() == BadFrame("not UTF-8", 2)
        await connection.close()


async def test_a_closed_connection_says_so() -> None:
    """Reading and sending on it raise, closing it again does not."""
    async with ScriptedRelay() as relay:
        connection = await connect(relay)
        relay.hang_up()
        with pytest.raises(ConnectionLost):
            await connection.receive()
        with pytest.raises(ConnectionLost):
            await connection.send("[]")
        await connection.close()
        await connection.close()


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection is an expected failure."""
    relay = ScriptedRelay()
    async with relay:
        pass
    with pytest.raises(Unreachable, match="cannot connect to ws://127"):
        await connect(relay)


async def test_a_server_that_never_answers_is_unreachable_in_time() -> None:
    """The connect time-out covers the handshake."""

    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    before = time.monotonic()
    with pytest.raises(Unreachable, match=r"within 0\.2 s"):
        await open_connection(f"ws://127.0.0.1:{port}", ConnectionSettings(connect_timeout_s=0.2), is_trusted=True)
    assert time.monotonic() - before < 2
    server.close()


async def test_a_redirect_is_not_followed() -> None:
    """It would lead round the address check."""
    async with ScriptedRelay() as inner:
        server = await serve(
            lambda _c: asyncio.sleep(0),
            "127.0.0.1",
            0,
            process_request=lambda connection, _request: _redirect(connection, inner.url),
        )
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(Unreachable):
            await open_connection(f"ws://127.0.0.1:{port}", CONNECTION, is_trusted=True)
        server.close()
        await server.wait_closed()
        assert inner.connections_ever == 0


def _redirect(connection: ServerConnection, url: str) -> Response:
    response = connection.respond(302, "")
    response.headers["Location"] = url
    return response


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::ffff:10.0.0.1", "169.254.169.254"])
async def test_a_strangers_name_that_leads_inwards_is_not_dialled(address: str) -> None:
    """One inner address among public ones is enough to refuse."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["8.8.8.8", address]

    with pytest.raises(Forbidden):
        await open_connection("wss://relay.example.com", CONNECTION, is_trusted=False, resolve=resolve)


async def test_a_stranger_cannot_name_a_plain_socket() -> None:
    """An untrusted ws:// address is refused before any look-up."""
    with pytest.raises(Forbidden):
        await open_connection("ws://relay.example.com", CONNECTION, is_trusted=False)


async def test_silence_is_told_by_ping() -> None:
    """A live relay answers a ping, one that reads no more does not."""
    async with ScriptedRelay() as relay:
        connection = await connect(relay)
        assert await connection.ping(1.0)
        relay.guests[0].connection.transport.pause_reading()
        assert not await connection.ping(0.1)
        relay.hang_up()
        await connection.close()


async def test_the_frame_figures_are_those_of_every_socket() -> None:
    """What is over the first is dropped and the connection goes on."""

    class Socket:
        async def recv(self, decode: bool) -> bytes:
            return b" " * (limits.FRAME.most + 1)

    settings = ConnectionSettings()
    assert (settings.frame_max_bytes, settings.frame_hard_max_bytes) == (limits.FRAME.most, limits.FRAME_HARD.most)
    connection = Connection("wss://relay.example", Socket(), settings)  # type: ignore[arg-type]
    assert await connection.receive() == FrameTooBig(limits.FRAME.most + 1)
