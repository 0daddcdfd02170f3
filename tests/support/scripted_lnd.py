"""An LND made of a ledger, after its published REST API (`lnrpc/lightning.proto`, `invoicesrpc`), and its macaroons."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.scripted_nodes import Act, Entry, Ledger, faulty, serving

ADD, LOOK, LIST, SUBSCRIBE, CANCEL = "add", "look", "list", "subscribe", "cancel"
FIELDS: Final = frozenset({"value_msat", "memo", "expiry", "r_preimage", "private", "description_hash"})
"""Those of `lnrpc.Invoice` that the back-end says; LND itself knows more, and refuses any it does not know."""
MEMO_BYTES_MAX: Final = 639
INVOICE_RIGHTS: Final = ("address:read", "address:write", "invoices:read", "invoices:write", "onchain:read")
"""Those of the `invoice.macaroon` that LND bakes."""
ADMIN_RIGHTS: Final = ("invoices:read", "invoices:write", "macaroon:generate", "offchain:write", "onchain:write")


def _varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def _field(number: int, said: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(said)) + said


def _packet(kind: int, said: bytes) -> bytes:
    return _varint(kind) + _varint(len(said)) + said


def a_macaroon(*rights: str, caveat: str = "") -> bytes:
    """A macaroon as LND writes one: version 2, its rights in the identifier, a caveat of the first party."""
    grants: dict[str, list[str]] = {}
    for right in rights:
        entity, _, action = right.partition(":")
        grants.setdefault(entity, []).append(action)
    identifier = _field(1, b"n" * 16) + _field(2, b"0")
    for entity, actions in grants.items():
        identifier += _field(3, _field(1, entity.encode()) + b"".join(_field(2, one.encode()) for one in actions))
    caveats = _packet(2, caveat.encode()) + b"\x00" if caveat else b""
    head = b"\x02" + _packet(1, b"lnd") + _packet(2, b"\x03" + identifier) + b"\x00"
    return head + caveats + b"\x00" + _packet(6, b"s" * 32)


MACAROON: Final = a_macaroon(*INVOICE_RIGHTS)
ADMIN: Final = a_macaroon(*ADMIN_RIGHTS)


@dataclass
class ScriptedLnd:
    """Answers the calls of `services.payments.lnd`, strictly."""

    ledger: Ledger = field(default_factory=Ledger)
    is_locked: bool = False

    @asynccontextmanager
    async def serve(self, tls: tuple[Path, Path] | None = None) -> AsyncIterator[str]:
        """Serve it, over TLS with (certificate, key); gives its address."""
        no_invoice = _error(404, 5, "unable to locate invoice")
        routes = [
            self._route("/v1/invoices", "POST", ADD, self._add),
            self._route("/v1/invoices", "GET", LIST, self._list),
            self._route("/v1/invoices/subscribe", "GET", SUBSCRIBE, self._subscribe),
            self._route("/v1/invoice/{r_hash_str}", "GET", LOOK, self._look, no_invoice),
            self._route("/v2/invoices/cancel", "POST", CANCEL, self._cancel),
        ]
        async with serving(self.ledger, Starlette(routes=routes), tls) as url:
            yield url

    def _route(self, path: str, method: str, name: str, act: Act, stale: Response | None = None) -> Route:
        done = faulty(self.ledger, name, act, stale)

        async def answer(request: Request) -> Response:
            if self.is_locked:
                return _error(500, 2, "wallet locked, unlock it to enable full RPC access")
            try:
                said = bytes.fromhex(request.headers.get("grpc-metadata-macaroon", ""))
            except ValueError:
                said = b""
            if said not in {MACAROON, ADMIN}:
                return _error(500, 2, "verification failed: signature mismatch after caveat verification")
            return await done(request)

        return Route(path, answer, methods=[method])

    async def _add(self, request: Request) -> Response:
        said = await request.json()
        if unknown := said.keys() - FIELDS:
            return _error(400, 3, f'proto: (line 1:2): unknown field "{min(unknown)}"')
        assert isinstance(said["value_msat"], str), "LND reads numbers of 64 bits from text"
        memo, digest = said.get("memo", ""), said.get("description_hash", "")
        if len(memo.encode()) > MEMO_BYTES_MAX:
            return _error(500, 2, "memo too large")
        if int(said["value_msat"]) > 10**16:
            return _error(500, 2, "invoice amount 1 BTC is too large, max is 100000 BTC")
        try:
            preimage, digest = b64decode(said["r_preimage"], validate=True), b64decode(digest, validate=True).hex()
        except Base64Error:
            return _error(400, 3, "proto: invalid value for bytes field")
        if self.ledger.of_hash(hashlib.sha256(preimage).hexdigest()) is not None:
            return _error(500, 2, "invoice with payment hash already exists")
        made = self.ledger.add("", int(said["value_msat"]), memo, int(said["expiry"]), preimage, digest or None)
        return JSONResponse(
            {
                "r_hash": _base64(made.payment_hash),
                "payment_request": made.text,
                "add_index": str(made.number),
                "payment_addr": _base64("11" * 32),
            }
        )

    async def _look(self, request: Request) -> Response:
        try:
            raw = bytes.fromhex(request.path_params["r_hash_str"])
        except ValueError:
            return _error(500, 2, "encoding/hex: invalid byte")
        if len(raw) != 32:
            return _error(500, 2, f"payment hash must be exactly 32 bytes, is instead {len(raw)}")
        entry = self.ledger.of_hash(raw.hex())
        return _error(404, 5, "unable to locate invoice") if entry is None else JSONResponse(self._row(entry))

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params
        assert set(wanted) <= {"index_offset", "num_max_invoices"}
        after, most = int(wanted.get("index_offset", 0)), int(wanted["num_max_invoices"])
        rows = [one for one in self.ledger.entries if one.number > after][:most]
        first, last = (rows[0].number, rows[-1].number) if rows else (0, 0)
        invoices = [self._row(one) for one in rows]
        return JSONResponse({"invoices": invoices, "first_index_offset": str(first), "last_index_offset": str(last)})

    async def _subscribe(self, request: Request) -> Response:
        """Nothing is said, not even a status, before there is an invoice to tell of; index 0 is no place."""
        index = int(request.query_params.get("settle_index", 0)) or self.ledger.settled
        while (first := await self.ledger.settled_after(index, 0.1)) is None:
            if await request.is_disconnected():
                return Response(status_code=499)

        async def lines() -> AsyncIterator[bytes]:
            # New invoices are told of as well, whoever makes them.
            yield _line(self._row(self.ledger.entries[-1]) | {"state": "OPEN", "settle_index": "0"})
            paid: Entry | None = first
            while not await request.is_disconnected():
                if paid is not None:
                    yield _line(self._row(paid))
                    place = paid.settle_index
                paid = await self.ledger.settled_after(place, 0.1)

        return StreamingResponse(lines(), media_type="application/json")

    async def _cancel(self, request: Request) -> Response:
        said = await request.json()
        assert set(said) == {"payment_hash"}
        entry = self.ledger.of_hash(b64decode(said["payment_hash"], validate=True).hex())
        if entry is None:
            return _error(404, 5, "unable to locate invoice")
        if entry.settle_index:
            return _error(500, 2, "invoice already settled")
        entry.is_cancelled = True
        return JSONResponse({})

    def _row(self, one: Entry) -> dict[str, Any]:
        state = "SETTLED" if one.settle_index else "OPEN"
        if one.is_cancelled or self.ledger.is_over(one):
            state = "CANCELED"
        return {
            "memo": one.memo,
            "r_preimage": b64encode(one.preimage).decode(),
            "r_hash": _base64(one.payment_hash),
            "value": str(one.amount_msat // 1_000),
            "value_msat": str(one.amount_msat),
            "settled": bool(one.settle_index),
            "creation_date": str(one.made_at),
            "settle_date": str(one.paid_ms // 1_000),
            "payment_request": one.text,
            "expiry": str(one.expires_at - one.made_at),
            "add_index": str(one.number),
            "settle_index": str(one.settle_index),
            "amt_paid_msat": str(one.paid_msat),
            "state": state,
            "htlcs": [],
        }


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message, "details": []}, status)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps({"result": row}).encode() + b"\n"


def _base64(hex_text: str) -> str:
    return b64encode(bytes.fromhex(hex_text)).decode()
