"""An independent bookkeeper: reads the journal's facts alone and complains when they do not add up.

It knows nothing of the domain's code and keeps the simplest books that could show a fault.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from schemas.addresses import AddressAssigned, AddressClosed, AddressPaid, AddressReversed
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed, ReplyWithheld
from schemas.messages import Event
from schemas.orders import OrderMoved, OrderPlaced, OrderQuoted, OrderRejected, OrderStatus, OrderWaiting
from schemas.payments import (
    PaymentDropped,
    PaymentImplied,
    PaymentPartReceived,
    PaymentRequested,
    PaymentReversed,
    PaymentSettled,
    PaymentWanted,
)
from schemas.reinstatement import OrderReinstated
from schemas.replies import PaymentRequestReply, ReplyPromised, StatusReply
from schemas.shops import ShopOpened
from schemas.stock import StockCommitted, StockHeld, StockReleased, StockSet


class Auditor:
    """The books: stock by listing; by order its holds, intents, money, replies and state."""

    def __init__(self) -> None:
        self.on_hand: dict[str, int | None] = {}
        self.held: Counter[str] = Counter()
        self.sold: Counter[str] = Counter()
        self.holds: dict[str, Counter[str]] = defaultdict(Counter)
        self.status: dict[str, str] = {}
        self.revision: dict[str, int] = {}
        self.due: dict[str, int] = {}
        self.live: dict[str, str] = {}
        self.wanted: set[tuple[str, int, int]] = set()
        self.sums: dict[str, int] = {}
        self.received: Counter[str] = Counter()
        self.over_address: Counter[str] = Counter()
        self.at_address: Counter[str] = Counter()
        """By intent, what came over a shop's address in all, and what of it nobody has said anything of."""
        self.credit: Counter[str] = Counter()
        self.short = 0
        self.requested: set[str] = set()
        self.settled: set[str] = set()
        self.paid: dict[str, int] = {}
        self.replies: Counter[str] = Counter()
        self.confirmed: Counter[str] = Counter()
        self.asked: Counter[tuple[str, int, str | None]] = Counter()
        self.on_hold: set[str] = set()
        self.reinstated: set[str] = set()
        self.quiet: set[str] = set()
        """Orders of which something was not told."""

    def read(self, events: tuple[Event, ...]) -> None:
        """Enter one record, then balance the books."""
        for event in events:
            self._enter(event)
        self._balance()

    def _enter(self, event: Event) -> None:
        match event:
            case StockSet():
                self.on_hand[event.coordinate] = event.on_hand
            case StockHeld():
                for line in event.lines:
                    on_hand = self.on_hand[line.coordinate]
                    assert on_hand is not None, "held what is not counted"
                    assert line.quantity <= on_hand - self.held[line.coordinate], "oversold"
                    self.held[line.coordinate] += line.quantity
                    self.holds[event.order.ref][line.coordinate] += line.quantity
            case StockReleased() | StockCommitted():
                given = Counter({line.coordinate: line.quantity for line in event.lines})
                assert self.holds[event.order.ref] == given, "gave back or sold what was not held"
                del self.holds[event.order.ref]
                self.held.subtract(given)
                if isinstance(event, StockCommitted):
                    self.sold += given
                    for coordinate, quantity in given.items():
                        on_hand = self.on_hand[coordinate]
                        self.on_hand[coordinate] = None if on_hand is None else on_hand - quantity
            case OrderPlaced():
                ref = event.order.ref
                assert event.revision == self.revision.get(ref, 0) + 1, "revisions have a gap"
                assert ref not in self.holds, "amended while holding"
                assert ref not in self.live, "amended while a request lives"
                self.revision[ref] = event.revision
                self.status[ref] = "waiting"
            case OrderQuoted():
                self.status[event.order.ref] = "pending"
                self.due[event.order.ref] = event.quote.total_msat
                assert self.credit[event.order.ref] == 0, "priced anew, and a part of it is paid"
            case OrderWaiting():
                self.status[event.order.ref] = "waiting"
            case OrderRejected():
                self.status[event.order.ref] = "rejected"
            case OrderMoved():
                self._move(event)
            case PaymentWanted():
                ref = event.order.ref
                assert ref not in self.live, "two live intents"
                assert (ref, event.revision, event.part) not in self.wanted, "a revision's second intent"
                missing_msat = self.due[ref] - self.credit[ref]
                assert missing_msat <= event.amount_msat < missing_msat + 1_000
                self.live[ref], self.sums[ref] = event.intent_id, event.amount_msat
                self.wanted.add((ref, event.revision, event.part))
            case PaymentRequested():
                assert event.intent_id not in self.requested, "asked twice for one intent"
                assert self.live[event.order.ref] == event.intent_id
                assert event.amount_msat == self.sums[event.order.ref]
                self.requested.add(event.intent_id)
            case PaymentImplied():
                ref = event.order.ref
                is_asked = self.status[ref] == "pending"
                assert event.amount_msat == self.due[ref] - self.credit[ref] if is_asked else event.amount_msat >= 0
                assert ref not in self.live, "implied, and still asked for"
                assert ref not in self.paid, "implied, and paid"
                self.paid[ref] = self.credit[ref] = self.due[ref]
                if is_asked:
                    self.quiet.add(ref)
            case OrderReinstated():
                ref = event.order.ref
                assert self.status[ref] in ("expired", "cancelled", "failed"), "reinstated, and not over"
                assert ref not in self.paid, "reinstated, and paid"
                assert event.credit_msat + self.short >= event.quote.total_msat == self.due[ref]
                self.paid[ref] = self.credit[ref] = event.credit_msat
                self.reinstated.add(ref)
            case PaymentPartReceived():
                self._part(event)
            case PaymentReversed():
                ref = event.order.ref
                assert 0 < event.amount_msat == self.received.pop(event.intent_id), "taken back twice"
                self.credit[ref] = event.credit_msat
                if self.live.get(ref) == event.intent_id:
                    del self.live[ref]
                if event.payment == "reversed":
                    self.paid.pop(ref, None)
            case ShopOpened():
                self.short = event.settings.short_accepted_sats * 1_000
            case AddressPaid():
                assert event.before_msat == self.over_address[event.intent_id], "a part was forgotten"
                self.over_address[event.intent_id] = event.gross_msat
                self.at_address[event.intent_id] += event.new_msat
            case AddressReversed() | AddressClosed():
                assert 0 < event.amount_msat == self.at_address.pop(event.intent_id), "left the address twice"
            case AddressAssigned():
                assert 0 < event.amount_msat == self.at_address.pop(event.intent_id), "left the address twice"
                if event.is_request:
                    assert self.status[event.order.ref] == "pending"
                    assert event.order.ref not in self.live, "two live intents"
                    self.live[event.order.ref] = event.intent_id
            case PaymentDropped():
                assert self.live.pop(event.order.ref) == event.intent_id
            case PaymentSettled():
                self._settle(event)
            case OrderHeld():
                self.on_hold.add(event.order.ref)
            case OrderReleased():
                self.on_hold.remove(event.order.ref)
            case ReplyWithheld():
                assert event.order.ref in self.on_hold, "not told, and not on hold"
                self.quiet.add(event.order.ref)
            case OrderRenewed():
                assert event.order.ref not in self.live, "renewed while a request lives"
                self.revision[event.order.ref] = event.revision
                self.status[event.order.ref] = "waiting"
            case ReplyPromised():
                assert event.order.ref not in self.on_hold, "told while on hold"
                self._reply(event)
            case _:
                pass

    def _move(self, event: OrderMoved) -> None:
        ref, to = event.order.ref, event.to
        if to is OrderStatus.CONFIRMED:
            assert self.status[ref] == "pending" or ref in self.reinstated, "confirmed though it was over"
            assert self.due[ref] == 0 or ref in self.paid, "confirmed without money"
        self.status[ref] = to.value

    def _settle(self, event: PaymentSettled) -> None:
        ref = event.order.ref
        assert event.intent_id not in self.settled, "one intent settled twice"
        self.settled.add(event.intent_id)
        assert event.before_msat == self.received[event.intent_id], "a part was forgotten"
        self.received[event.intent_id] = event.gross_msat
        if not event.late:
            assert ref not in self.paid, "paid twice"
            assert self.live.pop(ref) == event.intent_id
            self.credit[ref] += event.new_msat
            assert self.credit[ref] + self.short >= event.due_msat == self.due[ref]
            self.paid[ref] = self.credit[ref]

    def _part(self, event: PaymentPartReceived) -> None:
        ref = event.order.ref
        assert event.before_msat == self.received[event.intent_id], "a part was forgotten"
        self.received[event.intent_id] = event.gross_msat
        if event.is_closed:
            self.settled.add(event.intent_id)
        if not event.late:
            self.credit[ref] += event.new_msat
            assert self.live[ref] == event.intent_id
            assert event.rest_msat == self.due[ref] - self.credit[ref] > self.short
            if event.is_closed:
                del self.live[ref]

    def _reply(self, event: ReplyPromised) -> None:
        ref = event.order.ref
        self.replies[ref] += 1
        assert event.number == self.replies[ref], "replies are not numbered without gaps"
        assert event.reply.text, "a reply without a sentence"
        if isinstance(event.reply, StatusReply) and event.reply.status == "confirmed":
            self.confirmed[ref] += 1
        if isinstance(event.reply, PaymentRequestReply):
            self.asked[ref, self.revision[ref], self.live.get(ref)] += 1
            assert event.reply.amount_sats * 1_000 == self.sums[ref]

    def _balance(self) -> None:
        for coordinate, on_hand in self.on_hand.items():
            assert on_hand is None or on_hand >= 0, f"less than nothing on hand of {coordinate}"
        assert min(self.held.values(), default=0) >= 0, "negative hold"
        assert sum(self.holds.values(), Counter[str]()) == +self.held, "holds of orders are not what is held"
        for ref, status in self.status.items():
            assert (ref in self.holds) <= (status == "pending"), f"{status} order holds stock"
            assert (ref in self.live) == (status == "pending"), f"{status} order and its request"
            paid_for = status in ("confirmed", "processing", "completed")
            assert self.confirmed[ref] <= 1, "confirmed twice"
            assert self.confirmed[ref] == 1 or not paid_for or ref in self.quiet, "confirmed without a word"
        assert max(self.asked.values(), default=0) <= 1, "a revision was asked for twice"
