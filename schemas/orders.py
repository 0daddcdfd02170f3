"""Orders: what a buyer asks for, what was quoted, and every move on the three axes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import Field

from schemas import limits
from schemas.preferences import PaymentFlow
from schemas.texts.phrases import Language
from schemas.values import (
    Actor,
    Destination,
    OrderKey,
    Price,
    Refusal,
    SealedDetails,
    Value,
    Waiting,
)

LEAKY = "leaky"
"""The warning of an order that was written for everybody to read (MSG-07)."""

QUANTITY_MAX = limits.QUANTITY.most
LINES_MAX = limits.LINES.most


class OrderStatus(StrEnum):
    """The order axis (requirements §7); `waiting` is what they call needs_info and held."""

    WAITING = "waiting"
    PENDING = "pending"
    CONFIRMED = "confirmed"
    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    FAILED = "failed"
    REFUNDED = "refunded"


class ShippingStatus(StrEnum):
    """The shipping axis; it never implies the order axis, nor the other way round (SU-03)."""

    NONE = "none"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    EXCEPTION = "exception"


FIRST_PARCEL = "1"
"""The parcel of an order that has but one."""


class Parcel(Value):
    """One parcel of an order, with a state and a number of its own (SU-04)."""

    name: str
    status: ShippingStatus
    tracking: str | None = None


class OrderLine(Value):
    """One wanted listing. The quantity is what the buyer wrote when it is no whole number in range."""

    coordinate: str
    quantity: int = Field(ge=0)


class Rate(Value):
    """What one unit of `currency` costs: exact msat, where the figure comes from and how old it is (PAY-07)."""

    currency: str
    msat_per_unit: Decimal
    source: str
    as_of_ms: int


class QuotedLine(Value):
    """A line as it was priced: the version of the listing, its title and price are kept for ever (CAT-11).

    `pre_order` goes beyond what is in stock (CAT-05).
    """

    coordinate: str
    listing_event_id: str
    title: str
    quantity: int
    unit_price: Price
    physical: bool = False
    tracked: bool = False
    pre_order: bool = False


class Charge(Value):
    """One exact term of a total in its own currency, named for the breakdown; a discount is below nought.

    Where the amount has no end as a decimal (a price a pound), `ratio` is it as numerator and denominator.
    """

    label: str
    amount: Decimal
    currency: str
    ratio: tuple[Decimal, Decimal] | None = None


class Tax(Value):
    """How much tax is in a quote by one rule: `net` and `tax` together are what that rule's charges come to.

    Included tax is told to the smallest unit of its currency, and changes no total.
    """

    name: str
    percent: Decimal
    net: Decimal
    tax: Decimal
    currency: str
    is_included: bool


class Quote(Value):
    """A price fixed for an order: exact terms, the rates used, and the total, rounded up once to whole sats.

    `coupon` is the code the order named, and `coupon_counts` whether it made the goods cheaper.
    The hours say within what time the goods arrive once the order is confirmed, handling included (SHP-16).
    """

    lines: tuple[QuotedLine, ...]
    shipping: str | None = None
    shipping_event_id: str | None = None
    shipping_title: str | None = None
    pickup_place: str | None = None
    charges: tuple[Charge, ...]
    rates: tuple[Rate, ...] = ()
    total_msat: int
    valid_until: int
    taxes: tuple[Tax, ...] = ()
    coupon: str | None = None
    coupon_counts: bool = False
    delivery_min_h: int | None = None
    delivery_max_h: int | None = None


# Commands


class PlaceOrder(Value):
    """A buyer's seal proves that they want this. `claimed_sats` is what they believe it costs (PAY-06).

    `has_contact` says that an e-mail address or a phone number is among the sealed details (C-37),
    `language` is the one the buyer asks to be answered in (C-36).
    """

    type: Literal["PlaceOrder"] = "PlaceOrder"
    order: OrderKey
    dialect: str
    rumor_id: str
    lines: tuple[OrderLine, ...]
    shipping: str | None = None
    destination: Destination = Destination()
    details: SealedDetails | None = None
    claimed_sats: int | None = None
    coupon: str | None = None
    has_contact: bool = False
    language: Language | None = None
    warnings: tuple[str, ...] = ()


class MoveOrder(Value):
    """`actor` wants the order axis to move. `announce` is False when the buyer was already told elsewhere (ORD-09)."""

    type: Literal["MoveOrder"] = "MoveOrder"
    order: OrderKey
    actor: Actor
    to: OrderStatus
    cause: str
    announce: bool = True


class MoveShipping(Value):
    """The merchant says where a parcel is; without its name the tracking number says which, or it is all of them."""

    type: Literal["MoveShipping"] = "MoveShipping"
    order: OrderKey
    actor: Actor
    to: ShippingStatus
    cause: str
    parcel: str | None = Field(default=None, max_length=limits.PARCEL_NAME.most)
    tracking: str | None = Field(default=None, max_length=limits.TRACKING.most)
    carrier: str | None = Field(default=None, max_length=limits.CARRIER.most)
    eta: int | None = None
    announce: bool = True


class ReachDeadline(Value):
    """Time has passed the deadline the order had when this was sent; an older one is ignored."""

    type: Literal["ReachDeadline"] = "ReachDeadline"
    order: OrderKey
    deadline_ms: int


# Events


class OrderPlaced(Value):
    """A buyer placed or amended an order; `revision` counts from 1. What it became stands in the same record.

    `flow` is how the merchant wanted new orders paid when it first came (PAY-01).
    """

    type: Literal["OrderPlaced"] = "OrderPlaced"
    order: OrderKey
    revision: int
    dialect: str
    rumor_id: str
    lines: tuple[OrderLine, ...]
    shipping: str | None = None
    destination: Destination = Destination()
    details: SealedDetails | None = None
    claimed_sats: int | None = None
    coupon: str | None = None
    has_contact: bool = False
    language: Language | None = None
    flow: PaymentFlow = PaymentFlow.MANUAL
    warnings: tuple[str, ...] = ()


class OrderQuoted(Value):
    """The order has a price and its stock; it is pending until paid, cancelled or past `deadline_ms`."""

    type: Literal["OrderQuoted"] = "OrderQuoted"
    order: OrderKey
    quote: Quote
    deadline_ms: int


class OrderWaiting(Value):
    """The order cannot be quoted yet; it is tried again at `deadline_ms` where time may cure it."""

    type: Literal["OrderWaiting"] = "OrderWaiting"
    order: OrderKey
    reason: Waiting
    detail: str = ""
    deadline_ms: int | None = None


class Finding(Value):
    """One thing wrong with an order, and where: in words, and by the addresses of the listings and the option."""

    refusal: Refusal
    subject: str = ""
    lines: tuple[str, ...] = ()
    option: str | None = None


class OrderRejected(Value):
    """The order was turned down; the first finding is the reason, all are kept (ORD-04)."""

    type: Literal["OrderRejected"] = "OrderRejected"
    order: OrderKey
    findings: tuple[Finding, ...]


class OrderMoved(Value):
    """The order axis moved. Replies, stock and payments that follow stand in the same record."""

    type: Literal["OrderMoved"] = "OrderMoved"
    order: OrderKey
    actor: Actor
    to: OrderStatus
    cause: str


class CancellationRequested(Value):
    """The buyer of a paid order asks to cancel; the merchant decides (TR-13, A-29)."""

    type: Literal["CancellationRequested"] = "CancellationRequested"
    order: OrderKey
    cause: str


class ShippingMoved(Value):
    """A parcel moved; the shipping axis follows from all of the order's parcels."""

    type: Literal["ShippingMoved"] = "ShippingMoved"
    order: OrderKey
    to: ShippingStatus
    cause: str
    parcel: str = FIRST_PARCEL
    tracking: str | None = None
    carrier: str | None = None
    eta: int | None = None


class MoveRefused(Value):
    """A move was not allowed and changed nothing (ORD-12). `reason` is a stable code; quarantined beside."""

    type: Literal["MoveRefused"] = "MoveRefused"
    order: OrderKey
    actor: Actor
    reason: str
    detail: str
    cause: str
