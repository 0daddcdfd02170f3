"""One socket to one relay; the only module that knows the WebSocket library.

No compression (a bomb of it would amplify a thousandfold), no redirects (they would lead round the address
check), a frame over the cap is read and dropped, one over the hard cap ends the connection.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from schemas import limits
from services.relays.errors import ConnectionLost, Forbidden, Unreachable
from services.relays.frames import Frame, FrameTooBig, read_frame
from services.relays.urls import host_and_port, is_fit_for_strangers, is_public_address

type Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port → IP addresses; raises `OSError` when there are none."""

FRAMES_QUEUED_MAX = 4
"""Frames the library reads ahead before it stops reading; times the hard cap, this bounds memory."""
CLOSE_CODE_TOO_BIG = 1009

_QUIET = logging.Logger("relay socket", level=logging.WARNING)
"""The library logs every frame at debug level, signed challenges included; not with this logger."""


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Limits and waits of one socket; the proxy is for operators whose only way out is one."""

    connect_timeout_s: float = 10.0
    send_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    frame_max_bytes: int = limits.FRAME.most
    frame_hard_max_bytes: int = limits.FRAME_HARD.most
    proxy: str | None = None


class _Connect(connect):
    """The library's connect, with redirects refused."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def resolve_host(host: str, port: int) -> list[str]:
    """Return the addresses behind a name, as the machine's resolver gives them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def open_connection(
    url: str, settings: ConnectionSettings, *, is_trusted: bool, resolve: Resolve = resolve_host
) -> "Connection":
    """Connect to a normalised address.

    An untrusted relay must be `wss`, and every address behind its name public; it is dialled at the address
    that was checked, so that a second look-up cannot say otherwise.
    Raises `Forbidden` for one that is not, `Unreachable` for everything else that goes wrong.
    """
    options: dict[str, Any] = {}
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            if not is_trusted:
                address = await checked_address(url, settings.proxy, resolve)
                options = {} if address is None else {"host": address[0], "port": address[1]}
            connected = await _Connect(
                url,
                compression=None,
                proxy=settings.proxy,
                open_timeout=None,
                close_timeout=settings.close_timeout_s,
                # Our own heartbeat knows when silence is our own doing; the library's does not.
                ping_interval=None,
                max_size=settings.frame_hard_max_bytes,
                max_queue=FRAMES_QUEUED_MAX,
                user_agent_header="ncc",
                logger=_QUIET,
                **options,
            )
    except TimeoutError:
        raise Unreachable(f"cannot connect to {url} within {settings.connect_timeout_s:g} s") from None
    except (OSError, EOFError, ValueError, WebSocketException) as error:
        raise Unreachable(f"cannot connect to {url}: {_name_of(error)}") from error
    return Connection(url, connected, settings)


class Connection:
    """An open socket to one relay; one task reads, any number may send."""

    def __init__(self, url: str, connected: ClientConnection, settings: ConnectionSettings) -> None:
        self.url = url
        self.frames_read = 0
        self.is_waiting = False
        """True while `receive` waits for the relay, False while we work on what it sent."""
        self._connected = connected
        self._settings = settings

    async def receive(self) -> Frame:
        """Return the next frame; safe to cancel. Raises `ConnectionLost`."""
        self.is_waiting = True
        try:
            data = await self._connected.recv(decode=False)
        except ConnectionClosed as closed:
            raise self._lost(closed) from None
        except WebSocketException as error:
            raise ConnectionLost(f"{self.url}: {_name_of(error)}") from None
        finally:
            self.is_waiting = False
        self.frames_read += 1
        if len(data) > self._settings.frame_max_bytes:
            return FrameTooBig(len(data))
        return read_frame(data)

    async def send(self, text: str) -> None:
        """Send one frame. Raises `ConnectionLost`, also when the relay does not take it in time."""
        try:
            async with asyncio.timeout(self._settings.send_timeout_s):
                await self._connected.send(text)
        except ConnectionClosed as closed:
            raise self._lost(closed) from None
        except TimeoutError:
            self._connected.transport.abort()
            raise ConnectionLost(f"{self.url} takes no more of what we send") from None

    async def ping(self, timeout_s: float) -> bool:
        """Return whether the relay answered a ping in time. Raises `ConnectionLost`."""
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._connected.ping())
        except ConnectionClosed as closed:
            raise self._lost(closed) from None
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Close politely within the close time-out, then at once; never raises an error of the relay's."""
        try:
            async with asyncio.timeout(self._settings.close_timeout_s):
                await self._connected.close()
                await self._connected.wait_closed()
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(RuntimeError):
                self._connected.transport.abort()

    def _lost(self, closed: ConnectionClosed) -> ConnectionLost:
        if closed.sent is not None and closed.sent.code == CLOSE_CODE_TOO_BIG:
            cap = self._settings.frame_hard_max_bytes
            return ConnectionLost(f"{self.url} sent a frame over {cap} bytes", is_oversized=True)
        code = closed.rcvd.code if closed.rcvd is not None else "none"
        return ConnectionLost(f"{self.url} closed the connection (code {code})")


async def checked_address(url: str, proxy: str | None, resolve: Resolve) -> tuple[str, int] | None:
    """The IP address and port at which to dial an untrusted relay; None where a proxy looks the name up, and filters.

    Raises `Forbidden` for what is no public `wss` address, `Unreachable` for a name without one, `OSError` for none.
    """
    if not is_fit_for_strangers(url):
        raise Forbidden(f"{url} is not a public wss address")
    if proxy is not None:
        return None
    host, port = host_and_port(url)
    addresses = await resolve(host, port)
    if not addresses:
        raise Unreachable(f"cannot connect to {url}: no address")
    if not all(is_public_address(address) for address in addresses):
        raise Forbidden(f"{url} leads to an address that is not public")
    return addresses[0], port


def _name_of(error: Exception) -> str:
    # Texts of foreign errors may quote the peer's bytes; their type says enough.
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
