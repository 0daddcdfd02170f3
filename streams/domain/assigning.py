"""Money over the shop's address finds its order: the merchant says so, or the buyer shows the invoice's preimage.

The invoice then is the order's request, and its money is entered like that of any other (TR-06, TR-07, TR-15).
A preimage names the payment and never proves it: what came is what a look-up found, and it is assigned once (L10).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.addresses import (
    AddressAssigned,
    AddressClaimed,
    AddressClosed,
    AddressPaid,
    AssignmentRefusal,
    AssignmentRefused,
    AssignPayment,
    ClosePayment,
    ObserveInvoice,
)
from schemas.orders import OrderStatus
from schemas.payments import BackendState, ObservePayment, PaymentDropped
from streams.domain import addresses, settlement
from streams.domain.decision import Decision
from streams.domain.shop import Asked, Order

_SENTENCES: Final[Mapping[AssignmentRefusal, str]] = {
    AssignmentRefusal.UNKNOWN_PAYMENT: "no such payment came over the shop's address",
    AssignmentRefusal.NO_MONEY: "nothing is there of it, or it was taken back",
    AssignmentRefusal.ALREADY_ASSIGNED: "it is an order's already",
    AssignmentRefusal.ALREADY_CLOSED: "it was said to be for no order",
    AssignmentRefusal.UNKNOWN_ORDER: "there is no such order",
    AssignmentRefusal.NO_PRICE: "the order has no price yet",
}


def observe(decision: Decision, command: ObserveInvoice) -> None:
    """A look-up of an invoice of the address: its money is its order's, where it has one, or waits for one."""
    known = decision.shop.asked.get(command.intent_id)
    if known is not None and known.order is not None and not known.is_claimed:
        seen = ObservePayment(
            order=known.order,
            intent_id=command.intent_id,
            state=command.state,
            gross_msat=max(0, command.gross_msat - known.closed_msat),
            settled_at=command.settled_at,
        )
        settlement.observe(decision, seen)
        return
    before = len(decision.events)
    addresses.observe(decision, command)
    came = [event for event in decision.events[before:] if isinstance(event, AddressPaid)]
    if known is not None and known.order is not None and came:
        order = decision.shop.order(known.order)
        if order is not None and order.quote is not None:
            _assign(decision, order, came[0].intent_id, known._replace(paid_msat=came[0].gross_msat), known.cause)


def assign(decision: Decision, command: AssignPayment) -> None:
    """The merchant names the order."""
    known, order = decision.shop.asked.get(command.intent_id), decision.shop.order(command.order)
    if _is_heard(decision, known, command.cause):
        return
    reason = _unassignable(known, order)
    if reason is not None or known is None or order is None:
        reason = reason or AssignmentRefusal.UNKNOWN_ORDER
        _refuse(decision, command, reason)
        return
    _assign(decision, order, command.intent_id, known, command.cause)


def claim(decision: Decision, order: Order, shown: tuple[str, ...], rumor_id: str) -> None:
    """A buyer shows the preimage of one of these invoices of the address: its money is for their order, now or later.

    The first of them that nobody has yet; `shown` is `addresses.of_hashes`.
    """
    for intent_id in shown:
        known = decision.shop.asked[intent_id]
        if known.order is not None:
            continue
        reason = _unassignable(known, order)
        if reason is None:
            _assign(decision, order, intent_id, known, rumor_id)
        elif reason is AssignmentRefusal.NO_MONEY and not known.is_reversed:
            decision.emit(AddressClaimed(intent_id=intent_id, order=order.key, rumor_id=rumor_id))
        return


def close(decision: Decision, command: ClosePayment) -> None:
    """The money is for no order: kept, or given back."""
    known = decision.shop.asked.get(command.intent_id)
    if _is_heard(decision, known, command.cause):
        return
    reason = _unavailable(known)
    if reason is not None or known is None:
        reason = reason or AssignmentRefusal.UNKNOWN_PAYMENT
        _refuse(decision, command, reason)
        return
    decision.emit(
        AddressClosed(
            intent_id=command.intent_id,
            amount_msat=known.waiting_msat,
            closing=command.closing,
            reference=command.reference,
            cause=command.cause,
        )
    )


def _is_heard(decision: Decision, known: Asked | None, cause: str) -> bool:
    return cause in decision.shop.calls or (known is not None and cause == known.cause)


def _refuse(decision: Decision, command: AssignPayment | ClosePayment, reason: AssignmentRefusal) -> None:
    detail = _SENTENCES[reason]
    refused = AssignmentRefused(intent_id=command.intent_id, reason=reason, detail=detail, cause=command.cause)
    decision.emit(refused)


def _unavailable(known: Asked | None) -> AssignmentRefusal | None:
    """Why money over the address is not to be had any more, or not yet."""
    if known is None:
        return AssignmentRefusal.UNKNOWN_PAYMENT
    if known.order is not None and not known.is_claimed:
        return AssignmentRefusal.ALREADY_ASSIGNED
    if known.waiting_msat == 0:
        return AssignmentRefusal.ALREADY_CLOSED if known.closed_msat else AssignmentRefusal.NO_MONEY
    return None


def _unassignable(known: Asked | None, order: Order | None) -> AssignmentRefusal | None:
    if (reason := _unavailable(known)) is not None:
        return reason
    if order is None:
        return AssignmentRefusal.UNKNOWN_ORDER
    return AssignmentRefusal.NO_PRICE if order.quote is None else None


def _assign(decision: Decision, order: Order, intent_id: str, known: Asked, cause: str) -> None:
    """The invoice becomes the order's, in place of the request it waits for; then its money is entered there."""
    is_request = order.status is OrderStatus.PENDING
    if is_request and order.intent_id is not None:
        decision.emit(PaymentDropped(order=order.key, intent_id=order.intent_id))
    decision.emit(
        AddressAssigned(
            intent_id=intent_id,
            order=order.key,
            amount_msat=known.waiting_msat,
            payment_hash=known.payment_hash,
            is_request=is_request,
            cause=cause,
        )
    )
    its_own = order._replace(intent_id=intent_id) if is_request else order
    msat = known.waiting_msat
    seen = ObservePayment(order=order.key, intent_id=intent_id, state=BackendState.SETTLED, gross_msat=msat)
    settlement.receive(decision, its_own, seen)
