"""Pay-outs over HTTP: the operator asks and drops, an approver approves; neither can do the other's part."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, Request, status
from pydantic import BaseModel, Field

from schemas.payouts import ApprovePayout, DropPayout, WantPayout
from schemas.values import MSAT_PER_SAT, OrderKey
from services.api.causes import cause_of
from services.api.order_moves import Decide

MOST_SATS = 21_000_000 * 100_000_000


class PayBack(BaseModel):
    """How much is to go back; left out: all that is owed, or else all that is left."""

    sats: int | None = Field(default=None, gt=0, le=MOST_SATS)


class Approval(BaseModel):
    """How much is approved: exactly what was asked for."""

    sats: int = Field(gt=0, le=MOST_SATS)


def add_routes(
    app: FastAPI,
    guarded: Sequence[Any],
    decide: Decide,
    key_of: Callable[[str], Awaitable[OrderKey]],
    approver_of: Callable[[str], str | None],
    unpaid_why: Callable[[str], str],
    is_by_link: Callable[[str], bool],
) -> None:
    """`POST /orders/{ref}/pay-back`, `/approve` and `/refuse-payout`.

    `approver_of` says whose token it is, `unpaid_why` why a merchant's wallet pays nothing out, empty where it does,
    and `is_by_link` whether it gives out a link, for which no invoice of the buyer's is needed.
    """

    @app.post("/orders/{ref}/pay-back", dependencies=guarded)
    async def pay_back(ref: str, wish: PayBack, request: str | None = None) -> dict[str, Any]:
        key = await key_of(ref)
        if why := unpaid_why(key.merchant):
            raise HTTPException(status.HTTP_409_CONFLICT, why)
        amount_msat = None if wish.sats is None else wish.sats * MSAT_PER_SAT
        by_link = is_by_link(key.merchant)
        body = WantPayout(order=key, amount_msat=amount_msat, by_link=by_link, cause=cause_of(request))
        return await decide(key.merchant, body, request)

    @app.post("/orders/{ref}/refuse-payout", dependencies=guarded)
    async def refuse_payout(ref: str, request: str | None = None) -> dict[str, Any]:
        key = await key_of(ref)
        return await decide(key.merchant, DropPayout(order=key, cause=cause_of(request)), request)

    @app.post("/orders/{ref}/approve")
    async def approve(ref: str, approval: Approval, call: Request, request: str | None = None) -> dict[str, Any]:
        token = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        approver = approver_of(token)
        if approver is None:
            sentence = "only an approver's token approves, not the operator's: see `ncc payouts approver add`"
            raise HTTPException(status.HTTP_401_UNAUTHORIZED, sentence)
        key = await key_of(ref)
        body = ApprovePayout(
            order=key, amount_msat=approval.sats * MSAT_PER_SAT, approver=approver, cause=cause_of(request)
        )
        return await decide(key.merchant, body, request)
