"""Digital goods: the text or link that buyers of a listing get, sealed, and a pickup that is ready (SU-06)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.values import OrderKey, SealedDetails, Value


class SetGoods(Value):
    """From now on buyers of this listing are sent what is in the box; without one they are sent nothing by itself."""

    type: Literal["SetGoods"] = "SetGoods"
    coordinate: str
    sealed: SealedDetails | None = None
    cause: str = Field(max_length=128)


class GoodsSet(Value):
    """What a listing's buyers are sent once they have paid. Later confirmations use it; nothing else follows."""

    type: Literal["GoodsSet"] = "GoodsSet"
    coordinate: str
    sealed: SealedDetails | None = None
    cause: str


class MarkReady(Value):
    """The order lies where its buyer comes to collect it."""

    type: Literal["MarkReady"] = "MarkReady"
    order: OrderKey
    cause: str = Field(max_length=128)


class PickupReady(Value):
    """The order can be collected; the reply in the same record says where. Nothing else follows."""

    type: Literal["PickupReady"] = "PickupReady"
    order: OrderKey
    cause: str
