"""The pull payments of a BTCPay Server made of a list, after its published API and source (Greenfield v1, 2.4.1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

REFUND_RIGHT: Final = "btcpay.store.cancreatenonapprovedpullpayments"
APPROVED_RIGHT: Final = "btcpay.store.cancreatepullpayments"
REFUND, PULLS, PAYOUTS = "refund", "pull-payments", "payouts"
ASKED: Final = frozenset(
    {
        "name",
        "description",
        "payoutMethods",
        "refundVariant",
        "subtractPercentage",
        "customAmount",
        "customCurrency",
    }
)
REFUNDABLE: Final = frozenset({("Expired", "PaidLate"), ("Expired", "PaidOver"), ("Expired", "PaidPartial")})


@dataclass
class Pull:
    """One pull payment, and its claims: how much in bitcoin, and in which state."""

    number: int
    said: dict[str, Any]
    approves: bool
    archived: bool = False
    claims: list[tuple[Decimal, str]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"4Tz{hashlib.sha256(bytes([self.number])).hexdigest()[:24]}"

    def claim(self, state: str, part: Decimal = Decimal(1)) -> None:
        """Have its payer claim a part of it, or move the only claim to another state."""
        self.claims = [(Decimal(self.said["customAmount"]) * part, state)]

    def row(self, now_s: int) -> dict[str, Any]:
        return {
            "startsAt": now_s,
            "expiresAt": None,
            "id": self.id,
            "name": self.said["name"],
            "description": self.said["description"],
            "currency": self.said["customCurrency"],
            "amount": self.said["customAmount"],
            "BOLT11Expiration": "30",
            "autoApproveClaims": self.approves,
            "archived": self.archived,
            "viewLink": f"https://btcpay.example/pull-payments/{self.id}",
        }


@dataclass
class PullPayments:
    """A store's; `has_rate` is whether it knows what a bitcoin is in sats."""

    pulls: list[Pull] = field(default_factory=list)
    has_rate: bool = True

    async def refund(self, request: Request, stands: tuple[str, str], method: str, approves: bool) -> Response:
        """Make one for an invoice that stands so, paid by that method."""
        said = await request.json()
        assert said.keys() <= ASKED, f"BTCPay reads nothing else: {said.keys() - ASKED}"
        assert isinstance(said["customAmount"], str)
        if stands[0] not in {"Settled", "Invalid"} and stands not in REFUNDABLE:
            return JSONResponse({"code": "non-refundable", "message": "Cannot refund this invoice"}, 400)
        if said["payoutMethods"] != [method]:
            return JSONResponse([{"path": "payoutMethods", "message": "Invalid or unsupported payout method"}], 422)
        assert said["refundVariant"] == "Custom"
        if Decimal(said["customAmount"]) <= 0:
            return JSONResponse([{"path": "customAmount", "message": "Amount must be greater than 0"}], 422)
        if not self.has_rate:
            return JSONResponse([{"path": "refundVariant", "message": "Impossible to fetch rate"}], 422)
        made = Pull(len(self.pulls), said, approves and said["customCurrency"] == "BTC")
        self.pulls.append(made)
        return JSONResponse(made.row(0))

    async def list(self, request: Request) -> Response:
        """The newest first."""
        assert set(request.query_params) <= {"includeArchived"}
        has_all = request.query_params.get("includeArchived") == "true"
        return JSONResponse([one.row(0) for one in reversed(self.pulls) if has_all or not one.archived])

    async def payouts(self, request: Request) -> Response:
        """Claims of one; of one that is archived none are listed."""
        assert set(request.query_params) <= {"includeCancelled"}
        found = next((one for one in self.pulls if one.id == request.path_params["pull"]), None)
        if found is None:
            return JSONResponse({"code": "pullpayment-not-found", "message": "not found"}, 404)
        claims = [] if found.archived else [claim for claim in found.claims if claim[1] != "Cancelled"]
        return JSONResponse(
            [
                {
                    "id": f"{found.id}x{number}",
                    "pullPaymentId": found.id,
                    "date": 0,
                    "destination": "bcrt1q",
                    "originalCurrency": found.said["customCurrency"],
                    "originalAmount": str(amount),
                    "payoutCurrency": "BTC",
                    "payoutAmount": None if state == "AwaitingApproval" else str(amount),
                    "payoutMethodId": found.said["payoutMethods"][0],
                    "revision": 0,
                    "state": state,
                    "paymentProof": None,
                    "metadata": {},
                }
                for number, (amount, state) in enumerate(claims)
            ]
        )
