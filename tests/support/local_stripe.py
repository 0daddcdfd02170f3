"""Runs localstripe, and puts Checkout in front of it: its payments, refunds, signed webhooks are real, the pages ours.

localstripe knows no Checkout Sessions, so those stay the scripted account's. A page that is paid makes a PaymentIntent
in localstripe, and what is told of money is read from there. Only what localstripe leaves out is added: what came in,
that nobody disputes it, and moments by the test's clock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import Response

from services.demo.wallets.peer_process import start_peer, stop_peer
from services.embedded.ports import free_port
from tests.support.scripted_nodes import Entry
from tests.support.scripted_stripe import PRICE, ScriptedStripe, metadata_in, paged

ENVIRONMENT: Final = Path(__file__).parents[2] / ".peers" / "localstripe"
START_TIMEOUT_S: Final = 60.0
CARD: Final = "pm_card_visa"
KEY: Final = "sk_test_local"


@contextmanager
def local_stripe(folder: Path) -> Iterator[str]:
    """A localstripe of its own, stopped at the end; gives its address. It starts empty, whatever one before it kept."""
    if not (ENVIRONMENT / ".set-up").is_file():
        raise FileNotFoundError("localstripe is not installed: `make peers`")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "localstripe", "--from-scratch", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)}
    process = start_peer("localstripe", command, folder / "server.log", environment, url, START_TIMEOUT_S)
    try:
        yield url
    finally:
        stop_peer(process)


@dataclass
class CheckoutInFront(ScriptedStripe):
    """A scripted account whose money is localstripe's, at `url`."""

    url: str = ""
    payments: dict[int, str] = field(default_factory=dict)
    """PaymentIntents, by the number of their session."""

    async def pay(self, text: str, units: int | None = None) -> None:
        """Pay at a page: a PaymentIntent that succeeds, or none where the page takes nothing."""
        await super().pay(text, units)
        one = next(entry for entry in self.ledger.entries if entry.text == text)
        said = self.made[one.number]
        marks = metadata_in(said, "payment_intent_data[metadata]")
        made = self.call(  # at once: whoever lists pages must not meet one that is paid by nothing
            "POST",
            "/v1/payment_intents",
            {
                "amount": str(self.charged[one.number].units),
                "currency": said[f"{PRICE}[currency]"],
                "payment_method": CARD,
                "confirm": "true",
                **{f"metadata[{name}]": value for name, value in marks.items()},
            },
        )
        self.payments[one.number] = made["id"]

    def give_back(self, one: Entry, units: int | None = None) -> None:
        """Refund a payment at localstripe."""
        part = {} if units is None else {"amount": str(units)}
        self.call("POST", "/v1/refunds", {"payment_intent": self.payments[one.number], **part})
        super().give_back(one, units)

    def call(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One call of localstripe's; raises where it refuses."""
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = httpx.request(method, self.url + path, data=fields, headers=headers, trust_env=False)
        said: dict[str, Any] = answer.raise_for_status().json() if answer.content else {}
        return said

    def payment_of(self, one: Entry) -> str:
        """localstripe's name for it; one that is not there yet has none."""
        return self.payments.get(one.number, "pi_none")

    def _payment(self, one: Entry) -> dict[str, Any]:
        said = self.call("GET", f"/v1/payment_intents/{self.payments[one.number]}")
        came = said["amount"] if said["status"] == "succeeded" else 0
        return {**said, "amount_received": came, "latest_charge": self._dated(one, said["latest_charge"])}

    def charge(self, one: Entry) -> dict[str, Any]:
        """The payment by card."""
        if one.number not in self.payments:  # its event is noted before it is made
            return super().charge(one)
        charge: dict[str, Any] = self._payment(one)["latest_charge"]
        return charge

    async def _refunds(self, request: Request) -> Response:
        rows = self.call("GET", "/v1/refunds?limit=100")["data"]
        return paged(request, [{**row, "created": self.ledger.now_s} for row in reversed(rows)], set())

    def _dated(self, one: Entry, charge: dict[str, Any]) -> dict[str, Any]:
        charged = self.charged[one.number]
        return {**charge, "created": charged.at, "disputed": bool(charged.disputes)}
