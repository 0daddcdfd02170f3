"""A phoenixd made of a ledger, after what its source says of its API (`Api.kt`, `JsonSerializers.kt`)."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from schemas.bolt11 import Network
from tests.support.scripted_nodes import Act, Entry, Ledger, faulty, serving

FULL: Final = "fu11" * 16
LIMITED: Final = "11m1" * 16
CHAINS: Final = {Network.BITCOIN: "mainnet", Network.TESTNET: "testnet", Network.REGTEST: "regtest"}
CREATE, LIST, INFO, PAY = "createinvoice", "incoming", "getinfo", "payinvoice"
FIELDS: Final = frozenset({"amountSat", "description", "descriptionHash", "expirySeconds", "externalId", "webhookUrl"})
WANTED: Final = frozenset({"from", "to", "limit", "offset", "all", "externalId"})
FAR_MS: Final = 2**62


@dataclass
class ScriptedPhoenixd:
    """Answers the calls of `services.payments.phoenixd`, strictly; `fee_msat` is kept of each payment."""

    ledger: Ledger = field(default_factory=Ledger)
    fee_msat: int = 0
    is_deaf: bool = False
    """Whether its socket tells of nothing."""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve it; gives its address."""

        def route(path: str, method: str, name: str, act: Act, stale: Response | None = None) -> Route:
            return Route(path, self._known(faulty(self.ledger, name, act, stale)), methods=[method])

        routes = [
            route("/getinfo", "GET", INFO, self._info),
            route("/createinvoice", "POST", CREATE, self._create),
            route("/payments/incoming", "GET", LIST, self._list, JSONResponse([])),
            Route("/payinvoice", self._known(faulty(self.ledger, PAY, self._pay), {FULL}), methods=["POST"]),
            WebSocketRoute("/websocket", self._socket),
        ]
        async with serving(self.ledger, Starlette(routes=routes)) as url:
            yield url

    def _known(self, act: Act, passwords: frozenset[str] | set[str] = frozenset({FULL, LIMITED})) -> Act:
        async def answer(request: Request) -> Response:
            if _password(request.headers.get("authorization", "")) not in passwords:
                return PlainTextResponse("Invalid authentication (use basic auth with the http password)", 401)
            return await act(request)

        return answer

    async def _info(self, _: Request) -> Response:
        chain = CHAINS[self.ledger.network]
        node = {"nodeId": self.ledger.payee, "channels": [], "chain": chain, "blockHeight": 7}
        return JSONResponse({**node, "version": "0.8.0"})

    async def _create(self, request: Request) -> Response:
        said = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        assert said.keys() <= FIELDS, f"phoenixd reads nothing else: {said.keys() - FIELDS}"
        description, digest = said.get("description"), said.get("descriptionHash")
        if description is not None and len(description.encode("utf-16-le")) > 256:
            return PlainTextResponse("Request parameter description is too long (max 128 characters)", 400)
        if (description is None) == (digest is None):
            return PlainTextResponse("Must provide either a description or descriptionHash", 400)
        try:
            sats, expiry_s = int(said["amountSat"]), int(said["expirySeconds"])
        except ValueError:
            return PlainTextResponse("Request parameter couldn't be parsed/converted to integer", 400)
        made = self.ledger.add(said.get("externalId", ""), sats * 1_000, description or "", expiry_s, None, digest)
        return JSONResponse(
            {"amountSat": made.amount_msat // 1_000, "paymentHash": made.payment_hash, "serialized": made.text}
        )

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params
        assert set(wanted) <= WANTED, f"phoenixd reads nothing else: {set(wanted) - WANTED}"
        is_all, ref = wanted.get("all") == "true", wanted.get("externalId")
        when: Callable[[Entry], int] = (lambda one: one.made_at * 1_000) if is_all else (lambda one: one.paid_ms)
        start, end = int(wanted.get("from", 0)), int(wanted.get("to", FAR_MS))
        rows = [one for one in self.ledger.entries if is_all or one.settle_index]
        rows = [one for one in rows if ref in (None, one.label) and start <= when(one) <= end]
        rows.sort(key=when, reverse=True)
        first = int(wanted.get("offset", 0))
        return JSONResponse([self._row(one) for one in rows[first : first + int(wanted.get("limit", 20))]])

    async def _pay(self, _: Request) -> Response:
        return PlainTextResponse("Request parameter invoice is missing", 400)

    async def _socket(self, socket: WebSocket) -> None:
        if _password(socket.headers.get("authorization", "")) not in {FULL, LIMITED}:
            await socket.close()
            return
        await socket.accept()
        index = self.ledger.settled
        try:
            while True:
                paid = await self.ledger.settled_after(index, 3_600)
                if paid is None or self.is_deaf:
                    await asyncio.sleep(0.1)
                    continue
                index = paid.settle_index
                event = {"type": "payment_received", "timestamp": paid.paid_ms, "amountSat": paid.paid_msat // 1_000}
                await socket.send_json({**event, "paymentHash": paid.payment_hash, "externalId": paid.label or None})
        except (WebSocketDisconnect, RuntimeError):
            return

    def _row(self, one: Entry) -> dict[str, Any]:
        net_msat = one.paid_msat - self.fee_msat if one.settle_index else 0
        return {
            "type": "incoming_payment",
            "subType": "lightning",
            "paymentHash": one.payment_hash,
            "preimage": one.preimage.hex(),
            "externalId": one.label or None,
            "description": one.memo,
            "invoice": one.text,
            "isPaid": bool(one.settle_index),
            "isExpired": self.ledger.is_over(one),
            "requestedSat": one.amount_msat // 1_000,
            "receivedSat": net_msat // 1_000,
            "fees": self.fee_msat if one.settle_index else 0,
            "payerNote": None,
            "payerKey": None,
            "expiresAt": one.expires_at * 1_000,
            "completedAt": one.paid_ms or None,
            "createdAt": one.made_at * 1_000 + one.number,
        }


def _password(header: str) -> str:
    """The password of basic authentication, whatever the name."""
    way, _, said = header.partition(" ")
    try:
        return b64decode(said).decode().partition(":")[2] if way == "Basic" else ""
    except (Base64Error, UnicodeDecodeError):
        return secrets.token_hex(8)
