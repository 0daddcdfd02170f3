"""Digital goods over HTTP: what buyers of a listing are sent, sealed before it leaves this process (SU-06)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas import limits
from schemas.goods import SetGoods
from schemas.nostr.coordinates import Coordinate, CoordinateRefused
from schemas.nostr.kinds import Kind
from schemas.values import SealedDetails
from services.api.causes import cause_of
from services.api.stock import Decide, Rows

Seal = Callable[[str, str, str], SealedDetails | None]


class Goods(BaseModel):
    """A text or a link for the buyers of a listing; None sends them nothing by itself any more."""

    coordinate: str = Field(max_length=1_024)
    text: str | None = Field(min_length=1, max_length=limits.GOODS_TEXT.most)


def add_routes(
    app: FastAPI, guarded: Sequence[Any], decide: Decide, rows: Rows, seal: Seal, is_hosted: Callable[[str], bool]
) -> None:
    """`GET /goods` says which listings have something, `PUT /goods` sets it; the text itself is never shown again."""

    @app.get("/goods", dependencies=guarded)
    async def list_goods() -> list[dict[str, Any]]:
        return await rows(
            "SELECT merchant, coordinate, max(at) AS set_at FROM events WHERE type = 'GoodsSet'"
            " GROUP BY merchant, coordinate HAVING argMax(quantity, sequence) = 1"
            " ORDER BY merchant, coordinate LIMIT 1000"
        )

    @app.put("/goods", dependencies=guarded)
    async def set_goods(goods: Goods, request: str | None = None) -> dict[str, Any]:
        try:
            listing = Coordinate.parse(goods.coordinate)
        except CoordinateRefused:
            listing = None
        if listing is None or listing.kind != Kind.PRODUCT or not is_hosted(listing.pubkey):
            raise HTTPException(
                status.HTTP_400_BAD_REQUEST, "coordinate: no listing of a merchant here: `ncc stock` shows addresses"
            )
        sealed = None if goods.text is None else seal(listing.pubkey, goods.coordinate, goods.text)
        cause = cause_of(request)
        return await decide(listing.pubkey, SetGoods(coordinate=goods.coordinate, sealed=sealed, cause=cause), request)
