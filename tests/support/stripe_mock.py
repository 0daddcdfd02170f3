"""Runs stripe-mock, Stripe's own stand-in: it refuses whatever Stripe's published OpenAPI does not allow.

It keeps nothing. What a session says of how it was made is filled in here, from what it was made with; every other
word is stripe-mock's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx

from services.demo.wallets.peer_process import start_peer, stop_peer
from services.embedded.ports import free_port

PROGRAM: Final = Path(__file__).parents[2] / ".peers" / "stripe-mock" / "stripe-mock"
START_TIMEOUT_S: Final = 60.0
SESSIONS: Final = "/v1/checkout/sessions"
PRICE: Final = "line_items[0][price_data]"


@contextmanager
def stripe_mock(folder: Path) -> Iterator[str]:
    """A stripe-mock of its own, stopped at the end; gives its address."""
    if not PROGRAM.is_file():
        raise FileNotFoundError("stripe-mock is not installed: `make peers`, which needs Go for it")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(PROGRAM), "-http-addr", f"127.0.0.1:{port}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    process = start_peer("stripe-mock", command, folder / "server.log", environment, url, START_TIMEOUT_S)
    try:
        yield url
    finally:
        stop_peer(process)


@dataclass(frozen=True)
class Call:
    """One call and how stripe-mock took it."""

    method: str
    path: str
    asked: dict[str, str]
    status: int
    said: Any


@dataclass
class Recorded(httpx.AsyncBaseTransport):
    """The way to stripe-mock: notes each call, and fills in what a session was made with."""

    calls: list[Call] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    """What the newest session was made with."""
    way: httpx.AsyncHTTPTransport = field(default_factory=httpx.AsyncHTTPTransport)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on."""
        answer = await self.way.handle_async_request(request)
        said = json.loads(await answer.aread())
        body = request.content.decode()
        asked = dict(request.url.params) | dict(parse_qsl(body))
        self.calls.append(Call(request.method, request.url.path, asked, answer.status_code, said))
        if (request.method, request.url.path) == ("POST", SESSIONS) and answer.status_code == httpx.codes.OK:
            self.made = asked
        return httpx.Response(answer.status_code, json=self._filled(said))

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self.way.aclose()

    @property
    def refused(self) -> list[Call]:
        """Calls that stripe-mock found wrong."""
        return [call for call in self.calls if call.status != httpx.codes.OK]

    def named(self, path: str, method: str = "GET") -> list[Call]:
        """The calls of one kind; `path` is its beginning."""
        return [call for call in self.calls if call.method == method and call.path.startswith(path)]

    def _filled(self, said: Any) -> Any:
        if not isinstance(said, dict) or not self.made:
            return said
        if said.get("object") == "list":
            return {**said, "data": [self._filled(row) for row in said["data"]]}
        if said.get("object") != "checkout.session":
            return said
        marks = {name[9:-1]: value for name, value in self.made.items() if name.startswith("metadata[")}
        units, currency = int(self.made[f"{PRICE}[unit_amount]"]), self.made[f"{PRICE}[currency]"]
        told = {"metadata": marks, "amount_total": units, "currency": currency, "status": "open"}
        return {**said, **told, "expires_at": int(self.made["expires_at"]), "payment_status": "unpaid"}
