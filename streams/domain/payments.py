"""Payments: one live request an order revision, and settlement judged by the back-end's word alone."""

from __future__ import annotations

from schemas.orders import OrderMoved, OrderStatus
from schemas.payments import (
    BackendState,
    ObservePayment,
    PaymentAxis,
    PaymentReported,
    PaymentRequested,
    PaymentSettled,
    RecordPaymentFailure,
    RecordPaymentRequest,
    ReportPayment,
)
from schemas.replies import PaymentOption, PaymentRequestReply, WireStatus
from schemas.texts.phrases import Phrase
from schemas.values import MSAT_PER_SAT, Actor, OrderKey
from streams.domain import buyers, orders, parking, wording
from streams.domain.decision import Decision
from streams.domain.shop import Order


def record_request(decision: Decision, command: RecordPaymentRequest) -> None:
    """The order's current request exists: tell the buyer, once. One that is no longer wanted was dropped before."""
    order = _wanting(decision, command.order, command.intent_id)
    if order is None or order.quote is None:
        return
    if command.amount_msat != order.quote.total_msat:
        detail = "the request's amount is not the quote's"
        orders.refuse(decision, order.key, Actor.COORDINATOR, "wrong_amount", detail, command.intent_id)
        return
    decision.emit(
        PaymentRequested(
            order=order.key,
            intent_id=command.intent_id,
            medium=command.medium,
            text=command.text,
            payment_hash=command.payment_hash,
            amount_msat=command.amount_msat,
            expires_at=command.expires_at,
        )
    )
    reply = PaymentRequestReply(
        amount_sats=command.amount_msat // MSAT_PER_SAT,
        options=(PaymentOption(medium=command.medium, text=command.text),),
        expires_at=command.expires_at,
        text=wording.payment_request(decision.voice(order.key), order.quote, order.claimed_sats),
    )
    decision.tell(order.key, order.dialect, order.answers, reply)


def record_failure(decision: Decision, command: RecordPaymentFailure) -> None:
    """No request can be made: the order fails and the buyer is told (TR-10)."""
    order = _wanting(decision, command.order, command.intent_id)
    if order is None:
        return
    orders.give_back(decision, order)
    decision.emit(OrderMoved(order=order.key, actor=Actor.COORDINATOR, to=OrderStatus.FAILED, cause=command.reason))
    text = decision.voice(order.key).say(Phrase.FAILED)
    decision.tell_status(order.key, order.dialect, order.answers, WireStatus.CANCELLED, text)


def observe(decision: Decision, command: ObservePayment) -> None:
    """The back-end was asked: settled in full confirms a pending order; on a dead one the money is late (TR-15)."""
    order = decision.shop.order(command.order)
    if order is None or command.state is not BackendState.SETTLED or command.intent_id in order.settled:
        return
    due_msat = order.quote.total_msat if order.quote else 0
    late = order.status is not OrderStatus.PENDING or order.intent_id != command.intent_id
    if command.gross_msat < due_msat and not late:
        detail = f"{command.gross_msat} of {due_msat} msat"
        orders.refuse(decision, order.key, Actor.COORDINATOR, "underpaid", detail, command.intent_id)
        return
    decision.emit(
        PaymentSettled(
            order=order.key,
            intent_id=command.intent_id,
            gross_msat=command.gross_msat,
            due_msat=due_msat,
            settled_at=command.settled_at,
            late=late,
        )
    )
    if not late:
        cause = f"payment {command.intent_id}"
        orders.confirm(decision, order.key, order.dialect, order.answers, order.held, order.quote, cause)


def report(decision: Decision, command: ReportPayment) -> None:
    """A receipt is a claim: note it and let the payments role look; after settlement it changes nothing (PAY-14)."""
    order = decision.shop.order(command.order)
    if order is None:
        parking.park(decision, command.order, command)
    elif order.payment is PaymentAxis.REQUESTED and not buyers.silenced(decision, order.key.buyer):
        decision.emit(PaymentReported(order=order.key, rumor_id=command.rumor_id, medium=command.medium))


def _wanting(decision: Decision, key: OrderKey, intent_id: str) -> Order | None:
    """The pending order that still wants this very request."""
    order = decision.shop.order(key)
    if order is None or order.status is not OrderStatus.PENDING or order.intent_id != intent_id:
        return None
    return order if order.payment is PaymentAxis.WANTED else None
