"""Goods that no parcel carries: texts and links sent once they are paid, and orders that are collected (SU-06)."""

from __future__ import annotations

from schemas.goods import GoodsSet, MarkReady, PickupReady, SetGoods
from schemas.orders import Quote, QuotedLine
from schemas.payments import PaymentAxis
from schemas.replies import TextReply
from schemas.values import Actor, OrderKey
from streams.domain import wording
from streams.domain.decision import Decision
from streams.domain.shop import Shop, refusal_cause
from streams.domain.transitions import PAID


def set_goods(decision: Decision, command: SetGoods) -> None:
    """Say what buyers of a listing are sent; the same word again says nothing new."""
    shop = decision.shop
    if shop.goods_set.get(command.coordinate) == command.cause:
        return
    if shop.goods.get(command.coordinate) != command.sealed:
        decision.emit(GoodsSet(coordinate=command.coordinate, sealed=command.sealed, cause=command.cause))


def handed_lines(shop: Shop, quoted: Quote) -> list[QuotedLine]:
    """The lines of an order that are handed over as a text or a link."""
    return [line for line in quoted.lines if not line.physical and line.coordinate in shop.goods]


def hand_over(decision: Decision, key: OrderKey, dialect: str, answers: str, quoted: Quote) -> None:
    """Send what the paid lines' listings have for their buyers."""
    for line in handed_lines(decision.shop, quoted):
        text = wording.goods(decision.voice(key), line.title)
        reply = TextReply(about=line.coordinate, text=text, sealed=decision.shop.goods[line.coordinate])
        decision.tell(key, dialect, answers, reply)


def mark_ready(decision: Decision, command: MarkReady) -> None:
    """Tell the buyer of a paid pickup that they can come, and where to; once."""
    order = decision.shop.order(command.order)
    place = order.quote.pickup_place if order and order.quote else None
    if order is not None and (order.is_ready or refusal_cause("not_a_pickup", command.cause) in order.refused):
        return
    if order is None:
        reason, detail = "unknown_order", "no such order"
    elif order.payment is PaymentAxis.REVERSED:
        reason, detail = "payment_reversed", "its payment was taken back, so its buyer is not told to come"
    elif order.status not in PAID or place is None:
        reason, detail = "not_a_pickup", "only a paid order that its buyer collects can be ready"
    else:
        decision.emit(PickupReady(order=order.key, cause=command.cause))
        reply = TextReply(about="pickup", text=wording.ready(decision.voice(order.key), place))
        decision.tell(order.key, order.dialect, order.answers, reply)
        return
    decision.refuse(command.order, Actor.MERCHANT, reason, detail, command.cause)
