"""Absence: what an order does whose wallet does not answer or has forgotten its request (decision 0027)."""

from __future__ import annotations

from schemas.absence import RecordWalletAbsence, RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.orders import OrderStatus
from schemas.replies import TextReply
from schemas.texts.phrases import Phrase
from streams.domain.decision import Decision
from streams.domain.shop import Order, move_cause


def record(decision: Decision, command: RecordWalletAbsence) -> None:
    """A request that is late is told to its buyer, once; an order whose request was shown waits beyond its end."""
    order = decision.shop.order(command.order)
    if order is None or order.status is not OrderStatus.PENDING or order.intent_id != command.intent_id:
        return
    if order.waits_for_request:
        _tell_late(decision, order, command.intent_id)
        return
    wait_ms = decision.shop.settings.wallet_wait_s * 1_000
    is_known = order.ends_ms is not None or move_cause("payment", "answered", command.intent_id) in order.moves
    if is_known or wait_ms == 0 or order.deadline_ms is None:
        return
    decision.emit(WalletMissed(order=order.key, intent_id=command.intent_id, deadline_ms=order.deadline_ms + wait_ms))


def hear(decision: Decision, order: Order, intent: str) -> None:
    """A look-up was answered, and no money came. Of a request that can still be paid this says nothing."""
    if order.status is not OrderStatus.PENDING or order.intent_id != intent or order.ends_ms is None:
        return
    dead_ms = order.ends_ms if order.part > 1 or order.asks_from_ms is None else order.asks_from_ms
    if decision.at_ms >= min(dead_ms, order.ends_ms):
        decision.emit(WalletAnswered(order=order.key, intent_id=intent, deadline_ms=order.ends_ms))


def forget(decision: Decision, order: Order, intent: str) -> None:
    """The wallet does not know a request that was shown. That is noted once, and the order waits for a person."""
    is_live = order.status is OrderStatus.PENDING and order.intent_id == intent and not order.waits_for_request
    if not is_live or order.is_forgotten or order.deadline_ms is None:
        return
    wait_ms = 0 if order.ends_ms is not None else decision.shop.settings.wallet_wait_s * 1_000
    decision.emit(RequestForgotten(order=order.key, intent_id=intent, deadline_ms=order.deadline_ms + wait_ms))


def recall(decision: Decision, order: Order, intent: str) -> Order:
    """The wallet knows the request (again). Gives the order as it stands then."""
    if not order.is_forgotten or order.intent_id != intent or order.status is not OrderStatus.PENDING:
        return order
    ends_ms = order.deadline_ms if order.ends_ms is None else order.ends_ms
    assert ends_ms is not None, "a pending order has its deadline"
    decision.emit(RequestRecalled(order=order.key, intent_id=intent, deadline_ms=ends_ms))
    return order._replace(deadline_ms=ends_ms, ends_ms=None)


def _tell_late(decision: Decision, order: Order, intent: str) -> None:
    if move_cause("payment", "delayed", intent) in order.moves:
        return
    decision.emit(WalletMissed(order=order.key, intent_id=intent))
    reply = TextReply(about=f"delayed {intent}", text=decision.voice(order.key).say(Phrase.DELAYED))
    decision.tell(order.key, order.dialect, order.answers, reply)
