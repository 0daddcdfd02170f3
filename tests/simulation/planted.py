"""Bugs to plant in the domain and in the contracts, as replacements in memory: each must be caught.

A bug that no history can show names the test that does.
"""

from __future__ import annotations

import hashlib
import time as real_time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import ROUND_FLOOR
from typing import Any

import schemas.replies
import schemas.values
from schemas.nostr import nip59
from schemas.orders import OrderStatus as O
from schemas.orders import ShippingStatus
from schemas.payments import BackendState, ObservePayment, PaymentAxis, PaymentDropped
from schemas.preferences import PreferenceFlaw
from schemas.stock import StockReleased
from schemas.values import Actor
from streams import partition
from streams.domain import (
    decision,
    fold_goods,
    fold_orders,
    hearing,
    money,
    orders,
    owing,
    parcels,
    parking,
    payment_choice,
    payments,
    pricing,
    refunds,
    settlement,
    shop,
    transitions,
)
from streams.domain.transitions import ORDER_MOVES

Change = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug: what it breaks, how to plant it, and the test that catches it where histories cannot."""

    name: str
    breaks: str
    plant: Callable[[], list[Change]]
    test: str = ""


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Plant a bug, and take it out again."""
    changes = bug.plant()
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        schemas.values._ref.cache_clear()
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        schemas.values._ref.cache_clear()


def _with_order(function: Callable[..., Any], **changes: Any) -> Callable[..., Any]:
    """The function, seeing the command's order with some of its memory changed."""

    def wrong(decision: Any, command: Any, *rest: Any) -> Any:
        known = decision.shop.orders
        order = known.get(command.order.ref)
        if order is None:
            return function(decision, command, *rest)
        known[command.order.ref] = order._replace(**changes)
        try:
            return function(decision, command, *rest)
        finally:
            known[command.order.ref] = order

    return wrong


# Orders and stock


def _oversell() -> list[Change]:
    return [(shop.Stock, "available_with", lambda stock, released: stock.on_hand)]


def _keep_holds() -> list[Change]:
    def wrong(decision: Any, order: Any) -> None:
        if order.intent_id is not None:
            decision.emit(PaymentDropped(order=order.key, intent_id=order.intent_id))

    return [(orders, "give_back", wrong)]


def _keep_requests() -> list[Change]:
    def wrong(decision: Any, order: Any) -> None:
        if order.held:
            decision.emit(StockReleased(order=order.key, lines=order.held))

    return [(orders, "give_back", wrong)]


def _confirm_without_stock() -> list[Change]:
    right = orders.confirm
    return [
        (orders, "confirm", lambda d, key, dialect, answers, held, *rest: right(d, key, dialect, answers, (), *rest))
    ]


def _take_stock_twice() -> list[Change]:
    right = fold_goods.move_stock
    return [
        (fold_goods, "move_stock", lambda s, lines, held, on_hand=0: right(s, lines, held, -1 if held > 0 else on_hand))
    ]


def _forget_rumors() -> list[Change]:
    return [(orders, "place", _with_order(orders.place, rumor_ids=()))]


def _amend_after_request() -> list[Change]:
    return [(orders, "place", _with_order(orders.place, payment=PaymentAxis.NONE, rumor_ids=()))]


def _cross_buyers() -> list[Change]:
    def wrong(merchant: str, buyer: str, order_id: str) -> str:
        return hashlib.sha256(f"{merchant}:{order_id}".encode()).hexdigest()[:32]

    wrong.cache_clear = lambda: None  # type: ignore[attr-defined]
    return [(schemas.values, "_ref", wrong)]


def _merchant_revives() -> list[Change]:
    return [(orders, "ORDER_MOVES", {**ORDER_MOVES, (O.CANCELLED, O.PROCESSING): frozenset({Actor.MERCHANT})})]


def _buyer_cancels_paid() -> list[Change]:
    moves = {**ORDER_MOVES, (O.CONFIRMED, O.CANCELLED): frozenset(Actor)}
    return [(orders, "ORDER_MOVES", moves), (orders, "PAID", frozenset())]


def _buyer_completes_early() -> list[Change]:
    return [(orders, "move", _with_order(orders.move, parcel=ShippingStatus.SHIPPED))]


def _repeat_numbers() -> list[Change]:
    right = decision.Decision.tell

    def wrong(self: Any, key: Any, *rest: Any) -> None:
        order = self.shop.order(key)
        self._replies[key.ref] = self._replies.get(key.ref, order.replies if order else 0) - 1
        right(self, key, *rest)

    return [(decision.Decision, "tell", wrong)]


def _answer_in_gamma() -> list[Change]:
    right = decision.Decision.tell
    return [(decision.Decision, "tell", lambda self, key, dialect, *rest: right(self, key, "gamma", *rest))]


def _listen_to_all() -> list[Change]:
    return [(hearing, "hear", lambda decision, command: command.said)]


def _tell_on_hold() -> list[Change]:
    right = decision.Decision.tell

    def wrong(self: Any, key: Any, *rest: Any) -> None:
        self.release(key)
        right(self, key, *rest)

    return [(decision.Decision, "tell", wrong)]


def _imply_without_stock() -> list[Change]:
    right = orders.imply_payment
    return [(orders, "imply_payment", lambda d, order, cause: right(d, order._replace(held=()), cause))]


def _refund_twice() -> list[Change]:
    right = refunds.record

    def wrong(decision: Any, command: Any) -> None:
        _with_order(right, refunded_msat=0)(decision, command)

    return [(refunds, "record", wrong)]


def _deliver_by_half() -> list[Change]:
    return [(transitions, "_PROGRESS", tuple(reversed(transitions._PROGRESS)))]


def _refuse_again() -> list[Change]:
    return [(fold_orders, "remember_refusal", lambda shop, event: None)]


def _park_for_ever() -> list[Change]:
    return [(parking, "release", lambda decision, key: None)]


def _wall_clock() -> list[Change]:
    return [(decision.Decision, "at_ms", property(lambda self: int(real_time.time() * 1_000)))]


# Money


def _settle_twice() -> list[Change]:
    return [(settlement, "observe", _with_order(settlement.observe, settled=()))]


def _accept_less() -> list[Change]:
    right = settlement.observe

    def wrong(decision: Any, command: Any) -> None:
        order = decision.shop.order(command.order)
        due_msat = order.quote.total_msat if order and order.quote else 0
        right(decision, command.model_copy(update={"gross_msat": max(command.gross_msat, due_msat)}))

    return [(settlement, "observe", wrong)]


def _believe_receipts() -> list[Change]:
    def wrong(decision: Any, command: Any) -> None:
        order = decision.shop.order(command.order)
        if order is None:
            parking.park(decision, command.order, command)
        elif order.intent_id and order.quote:
            seen = ObservePayment(
                order=order.key,
                intent_id=order.intent_id,
                state=BackendState.SETTLED,
                gross_msat=order.quote.total_msat,
            )
            settlement.observe(decision, seen)

    return [(payments, "report", wrong)]


def _forget_parts() -> list[Change]:
    return [(settlement, "observe", _with_order(settlement.observe, credit_msat=0))]


def _keep_surplus() -> list[Change]:
    return [(owing, "surplus_msat", lambda order, new_msat: 0)]


def _send_unpaid() -> list[Change]:
    return [
        (orders, "move", _with_order(orders.move, payment=PaymentAxis.PAID)),
        (parcels, "move_shipping", _with_order(parcels.move_shipping, payment=PaymentAxis.PAID)),
    ]


def _anybodys_payee() -> list[Change]:
    return [(payments, "belongs", lambda decision, order, payment: True)]


def _reuse_proofs() -> list[Change]:
    return [(payments, "proves_another", lambda decision, order, preimage_hashes: False)]


def _contradictory_flow() -> list[Change]:
    return [(payment_choice, "HARMLESS", frozenset(PreferenceFlaw))]


def _confirm_late() -> list[Change]:
    return [(settlement, "observe", _with_order(settlement.observe, status=O.PENDING))]


def _take_any_request() -> list[Change]:
    return [(payments, "_wanting", lambda decision, key, intent_id: decision.shop.order(key))]


def _old_rates() -> list[Change]:
    right = money.rates_for
    return [
        (pricing, "rates_for", lambda currencies, rates, now_ms, age_max_s: right(currencies, rates, now_ms, 10**9))
    ]


def _charge_once() -> list[Change]:
    return [(pricing, "total_msat", lambda charges, rates: money.total_msat(list(charges)[:1], rates))]


def _round_down() -> list[Change]:
    return [(money, "ROUND_CEILING", ROUND_FLOOR)]


# Catalogue, reviews, contracts


def _fresh_effects() -> list[Change]:
    count = iter(range(10**9))
    return [
        (schemas.replies.ReplyPromised, "effect_id", property(lambda self: f"reply:{self.order.ref}:{next(count)}"))
    ]


def _trust_rumor() -> list[Change]:
    def wrong(wrap: Any, secret: Any) -> Any:
        seal = nip59._open_seal(wrap, secret)
        rumor, carried = nip59._open_rumor(seal, secret)
        return nip59.OpenedWrap(wrap.id, rumor.pubkey, secret.public_key, rumor, carried)

    return [(nip59, "open_wrap", wrong)]


def _drop_deadlines() -> list[Change]:
    return [(partition.Partition, "due", lambda self, now_ms: [])]


DOMAIN: tuple[Bug, ...] = (
    Bug("oversell", "what is held counts as available", _oversell),
    Bug("keep holds", "a dead order keeps its stock", _keep_holds),
    Bug("keep requests", "a dead order keeps its payment request", _keep_requests),
    Bug("confirm without stock", "a paid order's units stay on the shelf", _confirm_without_stock),
    Bug("take stock twice", "stock falls at the order and again at the payment", _take_stock_twice),
    Bug("forget rumors", "the same order message counts again", _forget_rumors),
    Bug("amend after request", "an order is re-priced after its invoice was shown", _amend_after_request),
    Bug("cross buyers", "two buyers' orders of one id are one order", _cross_buyers),
    Bug("merchant revives", "a cancelled order goes on", _merchant_revives),
    Bug("buyer cancels paid", "a buyer cancels what is paid without the merchant", _buyer_cancels_paid),
    Bug("buyer completes early", "a buyer completes an order that was not sent", _buyer_completes_early),
    Bug("repeat numbers", "two replies of an order carry one number", _repeat_numbers),
    Bug("answer in gamma", "an order of another dialect is answered in the market spec's", _answer_in_gamma),
    Bug(
        "listen to all",
        "a dialect that is switched off is heard",
        _listen_to_all,
        "tests/streams/domain/test_hearing.py",
    ),
    Bug("tell on hold", "the buyer of an order on hold is told something", _tell_on_hold),
    Bug("imply without stock", "an order that its merchant goes on with keeps its hold", _imply_without_stock),
    Bug("refund twice", "more is given back than came in", _refund_twice),
    Bug(
        "deliver by half",
        "an order counts as far as its foremost parcel",
        _deliver_by_half,
        "tests/streams/domain/test_parcels.py",
    ),
    Bug("refuse again", "a refusal is made again for the same cause", _refuse_again),
    Bug("park for ever", "early messages are never taken up", _park_for_ever),
    Bug("wall clock", "a decision reads the machine's clock", _wall_clock),
    Bug("settle twice", "one payment counts as often as it is seen", _settle_twice),
    Bug("accept less", "an underpaid order is confirmed", _accept_less),
    Bug("forget parts", "the rest of a part-paid order is reckoned from nothing", _forget_parts),
    Bug("keep surplus", "what was paid too much is not owed", _keep_surplus),
    Bug("send unpaid", "an order is sent though its money was taken back", _send_unpaid),
    Bug("believe receipts", "a buyer's claim confirms the order", _believe_receipts),
    Bug("anybodys payee", "a buyer may name any payee as the merchant's", _anybodys_payee),
    Bug(
        "reuse proofs",
        "one payment is shown for two orders",
        _reuse_proofs,
        "tests/streams/domain/test_payment_claims.py",
    ),
    Bug(
        "contradictory flow",
        "buyers are sent to pay where nothing can be paid",
        _contradictory_flow,
        "tests/streams/domain/test_payment_choice.py",
    ),
    Bug("confirm late", "late money confirms a dead order", _confirm_late),
    Bug("take any request", "a request nobody wants any more is shown", _take_any_request),
    Bug("old rates", "a stale exchange rate makes a price", _old_rates),
    Bug("charge once", "only the first term of a price is charged", _charge_once),
    Bug("round down", "a price is rounded down", _round_down, "tests/streams/domain/test_money.py"),
    Bug("fresh effects", "a message has a new identity at every try", _fresh_effects),
    Bug("trust rumor", "the seal's author need not be the rumor's", _trust_rumor, "tests/schemas/nostr/test_nip59.py"),
    Bug("drop deadlines", "nothing ever expires", _drop_deadlines),
)
