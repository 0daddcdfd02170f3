"""The base of every contract, and the small values that commands and events share."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, NewType

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas import limits

PublicKey = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""An x-only secp256k1 public key, 64 lower-case hex digits (NIP-01)."""

EventId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""The sha256 of an event's NIP-01 serialisation, 64 lower-case hex digits."""

OrderId = Annotated[str, StringConstraints(min_length=1, max_length=limits.ORDER_ID.most, pattern=r"^[\x20-\x7e]+$")]
"""The buyer's own name for an order: 1..128 printable ASCII characters, unique per (merchant, buyer) only."""

Msat = NewType("Msat", int)
"""Integer millisatoshi, the unit all money is kept in once it is priced."""

Milliseconds = NewType("Milliseconds", int)
"""UTC milliseconds since 1970."""

MSAT_PER_SAT = 1_000


class Value(BaseModel):
    """A frozen contract; fields a newer version added are ignored, so mixed versions can run side by side."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Price(Value):
    """A listed price: an exact decimal `amount` of `currency` (upper-case code), per `frequency` if it recurs."""

    amount: Decimal = Field(ge=0)
    currency: str
    frequency: str | None = None


class Destination(Value):
    """The part of an address that shipping rules need and that stays readable (ISO 3166-1 and 3166-2 codes).

    `geohash` is the cell that a price by distance ends in, so large that it names a town and no house.
    """

    country: str | None = None
    region: str | None = None
    geohash: str | None = None


class SealedDetails(Value):
    """Personal details of one order, encrypted under a key of that order which never enters Kafka.

    `key_id` names the key in the vault, `box` is base64 of nonce and ChaCha20-Poly1305 ciphertext.
    """

    key_id: str
    box: str


class OrderKey(Value):
    """What makes an order one order: the same id from another buyer is another order (ORD-01)."""

    merchant: PublicKey
    buyer: PublicKey
    order_id: OrderId

    @property
    def ref(self) -> str:
        """Our own name for the order, 32 hex digits, safe in tables, logs and file names.

        128 bits, so that a buyer who chooses order ids cannot make two orders share one.
        """
        return _ref(self.merchant, self.buyer, self.order_id)


@lru_cache(maxsize=10_000)
def _ref(merchant: str, buyer: str, order_id: str) -> str:
    """The same key is named some ten times in one decision; hashing it was a tenth of the decider's time."""
    return hashlib.sha256(f"{merchant}:{buyer}:{order_id}".encode()).hexdigest()[:32]


class Actor(StrEnum):
    """Who moved an order; only a seal proves a buyer or a merchant, never a field in a message."""

    BUYER = "buyer"
    MERCHANT = "merchant"
    COORDINATOR = "coordinator"


class Origin(StrEnum):
    """Which door a command came through; decides what silence means, never who its author is."""

    RELAY = "relay"
    OPERATOR = "operator"
    PAYMENTS = "payments"
    DECIDER = "decider"
    AUDITOR = "auditor"
    ADDRESS = "address"
    DOOR = "door"


class Refusal(StrEnum):
    """Why an order was turned down, in order of precedence: the first that applies is the one reported (ORD-04)."""

    DECLINED = "declined"
    SHOP_CLOSED = "shop_closed"
    SHOP_BUSY = "shop_busy"
    TOO_MANY_ORDERS = "too_many_orders"
    TOO_MANY_OPEN = "too_many_open"
    WRONG_MERCHANT = "wrong_merchant"
    UNKNOWN_ITEM = "unknown_item"
    NOT_FOR_SALE = "not_for_sale"
    CHOOSE_VARIATION = "choose_variation"
    ORPHAN_VARIATION = "orphan_variation"
    BAD_QUANTITY = "bad_quantity"
    INSUFFICIENT_STOCK = "insufficient_stock"
    STOCK_SHARE = "stock_share"
    UNKNOWN_SHIPPING = "unknown_shipping"
    OPTION_NOT_FOR_ALL = "option_not_for_all"
    COUNTRY_NOT_SERVED = "country_not_served"
    WEIGHT_OVER_MAX = "weight_over_max"
    WEIGHT_UNDER_MIN = "weight_under_min"
    SIZE_OVER_MAX = "size_over_max"
    SIZE_UNDER_MIN = "size_under_min"
    UNPRICEABLE = "unpriceable"
    BELOW_MINIMUM = "below_minimum"
    TOO_EXPENSIVE = "too_expensive"


class Waiting(StrEnum):
    """What an order that cannot be quoted yet is waiting for."""

    ADDRESS = "address"
    SHIPPING_CHOICE = "shipping_choice"
    RATE = "no_rate"
    PRICING = "needs_pricing"
    CONTACT = "contact"
    HOLD = "on_hold"
