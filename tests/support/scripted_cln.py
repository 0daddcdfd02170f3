"""A Core Lightning made of a ledger, after clnrest and the published schemas of its calls (`doc/schemas`)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.scripted_nodes import Act, Entry, Ledger, faulty, serving

INVOICE, LIST, WAIT = "invoice", "listinvoices", "waitanyinvoice"
FIELDS: Final = frozenset({"amount_msat", "label", "description", "expiry", "preimage"})
DESCRIPTION_BYTES_MAX: Final = 639


def a_rune(*restrictions: str) -> str:
    """A rune with restrictions in plain words, as `lightning-createrune` writes one."""
    return urlsafe_b64encode(b"p" * 32 + "&".join(("=7", *restrictions)).encode()).decode()


RUNE: Final = a_rune("method=invoice|method=listinvoices|method=waitanyinvoice")
MASTER: Final = a_rune()


@dataclass
class ScriptedCln:
    """Answers the calls of `services.payments.cln`, strictly."""

    ledger: Ledger = field(default_factory=Ledger)
    says_msat_as_text: bool = False
    """Whether it is of a version that writes `1000msat`."""

    @asynccontextmanager
    async def serve(self, tls: tuple[Path, Path] | None = None) -> AsyncIterator[str]:
        """Serve it, over TLS with (certificate, key); gives its address."""
        routes = [
            self._route(INVOICE, self._invoice),
            self._route(LIST, self._list, JSONResponse({"invoices": []}, 201)),
            self._route(WAIT, self._wait, _error(500, 904, "The timeout was reached")),
        ]
        async with serving(self.ledger, Starlette(routes=routes), tls) as url:
            yield url

    def _route(self, method: str, act: Act, stale: Response | None = None) -> Route:
        done = faulty(self.ledger, method, act, stale)

        async def answer(request: Request) -> Response:
            if "rune" not in request.headers:
                return _error(403, 1501, "Not authorized: Missing rune")
            if request.headers["rune"] not in {RUNE, MASTER}:
                return _error(401, 1501, "Not authorized: Not derived from master")
            return await done(request)

        return Route(f"/v1/{method}", answer, methods=["POST"])

    async def _invoice(self, request: Request) -> Response:
        said = await request.json()
        if unknown := said.keys() - FIELDS:
            return _error(500, -32602, f"unknown parameter: {min(unknown)}")
        if said["amount_msat"] <= 0 or said["amount_msat"] > 2 * 10**18:
            return _error(500, -32602, "amount_msat: should be positive msat or 'any'")
        if len(said["description"].encode()) > DESCRIPTION_BYTES_MAX:
            return _error(500, -1, "Descriptions greater than 639 bytes not accepted without description hash")
        if not said["description"] or any(ord(char) < 0x20 for char in said["description"]):
            return _error(500, -32602, "description: should be a string: invalid token")
        preimage = bytes.fromhex(said["preimage"])
        if self.ledger.of_label(said["label"]) is not None:
            return _error(500, 900, f"Duplicate label '{said['label']}'")
        if any(one.preimage == preimage for one in self.ledger.entries):
            return _error(500, 901, "preimage already used")
        made = self.ledger.add(said["label"], said["amount_msat"], said["description"], said["expiry"], preimage)
        return JSONResponse(
            {
                "payment_hash": made.payment_hash,
                "expires_at": made.expires_at,
                "bolt11": made.text,
                "payment_secret": "11" * 32,
                "created_index": made.number,
                "warning_capacity": "Insufficient incoming channel capacity to pay invoice",
            },
            201,
        )

    async def _list(self, request: Request) -> Response:
        said = await request.json()
        assert set(said) == {"label"}, "only one of its parameters can be used"
        found = self.ledger.of_label(said["label"])
        return JSONResponse({"invoices": [] if found is None else [self._row(found)]}, 201)

    async def _wait(self, request: Request) -> Response:
        said = await request.json()
        assert set(said) == {"lastpay_index", "timeout"}
        left_s = float(said["timeout"])
        while (paid := await self.ledger.settled_after(said["lastpay_index"], min(left_s, 0.1))) is None:
            left_s -= 0.1
            if left_s <= 0 or await request.is_disconnected():
                return _error(500, 904, "Timed out while waiting for invoice to be paid")
        return JSONResponse(self._row(paid), 201)

    def _row(self, one: Entry) -> dict[str, Any]:
        status = "paid" if one.settle_index else "expired" if self.ledger.is_over(one) else "unpaid"
        row = {
            "label": one.label,
            "bolt11": one.text,
            "payment_hash": one.payment_hash,
            "amount_msat": self._msat(one.amount_msat),
            "status": status,
            "description": one.memo,
            "expires_at": one.expires_at,
            "created_index": one.number,
        }
        if not one.settle_index:
            return row
        return {
            **row,
            "pay_index": one.settle_index,
            "amount_received_msat": self._msat(one.paid_msat),
            "paid_at": one.paid_ms // 1_000,
            "payment_preimage": one.preimage.hex(),
            "updated_index": one.settle_index,
        }

    def _msat(self, amount_msat: int) -> int | str:
        return f"{amount_msat}msat" if self.says_msat_as_text else amount_msat


def _error(status: int, code: int, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status)
