"""The books of one journal partition: the simplest that could show a fault, kept from its records as plain JSON.

They share no code with the domain and take the journal's word for every event, even one they complain of,
so that a fault is named once and what follows from it is judged by what the journal now says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from services.audit import on_inbox, on_money, on_orders, on_payouts, on_reviews, on_stock
from services.audit.invariants import Breach
from services.audit.ledger import Fact, Goods, Ledger, Order
from services.audit.rules import FINISHED, PAID, PATIENCE_MS, UNTOLD_NEVER, short

ENTRIES: Mapping[str, Callable[[Ledger, Fact], None]] = {
    "StockSet": on_stock.is_set,
    "StockHeld": on_stock.held,
    "StockReleased": on_stock.released,
    "StockCommitted": on_stock.committed,
    "OrderPlaced": on_orders.placed,
    "OrderQuoted": on_orders.quoted,
    "OrderWaiting": on_orders.waiting,
    "OrderRejected": on_orders.rejected,
    "OrderMoved": on_orders.moved,
    "OrderHeld": on_orders.held_back,
    "OrderReleased": on_orders.released,
    "OrderRenewed": on_orders.renewed,
    "ReplyWithheld": on_money.withheld,
    "CancellationRequested": on_orders.cancellation_requested,
    "ShippingMoved": on_orders.shipped,
    "CommandParked": on_orders.parked,
    "ParkedReleased": on_orders.unparked,
    "ShopOpened": on_orders.opened,
    "MerchantFrozen": on_orders.froze,
    "MerchantThawed": on_orders.thawed,
    "PaymentWanted": on_money.wanted,
    "PaymentRequested": on_money.requested,
    "PaymentPartReceived": on_money.came_in_part,
    "PaymentSeen": on_money.seen,
    "WalletMissed": on_money.missed,
    "WalletAnswered": on_money.answered,
    "RequestForgotten": on_money.forgotten,
    "RequestRecalled": on_money.recalled,
    "PaymentReversed": on_money.reversed_,
    "PaymentImplied": on_money.implied,
    "OrderReinstated": on_money.reinstated,
    "RefundOwed": on_money.owed,
    "RefundRecorded": on_payouts.refunded,
    "PayoutWanted": on_payouts.wanted,
    "PayoutApproved": on_payouts.approved,
    "RefundLinkMade": on_payouts.told,
    "PayoutDropped": on_payouts.dropped,
    "PayoutFailed": on_payouts.failed,
    "PaymentDropped": on_money.dropped,
    "PaymentSettled": on_money.settled,
    "AddressPaid": on_money.came_over_address,
    "AddressReversed": on_money.left_address,
    "AddressAssigned": on_money.assigned,
    "AddressClosed": on_money.closed,
    "PastOrderRecorded": on_orders.past,
    "ReplyPromised": on_money.promised,
    "ListingRecorded": on_reviews.listed,
    "ReviewRecorded": on_reviews.recorded,
    "ReviewWithdrawn": on_reviews.withdrawn,
    "ReviewJudged": on_reviews.judged,
    "RatingsChanged": on_reviews.rated,
    "MessageReceived": on_inbox.written,
    "AnswerPromised": on_inbox.written,
}
"""How each fact is entered; the others move nothing that is counted here."""


class Books:
    """One partition. Enter its records in their order; finished orders shrink to a few bytes."""

    def __init__(self) -> None:
        self._ledger = Ledger()

    def enter(self, record: dict[str, Any]) -> list[Breach]:
        """Enter one record and say what it breaks. One that is no journal record breaks I9 and is left out."""
        ledger = self._ledger
        ledger.start(str(record.get("merchant", "")))
        try:
            _follow(ledger, record)
            for fact in record["events"]:
                entry = ENTRIES.get(fact["type"])
                if entry is not None:
                    entry(ledger, fact)
            _balance(ledger)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            ledger.say("I9", f"the record is not what a journal record is: {type(error).__name__}")
        return ledger.breaches

    def enter_bytes(self, value: bytes) -> list[Breach]:
        """The same with a record as it stands in Kafka; bytes that are no JSON object break I9 for nobody."""
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError:
            record = None
        if isinstance(record, dict):
            return self.enter(record)
        return [Breach("I9", "", self.sequence, "the record behind this one is no JSON object")]

    @property
    def sequence(self) -> int:
        """The last record entered."""
        return self._ledger.sequence

    @property
    def checked(self) -> Mapping[str, int]:
        """How often each invariant was looked at."""
        return self._ledger.checked

    @property
    def frozen(self) -> Mapping[str, str]:
        """Merchants whose effects wait, and why."""
        return self._ledger.frozen

    @property
    def answered(self) -> Mapping[str, int]:
        """Merchant → the last record that froze or thawed them."""
        return self._ledger.answered

    @property
    def goods(self) -> Mapping[str, Goods]:
        """Every listing with stock, by address."""
        return self._ledger.goods

    @property
    def open_orders(self) -> Mapping[str, Order]:
        """Orders that are not finished, by reference."""
        return self._ledger.orders

    @property
    def receipts(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """(merchant, UTC day since 1970) → payments received, and their sum in msat."""
        return self._ledger.receipts

    @property
    def statuses(self) -> Mapping[str, Counter[str]]:
        """Merchant → how many of their orders stand where; a status may count nothing."""
        return self._ledger.statuses

    def order(self, ref: str) -> tuple[str, int, int] | None:
        """An order's status, revision and number of replies, finished or not; None where there is none."""
        known = self._ledger.orders.get(ref)
        if known is not None:
            return known.status, known.revision, known.replies
        return self._ledger.finished_order(ref)

    def overdue(self, now_ms: int, patience_ms: int = PATIENCE_MS) -> Iterator[Breach]:
        """What has been owed for too long by now, by merchants who are not frozen (I14)."""
        ledger = self._ledger
        for order in ledger.orders.values():
            if order.merchant in ledger.frozen or order.is_on_hold:
                continue
            ledger.checked["I14"] += 1
            if order.deadline_ms and order.deadline_ms + patience_ms < now_ms:
                what = f"is {(now_ms - order.deadline_ms) // 1_000} s past its deadline and still {order.status}"
            elif order.intent and not order.is_requested and order.wanted_ms + patience_ms < now_ms:
                what = f"has waited {(now_ms - order.wanted_ms) // 1_000} s for its payment request"
            else:
                continue
            yield Breach("I14", order.merchant, ledger.sequence, f"{order.name} {what}")


def _follow(ledger: Ledger, record: Fact) -> None:
    """The record's place: after the one before, about commands that were not decided yet (I1)."""
    before, decided = ledger.sequence, ledger.covers
    ledger.sequence, ledger.covers, ledger.at_ms = record["seq"], record["covers"], record["at_ms"]
    ledger.check("I1", ledger.sequence == before + 1, lambda: f"it follows record {before}")
    ledger.check("I1", ledger.covers > decided, lambda: f"command {ledger.covers} was decided before")


def _balance(ledger: Ledger) -> None:
    """What must hold of everything the record touched, now that all of it is entered."""
    for coordinate, goods in ledger.moved.items():
        _balance_goods(ledger, coordinate, goods)
    on_reviews.balance(ledger)
    for order in list(ledger.touched.values()):
        _balance_order(ledger, order)
        if order.status in FINISHED:
            ledger.finish(order)


def _balance_goods(ledger: Ledger, coordinate: str, goods: Goods) -> None:
    left, held = goods.on_hand, goods.held
    said = f"{short(coordinate)} has {left} on hand and {held} held"
    ledger.check("I2", held >= 0 and (left is None or left >= 0), lambda: said)


def _balance_order(ledger: Ledger, order: Order) -> None:
    status, told = order.status, order.confirmations
    said, is_pending = f"{order.name} ({status})", status == "pending"
    ledger.check("I2", is_pending or not order.held, lambda: f"{said} holds stock")
    ledger.check("I2", not order.to_sell, lambda: f"{said} was reinstated, and its goods stayed on the shelf")
    ledger.check("I3", is_pending == bool(order.intent), lambda: f"{said} and its payment request disagree")
    is_told = told == 1 if status in PAID and not order.is_quiet else told <= 1
    ledger.check("I4", is_told, lambda: f"{said} was told {told} times that it is confirmed")
    has_outcome = not order.is_paid or status not in ("waiting", "pending")
    ledger.check("I4", has_outcome, lambda: f"{said} was paid for, and nothing came of it")
    owed, over = order.owed_msat, order.surplus_msat
    ledger.check("I5", owed >= over, lambda: f"{said} got {over} msat too much, and owes its buyer {owed}")
    order.owed_msat = order.surplus_msat = 0
    if order.ended_in == ledger.sequence and status in UNTOLD_NEVER:
        is_told = order.told_in == ledger.sequence
        ledger.check("I4", is_told, lambda: f"{said} ended without a word to its buyer")
