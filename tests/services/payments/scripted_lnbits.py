"""An LNbits made of a list, that fails as it is told to: after the deed, before it, and by saying old things."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from schemas.bolt11 import Network, encode
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import lnbits_calls

KEY = "5ecre7" * 5
NODE_SECRET = b"\x07" * 32
PREIMAGE = "ee" * 32
"""What LNbits gives away with a simulated funding source; it must turn up nowhere."""

type Fault = Callable[[], httpx.Response | None]
"""Run when an invoice was made: the answer to give instead of the right one."""


@dataclass
class ScriptedLnbits(httpx.AsyncBaseTransport):
    """Answers the calls of `services.payments.lnbits`; `calls` has each as method and path."""

    payments: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    after_create: Fault | None = None
    instead_of_create: httpx.Response | None = None
    instead_of_list: httpx.Response | None = None
    hidden_lists: int = 0
    """How many lists more show nothing, as a read of a copy that is behind would."""
    network: Network = Network.BITCOIN
    says_sats: Callable[[int], int] = lambda sats: sats
    """What it makes of the amount it is asked for."""
    wallet: dict[str, Any] = field(default_factory=lambda: {"name": "shop", "balance": 0})
    date: str = ""

    def account(self, clock: Callable[[], float] = time.time, doubt_s: float = 30.0) -> LnbitsAccount:
        """A back-end on top of this server."""
        calls = lnbits_calls("https://lnbits.example", SecretStr(KEY), self)
        return LnbitsAccount(calls, Network.BITCOIN, clock, doubt_s)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        assert request.headers["x-api-key"] == KEY
        assert KEY not in str(request.url)
        if request.url.path == "/api/v1/wallet":
            return httpx.Response(200, json=self.wallet, headers={"date": self.date} if self.date else {})
        if request.method == "POST":
            return self._create(json.loads(await request.aread()))
        return self._list(request.url.params)

    def settle(self, place: int = 0, at: datetime | None = None) -> None:
        """Let a payment arrive."""
        self.payments[place] |= {"status": "success", "updated_at": (at or datetime.now(UTC)).isoformat()}

    def add(self, **body: Any) -> dict[str, Any]:
        """Make an invoice, whoever asked for it."""
        number, now_s = len(self.payments) + 1, int(time.time())
        amount_msat = self.says_sats(body["amount"]) * 1_000
        made = datetime.now(UTC).replace(tzinfo=None).isoformat()  # LNbits leaves the zone out here
        payment = {
            "payment_hash": f"{number:064x}",
            "bolt11": encode(
                network=self.network,
                amount_msat=amount_msat,
                timestamp=now_s,
                payment_hash=f"{number:064x}",
                payment_secret="11" * 32,
                secret=NODE_SECRET,
                description=body.get("memo") if "description_hash" not in body else None,
                description_hash=body.get("description_hash"),
                expiry_s=body["expiry"],
                min_final_cltv=18,
            ),
            "amount": amount_msat,
            "fee": 0,
            "status": "pending",
            "external_id": body["external_id"],
            "extra": body["extra"],
            "preimage": PREIMAGE,
            "created_at": made,
            "updated_at": made,
        }
        self.payments.append(payment)
        return payment

    def _create(self, body: dict[str, Any]) -> httpx.Response:
        if self.instead_of_create is not None:
            return self.instead_of_create
        made = self.add(**body)
        instead = self.after_create() if self.after_create else None
        return instead or httpx.Response(201, json=made)

    def _list(self, wanted: httpx.QueryParams) -> httpx.Response:
        if self.instead_of_list is not None:
            return self.instead_of_list
        if self.hidden_lists > 0:
            self.hidden_lists -= 1
            return httpx.Response(200, json={"data": [], "total": 0})
        rows = [one for one in self.payments if wanted.get("external_id") in (None, one["external_id"])]
        rows = [one for one in rows if wanted.get("status") in (None, one["status"])]
        rows.sort(key=lambda one: str(one[wanted["sortby"]]))
        start = int(wanted.get("offset", 0))
        return httpx.Response(200, json={"data": rows[start : start + int(wanted["limit"])], "total": len(rows)})


def hang_up() -> httpx.Response | None:
    """The connection ends after the deed."""
    raise httpx.ReadError("the server hung up")


def time_out() -> httpx.Response | None:
    """The deadline passes after the deed."""
    raise TimeoutError


def server_error() -> httpx.Response | None:
    """A proxy gives up after the deed."""
    return httpx.Response(502, text="<html>bad gateway</html>")
