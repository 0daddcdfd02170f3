"""The state of one merchant's shop: keyed frozen values, and what falls due when."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.catalogue import Collection, Listing, ShippingOption, Structure
from schemas.orders import OrderLine, OrderStatus, Parcel, Quote, ShippingStatus
from schemas.parking import Early
from schemas.past import PastOrder
from schemas.payments import PaymentAxis
from schemas.payouts import OfferedInvoice
from schemas.preferences import PaymentChoice, PaymentFlow, Preference
from schemas.publishing import Draft, RelayNames
from schemas.replies import Reply
from schemas.reviews import Rating, Review, ReviewJudged
from schemas.shops import ShopSettings
from schemas.stock import StockLine
from schemas.texts.phrases import Language
from schemas.values import Actor, Destination, OrderKey, PublicKey, SealedDetails, Waiting

HOUR_MS = 3_600_000
ReviewKey = tuple[str, str]
"""Author and product."""
RatingKey = tuple[str, str, str]
"""Level, target and category of a rating."""
CAUSES_MAX = 64
"""Causes an order remembers, so that a message relays bring again decides nothing; the oldest go first."""


class Receipt(NamedTuple):
    """What one payment request has received, and what of that counts toward the price: what came in time.

    `payment_hash` is the digest of its text where that is no invoice.
    """

    intent_id: str
    amount_msat: int = 0
    payment_hash: str | None = None
    credit_msat: int = 0
    is_reversed: bool = False


class Asked(NamedTuple):
    """An invoice of the shop's own lightning address, and what came for it."""

    amount_msat: int
    expires_at: int
    payment_hash: str | None = None
    paid_msat: int = 0
    is_reversed: bool = False
    zap: str = ""
    text: str = ""
    """The zap request that it was made for, and then the invoice itself; nothing once it is paid."""
    order: OrderKey | None = None
    is_claimed: bool = False
    """Which order its money is for; where that is only claimed, money has to come first."""
    closed_msat: int = 0
    """What of its money is for no order, by the merchant's word; what comes after that waits again."""
    cause: str = ""
    """Of the last word on that."""

    @property
    def waiting_msat(self) -> int:
        """Money that nobody has said anything of."""
        return self.paid_msat - self.closed_msat if self.order is None or self.is_claimed else 0


class Payout(NamedTuple):
    """Money that is to go to a buyer's invoice, or by a link where there is none, once it is approved."""

    refund_id: str
    amount_msat: int
    invoice: OfferedInvoice | None
    is_approved: bool = False
    is_told: bool = False
    """Whether its buyer has the link."""


class PayBack(NamedTuple):
    """Where an order's money may go back to, the pay-out under way, and refunds whose invoice was tried in vain."""

    offered: OfferedInvoice | None = None
    live: Payout | None = None
    failed: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    """Of the last words on it."""


class Order(NamedTuple):
    """One order on its three axes, with what later decisions need to know of it."""

    key: OrderKey
    dialect: str
    revision: int
    rumor_ids: tuple[str, ...]
    lines: tuple[OrderLine, ...]
    shipping: str | None
    destination: Destination
    claimed_sats: int | None = None
    coupon: str | None = None
    flow: PaymentFlow = PaymentFlow.MANUAL
    """How the merchant wanted to be paid when it was first placed (PAY-01)."""
    rate_since_ms: int | None = None
    """Since when it waits for an exchange rate, if it does."""
    waits_for: Waiting | None = None
    """What it last waited for."""
    has_contact: bool = False
    """Whether its buyer left an e-mail address or a phone number."""
    language: Language | None = None
    """What its buyer asked to be answered in."""
    status: OrderStatus = OrderStatus.WAITING
    payment: PaymentAxis = PaymentAxis.NONE
    parcel: ShippingStatus = ShippingStatus.NONE
    parcels: tuple[Parcel, ...] = ()
    is_ready: bool = False
    """Whether its buyer was told that they can come for it."""
    quote: Quote | None = None
    intent_id: str | None = None
    payment_hash: str | None = None
    request_digest: str | None = None
    """Of its payment request, once the buyer was shown it (`request_digest`)."""
    request_text: str | None = None
    """The same as it was written, where the order's own lightning address leads to it."""
    is_asked_in_fiat: bool = False
    """Whether its last payment request is one for the shop's currency."""
    held: tuple[StockLine, ...] = ()
    cancellation_requested: bool = False
    deadline_ms: int | None = None
    ends_ms: int | None = None
    """When it would end; only while it waits longer, because its wallet does not answer."""
    asks_from_ms: int | None = None
    """From when on its payment request is dead, so that its buyer may ask for another (PAY-18)."""
    confirmed_s: int | None = None
    """When its payment was there, unix seconds."""
    replies: int = 0
    moves: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    """What was moved, refused and settled before, by `move_cause`, `refusal_cause` and intent."""
    paid_msat: int = 0
    refunded_msat: int = 0
    """What came in for it, late or implied money too, and what was given back."""
    refunds: tuple[str, ...] = ()
    """Causes of its last refunds."""
    received: tuple[Receipt, ...] = ()
    """What each of its last requests has received, whether it was in time or not."""
    credit_msat: int = 0
    """What came in time for this revision, or is implied."""
    owed_msat: int = 0
    """What of its money is the buyer's, by our own reckoning."""
    part: int = 1
    """Which request of this revision the live one is."""
    asked_msat: int | None = None
    """What the live request is for."""
    is_by_card: bool = False
    """Whether one of its requests was a page to pay at by card."""
    is_on_hold: bool = False
    holds: tuple[str, ...] = ()
    """Causes of the last holds and releases, so that none is heard twice."""
    unsaid: tuple[Reply, ...] = ()
    """What its buyer was not told while it was on hold: the newest of each kind."""
    pay_back: PayBack = PayBack()

    @property
    def answers(self) -> str:
        """The rumor that replies refer to: the order's newest."""
        return self.rumor_ids[-1]

    @property
    def is_forgotten(self) -> bool:
        """Whether its wallet has forgotten the request that its buyer was shown."""
        return self.intent_id is not None and move_cause("payment", "forgotten", self.intent_id) in self.moves

    @property
    def waits_for_request(self) -> bool:
        """Whether a payment request is wanted and not there yet."""
        is_rest = self.payment is PaymentAxis.PARTIAL and self.request_digest is None
        return self.payment is PaymentAxis.WANTED or is_rest

    def receipt(self, intent: str) -> Receipt:
        """What this request has received; nothing for one that nobody knows."""
        return next((one for one in self.received if one.intent_id == intent), Receipt(intent))


def move_cause(axis: str, to: str, cause: str) -> str:
    """How an order remembers that `cause` moved one of its axes there."""
    return f"{axis}:{to}:{cause}"


def refusal_cause(reason: str, cause: str) -> str:
    """How an order remembers that `cause` was refused for this reason."""
    return f"{reason}:{cause}"


class Stock(NamedTuple):
    """Units of one listing: on hand (None: untracked) and, of these, promised to unpaid orders."""

    on_hand: int | None = None
    held: int = 0

    @property
    def available(self) -> int | None:
        """Units that may still be promised; never below zero, even when the merchant lowered the base."""
        return self.available_with(0)

    def available_with(self, released: int) -> int | None:
        """The same, once `released` units of the holds have been given back."""
        return None if self.on_hand is None else max(0, self.on_hand - self.held + released)


class Parked(NamedTuple):
    """A message waiting for its order."""

    command: Early
    deadline_ms: int


class Word(NamedTuple):
    """A message by its id, or an answer by its name: whose it is, and which order it is about."""

    author: Actor
    buyer: PublicKey
    order: OrderKey | None = None
    is_here: bool = False
    """False where it was taken back before it came."""
    is_order: bool = False
    """Whether it placed or amended that order."""
    is_deleted: bool = False
    is_direct: bool = False
    """Whether it came as a kind 4."""

    def is_by(self, author: Actor, buyer: PublicKey) -> bool:
        """Whether this side of the conversation with this buyer wrote it."""
        return self.author is author and self.buyer == buyer


class Due(NamedTuple):
    """A moment at which the shop has to be asked again: an order's deadline, a parked message's, or a past order's."""

    at_ms: int
    kind: str
    order_key: OrderKey


class Master(NamedTuple):
    """Who keeps a listing's count, and as of which of its versions; None: the listings again."""

    source: str | None
    version: int


class Judged(NamedTuple):
    """A review as the ratings have it, and the last verdict on it."""

    review: Review
    verdict: ReviewJudged


@dataclass(slots=True)
class Shop:
    """Everything a decision about one merchant may look at. Only `evolve` changes it."""

    merchant: PublicKey
    is_open: bool = False
    is_frozen: bool = False
    settings: ShopSettings = field(default_factory=ShopSettings)
    listings: dict[str, Listing] = field(default_factory=dict)
    options: dict[str, ShippingOption] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    preferences: dict[str, Preference] = field(default_factory=dict)
    """By address, how the merchant wants to be paid, and the applications recommended."""
    payment_choice: PaymentChoice = field(default_factory=PaymentChoice)
    """What follows from them."""
    drafts: dict[str, Draft] = field(default_factory=dict)
    """By address, discarded ones too: what relays bring late must not bring them back."""
    relay_lists: dict[int, RelayNames] = field(default_factory=dict)
    """By kind, the merchant's relay lists."""
    publish_causes: tuple[str, ...] = ()
    """Causes of the last publications and of those refused, so that none is made twice."""
    withdrawn: dict[str, int] = field(default_factory=dict)
    """By address, the time up to which its versions were deleted."""
    retired: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By address, the newest version that was deleted by its id, as time and id: what it replaced stays replaced."""
    stock: dict[str, Stock] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    parked: dict[str, tuple[Parked, ...]] = field(default_factory=dict)
    past: dict[str, PastOrder] = field(default_factory=dict)
    """By reference, orders from before the shop came here; none that became one of ours."""
    reviews: dict[ReviewKey, Review] = field(default_factory=dict)
    review_deletions: dict[ReviewKey, int] = field(default_factory=dict)
    judged: dict[ReviewKey, Judged] = field(default_factory=dict)
    """What the ratings have of each review."""
    unjudged: dict[ReviewKey, None] = field(default_factory=dict)
    """Reviews that something happened to since."""
    is_judging: bool = False
    """Whether somebody was asked to judge them, and nothing was folded since."""
    waiting_reviews: dict[ReviewKey, None] = field(default_factory=dict)
    """Reviews of products that the merchant never named."""
    ratings: dict[RatingKey, Rating] = field(default_factory=dict)
    purchases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By buyer, what they got with completed orders: listings, and the parents of variations."""
    freezes: tuple[str, ...] = ()
    """Causes of the last freezes and thaws, so that none is heard twice."""
    revised_s: dict[str, int] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    """Listings whose published stock is not what is on hand."""
    said_stock: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Numbers that versions of a listing named since its base was set: one of them in an edit may be an old one."""
    masters: dict[str, Master] = field(default_factory=dict)
    """By listing, the system that keeps its count."""
    goods: dict[str, SealedDetails] = field(default_factory=dict)
    """By listing, what its buyers are sent."""
    goods_set: dict[str, str] = field(default_factory=dict)
    """By listing, the cause of the last word on that."""
    stock_refusals: tuple[str, ...] = ()
    """Causes of the last counts refused."""
    hidden: dict[str, None] = field(default_factory=dict)
    """Listings that are hidden because we hid them."""
    deleted_ids: dict[str, None] = field(default_factory=dict)
    """Events of the merchant's that were deleted by id before they were seen, the newest last."""
    open_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By buyer, the orders nothing is owed for yet."""
    invoices: dict[str, None] = field(default_factory=dict)
    """The orders that wait for payment."""
    requests: dict[str, str] = field(default_factory=dict)
    """By payment hash, the order of each of the last invoices, so that a proof counts for its own order only."""
    asked: dict[str, Asked] = field(default_factory=dict)
    """By intent, the invoices of the shop's own lightning address, the oldest first."""
    calls: tuple[str, ...] = ()
    """The last calls to an address that were answered without one, and causes of the last assignments refused."""
    hour: int = 0
    heard: dict[str, int] = field(default_factory=dict)
    unpaid: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Hours since 1970; and of that hour, by buyer, the messages that led to something and the orders not paid."""
    words: dict[str, Word] = field(default_factory=dict)
    """The last messages of people and of orders by their ids, and answers by their names."""
    strangers: int = 0
    """Of that hour, the messages of people that name no order of theirs."""
    agenda: list[tuple[int, int, Due]] = field(default_factory=list)
    agenda_count: int = 0

    def on_hand(self, coordinate: str) -> int | None:
        """Units of a listing that are there, held ones too; None where they are not counted."""
        stock = self.stock.get(coordinate)
        return stock.on_hand if stock else None

    def order(self, key: OrderKey) -> Order | None:
        """The order of this key, if it was ever placed."""
        return self.orders.get(key.ref)

    def remind(self, due: Due) -> None:
        """Put a moment on the agenda; one that no longer matters when it comes is ignored by `decide`."""
        self.agenda_count += 1
        heapq.heappush(self.agenda, (due.at_ms, self.agenda_count, due))

    def take_due(self, now_ms: int) -> list[Due]:
        """Remove and return what fell due up to `now_ms`; each is handed out once between two folds."""
        taken: list[Due] = []
        while self.agenda and self.agenda[0][0] <= now_ms:
            taken.append(heapq.heappop(self.agenda)[2])
        return taken

    def take_stale(self, now_s: int) -> list[str]:
        """Remove and return listings to revise that were not revised within this second (EVT-08, INV-10).

        A revision dated in the future, by a clock that was wrong then, holds the next one back no longer.
        """
        if not self.stale:
            return []
        ready = [coordinate for coordinate in self.stale if self.revised_s.get(coordinate, 0) != now_s]
        self.stale.difference_update(ready)
        return sorted(ready)

    def take_unjudged(self) -> bool:
        """Whether reviews are to be judged; said once between two folds that concern them."""
        is_due = bool(self.unjudged) and not self.is_judging
        self.is_judging |= is_due
        return is_due


def is_named(shop: Shop, product: str) -> bool:
    """Whether the merchant ever said anything of this product: a listing of it was here, or was deleted.

    So a review of what is sold no more goes on counting, and the order of arrival changes nothing.
    """
    return product in shop.listings or product in shop.withdrawn or product in shop.retired


def parent_of(listing: Listing | None) -> str | None:
    """The variable product whose rating a review of this listing is part of (REV-06); None for a simple one."""
    match listing:
        case Listing(structure=Structure.VARIATION):
            return listing.parent
        case Listing(structure=Structure.VARIABLE):
            return listing.coordinate
        case _:
            return None
