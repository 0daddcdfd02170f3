"""The rows of the state tables, each with the journal sequence it reflects (D4)."""

from __future__ import annotations

from decimal import Decimal

from schemas.inbox import MessageKind
from schemas.orders import OrderLine, OrderStatus, Parcel, ShippingStatus
from schemas.payments import PaymentAxis
from schemas.reviews import Level, Standing
from schemas.values import Actor, OrderKey, PublicKey, Value


class Renewal(Value):
    """A line of an order that is due again: how often (`H`, `D`, `W`, `M`, `Y`, or a seller's own word), and when next.

    `due_ms` is None before the order is confirmed, and for a word of no known length.
    """

    coordinate: str
    frequency: str
    due_ms: int | None = None


class OrderRow(Value):
    """One order as it stands. Nothing personal: the address stays in the journal, sealed.

    `leaky`: it was written for everybody to read. `message_deleted`: its buyer took the message back, not the order.
    `paid_msat` is what came in and was not taken back, `owed_msat` what of it is the buyer's by our own reckoning.
    `request_forgotten`: its wallet does not know the request that the buyer was shown.
    `token_refused` is why the last ecash for it was not taken, until other ecash comes.
    `payout` is `wanted`, `approved` or `failed`, until it was paid or dropped; `payout_id` is its refund's id.
    """

    key: OrderKey
    ref: str
    dialect: str
    revision: int
    status: OrderStatus
    payment: PaymentAxis
    shipping: ShippingStatus
    reason: str = ""
    lines: tuple[OrderLine, ...] = ()
    country: str | None = None
    total_msat: int | None = None
    paid_msat: int = 0
    tracking: str | None = None
    cancellation_requested: bool = False
    on_hold: bool = False
    ready: bool = False
    implied_payment: bool = False
    refunded_msat: int = 0
    owed_msat: int = 0
    reversed_msat: int = 0
    parcels: tuple[Parcel, ...] = ()
    renewals: tuple[Renewal, ...] = ()
    leaky: bool = False
    message_deleted: bool = False
    token_refused: str = ""
    request_forgotten: bool = False
    payout: str = ""
    payout_id: str = ""
    placed_ms: int
    requested_ms: int | None = None
    confirmed_ms: int | None = None
    updated_ms: int
    partition: int
    sequence: int


class InventoryRow(Value):
    """One listing's stock. `on_hand` None is untracked; available = on_hand − held."""

    merchant: PublicKey
    coordinate: str
    title: str = ""
    price: str = ""
    on_hand: int | None = None
    held: int = 0
    sold: int = 0
    withdrawn: bool = False
    updated_ms: int
    partition: int
    sequence: int

    @property
    def available(self) -> int | None:
        """Units that may still be promised; None where stock is not tracked."""
        return None if self.on_hand is None else self.on_hand - self.held


class OfferRow(Value):
    """What a merchant has published, or somebody else's option or collection that a shop knows, as it counts now.

    `body` is the contract itself as JSON: a `Listing`, `ShippingOption`, `Collection`, `Draft` (its content encrypted)
    or `RelayNames`, as the kind in `coordinate` says.
    """

    merchant: PublicKey
    coordinate: str
    event_id: str
    created_at: int
    title: str = ""
    body: str
    withdrawn: bool = False
    updated_ms: int
    partition: int
    sequence: int


class ReviewRow(Value):
    """One author's live review of one product; `withdrawn` once deleted. Its standing is of `ReviewJudged`."""

    merchant: PublicKey
    product: str
    author: PublicKey
    event_id: str
    thumb: Decimal
    score: Decimal
    strict_score: Decimal
    categories: tuple[tuple[str, Decimal], ...] = ()
    reviewed_at: int
    withdrawn: bool = False
    standing: Standing = Standing.COUNTS
    is_verified: bool = False
    parent: str | None = None
    updated_ms: int
    partition: int
    sequence: int


class RatingRow(Value):
    """All reviews that count for a product, a variable product with its variations, or a shop (`schemas.reviews`).

    `category` is '' for the scores themselves; `mean` is rounded once, `total` is exact.
    """

    merchant: PublicKey
    level: Level
    target: str
    category: str = ""
    reviews: int
    verified: int
    total: Decimal
    mean: Decimal | None
    stars: tuple[int, int, int, int, int]
    updated_ms: int
    partition: int
    sequence: int


class MessageRow(Value):
    """One message between a shop and a person, without its text, which only the vault opens.

    `name` is the rumor's id, or of an answer that was written here its own name (`is_answer`).
    """

    merchant: PublicKey
    buyer: PublicKey
    name: str
    author: Actor
    kind: MessageKind = MessageKind.TEXT
    order_ref: str = ""
    answers: str = ""
    is_answer: bool = False
    is_room: bool = False
    deleted: bool = False
    said_ms: int
    updated_ms: int
    partition: int
    sequence: int


Row = OrderRow | InventoryRow | ReviewRow | RatingRow | MessageRow | OfferRow
ROWS: dict[str, type[Row]] = {
    "orders": OrderRow,
    "inventory": InventoryRow,
    "reviews": ReviewRow,
    "ratings": RatingRow,
    "messages": MessageRow,
    "offers": OfferRow,
}
"""The state tables by name, each with what it holds."""
