"""A Stripe account made of a ledger, after the published API: Checkout Sessions, their payments, disputes and events.

Its currency's units stand for msat, one for one, so a request's amount is what its page asks for.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.scripted_nodes import EXPIRED, Act, Entry, Ledger, Refused, faulty, serving

KEY: Final = "rk_test_51Ncc0000"
CREATE, SESSION, EXPIRE = "create", "session", "expire"
EVENTS, DISPUTES, REFUNDS, PAYMENTS = "events", "disputes", "refunds", "payment_intents"
LIMIT_MAX: Final = 100
KEY_LIFE_S: Final = 86_400
FIELDS: Final = re.compile(
    r"mode|payment_method_types\[0\]|adaptive_pricing\[enabled\]|client_reference_id|success_url|expires_at"
    r"|line_items\[0\]\[(quantity|price_data\]\[(currency|unit_amount|product_data\]\[name))\]"
    r"|metadata\[[a-z_]{1,40}\]|payment_intent_data\[(description|metadata\]\[[a-z_]{1,40})\]"
)


@dataclass
class Charged:
    """What became of a payment: how much was given back, and the words of its disputes."""

    at: int
    units: int
    given_back: int = 0
    disputes: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class ScriptedStripe:
    """Answers the calls of `services.payments.stripe`, strictly. `rights` are what its key may do besides reading."""

    ledger: Ledger = field(default_factory=Ledger)
    refused: frozenset[str] = frozenset()
    """Names of calls that the key may not make."""
    units_min: int = 1
    units_max: int = 10**14
    made: dict[int, dict[str, str]] = field(default_factory=dict)
    """What each session was made with, by its number."""
    charged: dict[int, Charged] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    refunds: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, tuple[int, dict[str, str], Response]] = field(default_factory=dict)
    """By `Idempotency-Key`: when it came first, with what, and what was answered."""
    processing: set[int] = field(default_factory=set)
    """Sessions whose payment is under way."""
    currency: Callable[[str], str] = lambda currency: currency
    """What is paid in, where a page asks for a currency."""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve it; gives its address."""

        def route(path: str, method: str, name: str, act: Act, stale: Response | None = None) -> Route:
            return Route(
                f"/v1{path}", self._allowed(f"{method} {name}", faulty(self.ledger, name, act, stale)), methods=[method]
            )

        gone = _error(404, "invalid_request_error", "resource_missing")
        routes = [
            route("/checkout/sessions", "POST", CREATE, self._create),
            route("/checkout/sessions", "GET", SESSION, self._list, JSONResponse(_listed([], has_more=False))),
            route("/checkout/sessions/{session}", "GET", SESSION, self._retrieve, gone),
            route("/checkout/sessions/{session}/expire", "POST", EXPIRE, self._expire),
            route("/events", "GET", EVENTS, self._events),
            route("/disputes", "GET", DISPUTES, self._disputes),
            route("/refunds", "GET", REFUNDS, self._refunds),
            route("/payment_intents", "GET", PAYMENTS, self._payments),
        ]
        async with serving(self.ledger, Starlette(routes=routes)) as url:
            yield url

    # What people do

    async def pay(self, text: str, units: int | None = None) -> None:
        """Pay at a page as its buyer; raise `Refused` where there is none to pay at."""
        one = next((entry for entry in self.ledger.entries if entry.text == text), None)
        if one is None:
            raise Refused("nobody knows this page")
        if one.settle_index or one.is_cancelled or self.ledger.now_s >= one.expires_at:
            raise Refused(EXPIRED)
        self.ledger.settled += 1
        one.settle_index, one.paid_msat = self.ledger.settled, one.amount_msat if units is None else units
        one.paid_ms = self.ledger.now_s * 1_000
        self.charged[one.number] = Charged(self.ledger.now_s, one.paid_msat)
        self.happened("checkout.session.completed", self.row(one))

    def give_back(self, one: Entry, units: int | None = None) -> None:
        """Refund a payment in the dashboard, in part or as a whole."""
        charged = self.charged[one.number]
        charged.given_back += charged.units if units is None else units
        made = {"id": f"re_{len(self.refunds)}", "object": "refund", "created": self.ledger.now_s}
        self.refunds.append({**made, "payment_intent": self.payment_of(one)})
        self.happened("charge.refunded", self.charge(one))

    def dispute(self, one: Entry, status: str) -> dict[str, Any]:
        """Have the payer's bank question a payment; what it gives may be given another status."""
        made = {"id": f"du_{one.number}", "object": "dispute", "status": status, "payment_intent": self.payment_of(one)}
        said = {**made, "created": self.ledger.now_s, "metadata": {}, "charge": f"ch_{one.number}"}
        self.charged[one.number].disputes.append(said)
        self.happened("charge.dispute.created", said)
        return said

    def happened(self, kind: str, about: Mapping[str, Any]) -> None:
        """Add to the events; what they are about stands in them as it was then."""
        made = {"id": f"evt_{len(self.events):06d}", "object": "event", "created": self.ledger.now_s, "type": kind}
        self.events.append({**made, "data": {"object": json.loads(json.dumps(about))}})

    def notice(self, event: Mapping[str, Any], secret: str, at_s: int | None = None) -> tuple[bytes, dict[str, str]]:
        """A webhook's body and headers."""
        raw = json.dumps(event, indent=2).encode()
        return raw, {"Stripe-Signature": signature(raw, self.ledger.now_s if at_s is None else at_s, secret)}

    # What Stripe answers

    def _allowed(self, name: str, act: Act) -> Act:
        async def answer(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return _error(401, "invalid_request_error", None)
            assert re.fullmatch(r"20\d\d-\d\d-\d\d\.[a-z]+", request.headers.get("stripe-version", ""))
            if request.method == "POST":
                assert request.headers.get("content-type") == "application/x-www-form-urlencoded"
            if name in self.refused:
                return _error(403, "invalid_request_error", None)
            if name == f"POST {CREATE}" and not await request.body():
                return _error(400, "invalid_request_error", "parameter_missing")  # only a try whether it may
            return await act(request)

        return answer

    async def _create(self, request: Request) -> Response:
        said = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        unknown = [name for name in said if not FIELDS.fullmatch(name)]
        assert not unknown, f"Stripe knows no {unknown}"
        assert said["mode"] == "payment"
        key = request.headers["idempotency-key"]
        assert len(key) <= 255
        known = self.keys.get(key)
        if known is not None and self.ledger.now_s - known[0] < KEY_LIFE_S:
            return known[2] if known[1] == said else _error(400, "idempotency_error", None)
        life_s, units = int(said["expires_at"]) - self.ledger.now_s, int(said[f"{PRICE}[unit_amount]"])
        if not 1_800 <= life_s <= 86_400:
            return _error(400, "invalid_request_error", "parameter_invalid_integer")
        if units < self.units_min:
            return _error(400, "invalid_request_error", "amount_too_small")
        if units > self.units_max:
            return _error(400, "invalid_request_error", "amount_too_large")
        assert said[f"{PRICE}[currency]"].islower()
        assert said["line_items[0][quantity]"] == "1"
        assert len(said[f"{PRICE}[product_data][name]"]) <= 250
        assert said["success_url"].startswith("https://")
        assert all(len(value) <= 500 for name, value in said.items() if name.startswith("metadata"))
        number = len(self.ledger.entries) + 1
        one = Entry(
            label=said["client_reference_id"],
            preimage=secrets.token_bytes(32),
            text="",
            amount_msat=self.ledger.says_msat(units),
            memo=said[f"{PRICE}[product_data][name]"],
            made_at=self.ledger.now_s,
            expires_at=int(said["expires_at"]),
            number=number,
        )
        one.text = f"https://checkout.stripe.com/c/pay/{name_of(one)}#fid{one.payment_hash}"
        self.ledger.entries.append(one)
        self.made[number] = said
        answer = JSONResponse(self.row(one))
        self.keys[key] = (self.ledger.now_s, said, answer)
        return answer

    async def _list(self, request: Request) -> Response:
        def wanted(one: Entry) -> bool:
            asked = request.query_params
            is_named = asked.get("payment_intent", self.payment_of(one)) == self.payment_of(one)
            return is_named and asked.get("status", status_of(one, self.ledger.now_s)) == status_of(
                one, self.ledger.now_s
            )

        is_expanded = _expands(request, "data.payment_intent.latest_charge")
        rows = [self.row(one, is_expanded=is_expanded) for one in self.ledger.entries if wanted(one)]
        return paged(request, rows, {"payment_intent", "status", "expand[0]"})

    async def _retrieve(self, request: Request) -> Response:
        is_expanded = _expands(request, "payment_intent.latest_charge")
        one = self._named(request)
        if one is None:
            return _error(404, "invalid_request_error", "resource_missing")
        return JSONResponse(self.row(one, is_expanded=is_expanded))

    async def _expire(self, request: Request) -> Response:
        one = self._named(request)
        if one is None:
            return _error(404, "invalid_request_error", "resource_missing")
        if status_of(one, self.ledger.now_s) != "open":
            return _error(400, "invalid_request_error", None)
        one.is_cancelled = True
        return JSONResponse(self.row(one))

    async def _events(self, request: Request) -> Response:
        types = {value for name, value in request.query_params.items() if name.startswith("types[")}
        assert len(types) <= 20
        rows = [event for event in self.events if not types or event["type"] in types]
        return paged(request, rows, {f"types[{place}]" for place in range(20)})

    async def _disputes(self, request: Request) -> Response:
        payment = request.query_params.get("payment_intent")
        rows = [one for charged in self.charged.values() for one in charged.disputes]
        return paged(request, [one for one in rows if payment in {None, one["payment_intent"]}], {"payment_intent"})

    async def _refunds(self, request: Request) -> Response:
        return paged(request, self.refunds, set())

    async def _payments(self, request: Request) -> Response:
        return paged(request, [], set())

    def _named(self, request: Request) -> Entry | None:
        name = request.path_params["session"]
        return next((one for one in self.ledger.entries if name_of(one) == name), None)

    def row(self, one: Entry, *, is_expanded: bool = False) -> dict[str, Any]:
        """A session as Stripe tells it."""
        said, status = self.made[one.number], status_of(one, self.ledger.now_s)
        payment: Any = None
        if one.settle_index:
            payment = self._payment(one) if is_expanded else self.payment_of(one)
        is_paid = bool(one.settle_index) and one.number not in self.processing
        return {
            "id": name_of(one),
            "object": "checkout.session",
            "amount_subtotal": one.amount_msat,
            "amount_total": one.amount_msat,
            "client_reference_id": one.label,
            "created": one.made_at,
            "currency": said[f"{PRICE}[currency]"],
            "customer_details": {"email": "buyer@example.com", "name": "A Buyer"} if one.settle_index else None,
            "expires_at": one.expires_at,
            "livemode": False,
            "metadata": metadata_in(said, "metadata"),
            "mode": "payment",
            "payment_intent": payment,
            "payment_method_types": ["card"],
            "payment_status": "paid" if is_paid else "unpaid",
            "status": status,
            "success_url": said["success_url"],
            "url": one.text if status == "open" else None,
        }

    def payment_of(self, one: Entry) -> str:
        """What Stripe calls its payment."""
        return f"pi_3{one.payment_hash[:20]}"

    def _payment(self, one: Entry) -> dict[str, Any]:
        is_under_way = one.number in self.processing
        return {
            "id": self.payment_of(one),
            "object": "payment_intent",
            "amount": one.amount_msat,
            "amount_received": 0 if is_under_way else self.charged[one.number].units,
            "created": self.charged[one.number].at,
            "currency": self.currency(self.made[one.number][f"{PRICE}[currency]"]),
            "latest_charge": self.charge(one),
            "metadata": metadata_in(self.made[one.number], "payment_intent_data[metadata]"),
            "status": "processing" if is_under_way else "succeeded",
        }

    def charge(self, one: Entry) -> dict[str, Any]:
        """The payment by card."""
        charged = self.charged[one.number]
        return {
            "id": f"ch_{one.number}",
            "object": "charge",
            "amount": charged.units,
            "amount_refunded": charged.given_back,
            "billing_details": {"email": "buyer@example.com", "name": "A Buyer"},
            "created": charged.at,
            "disputed": bool(charged.disputes),
            "metadata": metadata_in(self.made[one.number], "payment_intent_data[metadata]"),
            "paid": True,
            "payment_intent": self.payment_of(one),
            "refunded": charged.given_back >= charged.units,
        }


PRICE: Final = "line_items[0][price_data]"


def name_of(one: Entry) -> str:
    """What Stripe calls a session."""
    return f"cs_test_a1{one.payment_hash[:40]}"


def status_of(one: Entry, now_s: int) -> str:
    """How a session stands."""
    if one.settle_index:
        return "complete"
    return "expired" if one.is_cancelled or now_s >= one.expires_at else "open"


def signature(raw: bytes, at_s: int, *keys: str) -> str:
    """The header of a body that was signed with these secrets at a moment, as Stripe writes it."""
    said = [hmac.new(key.encode(), f"{at_s}.".encode() + raw, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={at_s}", *(f"v1={one}" for one in said), f"v0={'00' * 32}"])


def metadata_in(said: Mapping[str, str], where: str) -> dict[str, str]:
    """The metadata in what something was made with."""
    return {name[len(where) + 1 : -1]: value for name, value in said.items() if name.startswith(f"{where}[")}


def _expands(request: Request, what: str) -> bool:
    assert request.query_params.get("expand[0]", what) == what
    return "expand[0]" in request.query_params


def paged(request: Request, rows: list[dict[str, Any]], named: set[str]) -> Response:
    """A list as Stripe gives it: the newest first, so many a page."""
    asked = request.query_params
    bounds = {"created[gte]", "created[lte]", "created[lt]"}
    unknown = set(asked) - named - bounds - {"limit", "starting_after"}
    assert not unknown, f"Stripe knows no {unknown}"
    limit = int(asked.get("limit", 10))
    assert 1 <= limit <= LIMIT_MAX
    assert int(asked.get("created[gte]", 0)) >= 0
    low, high = int(asked.get("created[gte]", 0)), int(asked.get("created[lte]", 2**40))
    below = int(asked.get("created[lt]", 2**40))
    found = [row for row in reversed(rows) if low <= row.get("created", 0) <= high and row.get("created", 0) < below]
    found.sort(key=lambda row: -row.get("created", 0))
    if "starting_after" in asked:
        names = [row["id"] for row in found]
        found = found[names.index(asked["starting_after"]) + 1 :]
    return JSONResponse(_listed(found[:limit], has_more=len(found) > limit))


def _listed(rows: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": has_more, "url": "/v1"}


def _error(status: int, kind: str, code: str | None) -> JSONResponse:
    error = {"type": kind, "message": "what a person would read"} | ({"code": code} if code else {})
    return JSONResponse({"error": error}, status)
