"""Parcels: where each of an order's parcels is, and what that means for the order (SU-01 to SU-04)."""

from __future__ import annotations

from collections.abc import Collection

from schemas import limits
from schemas.orders import FIRST_PARCEL, MoveShipping, OrderMoved, OrderStatus, Parcel, ShippingMoved, ShippingStatus
from schemas.payments import PaymentAxis
from schemas.replies import ShippingReply, WireStatus
from schemas.texts.phrases import Phrase
from schemas.values import Actor
from streams.domain import buyers, orders, parking, wording
from streams.domain.decision import Decision
from streams.domain.shop import Order, move_cause
from streams.domain.transitions import PAID, SHIPPING_MOVES, parcels_after, shipping_of

UNDER_WAY = (ShippingStatus.SHIPPED, ShippingStatus.DELIVERED, ShippingStatus.EXCEPTION)


def move_shipping(decision: Decision, command: MoveShipping) -> None:
    """The merchant says where a parcel is; only a paid order that is sent has one (SU-01, SU-02)."""
    order = decision.shop.order(command.order)
    if order is None:
        parking.park(decision, command.order, command)
        return
    meant = parcels_meant(order, command)
    changed = [one for one in meant if one.status is not command.to or command.tracking is not None]
    if not changed or move_cause("parcel", command.to, command.cause) in order.moves:
        return
    if buyers.silenced_actor(decision, command.actor, order.key.buyer):
        return
    why = refusal(order, command, changed)
    if why is not None:
        decision.refuse(order.key, command.actor, *why, command.cause)
        return
    parcels = order.parcels
    several = len({one.name for one in (*parcels, *changed)}) > 1
    for one in changed:
        if may_go(one, command.to):
            moved = _moved(decision, order, command, one, several)
            parcels = parcels_after(parcels, moved)
    is_over = shipping_of(parcels) is ShippingStatus.DELIVERED and command.to is ShippingStatus.DELIVERED
    may_complete = decision.shop.settings.complete_on_delivery and order.payment is not PaymentAxis.REVERSED
    if is_over and may_complete:
        completed = OrderMoved(order=order.key, actor=Actor.COORDINATOR, to=OrderStatus.COMPLETED, cause=command.cause)
        decision.emit(completed)
        status, text = WireStatus.COMPLETED, decision.voice(order.key).say(Phrase.COMPLETED)
        decision.tell_status(order.key, order.dialect, order.answers, status, text)


def parcels_meant(order: Order, command: MoveShipping) -> tuple[Parcel, ...]:
    """Which parcels a message is about: the named one, the one of this number, a new one, or all there are.

    What sets out under another number than a parcel on its way is another parcel; before it leaves, one may get a new
    number, and a carrier may give the only one there is another.
    """
    known = {one.name: one for one in order.parcels}
    if command.parcel is not None:
        return (known.get(command.parcel) or _new(command.parcel),)
    if not known:
        return (_new(FIRST_PARCEL),)
    if command.tracking is None:
        return order.parcels
    for one in order.parcels:
        if one.tracking == command.tracking:
            return (one,)
    if len(order.parcels) == 1 and command.to not in (ShippingStatus.PROCESSING, ShippingStatus.SHIPPED):
        return order.parcels
    waiting = [one for one in order.parcels if one.tracking is None or one.status not in UNDER_WAY]
    return (waiting[0],) if waiting else (_new(_free_name(known.keys())),)


def _new(name: str) -> Parcel:
    return Parcel(name=name, status=ShippingStatus.NONE)


def _free_name(taken: Collection[str]) -> str:
    """The next number that no parcel has."""
    return next(name for number in range(1, len(taken) + 2) if (name := str(number)) not in taken)


def may_go(parcel: Parcel, to: ShippingStatus) -> bool:
    """Whether a parcel may be there next; where it is already it may get a number."""
    return parcel.status is to or (parcel.status, to) in SHIPPING_MOVES


def refusal(order: Order, command: MoveShipping, changed: list[Parcel]) -> tuple[str, str] | None:
    """Why this may not be, as a stable code and what exactly; None where it may."""
    if command.actor is not Actor.MERCHANT:
        return "not_allowed", "only the merchant ships"
    if order.status not in PAID or not any(may_go(one, command.to) for one in changed):
        return "illegal_transition", f"{order.status}, parcel {changed[0].status}→{command.to}"
    if command.to is ShippingStatus.SHIPPED and order.quote and order.quote.pickup_place:
        return "illegal_transition", f"{order.status}, its buyer collects it: parcel {changed[0].status}→{command.to}"
    is_kept_back = order.payment is PaymentAxis.REVERSED and command.to is not ShippingStatus.EXCEPTION
    if is_kept_back and any(one.status not in UNDER_WAY for one in changed):
        return "payment_reversed", orders.REVERSED
    names = {one.name for one in (*order.parcels, *changed)}
    if len(names) > limits.PARCELS.most:
        return "too_many_parcels", f"{limits.PARCELS.most} parcels are there already"
    return None


def _moved(decision: Decision, order: Order, command: MoveShipping, parcel: Parcel, several: bool) -> ShippingMoved:
    """One parcel moves, and its buyer is told."""
    eta = expected_at(order, command, decision.at_ms // 1_000) if command.eta is None else command.eta
    moved = ShippingMoved(
        order=order.key,
        to=command.to,
        cause=command.cause,
        parcel=parcel.name,
        tracking=command.tracking,
        carrier=command.carrier,
        eta=eta,
    )
    decision.emit(moved)
    if command.announce:
        name = parcel.name if several else None
        tracking = command.tracking or (parcel.tracking if several else None)
        reply = ShippingReply(
            status=command.to,
            tracking=tracking,
            carrier=command.carrier,
            eta=eta,
            parcel=parcel.name,
            text=wording.parcel(decision.voice(order.key), command.to, tracking, command.carrier, name),
        )
        decision.tell(order.key, order.dialect, order.answers, reply)
    return moved


def expected_at(order: Order, command: MoveShipping, now_s: int) -> int | None:
    """When a parcel that leaves now should arrive by its option's own word (SHP-16); nothing that is past already."""
    if command.to is not ShippingStatus.SHIPPED or not command.announce or order.quote is None:
        return None
    if order.confirmed_s is None or order.quote.delivery_max_h is None:
        return None
    at = order.confirmed_s + order.quote.delivery_max_h * 3_600
    return at if at > now_s else None
