"""The legal moves of the order and shipping axes, as data: who may move what to what (requirements §7)."""

from __future__ import annotations

from schemas.orders import OrderStatus as O
from schemas.orders import Parcel, ShippingMoved
from schemas.orders import ShippingStatus as S
from schemas.payments import PaymentAxis
from schemas.values import Actor as A

ORDER_MOVES: dict[tuple[O, O], frozenset[A]] = {
    (O.WAITING, O.CANCELLED): frozenset({A.BUYER, A.MERCHANT}),
    (O.WAITING, O.REJECTED): frozenset({A.COORDINATOR}),
    (O.WAITING, O.PENDING): frozenset({A.COORDINATOR}),
    (O.PENDING, O.CANCELLED): frozenset({A.BUYER, A.MERCHANT}),
    (O.PENDING, O.CONFIRMED): frozenset({A.COORDINATOR, A.MERCHANT}),
    (O.PENDING, O.EXPIRED): frozenset({A.COORDINATOR}),
    (O.PENDING, O.FAILED): frozenset({A.COORDINATOR}),
    (O.PENDING, O.PROCESSING): frozenset({A.MERCHANT}),
    (O.PENDING, O.COMPLETED): frozenset({A.MERCHANT}),
    (O.CONFIRMED, O.PROCESSING): frozenset({A.MERCHANT}),
    (O.CONFIRMED, O.COMPLETED): frozenset({A.MERCHANT, A.BUYER, A.COORDINATOR}),
    (O.CONFIRMED, O.CANCELLED): frozenset({A.MERCHANT}),
    (O.PROCESSING, O.COMPLETED): frozenset({A.MERCHANT, A.BUYER, A.COORDINATOR}),
    (O.PROCESSING, O.CANCELLED): frozenset({A.MERCHANT}),
    (O.EXPIRED, O.CONFIRMED): frozenset({A.COORDINATOR}),
    (O.CANCELLED, O.CONFIRMED): frozenset({A.COORDINATOR}),
    (O.FAILED, O.CONFIRMED): frozenset({A.COORDINATOR}),
}
"""(from, to) → who may; the coordinator only by its own decisions, never by a `MoveOrder`.

Where the merchant confirms an order that no back-end saw paid (TR-06, PAY-12), or goes on with it (TR-17), the
payment is implied. An order that ended is confirmed by its late money alone (TR-15): `reinstating`.
A buyer's `completed` also needs the parcel on its way (A-28); `decide` checks that.
"""

SHIPPING_MOVES: frozenset[tuple[S, S]] = frozenset(
    {
        (S.NONE, S.PROCESSING),
        (S.NONE, S.SHIPPED),
        (S.NONE, S.DELIVERED),
        (S.PROCESSING, S.SHIPPED),
        (S.PROCESSING, S.DELIVERED),
        (S.PROCESSING, S.EXCEPTION),
        (S.SHIPPED, S.DELIVERED),
        (S.SHIPPED, S.EXCEPTION),
        (S.EXCEPTION, S.PROCESSING),
        (S.EXCEPTION, S.SHIPPED),
        (S.EXCEPTION, S.DELIVERED),
    }
)

OPEN: frozenset[O] = frozenset({O.WAITING, O.PENDING})
"""States in which nothing is owed to the buyer yet."""

DEAD: frozenset[O] = frozenset({O.CANCELLED, O.REJECTED, O.EXPIRED, O.FAILED, O.REFUNDED})
"""States in which no payment is expected any more; money that arrives is late (TR-15)."""

PAID: frozenset[O] = frozenset({O.CONFIRMED, O.PROCESSING})
BOUGHT = PAID | {O.COMPLETED}
"""States whose order has its price, so that more money is a surplus."""
"""States in which the buyer has paid and the goods are owed."""


REFUNDABLE: frozenset[O] = frozenset({O.CONFIRMED, O.PROCESSING, O.COMPLETED, O.CANCELLED, O.EXPIRED, O.FAILED})
"""States that an order leaves for `refunded` once all of its money was given back (TR-14)."""

REINSTATABLE: frozenset[O] = frozenset({O.EXPIRED, O.CANCELLED, O.FAILED})
"""Ends from which late money may bring an order back (TR-15)."""

_PROGRESS = (S.NONE, S.EXCEPTION, S.PROCESSING, S.SHIPPED, S.DELIVERED)
"""An order is as far as the parcel that is least far; one that is in trouble comes before all others."""


def parcels_after(parcels: tuple[Parcel, ...], event: ShippingMoved) -> tuple[Parcel, ...]:
    """An order's parcels once one of them moved; each keeps its tracking number until it gets another."""
    before = next((one for one in parcels if one.name == event.parcel), None)
    tracking = event.tracking or (before.tracking if before else None)
    after = Parcel(name=event.parcel, status=event.to, tracking=tracking)
    return tuple(after if one is before else one for one in parcels) if before else (*parcels, after)


def shipping_of(parcels: tuple[Parcel, ...]) -> S:
    """The shipping axis: delivered once every parcel is (SU-04)."""
    return min((one.status for one in parcels), key=_PROGRESS.index, default=S.NONE)


def payment_after_refund(payment: PaymentAxis, status: O, paid_msat: int, refunded_msat: int) -> PaymentAxis:
    """The payment axis once money was given back: over when all of it was, but what a pending order asks for stands."""
    return PaymentAxis.REFUNDED if refunded_msat >= paid_msat and status is not O.PENDING else payment


def payment_after_move(payment: PaymentAxis, to: O) -> PaymentAxis:
    """The payment axis once the order axis moved: an order that ends is owed what it was paid (TR-13, C-02)."""
    is_owed = to is O.CANCELLED and payment is PaymentAxis.PAID
    is_part_owed = to in DEAD and to is not O.REFUNDED and payment is PaymentAxis.PARTIAL
    return PaymentAxis.REFUND_DUE if is_owed or is_part_owed else payment


def payment_while_asked(payment: PaymentAxis, to: PaymentAxis) -> PaymentAxis:
    """The payment axis of an order that is asked for money: what was paid in part stays so (TR-07)."""
    return payment if payment is PaymentAxis.PARTIAL else to


def payment_after_refusal(payment: PaymentAxis) -> PaymentAxis:
    """What was reported was no money: the order's request stands as before (PAY-11)."""
    return PaymentAxis.REQUESTED if payment is PaymentAxis.REPORTED else payment


def payment_after_part(payment: PaymentAxis, status: O, late: bool) -> PaymentAxis:
    """Some of the money: in time it is a part; late it is as all of it."""
    return payment_after_settlement(payment, status, late) if late else PaymentAxis.PARTIAL


def payment_after_settlement(payment: PaymentAxis, status: O, late: bool) -> PaymentAxis:
    """Money in time pays; late money marks a dead order (TR-15) and leaves the axis of any other as it is."""
    if not late:
        return PaymentAxis.PAID
    return PaymentAxis.LATE if status in DEAD and payment is not PaymentAxis.REFUND_DUE else payment
