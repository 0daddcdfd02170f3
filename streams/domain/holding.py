"""Manual holds: an order is left to a person, and goes on where it stands when it is released (NCC-09)."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.holds import HoldOrder, OrderHeld, OrderReleased, OrderRenewed, ReleaseOrder, RenewOrder
from schemas.orders import OrderStatus, Rate
from schemas.payments import PaymentAxis
from schemas.replies import PaymentRequestReply, TextReply
from schemas.values import Actor, Waiting
from streams.domain import orders
from streams.domain.decision import Decision
from streams.domain.shop import Order, move_cause
from streams.domain.transitions import BOUGHT


def hold(decision: Decision, command: HoldOrder) -> None:
    """Say nothing more to the buyer of this order, and let no time run out for it."""
    order = decision.shop.order(command.order)
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
    elif not order.is_on_hold and command.cause not in order.holds:
        decision.emit(OrderHeld(order=order.key, cause=command.cause))


def release(decision: Decision, command: ReleaseOrder, rates: Mapping[str, Rate]) -> None:
    """Go on: what was left unsaid is said as it stands, and money that came meanwhile has the grace to be found."""
    order = decision.shop.order(command.order)
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
        return
    if not order.is_on_hold or command.cause in order.holds:
        return
    goods = [reply for reply in order.unsaid if isinstance(reply, TextReply) and reply.sealed is not None]
    if goods and order.payment is PaymentAxis.REVERSED and order.status in BOUGHT:
        decision.refuse(order.key, Actor.MERCHANT, "payment_reversed", orders.REVERSED, command.cause)
        return
    deadline_ms = order.deadline_ms
    if deadline_ms is not None:
        deadline_ms = max(deadline_ms, decision.at_ms + decision.shop.settings.grace_s * 1_000)
    decision.emit(OrderReleased(order=order.key, cause=command.cause, deadline_ms=deadline_ms))
    decision.release(order.key)
    if order.status is OrderStatus.WAITING and order.waits_for is Waiting.HOLD:
        orders.price(decision, order, rates)
        return
    is_dead = order.quote is not None and order.quote.valid_until * 1_000 <= decision.at_ms
    is_unasked = order.payment is PaymentAxis.WANTED and not order.credit_msat
    if order.status is OrderStatus.PENDING and is_unasked and is_dead:
        renew(decision, order, rates)
        return
    for reply in order.unsaid:
        if reply in goods and order.status is OrderStatus.CANCELLED:
            continue  # its buyer does not get what nobody pays for
        if not isinstance(reply, PaymentRequestReply):
            decision.tell(order.key, order.dialect, order.answers, reply)
        elif order.status is not OrderStatus.PENDING or order.waits_for_request:
            continue  # nothing is to be paid any more, or another sum
        elif reply.expires_at > decision.at_ms // 1_000 or order.credit_msat:
            decision.tell(order.key, order.dialect, order.answers, reply)
        else:
            renew(decision, order, rates)
    is_all = order.quote is not None and len(goods) == len(order.quote.lines)
    if goods and is_all and order.status is OrderStatus.CONFIRMED:
        orders.complete_handed(decision, order.key, order.dialect, order.answers)


def ask_anew(decision: Decision, command: RenewOrder, rates: Mapping[str, Rate]) -> None:
    """The merchant gives up on a request that its wallet has forgotten; the same word again says nothing new."""
    order = decision.shop.order(command.order)
    if order is None:
        decision.refuse(command.order, Actor.MERCHANT, "unknown_order", "no such order", command.cause)
        return
    if move_cause("payment", "renewed", command.cause) in order.moves:
        return
    if order.status is not OrderStatus.PENDING or not order.is_forgotten:
        refusal = "nothing_to_renew", f"the order is {order.status}, and no wallet has forgotten its request"
    elif order.credit_msat:
        refusal = "part_paid", f"{order.credit_msat} msat of its price are paid: confirm it, or cancel it"
    else:
        renew(decision, order, rates, command.cause)
        return
    decision.refuse(order.key, Actor.MERCHANT, *refusal, command.cause)


def renew(decision: Decision, order: Order, rates: Mapping[str, Rate], cause: str = "") -> None:
    """Price an order once more: its buyer never saw the request and it is dead, or its wallet has forgotten it."""
    orders.give_back(decision, order)
    decision.emit(OrderRenewed(order=order.key, revision=order.revision + 1, cause=cause))
    renewed = order._replace(revision=order.revision + 1, quote=None, intent_id=None, held=())
    orders.price(decision, renewed, rates, released=order.held)
