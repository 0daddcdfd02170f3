"""What the books hold: goods, orders that are not finished, receipts, and a few bytes for all that is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from services.audit.archive import Archive
from services.audit.invariants import INVARIANTS, Breach
from services.audit.rules import FINISHED, order_ref, owner_of, short

Fact = dict[str, Any]
"""One event of a record, as JSON has it."""
Part = tuple[tuple[str, str, str], Fraction, int]
"""A review's part in a figure: which, its score there, and 1 where it is verified."""

_TOLD, _ON_HOLD = 1 << 30, 1 << 31
"""In what is left of a finished order: its buyer was told that it is confirmed; a person has it still."""


@dataclass(slots=True)
class Goods:
    """One listing's units: on hand (None: not counted), held by orders, sold so far; and the last record about them."""

    merchant: str
    on_hand: int | None = None
    held: int = 0
    sold: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """A live review: when it was made, and its scores by category, '' for the whole."""

    created_at: int
    scores: dict[str, Fraction]


@dataclass(frozen=True, slots=True)
class Figure:
    """What reviews come to: how many, how many by buyers, and the sum of their scores."""

    reviews: int = 0
    verified: int = 0
    total: Fraction = Fraction()

    def __str__(self) -> str:
        return f"{self.reviews} reviews, {self.verified} verified, {float(self.total):.4f} in all"


@dataclass(slots=True)
class Order:
    """An order that is not finished. `intent` is the one live payment intent, '' without."""

    ref: str
    merchant: str
    status: str = "waiting"
    revision: int = 0
    replies: int = 0
    due_msat: int = 0
    credit_msat: int = 0
    """What came of it in time, over all of this revision's requests."""
    surplus_msat: int = 0
    owed_msat: int = 0
    """What the last record brought above the price, and what it says is owed."""
    part: int = 0
    asked_msat: int = 0
    """Which of the revision's requests the live one is, and what it asks for."""
    is_reversed: bool = False
    """Whether its money was taken back, and nobody has decided yet."""
    intent: str = ""
    is_requested: bool = False
    is_asked: bool = False
    is_paid: bool = False
    confirmations: int = 0
    held: dict[str, int] = field(default_factory=dict)
    to_sell: dict[str, int] = field(default_factory=dict)
    """What it has to take from the shelf, since late money pays for it."""
    lines: tuple[str, ...] = ()
    parcels: dict[str, str] = field(default_factory=dict)
    is_on_hold: bool = False
    is_quiet: bool = False
    """Whether there was something its buyer was not told: it was on hold, or the merchant told them elsewhere."""
    asks_from_ms: int = 0
    """From when on its request is dead."""
    deadline_ms: int = 0
    is_waited_for: bool = False
    """Whether it waits beyond its end, because its wallet does not answer."""
    is_forgotten: bool = False
    """Whether its wallet has forgotten the request that its buyer was shown."""
    wanted_ms: int = 0
    told_in: int = 0
    ended_in: int = 0
    """The records that last promised the buyer a message, and that ended the order."""

    @property
    def name(self) -> str:
        """How sentences call it."""
        return f"order {self.ref[:10]}"

    @property
    def missing_msat(self) -> int:
        """What of its price is still to come."""
        return self.due_msat - self.credit_msat


@dataclass(frozen=True, slots=True)
class Live:
    """A pay-out under way: its refund's name, how much, whether by a link, and whether its buyer has that."""

    name: str
    amount_msat: int
    is_approved: bool
    is_by_link: bool = False
    is_told: bool = False


class Ledger:
    """The state of one partition's books, and the means to write in them."""

    def __init__(self) -> None:
        self.sequence = 0
        self.covers = -1
        self.at_ms = 0
        self.merchant = ""
        """Of the record that is being entered."""
        self.goods: dict[str, Goods] = {}
        self.orders: dict[str, Order] = {}
        self.parked: Counter[str] = Counter()
        self.settled = Archive()
        self.finished = Archive()
        self.paid = Archive()
        """Order → whole sats that came in for it."""
        self.exact: dict[str, int] = {}
        """The same in msat, of the few orders whose money came in parts, in parts of a sat, or was taken back."""
        self.short_msat: dict[str, int] = {}
        """Merchant → what may be missing of a price that counts as paid."""
        self.refunded: dict[str, int] = {}
        """Order → msat given back."""
        self.payouts: dict[str, Live] = {}
        """Order → the pay-out under way."""
        self.paid_out: set[str] = set()
        """Refunds that were ever approved; each took a person, so they are few."""
        self.unassigned: dict[str, int] = {}
        """Intent → msat that came over a shop's own lightning address, for no order."""
        self.closed: dict[str, int] = {}
        """The same of what the merchant said to be for none."""
        self.frozen: dict[str, str] = {}
        """Merchant → why their effects wait."""
        self.answered: dict[str, int] = {}
        """Merchant → the last record that froze or thawed them: whoever made it knew of everything before."""
        self.statuses: dict[str, Counter[str]] = {}
        """Merchant → how many of their orders stand where."""
        self.receipts: dict[tuple[str, int], tuple[int, int]] = {}
        """(merchant, UTC day since 1970) → payments received, and their sum in msat."""
        self.parents: dict[str, set[str]] = {}
        """Variation → the products it ever was a variation of."""
        self.bought = Archive()
        """What buyers got with completed orders: 1 the thing itself, 2 a variation of it."""
        self.reviews: dict[tuple[str, str], Review] = {}
        """(author, product) → the live review."""
        self.counted: dict[tuple[str, str], tuple[Part, ...]] = {}
        """(author, product) → what the figures have of it."""
        self.figures: dict[tuple[str, str, str], Figure] = {}
        self.told: dict[tuple[str, str, str], Figure] = {}
        """(level, target, category) → what the reviews add up to, and what the journal says they do."""
        self.rated: dict[tuple[str, str, str], None] = {}
        self.checked: dict[str, int] = dict.fromkeys(INVARIANTS, 0)
        self.breaches: list[Breach] = []
        self.touched: dict[str, Order] = {}
        self.moved: dict[str, Goods] = {}
        self._key: Fact | None = None
        self._ref = ""

    def start(self, merchant: str) -> None:
        """A new record; its breaches, and the orders and goods it touches, are collected from here."""
        self.merchant, self.breaches, self.touched, self.moved, self._key = merchant, [], {}, {}, None
        self.rated = {}

    def say(self, code: str, sentence: str) -> None:
        """Note a breach of the record that is being entered."""
        self.breaches.append(Breach(code, self.merchant, self.sequence, sentence))

    def check(self, code: str, holds: bool, sentence: Callable[[], str]) -> None:
        """Count a check, and note a breach where it does not hold."""
        self.checked[code] += 1
        if not holds:
            self.say(code, sentence())

    def paid_msat(self, ref: str) -> int:
        """What came in for an order and was not taken back."""
        return self.exact.get(ref, self.paid.get(ref) * 1_000)

    def owns(self, coordinate: str) -> None:
        """A listing in a record is one of the record's merchant (I8)."""
        is_own = owner_of(coordinate) == self.merchant
        self.check("I8", is_own, lambda: f"{short(coordinate)} is not a listing of this merchant")

    def goods_of(self, coordinate: str) -> Goods:
        """A listing's units, marked with the record that is being entered."""
        goods = self.goods.get(coordinate)
        if goods is None:
            goods = self.goods[coordinate] = Goods(self.merchant)
        goods.sequence = self.sequence
        self.moved[coordinate] = goods
        return goods

    def ref_of(self, fact: Fact) -> str:
        """The reference of the order a fact is about; facts of one record mostly share it."""
        key = fact["order"]
        if key != self._key:
            self._key, self._ref = key, order_ref(key)
            owner = key["merchant"]
            self.check("I8", owner == self.merchant, lambda: f"an order of {owner[:8]} in another merchant's record")
        return self._ref

    def order_of(self, fact: Fact) -> Order:
        """The order a fact is about; one that is finished or was never placed (I11) is opened, so that books go on."""
        ref = self.ref_of(fact)
        order = self.orders.get(ref) or self._reopened(ref)
        self.touched[ref] = order
        return order

    def placed(self, ref: str) -> Order:
        """The order of this reference, new where nobody knows it."""
        order = self.orders.get(ref)
        if order is None and self.finished.get(ref):
            order = self._reopened(ref)
        if order is None:
            order = self.orders[ref] = Order(ref, self.merchant)
            self.count("waiting", +1)
        self.touched[ref] = order
        return order

    def _reopened(self, ref: str) -> Order:
        known = self.finished_order(ref)
        if known is None:
            self.check("I11", False, lambda: f"order {ref[:10]} was never placed")
            self.count("waiting", +1)
            order = Order(ref, self.merchant)
        else:
            status, revision, replies = known
            packed = self.finished.get(ref)
            order = Order(ref, self.merchant, status, revision, replies, confirmations=int(bool(packed & _TOLD)))
            order.is_on_hold, order.is_quiet = bool(packed & _ON_HOLD), not packed & _TOLD
        self.orders[ref] = order
        return order

    def stand(self, order: Order, status: str) -> None:
        """Move an order's status."""
        self.count(order.status, -1)
        self.count(status, +1)
        order.status = status
        if status in FINISHED:
            order.ended_in = self.sequence

    def count(self, status: str, by: int) -> None:
        """So many orders more of this merchant stand there."""
        counts = self.statuses.get(self.merchant)
        if counts is None:
            counts = self.statuses[self.merchant] = Counter()
        counts[status] += by

    def finish(self, order: Order) -> None:
        """Shrink an order that is over to twelve bytes."""
        status = FINISHED.index(order.status) + 1
        packed = status | min(order.revision, 0xFFF) << 3 | min(order.replies, 0x7FFF) << 15
        packed |= (_TOLD if order.confirmations else 0) | (_ON_HOLD if order.is_on_hold else 0)
        self.finished.put(order.ref, packed)
        self.orders.pop(order.ref, None)

    def finished_order(self, ref: str) -> tuple[str, int, int] | None:
        """Status, revision and number of replies of an order that is over; None where there is none."""
        packed = self.finished.get(ref)
        return None if not packed else (FINISHED[(packed & 7) - 1], packed >> 3 & 0xFFF, packed >> 15 & 0x7FFF)
