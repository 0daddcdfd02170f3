"""A BTCPay Server made of a ledger, after its published API and source (Greenfield v1, 2.4.1)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.bolt11 import Network
from services.payments.chain_keys import read_account
from tests.support.scripted_btcpay_refunds import (
    APPROVED_RIGHT,
    PAYOUTS,
    PULLS,
    REFUND,
    REFUND_RIGHT,
    PullPayments,
)
from tests.support.scripted_nodes import Act, Entry, Ledger, faulty, serving

KEY: Final = "ke7" * 13
STORE: Final = "9CiNzKoANXxmk5ayZngSXrHTiVvvgCrwrpFQd4m2K776"
VIEW, CREATE_RIGHT = "btcpay.store.canviewinvoices", "btcpay.store.cancreateinvoice"
CREATE, LIST, METHODS, SELF, INFO = "create", "list", "payment-methods", "api-keys/current", "server/info"
BODY: Final = frozenset({"amount", "currency", "metadata", "checkout", "receipt", "additionalSearchTerms"})
CHECKOUT: Final = frozenset(
    {
        "speedPolicy",
        "paymentMethods",
        "defaultPaymentMethod",
        "lazyPaymentMethods",
        "expirationMinutes",
        "monitoringMinutes",
        "paymentTolerance",
        "redirectURL",
        "redirectAutomatically",
        "defaultLanguage",
    }
)
WANTED: Final = frozenset(
    {
        "orderId",
        "status",
        "textSearch",
        "startDate",
        "endDate",
        "skip",
        "take",
        "includePaymentMethods",
        "includeArchived",  # in its source, though not among the published parameters
    }
)
MSAT_PER_BTC: Final = Decimal(100_000_000_000)
LIGHTNING, CHAIN = "BTC-LN", "BTC-CHAIN"
ACCOUNT: Final = (
    "tpubDD7tXK8KeQ3YY83yWq755fHY2JW8Ha8Q765tknUM5rSvjPcGWfUppDFMpQ1ScziKfW3ZNtZvAD7M3u7bSs7HofjTD3KP3YxPK7X6hwV8Rk2"
)
"""Whose addresses it gives out."""


@dataclass
class Coin:
    """What came to an address; BTCPay calls it by its place in a transaction."""

    msat: int
    status: str
    at: int
    id: str


@dataclass
class ScriptedBtcpay:
    """Answers the calls of `services.payments.btcpay`, strictly.

    `rights` are the key's permissions; `template` is what the store puts into an invoice's description.
    """

    ledger: Ledger = field(default_factory=Ledger)
    rights: tuple[str, ...] = (f"{VIEW}:{STORE}", f"{CREATE_RIGHT}:{STORE}")
    template: str = "{ItemDescription}"
    lists_methods: bool = True
    """Whether it is 2.4.1 or newer, and gives payment methods in a list."""
    has_node: bool = True
    has_account: bool = True
    """Whether the store has an account on the chain."""
    is_synched: bool = True
    bodies: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What each invoice was made with, by its number."""
    marks: dict[int, str] = field(default_factory=dict)
    """What somebody marked it by hand."""
    archived: set[int] = field(default_factory=set)
    more: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    """Further payments: msat and status."""
    coins: dict[int, list[Coin]] = field(default_factory=dict)
    """What came to the address of an invoice on the chain, by its number."""
    settled: set[int] = field(default_factory=set)
    """Invoices on the chain that were settled once, whatever became of their coins."""
    refunds: PullPayments = field(default_factory=PullPayments)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve it; gives its address."""

        def route(path: str, method: str, name: str, act: Act, right: str = "", stale: Response | None = None) -> Route:
            return Route(
                f"/api/v1{path}", self._allowed(right, faulty(self.ledger, name, act, stale)), methods=[method]
            )

        pulls, none = self.refunds, JSONResponse([])

        routes = [
            route("/api-keys/current", "GET", SELF, self._self),
            route("/server/info", "GET", INFO, self._info),
            route("/stores/{store}/invoices", "POST", CREATE, self._create, CREATE_RIGHT),
            route("/stores/{store}/invoices", "GET", LIST, self._list, VIEW, JSONResponse([])),
            route("/stores/{store}/invoices/{invoice}/payment-methods", "GET", METHODS, self._methods, VIEW),
            route("/stores/{store}/invoices/{invoice}/refund", "POST", REFUND, self._refund, REFUND_RIGHT),
            route("/stores/{store}/pull-payments", "GET", PULLS, pulls.list, REFUND_RIGHT, none),
            route("/pull-payments/{pull}/payouts", "GET", PAYOUTS, pulls.payouts),
        ]
        async with serving(self.ledger, Starlette(routes=routes)) as url:
            yield url

    def send(self, address: str, sats: int, status: str = "Processing") -> Coin:
        """Pay to an address of the store, as its buyer; BTCPay has seen it."""
        number = next(one.number for one in self.ledger.entries if one.text == address)
        place = hashlib.sha256(f"{address}:{len(self.coins.get(number, []))}".encode()).hexdigest()
        coin = Coin(sats * 1_000, "Processing", self.ledger.now_s, f"{place}-1")
        self.coins.setdefault(number, []).append(coin)
        self.mark(coin, status)
        return coin

    def mark(self, coin: Coin, status: str) -> None:
        """Have BTCPay see a coin in another state: deep enough, replaced, or in no block any more."""
        coin.status = status
        for one in self.ledger.entries:
            if self._stands(one)[0] == "Settled" and one.number in self.coins:
                self.settled.add(one.number)

    def notice(self, entry: Entry, kind: str, secret: str, **more: Any) -> tuple[bytes, dict[str, str]]:
        """A webhook's body and headers, as its `WebhookSender` makes them."""
        said = {
            **more,
            "deliveryId": "4mC6jyoUThRuz1wQH1TL3s",
            "webhookId": "8Hz2Zh9bCGpSGJQxXvzL6b",
            "originalDeliveryId": "4mC6jyoUThRuz1wQH1TL3s",
            "isRedelivery": False,
            "type": kind,
            "timestamp": self.ledger.now_s,
            "storeId": STORE,
            "invoiceId": name_of(entry),
            "metadata": self.bodies[entry.number]["metadata"],
        }
        raw = json.dumps(said, indent=2).encode()
        signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        return raw, {"Content-Type": "application/json", "BTCPay-Sig": f"sha256={signature}"}

    def _allowed(self, right: str, act: Act) -> Act:
        async def answer(request: Request) -> Response:
            if request.headers.get("authorization") != f"token {KEY}":
                return _error(401, "unauthenticated", "Authentication is required for accessing this endpoint")
            store = request.path_params.get("store", STORE)
            good = {right, APPROVED_RIGHT} if right == REFUND_RIGHT else {right}
            if right and not {*good, *(f"{one}:{store}" for one in good), "unrestricted"} & set(self.rights):
                return JSONResponse({"missingPermission": right, "code": "missing-permission", "message": "no"}, 403)
            if store != STORE:
                return _error(404, "store-not-found", "The store was not found")
            return await act(request)

        return answer

    async def _self(self, _: Request) -> Response:
        return JSONResponse({"apiKey": KEY, "label": "ncc", "permissions": list(self.rights)})

    async def _info(self, _: Request) -> Response:
        ways = [CHAIN, LIGHTNING, "BTC-LNURL"] if self.has_node else [CHAIN]
        said = {"version": "2.4.1", "onion": None, "supportedPaymentMethods": ways, "syncStatus": []}
        return JSONResponse({**said, "fullySynched": self.is_synched})

    async def _create(self, request: Request) -> Response:
        said = await request.json()
        assert said.keys() <= BODY, f"BTCPay reads nothing else: {said.keys() - BODY}"
        checkout = said["checkout"]
        assert checkout.keys() <= CHECKOUT, f"BTCPay reads nothing else: {checkout.keys() - CHECKOUT}"
        assert isinstance(said["amount"], str)
        assert said["currency"] == "SATS"
        assert checkout["paymentMethods"] in ([LIGHTNING], [CHAIN])
        is_chain = checkout["paymentMethods"] == [CHAIN]
        assert not is_chain or checkout["speedPolicy"] in {"HighSpeed", "MediumSpeed", "LowMediumSpeed", "LowSpeed"}
        assert all(isinstance(checkout[name], int) for name in ("expirationMinutes", "monitoringMinutes"))
        if checkout["expirationMinutes"] < 1 or Decimal(said["amount"]) < 0:
            return JSONResponse([{"path": "checkout.expirationMinutes", "message": "at least 30 seconds"}], 422)
        if not (self.has_node or is_chain) or (is_chain and not self.has_account):
            return _error(400, "generic-error", "Error retrieving a matching payment method or rate.")
        about = said["metadata"]
        order_id = about.get("orderId", "")
        shown = self.template.replace("{ItemDescription}", about["itemDesc"]).replace("{OrderId}", order_id)
        expiry_s = checkout["expirationMinutes"] * 60
        made = self.ledger.add(order_id, int(Decimal(said["amount"]) * 1_000), shown, expiry_s)
        if is_chain:
            made.text = read_account(ACCOUNT).address(made.number, Network.REGTEST)
        self.bodies[made.number] = said
        return JSONResponse(self._row(made, has_methods=False))

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params
        assert set(wanted) <= WANTED, f"BTCPay reads nothing else: {set(wanted) - WANTED}"
        start, end = int(wanted.get("startDate", 0)), int(wanted.get("endDate", 2**40))
        if start > end:
            return JSONResponse([{"path": "startDate", "message": "startDate should not be above endDate"}], 422)
        rows = [one for one in self.ledger.entries if start <= one.made_at <= end]
        if "orderId" in wanted:
            rows = [one for one in rows if one.label in wanted.getlist("orderId")]
        if wanted.get("includeArchived") != "true":
            rows = [one for one in rows if one.number not in self.archived]
        rows = list(reversed(rows))[int(wanted.get("skip", 0)) :]
        has_methods = self.lists_methods and wanted.get("includePaymentMethods") == "true"
        shown = rows[: int(wanted["take"])] if "take" in wanted else rows
        return JSONResponse([self._row(one, has_methods=has_methods) for one in shown])

    async def _methods(self, request: Request) -> Response:
        assert set(request.query_params) <= {"onlyAccountedPayments", "includeSensitive"}
        name = request.path_params["invoice"]
        found = next((one for one in self.ledger.entries if name_of(one) == name), None)
        if found is None:
            return _error(404, "invoice-not-found", "The invoice was not found")
        is_all = request.query_params.get("onlyAccountedPayments") == "false"
        return JSONResponse([self._method(found, is_all=is_all)])

    async def _refund(self, request: Request) -> Response:
        found = next((one for one in self.ledger.entries if name_of(one) == request.path_params["invoice"]), None)
        if found is None:
            return _error(404, "invoice-not-found", "The invoice was not found")
        approves = bool({APPROVED_RIGHT, f"{APPROVED_RIGHT}:{STORE}", "unrestricted"} & set(self.rights))
        return await self.refunds.refund(request, self._stands(found), self._way(found), approves)

    def _way(self, one: Entry) -> str:
        said = self.bodies.get(one.number)
        return str(said["checkout"]["paymentMethods"][0]) if said else LIGHTNING

    def _row(self, one: Entry, *, has_methods: bool) -> dict[str, Any]:
        said = self.bodies.get(one.number, {"metadata": {"orderId": one.label}, "checkout": {}})
        status, additional = self._stands(one)
        row = {
            "id": name_of(one),
            "storeId": STORE,
            "amount": str(one.amount_msat // 1_000),
            "paidAmount": str(one.paid_msat // 1_000),
            "currency": "SATS",
            "type": "Standard",
            "checkoutLink": f"https://btcpay.example/i/{name_of(one)}",
            "createdTime": one.made_at,
            "expirationTime": one.expires_at,
            "monitoringExpiration": one.expires_at + 3_600,
            "status": status,
            "additionalStatus": additional,
            "availableStatusesForManualMarking": [],
            "archived": one.number in self.archived,
            "metadata": said["metadata"],
            "checkout": said["checkout"],
            "receipt": {"enabled": None, "showQR": None, "showPayments": None},
        }
        return {**row, "paymentMethods": [self._method(one)]} if has_methods else row

    def _stands(self, one: Entry) -> tuple[str, str]:
        if one.number in self.marks:
            return self.marks[one.number], "Marked"
        if one.number in self.settled:
            return "Settled", "None"
        came = [coin for coin in self._came(one) if coin.status != "Invalid"]
        total = sum(coin.msat for coin in came)
        if total >= one.amount_msat:
            if any(coin.at >= one.expires_at for coin in self.coins.get(one.number, [])):
                return "Expired", "PaidLate"
            is_final = all(coin.status != "Processing" for coin in came)
            over = "PaidOver" if total > one.amount_msat else "None"
            return ("Settled" if is_final else "Processing"), over
        if self.ledger.now_s >= one.expires_at:
            return "Expired", "PaidPartial" if total else "None"
        return "New", "PaidPartial" if total else "None"

    def _came(self, one: Entry) -> list[Coin]:
        at = one.paid_ms // 1_000 or self.ledger.now_s
        came = [(one.paid_msat, "Settled")] if one.settle_index else []
        came += self.more.get(one.number, [])
        coins = [Coin(msat, status, at, f"{one.payment_hash}-{n}") for n, (msat, status) in enumerate(came)]
        return coins + self.coins.get(one.number, [])

    def _method(self, one: Entry, *, is_all: bool = False) -> dict[str, Any]:
        came = [coin for coin in self._came(one) if is_all or coin.status != "Invalid"]
        payments = [
            {
                "id": coin.id,
                "receivedDate": coin.at,
                "value": btc(coin.msat),
                "fee": "0.0",
                "status": coin.status,
                "destination": one.text,
            }
            for coin in came
        ]
        total, way = sum(coin.msat for coin in came if coin.status != "Invalid"), self._way(one)
        proof = {"paymentHash": one.payment_hash, "preimage": one.preimage.hex()}
        return {
            "paymentMethodId": way,
            "currency": "BTC",
            "destination": one.text,
            "paymentLink": f"{'bitcoin' if way == CHAIN else 'lightning'}:{one.text}",
            "rate": "100000000.0",
            "paymentMethodPaid": btc(total),
            "totalPaid": btc(total),
            "due": btc(one.amount_msat - total),
            "amount": btc(one.amount_msat),
            "paymentMethodFee": "0.0",
            "payments": payments,
            "activated": True,
            "additionalData": {"keyPath": f"0/{one.number}"} if way == CHAIN else proof,
        }


def name_of(one: Entry) -> str:
    """What BTCPay calls an invoice: base58."""
    return f"Xq7{one.payment_hash[:16]}"


def btc(msat: int) -> str:
    """An amount as BTCPay writes it."""
    return str(Decimal(msat) / MSAT_PER_BTC)


def _error(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status)
