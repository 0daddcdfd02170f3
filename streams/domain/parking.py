"""Early arrivals: messages that wait, bounded in number and time, for the order they are about (ORD-07)."""

from __future__ import annotations

from schemas import limits
from schemas.parking import PARKED_MAX, CommandParked, Early, ParkedReleased
from schemas.payments import AnnouncePayment, ReportPayment
from schemas.values import Actor, OrderKey, Origin
from streams.domain import buyers, past
from streams.domain.decision import Decision
from streams.domain.shop import Parked


def park(decision: Decision, key: OrderKey, command: Early) -> None:
    """Keep a relay's message for an order that may still come; anyone else is told that there is no such order."""
    if (known := decision.shop.past.get(key.ref)) is not None:
        if decision.command.origin is Origin.RELAY and not isinstance(command, AnnouncePayment):
            past.hear(decision, known, command)
        else:
            decision.refuse_said(key, command, "past_order", "it is from before the shop came here, and only listed")
        return
    waiting = decision.shop.parked.get(key.ref, ())
    if decision.command.origin is not Origin.RELAY:
        decision.refuse_said(key, command, "unknown_order", "no such order")
    elif any(parked.command == command for parked in waiting) or buyers.silenced_actor(
        decision, _actor(command), key.buyer
    ):
        return
    elif not waiting and len(decision.shop.parked) >= limits.PARKED_ORDERS.most:
        detail = f"{limits.PARKED_ORDERS.most} orders are waited for already"
        decision.refuse_said(key, command, "parked_too_many", detail)
    elif len(waiting) >= PARKED_MAX:
        decision.refuse_said(key, command, "parked_too_many", f"{PARKED_MAX} messages wait already")
    else:
        deadline_ms = decision.at_ms + decision.shop.settings.parked_ttl_s * 1_000
        decision.emit(CommandParked(order=key, command=command, deadline_ms=deadline_ms))


def release(decision: Decision, key: OrderKey) -> Early | None:
    """Take the oldest parked message out and return it if its order is there; an overdue one is given up."""
    waiting: tuple[Parked, ...] = decision.shop.parked.get(key.ref, ())
    if not waiting:
        return None
    oldest = waiting[0]
    if decision.shop.order(key) is not None:
        decision.emit(ParkedReleased(order=key))
        return oldest.command
    if decision.at_ms >= oldest.deadline_ms:
        decision.emit(ParkedReleased(order=key))
        decision.refuse_said(key, oldest.command, "orphan", "its order never came")
    return None


def _actor(command: Early) -> Actor:
    """Whose message it is; receipts and announced payments are a buyer's."""
    return Actor.BUYER if isinstance(command, ReportPayment | AnnouncePayment) else command.actor
