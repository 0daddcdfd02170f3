"""Early arrivals: messages about an order that has not been seen yet (ORD-07)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas import limits
from schemas.orders import MoveOrder, MoveShipping
from schemas.payments import AnnouncePayment, ReportPayment
from schemas.values import OrderKey, Value

PARKED_MAX = limits.PARKED.most
"""Messages kept per unknown order; more are refused."""

Early = Annotated[MoveOrder | MoveShipping | ReportPayment | AnnouncePayment, Field(discriminator="type")]


class CommandParked(Value):
    """A message waits for its order until `deadline_ms`."""

    type: Literal["CommandParked"] = "CommandParked"
    order: OrderKey
    command: Early
    deadline_ms: int


class ParkedReleased(Value):
    """The order's oldest parked message left the parking area: its order came, or its time ran out."""

    type: Literal["ParkedReleased"] = "ParkedReleased"
    order: OrderKey


class ReleaseParked(Value):
    """Take the order's oldest parked message up again; sent by the decider when it is due."""

    type: Literal["ReleaseParked"] = "ReleaseParked"
    order: OrderKey
