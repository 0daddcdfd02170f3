"""Whether a child answers, by function and by URL."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.embedded.ports import free_port
from services.supervision import readiness
from services.supervision.readiness import is_ready


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


def breaks() -> bool:
    raise ConnectionRefusedError


@pytest.mark.parametrize(
    ("probe", "answer"), [(lambda: True, True), (lambda: False, False), (yes, True), (no, False), (breaks, False)]
)
async def test_a_function_is_asked(probe: Callable[[], bool | Awaitable[bool]], answer: bool) -> None:
    """Plain and asynchronous functions decide, and one that cannot ask says no."""
    assert await is_ready(probe) is answer


@pytest.mark.parametrize(("status", "answer"), [("200 OK", True), ("302 Found", True), ("503 Busy", False)])
async def test_an_http_url_must_answer_well(status: str, answer: bool) -> None:
    """A status below 400 is a yes; 503 is a server that is not ready."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        assert await is_ready(f"http://127.0.0.1:{port}/health") is answer


async def test_other_urls_must_accept_a_connection() -> None:
    """A websocket or plain port is ready when it listens, and not before."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        assert await is_ready(f"ws://127.0.0.1:{port}")
    assert not await is_ready(f"tcp://127.0.0.1:{free_port()}")


async def test_silence_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that accepts and says nothing does not hold up the supervisor."""
    monkeypatch.setattr(readiness, "PROBE_S", 0.05)

    async def never() -> bool:
        await asyncio.sleep(60)
        return True

    assert await is_ready(never) is False
