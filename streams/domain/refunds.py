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
from streams.domain.transitions import REFUNDABLE


def record(decision: Decision, command: RecordRefund) -> None:
    """Enter a refund and tell the buyer; an order that got all of its money back is over."""
    order = decision.shop.order(command.order)
    if order is not None and command.cause in order.refunds:
        return
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
        return
    counted_msat = order.credit_msat if order.status is OrderStatus.PENDING else 0
    left_msat = order.paid_msat - order.refunded_msat - counted_msat
    if command.amount_msat > left_msat:
        detail = f"{command.amount_msat} msat, and {left_msat} of what was paid are left"
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
        )
    )
    is_all = command.amount_msat == left_msat and not counted_msat
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
