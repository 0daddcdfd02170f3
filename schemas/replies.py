"""What a buyer is told, before any dialect: the publisher renders it, the journal fixes it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.bip21 import address_in
from schemas.orders import OrderStatus, ShippingStatus
from schemas.payments import MEDIUM, Method
from schemas.values import OrderKey, SealedDetails, Value


class WireStatus(StrEnum):
    """The five order states a buyer ever sees (market spec §4 message 3)."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class PaymentOption(Value):
    """One way to pay: the medium (`lightning`) and its text (a BOLT-11 invoice)."""

    medium: str
    text: str

    @property
    def where(self) -> str:
        """Its third element in a `payment` tag: on the chain the address alone, without the amount (market spec §4)."""
        return address_in(self.text) if self.medium == MEDIUM[Method.BITCOIN] else self.text


class PaymentRequestReply(Value):
    """Please pay `amount_sats` before `expires_at` (unix seconds)."""

    type: Literal["payment_request"] = "payment_request"
    amount_sats: int
    options: tuple[PaymentOption, ...]
    expires_at: int
    text: str


class StatusReply(Value):
    """Your order is now in this state, and why."""

    type: Literal["status"] = "status"
    status: WireStatus
    text: str


class ShippingReply(Value):
    """Your parcel is there. `eta` is unix seconds."""

    type: Literal["shipping"] = "shipping"
    status: ShippingStatus
    tracking: str | None = None
    carrier: str | None = None
    eta: int | None = None
    parcel: str | None = None
    text: str


class TextReply(Value):
    """A sentence for a person that moves nothing. What is in the box, if there is one, is added where it is sent.

    `about` names what it is about, so that a newer one takes its place.
    """

    type: Literal["text"] = "text"
    about: str
    text: str
    sealed: SealedDetails | None = None


Reply = Annotated[PaymentRequestReply | StatusReply | ShippingReply | TextReply, Field(discriminator="type")]


class Standing(Value):
    """How an order stands as a whole when its buyer is told something, for dialects whose every update says so."""

    status: OrderStatus
    paid: bool
    shipped: bool


class ReplyPromised(Value):
    """The buyer is owed this message. `number` counts an order's replies from 1, so its identity never changes.

    With `companion` people's clients get its text as a plain message too (MSG-11).
    `standing` is there where the dialect says it (`schemas.dialects.contract.TELLS_STANDING`).
    The publisher wraps and sends it; called again it makes the same bytes, and relays drop the repeat.
    """

    type: Literal["ReplyPromised"] = "ReplyPromised"
    order: OrderKey
    number: int
    dialect: str
    answers: str
    at_s: int
    reply: Reply
    companion: bool = False
    standing: Standing | None = None

    @property
    def effect_id(self) -> str:
        """The identity every key, nonce and time of this message is derived from (D5)."""
        return f"reply:{self.order.ref}:{self.number}"
