"""The books over HTTP: every account of a shop, and money over a shop's address that waits for its order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas import limits
from schemas.addresses import AssignPayment, ClosePayment, Closing
from schemas.values import OrderKey
from services.api.causes import cause_of
from services.api.stock import Decide, Rows

ENTRIES_MAX: Final = 1_000
ACCOUNTS: Final = """
SELECT merchant, account, sum(msat) AS msat, count() AS entries FROM ledger
WHERE {m:String} = '' OR merchant = {m:String} GROUP BY merchant, account ORDER BY merchant, account
"""
ENTRIES: Final = """
SELECT merchant, at, sequence, cause, order_ref, subject, account, msat FROM ledger
WHERE {m:String} = '' OR merchant = {m:String} ORDER BY at DESC, sequence DESC, position DESC, msat DESC
LIMIT {limit:UInt32}
"""
WAITING: Final = "SELECT * FROM unassigned_payments ORDER BY paid_at DESC LIMIT 1000"
FIND: Final = (
    "SELECT DISTINCT merchant, intent_id FROM unassigned_payments WHERE startsWith(intent_id, {id:String}) LIMIT 2"
)


class Assignment(BaseModel):
    """Which order a payment is for, by its reference or id."""

    order: str = Field(min_length=1, max_length=256)


class End(BaseModel):
    """What becomes of money that is no order's, and how it is found where it was given back."""

    closing: Closing
    reference: str = Field(default="", max_length=limits.REFUND_REFERENCE.most)


def add_routes(
    app: FastAPI, guarded: Sequence[Any], decide: Decide, rows: Rows, key_of: Callable[[str], Awaitable[OrderKey]]
) -> None:
    """`GET /ledger` and `/ledger/entries`; `GET /payments` that wait, and `POST /payments/{id}/assign` or `/close`."""

    async def found(payment: str) -> dict[str, Any]:
        matching = await rows(FIND, {"id": payment.lower()}) if payment else []
        if len(matching) != 1:
            what = "several payments match" if matching else "no payment waits as"
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"{what} {payment}: `ncc payments list` shows those that do")
        return matching[0]

    @app.get("/ledger", dependencies=guarded)
    async def ledger(merchant: str = "") -> list[dict[str, Any]]:
        return await rows(ACCOUNTS, {"m": merchant})

    @app.get("/ledger/entries", dependencies=guarded)
    async def entries(
        merchant: str = "", limit: Annotated[int, Field(ge=1, le=ENTRIES_MAX)] = 50
    ) -> list[dict[str, Any]]:
        return await rows(ENTRIES, {"m": merchant, "limit": limit})

    @app.get("/payments", dependencies=guarded)
    async def waiting() -> list[dict[str, Any]]:
        return await rows(WAITING)

    @app.post("/payments/{payment}/assign", dependencies=guarded)
    async def assign(payment: str, to: Assignment, request: str | None = None) -> dict[str, Any]:
        one, key = await found(payment), await key_of(to.order)
        if key.merchant != one["merchant"]:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, f"order: {to.order} is another shop's than the payment")
        body = AssignPayment(intent_id=one["intent_id"], order=key, cause=cause_of(request))
        return await decide(key.merchant, body, request)

    @app.post("/payments/{payment}/close", dependencies=guarded)
    async def close(payment: str, end: End, request: str | None = None) -> dict[str, Any]:
        one, cause = await found(payment), cause_of(request)
        body = ClosePayment(intent_id=one["intent_id"], closing=end.closing, reference=end.reference, cause=cause)
        return await decide(one["merchant"], body, request)
