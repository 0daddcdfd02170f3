"""Orders from before the shop came here: listed, and answered only where they are recent and nobody has (REL-11).

What is known of one is a sum that does not depend on the order in which relays tell it: each axis stands at the
farthest step that the merchant's own messages name. No stock moves, no money is asked for, nobody is told.
"""

from __future__ import annotations

from schemas import limits
from schemas.orders import MoveOrder, MoveShipping, OrderStatus, PlaceOrder, ShippingStatus
from schemas.past import PastOrder, PastOrderRecorded, RecordPast, Said
from schemas.payments import ReportPayment
from schemas.values import Actor, OrderKey
from streams.domain.decision import Decision

CATCH_UP_MS = 60_000
"""How long the merchant's own copies have, to show that a recent order was answered by another program."""

_ORDER_STEPS = (
    OrderStatus.WAITING,
    OrderStatus.PENDING,
    OrderStatus.CONFIRMED,
    OrderStatus.PROCESSING,
    OrderStatus.CANCELLED,
    OrderStatus.COMPLETED,
)
_PARCEL_STEPS = (
    ShippingStatus.NONE,
    ShippingStatus.PROCESSING,
    ShippingStatus.EXCEPTION,
    ShippingStatus.SHIPPED,
    ShippingStatus.DELIVERED,
)


def record(decision: Decision, command: RecordPast) -> Said | None:
    """Add what was said to what is known. Gives it back where the order is one of ours already, to be heard there."""
    shop, key = decision.shop, command.order
    if shop.order(key) is not None:
        return command.said
    known = shop.past.get(key.ref)
    if known is None and len(shop.past) >= limits.PAST_ORDERS.most:
        decision.refuse_said(key, command.said, "past_too_many", f"{limits.PAST_ORDERS.most} are known already")
        return None
    _note(decision, known or PastOrder(order=key), command.said, command.said_at, command.is_recent)
    return None


def hear(decision: Decision, past: PastOrder, said: MoveOrder | MoveShipping | ReportPayment) -> None:
    """Something is said today about a past order: listed like the rest, and acted upon no more than that."""
    _note(decision, past, said, decision.at_ms // 1_000, is_recent=False)


def answer(decision: Decision, key: OrderKey) -> PlaceOrder | None:
    """The order that is to be answered now, because nobody has."""
    past = decision.shop.past.get(key.ref)
    if past is None or past.answer_at_ms is None or decision.at_ms < past.answer_at_ms:
        return None
    return past.unanswered


def _note(decision: Decision, past: PastOrder, said: Said, said_at: int, is_recent: bool) -> None:
    match said:
        case PlaceOrder():
            new = _placed(past, said, said_at, decision.at_ms + CATCH_UP_MS if is_recent else None)
        case ReportPayment():
            new = past.model_copy(update={"is_reported": True})
        case MoveShipping():
            new = past.model_copy(update={"shipping": max(past.shipping, said.to, key=_PARCEL_STEPS.index)})
        case MoveOrder(actor=Actor.BUYER, to=OrderStatus.CANCELLED):
            new = past.model_copy(update={"buyer_cancelled": True})
        case MoveOrder(actor=Actor.BUYER, to=OrderStatus.COMPLETED):
            new = past.model_copy(update={"buyer_completed": True})
        case MoveOrder(actor=Actor.MERCHANT) if said.to in _ORDER_STEPS:
            new = past.model_copy(update={"status": max(past.status, said.to, key=_ORDER_STEPS.index)})
        case MoveOrder():
            decision.refuse_said(past.order, said, "illegal_transition", f"{past.status}→{said.to}, a past order")
            return
    if new.status is not OrderStatus.WAITING or new.shipping is not ShippingStatus.NONE or new.buyer_cancelled:
        new = new.model_copy(update={"unanswered": None, "answer_at_ms": None})
    if new != past:
        decision.emit(PastOrderRecorded(past=new))


def _placed(past: PastOrder, said: PlaceOrder, said_at: int, answer_at_ms: int | None) -> PastOrder:
    """The newest version of the order counts, as its writer dates it: nobody can tell any more which came first."""
    if (said_at, said.rumor_id) <= (past.said_at, past.rumor_id):
        return past
    return past.model_copy(
        update={
            "dialect": said.dialect,
            "lines": said.lines,
            "country": said.destination.country,
            "said_at": said_at,
            "rumor_id": said.rumor_id,
            "unanswered": said if answer_at_ms is not None else None,
            "answer_at_ms": answer_at_ms,
        }
    )
