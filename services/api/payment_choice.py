"""How each shop's new orders are paid, over HTTP, and what is wrong with what it published (PAY-01, PAY-05)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from fastapi import FastAPI

from schemas.merchants import Merchant
from schemas.preferences import PaymentFlow

Rows = Callable[..., Awaitable[list[dict[str, Any]]]]
_CHOICES = "SELECT merchant, flow, preference, app, flaws FROM payment_choices_now"


def add_routes(app: FastAPI, guarded: Sequence[Any], rows: Rows, merchants: Callable[[], Iterable[Merchant]]) -> None:
    """`GET /payment-choices`: one for each shop that is run here."""

    @app.get("/payment-choices", dependencies=guarded)
    async def list_choices() -> list[dict[str, Any]]:
        said = {row["merchant"]: row for row in await rows(_CHOICES)}
        return [choice_of(merchant.public_key, said.get(merchant.public_key)) for merchant in merchants()]


def choice_of(public_key: str, row: dict[str, Any] | None) -> dict[str, Any]:
    """A shop's row; one that published nothing yet is paid by hand."""
    row = row or {}
    return {
        "merchant": public_key,
        "flow": row.get("flow") or PaymentFlow.MANUAL.value,
        "preference": row.get("preference") or None,
        "app": row.get("app") or None,
        "flaws": list(row.get("flaws") or ()),
    }
