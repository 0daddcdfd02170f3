"""One order's moves over HTTP: its states, its parcels, holds, refunds, and a pickup that is ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, HTTPException, status
from pydantic import BaseModel, Field

from schemas import limits
from schemas.goods import MarkReady
from schemas.holds import HoldOrder, ReleaseOrder, RenewOrder
from schemas.messages import CommandBody
from schemas.orders import MoveOrder, MoveShipping, OrderStatus, ShippingStatus
from schemas.payments import WaivePayment
from schemas.refunds import RecordRefund
from schemas.reinstatement import ReinstateOrder
from schemas.values import MSAT_PER_SAT, Actor, OrderKey
from services.api.causes import cause_of

Decide = Callable[[str, CommandBody, str | None], Awaitable[dict[str, Any]]]


class Shipment(BaseModel):
    """Where a parcel is; `parcel` names one of several."""

    tracking: str | None = Field(default=None, max_length=limits.TRACKING.most)
    carrier: str | None = Field(default=None, max_length=limits.CARRIER.most)
    eta: int | None = Field(default=None, ge=0, le=limits.TIME.most)
    parcel: str | None = Field(
        default=None, min_length=1, max_length=limits.PARCEL_NAME.most, pattern=r"^[A-Za-z0-9._-]+$"
    )


class Refund(BaseModel):
    """Money that was given back, over which way, and how it is found there."""

    sats: int = Field(gt=0, le=21_000_000 * 100_000_000)
    rail: str = Field(min_length=1, max_length=limits.REFUND_RAIL.most)
    reference: str = Field(default="", max_length=limits.REFUND_REFERENCE.most)
    reason: str = Field(default="", max_length=limits.REFUND_REASON.most)


def add_routes(
    app: FastAPI, guarded: Sequence[Any], decide: Decide, key_of: Callable[[str], Awaitable[OrderKey]]
) -> None:
    """`POST /orders/{ref}/refund`, and `POST /orders/{ref}/{move}` for every other move."""

    @app.post("/orders/{ref}/refund", dependencies=guarded)
    async def refund(ref: str, given: Refund, request: str | None = None) -> dict[str, Any]:
        key = await key_of(ref)
        body = RecordRefund(
            order=key,
            amount_msat=given.sats * MSAT_PER_SAT,
            rail=given.rail,
            reference=given.reference,
            reason=given.reason,
            cause=cause_of(request),
        )
        return await decide(key.merchant, body, request)

    @app.post("/orders/{ref}/{move}", dependencies=guarded)
    async def move_order(ref: str, move: str, shipment: Shipment | None = None, request: str | None = None) -> Any:
        key = await key_of(ref)
        body = order_move(key, move, shipment or Shipment(), cause=cause_of(request))
        if body is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"an order cannot be moved by {move!r}")
        return await decide(key.merchant, body, request)


def order_move(key: OrderKey, move: str, shipment: Shipment, cause: str) -> CommandBody | None:
    """The command behind `ncc order <move>`; None for a word that is none."""
    parcels = {
        "prepare": ShippingStatus.PROCESSING,
        "ship": ShippingStatus.SHIPPED,
        "deliver": ShippingStatus.DELIVERED,
        "exception": ShippingStatus.EXCEPTION,
    }
    orders = {
        "confirm": OrderStatus.CONFIRMED,
        "process": OrderStatus.PROCESSING,
        "complete": OrderStatus.COMPLETED,
        "cancel": OrderStatus.CANCELLED,
    }
    if move in parcels:
        return MoveShipping(
            order=key,
            actor=Actor.MERCHANT,
            to=parcels[move],
            cause=cause,
            parcel=shipment.parcel,
            tracking=shipment.tracking,
            carrier=shipment.carrier,
            eta=shipment.eta,
        )
    if move in orders:
        return MoveOrder(order=key, actor=Actor.MERCHANT, to=orders[move], cause=cause)
    if move == "hold":
        return HoldOrder(order=key, cause=cause)
    if move == "release":
        return ReleaseOrder(order=key, cause=cause)
    if move == "renew":
        return RenewOrder(order=key, cause=cause)
    if move == "waive":
        return WaivePayment(order=key, cause=cause)
    if move == "reinstate":
        return ReinstateOrder(order=key, cause=cause)
    if move == "ready":
        return MarkReady(order=key, cause=cause)
    return None
