"""Manual holds: a person takes an order over, and the coordinator says nothing to its buyer until it is released."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.replies import Reply
from schemas.values import OrderKey, Value


class HoldOrder(Value):
    """Leave this order to a person: no message goes to its buyer and no deadline ends it (NCC-09)."""

    type: Literal["HoldOrder"] = "HoldOrder"
    order: OrderKey
    cause: str = Field(max_length=128)


class ReleaseOrder(Value):
    """The person is done with it: what was left unsaid is said, as things stand now."""

    type: Literal["ReleaseOrder"] = "ReleaseOrder"
    order: OrderKey
    cause: str = Field(max_length=128)


class RenewOrder(Value):
    """The merchant has an order priced and asked for anew, whose request its wallet has forgotten.

    Whoever paid the forgotten one all the same has paid late.
    """

    type: Literal["RenewOrder"] = "RenewOrder"
    order: OrderKey
    cause: str = Field(max_length=128)


class OrderHeld(Value):
    """The order is a person's; money, stock and moves are still decided. Nothing goes out, so nothing can fail."""

    type: Literal["OrderHeld"] = "OrderHeld"
    order: OrderKey
    cause: str


class OrderReleased(Value):
    """The order goes on; one with a deadline has until `deadline_ms`. What is said about it stands in the record."""

    type: Literal["OrderReleased"] = "OrderReleased"
    order: OrderKey
    cause: str
    deadline_ms: int | None = None


class ReplyWithheld(Value):
    """What the buyer would have been told, had the order not been on hold. The newest of each kind may be said later.

    Nobody acts on it.
    """

    type: Literal["ReplyWithheld"] = "ReplyWithheld"
    order: OrderKey
    reply: Reply


class OrderRenewed(Value):
    """The order is priced anew as another revision, on the words its buyer said before; the price stands beside it.

    It happens where a request ran out while the order was on hold, and by the merchant's word (`cause`) where its
    wallet has forgotten one.
    """

    type: Literal["OrderRenewed"] = "OrderRenewed"
    order: OrderKey
    revision: int
    cause: str = ""
