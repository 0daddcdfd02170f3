"""Refunds: what the merchant gave back is entered, never more than came in (TR-14, C-01).

What counts towards a pending order's price is given back by cancelling it first: it would go on asking for the rest.
"""

from __future__ import annotations

from schemas.orders import OrderMoved, OrderStatus
from schemas.refunds import RecordRefund, RefundRecorded
from schemas.replies import TextReply, WireStatus
from schemas.values import Actor
from streams.domain import wording
from streams.domain.decision import Decision
from streams.domain.shop import Order
from streams.domain.transitions import REFUNDABLE


def record(decision: Decision, command: RecordRefund) -> None:
    """Enter a refund and tell the buyer; an order that got all of its money back is over."""
    order = decision.shop.order(command.order)
    if order is not None and command.cause in order.refunds:
        return
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
        return
    counted_msat, live = _counted_msat(order), order.pay_back.live
    is_paid_out = live is not None and live.is_approved and live.refund_id == command.cause
    rest_msat = left_msat(order) + (live.amount_msat if live is not None and is_paid_out else 0)
    if command.amount_msat > rest_msat and not is_paid_out:  # what has left the wallet is a fact
        detail = f"{command.amount_msat} msat, and {rest_msat} of what was paid are left"
        if live is not None:
            detail += f"; a pay-out of {live.amount_msat} is under way"
        if counted_msat:
            detail += f"; {counted_msat} count towards the price until the order is cancelled"
        decision.refuse(order.key, Actor.MERCHANT, "refund_too_high", detail, command.cause)
        return
    decision.emit(
        RefundRecorded(
            order=order.key,
            amount_msat=command.amount_msat,
            rail=command.rail,
            reference=command.reference,
            reason=command.reason,
            cause=command.cause,
            fee_msat=command.fee_msat,
        )
    )
    is_all = command.amount_msat >= rest_msat and not counted_msat and (live is None or is_paid_out)
    text = wording.refunded(
        decision.voice(order.key),
        command.amount_msat,
        command.rail,
        command.reference,
        is_all=is_all,
    )
    if is_all and order.status in REFUNDABLE:
        moved = OrderMoved(order=order.key, actor=Actor.MERCHANT, to=OrderStatus.REFUNDED, cause=command.cause)
        decision.emit(moved)
        decision.tell_status(order.key, order.dialect, order.answers, WireStatus.CANCELLED, text)
    else:
        reply = TextReply(about=f"refund {command.cause}", text=text)
        decision.tell(order.key, order.dialect, order.answers, reply)


def left_msat(order: Order) -> int:
    """What of an order's money may go back: not what counts towards its price, and not what a pay-out is to take."""
    live = order.pay_back.live
    under_way_msat = live.amount_msat if live is not None else 0
    return order.paid_msat - order.refunded_msat - _counted_msat(order) - under_way_msat


def _counted_msat(order: Order) -> int:
    return order.credit_msat if order.status is OrderStatus.PENDING else 0
