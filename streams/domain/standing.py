"""How an order stands once a decision's events so far are in: for updates that say it all at once (NIP-15)."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.messages import Event
from schemas.orders import (
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    ShippingMoved,
    ShippingStatus,
)
from schemas.payments import PaymentAxis, PaymentImplied, PaymentPartReceived, PaymentReversed, PaymentSettled
from schemas.refunds import RefundRecorded
from schemas.reinstatement import OrderReinstated
from schemas.replies import Standing
from schemas.values import OrderKey
from streams.domain.shop import Order
from streams.domain.transitions import (
    BOUGHT,
    parcels_after,
    payment_after_move,
    payment_after_part,
    payment_after_refund,
    payment_after_settlement,
    shipping_of,
)

_MONEY_CAME = (PaymentAxis.PAID, PaymentAxis.REFUND_DUE, PaymentAxis.REFUNDED)
_ON_ITS_WAY = (ShippingStatus.SHIPPED, ShippingStatus.DELIVERED, ShippingStatus.EXCEPTION)


def standing_after(key: OrderKey, order: Order | None, events: Iterable[Event]) -> Standing:
    """The order as it was, None before it was placed, and what this decision has made of it.

    `paid` says that its money came, or that none was due, whatever became of the order since;
    `shipped` that all of it left, or was handed over otherwise.
    """
    status = order.status if order else OrderStatus.WAITING
    payment = order.payment if order else PaymentAxis.NONE
    parcels = order.parcels if order else ()
    paid_msat, refunded_msat = (order.paid_msat, order.refunded_msat) if order else (0, 0)
    for event in events:
        match event:
            case OrderPlaced(order=of) | OrderWaiting(order=of) if of == key:
                status, payment = OrderStatus.WAITING, PaymentAxis.NONE
            case OrderQuoted(order=of) if of == key:
                status = OrderStatus.PENDING
            case OrderRejected(order=of) if of == key:
                status = OrderStatus.REJECTED
            case OrderMoved(order=of, to=to) if of == key:
                status, payment = to, payment_after_move(payment, to)
            case PaymentSettled(order=of) if of == key:
                payment = payment_after_settlement(payment, status, event.late)
                paid_msat += event.new_msat
            case PaymentPartReceived(order=of) if of == key:
                payment = payment_after_part(payment, status, event.late)
                paid_msat += event.new_msat
            case PaymentReversed(order=of) if of == key:
                payment = event.payment
                paid_msat -= event.amount_msat
            case PaymentImplied(order=of) if of == key:
                payment = PaymentAxis.PAID
                paid_msat += event.amount_msat
            case OrderReinstated(order=of) if of == key:
                payment = PaymentAxis.PAID
            case RefundRecorded(order=of) if of == key:
                refunded_msat += event.amount_msat
                payment = payment_after_refund(payment, status, paid_msat, refunded_msat)
            case ShippingMoved(order=of) if of == key:
                parcels = parcels_after(parcels, event)
            case _:
                pass
    return Standing(
        status=status,
        paid=payment in _MONEY_CAME or (status in BOUGHT and payment is not PaymentAxis.REVERSED),
        shipped=shipping_of(parcels) in _ON_ITS_WAY or status is OrderStatus.COMPLETED,
    )
