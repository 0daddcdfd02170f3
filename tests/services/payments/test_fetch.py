"""Fetching from strangers: nothing inside is asked, whoever points there, and no answer is too long or too slow."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from services.payments.fetch import (
    BODY_BYTES_MAX,
    REDIRECTS_MAX,
    Answer,
    FetchError,
    Forbidden,
    Lost,
    NotSent,
    SafeFetch,
)

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "8.8.8.8"
NAMES = {
    "shop.example.com": [PUBLIC],
    "pay.example.com": [OTHER_PUBLIC],
    "inside.example.com": ["10.0.0.7"],
    "both.example.com": [PUBLIC, "127.0.0.1"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "meta.example.com": ["169.254.169.254"],
}


async def resolve(host: str, _port: int) -> list[str]:
    if host not in NAMES:
        raise OSError("no such name")
    return NAMES[host]


class World:
    """Stands for the servers of the world: remembers who was dialled, and answers by `Host` and path."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, str, object]] = []
        self.answers: dict[str, httpx.Response] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        host = request.headers["host"]
        self.dialled.append((request.url.host, host, request.extensions.get("sni_hostname")))
        return self.answers.get(f"{host}{request.url.path}", _says(b"{}"))


def _says(body: bytes, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(body), headers=headers)


def _to(place: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"Location": place})


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def fetch(world: World) -> AsyncIterator[SafeFetch]:
    safe = SafeFetch(resolve=resolve, transport=httpx.MockTransport(world))
    yield safe
    await safe.close()


async def test_the_address_that_was_checked_is_the_one_dialled(fetch: SafeFetch, world: World) -> None:
    """A second look-up of the name could say otherwise; the certificate is still held against the name."""
    answer = await fetch.get("https://shop.example.com/x", timeout_s=5)
    assert answer == Answer(200, b"{}")
    assert world.dialled == [(PUBLIC, "shop.example.com", "shop.example.com")]


@pytest.mark.req("C-30")
@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.0.0.7/",
        "https://inside.example.com/",
        "https://both.example.com/",
        "https://mapped.example.com/",
        "https://meta.example.com/latest/meta-data",
        "http://pay.example.com/",
        "https://user:secret@pay.example.com/",
        "https://2130706433/",
        "file:///etc/passwd",
        "//localhost/x",
    ],
)
async def test_a_redirect_into_our_own_network_is_refused(fetch: SafeFetch, world: World, place: str) -> None:
    """Loopback, private and link-local addresses, names for them, other schemes: none of them is asked."""
    world.answers["shop.example.com/x"] = _to(place)
    with pytest.raises(Forbidden):
        await fetch.get("https://shop.example.com/x", timeout_s=5)
    with pytest.raises(Forbidden):
        await fetch.get(place, timeout_s=5)
    assert [host for host, *_ in world.dialled] == [PUBLIC]


async def test_a_redirect_to_another_public_place_is_followed(fetch: SafeFetch, world: World) -> None:
    """Checked like the first, and relative ones too."""
    world.answers["shop.example.com/x"] = _to("https://pay.example.com/y", 301)
    world.answers["pay.example.com/y"] = _to("/z", 307)
    world.answers["pay.example.com/z"] = _says(b"nothing", 404, **{"Retry-After": "9"})
    assert await fetch.get("https://shop.example.com/x", timeout_s=5) == Answer(404, b"nothing", 9.0)
    assert [host for host, *_ in world.dialled] == [PUBLIC, OTHER_PUBLIC, OTHER_PUBLIC]


async def test_a_redirect_to_no_address_leads_nowhere(fetch: SafeFetch, world: World) -> None:
    """It is an answer that cannot be used."""
    world.answers["shop.example.com/x"] = _to("https://[::1")
    with pytest.raises(FetchError):
        await fetch.get("https://shop.example.com/x", timeout_s=5)
    assert len(world.dialled) == 1


async def test_redirects_come_to_an_end(fetch: SafeFetch, world: World) -> None:
    """A circle is left after three."""
    world.answers["shop.example.com/x"] = _to("https://shop.example.com/x")
    with pytest.raises(Forbidden, match="redirects"):
        await fetch.get("https://shop.example.com/x", timeout_s=5)
    assert len(world.dialled) == REDIRECTS_MAX + 1


async def test_a_name_without_an_address_was_not_asked(fetch: SafeFetch) -> None:
    """So nothing happened."""
    with pytest.raises(NotSent):
        await fetch.get("https://nowhere.example.com/", timeout_s=5)


async def test_an_encoded_answer_is_not_decompressed(fetch: SafeFetch, world: World) -> None:
    """A bomb of it would grow a thousandfold."""
    world.answers["shop.example.com/x"] = _says(b"whatever", **{"Content-Encoding": "gzip"})
    with pytest.raises(Lost, match="encoding"):
        await fetch.get("https://shop.example.com/x", timeout_s=5)


@asynccontextmanager
async def serving(answer: Callable[[asyncio.StreamWriter], object]) -> AsyncIterator[str]:
    """A server of this machine that answers as it is told, and its `host:port`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        result = answer(writer)
        if asyncio.iscoroutine(result):
            await result
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _get(netloc: str, timeout_s: float = 5.0) -> Answer:
    safe = SafeFetch(is_trusted=lambda asked: asked == netloc)
    try:
        return await safe.get(f"http://{netloc}/", timeout_s=timeout_s)
    finally:
        await safe.close()


@pytest.mark.req("C-30")
@pytest.mark.parametrize("surplus", [0, 1])
async def test_an_answer_has_64_kib_at_most(surplus: int) -> None:
    """One byte more, and the line is dropped, whatever length was announced."""
    body = b"x" * (BODY_BYTES_MAX + surplus)
    async with serving(lambda writer: writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)) as netloc:
        if not surplus:
            assert (await _get(netloc)).body == body
        else:
            with pytest.raises(Lost, match="more than"):
                await _get(netloc)


@pytest.mark.req("C-30")
async def test_an_answer_that_drips_is_over_in_time() -> None:
    """The deadline is for the whole call, not for each byte of it."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as netloc:
        began_s = time.monotonic()
        with pytest.raises(Lost, match="did not answer within"):
            await _get(netloc, timeout_s=0.3)
        assert time.monotonic() - began_s < 5


@pytest.mark.req("C-30")
async def test_a_machine_that_is_vouched_for_vouches_for_no_other() -> None:
    """Its redirect to another port of this machine is refused, and that port hears nothing."""
    heard: list[object] = []
    async with (
        serving(heard.append) as other,
        serving(lambda writer: writer.write(f"HTTP/1.1 302 X\r\nLocation: http://{other}/\r\n\r\n".encode())) as netloc,
    ):
        with pytest.raises(Forbidden):
            await _get(netloc)
    assert heard == []


async def test_a_closed_port_was_not_asked_and_a_cut_line_was() -> None:
    """The first is nothing; the second may have been carried out."""
    async with serving(lambda _writer: None) as netloc:
        with pytest.raises(Lost):
            await _get(netloc)
    with pytest.raises(NotSent):
        await _get("127.0.0.1:1")


@pytest.mark.parametrize("url", ["", "shop.example.com", "https://", "https:///x", "https://\x00", "ftp://x.example"])
async def test_what_is_no_address_is_forbidden(fetch: SafeFetch, url: str) -> None:
    """Text of a stranger never becomes an unnamed error."""
    with pytest.raises(FetchError):
        await fetch.get(url, timeout_s=5)
