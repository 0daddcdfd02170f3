"""Stock over HTTP: what is there, and a count by whichever system keeps it (INV-11)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas.messages import CommandBody
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.stock import SetStock
from services.api.causes import cause_of

Decide = Callable[[str, CommandBody, str | None], Awaitable[dict[str, Any]]]
Rows = Callable[..., Awaitable[list[dict[str, Any]]]]


class Count(BaseModel):
    """So many are there, as of a version that only ever grows; None gives the count back to the listings."""

    coordinate: str = Field(max_length=1_024)
    on_hand: int | None = Field(ge=0, le=1_000_000_000)
    source: str = Field(min_length=1, max_length=64)
    version: int = Field(ge=0, le=2**53 - 1)


def add_routes(
    app: FastAPI, guarded: Sequence[Any], decide: Decide, rows: Rows, is_hosted: Callable[[str], bool]
) -> None:
    """`GET /stock` to pull, `PUT /stock` to push."""

    @app.get("/stock", dependencies=guarded)
    async def list_stock() -> list[dict[str, Any]]:
        return await rows("SELECT * FROM inventory_now ORDER BY merchant, coordinate LIMIT 1000")

    @app.put("/stock", dependencies=guarded)
    async def set_stock(count: Count, request: str | None = None) -> dict[str, Any]:
        try:
            listing = Coordinate.parse(count.coordinate)
        except CoordinateRefused:
            listing = None
        if listing is None or listing.kind != Kind.PRODUCT or not is_hosted(listing.pubkey):
            raise HTTPException(
                status.HTTP_400_BAD_REQUEST, "coordinate: no listing of a merchant here: `ncc stock` shows addresses"
            )
        cause = cause_of(request)
        return await decide(listing.pubkey, SetStock(**count.model_dump(), cause=cause), request)
