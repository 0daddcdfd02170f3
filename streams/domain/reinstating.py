"""Reinstating: late money pays for its order after all, where the goods are still there (TR-15, C-04)."""

from __future__ import annotations

from schemas.orders import OrderStatus, Quote, QuotedLine
from schemas.payments import PaymentAxis
from schemas.refunds import OwedFor
from schemas.reinstatement import OrderReinstated, ReinstateOrder
from schemas.stock import StockHeld, StockLine
from schemas.values import MSAT_PER_SAT, Actor, Refusal
from streams.domain import orders, owing
from streams.domain.decision import Decision
from streams.domain.pricing import quote
from streams.domain.shop import Order, Shop, move_cause
from streams.domain.transitions import REINSTATABLE


def reinstate(decision: Decision, command: ReinstateOrder) -> None:
    """The merchant takes the late money; the same word again says nothing new."""
    order = decision.shop.order(command.order)
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
        return
    if move_cause("payment", "reinstated", command.cause) in order.moves:
        return
    if (refusal := _refusal(decision.shop, order)) is not None:
        decision.refuse(order.key, Actor.MERCHANT, *refusal, command.cause)
        return
    _go_on(decision, order, Actor.MERCHANT, command.cause)


def by_itself(decision: Decision, order: Order, cause: str) -> bool:
    """Reinstate an order that expired, by the shop's own rule; `order` has its late money. False where it stays so.

    Its price of today may be `late_accepted_percent` above the one that was promised, which is the one that counts.
    """
    percent = decision.shop.settings.late_accepted_percent
    is_free = order.status is OrderStatus.EXPIRED and not order.is_on_hold
    if percent is None or not is_free or _refusal(decision.shop, order) is not None:
        return False
    assert order.quote is not None, "what can be reinstated has its quote"
    today = quote(decision.shop, order, decision.rates, decision.at_ms)
    if not isinstance(today, Quote) or today.total_msat * 100 > order.quote.total_msat * (100 + percent):
        return False
    _go_on(decision, order, Actor.COORDINATOR, cause)
    return True


def _refusal(shop: Shop, order: Order) -> tuple[str, str] | None:
    """Why the order cannot be reinstated: a reason that stays the same, and a sentence."""
    if order.status not in REINSTATABLE or order.payment is not PaymentAxis.LATE or order.quote is None:
        return "nothing_to_reinstate", f"the order is {order.status}, its payment {order.payment}"
    if any(receipt.is_reversed for receipt in order.received):
        return "payment_reversed", "money of it was taken back before"
    if order.pay_back.live is not None:
        return "payout_under_way", "its money is on its way back to the buyer: drop that first, or wait for it"
    missing_msat = order.quote.total_msat - _money_msat(order)
    if missing_msat > shop.settings.short_accepted_sats * MSAT_PER_SAT:
        return "underpaid", f"{missing_msat} of {order.quote.total_msat} msat are missing"
    if short := [line for line in order.quote.lines if not line.pre_order and _left(shop, line) < line.quantity]:
        said = "; ".join(f"{line.title}: {line.quantity} are wanted, {_left(shop, line)} are left" for line in short)
        return Refusal.INSUFFICIENT_STOCK.value, said
    return None


def _money_msat(order: Order) -> int:
    """What back-ends hold for the order and nobody gave back."""
    return sum(receipt.amount_msat for receipt in order.received) - order.refunded_msat


def _left(shop: Shop, line: QuotedLine) -> int:
    """Units that may be promised now; of what is not counted, as many as are wanted."""
    stock = shop.stock.get(line.coordinate)
    available = stock.available if stock else None
    return line.quantity if available is None else available


def _go_on(decision: Decision, order: Order, actor: Actor, cause: str) -> None:
    """The promise stands again: stock is held and sold as by any confirmation, and what is too much is owed."""
    assert order.quote is not None, "what can be reinstated has its quote"
    decision.emit(
        OrderReinstated(order=order.key, actor=actor, quote=order.quote, credit_msat=_money_msat(order), cause=cause)
    )
    stock, lines = decision.shop.stock, order.quote.lines
    counted = [line for line in lines if line.coordinate in stock and stock[line.coordinate].on_hand is not None]
    held = tuple(
        StockLine(coordinate=line.coordinate, quantity=line.quantity)
        for line in counted
        if _left(decision.shop, line) >= line.quantity
    )
    if held:
        decision.emit(StockHeld(order=order.key, lines=held))
    over_msat = owing.surplus_msat(order._replace(owed_msat=0), 0)
    owing.owe(decision, order.key, over_msat, OwedFor.OVER)
    orders.confirm(decision, order.key, order.dialect, order.answers, held, order.quote, cause, over_msat)
