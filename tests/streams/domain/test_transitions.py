"""Checks who may move what to what: every (state, actor, wish), against a table written from requirements §7.

The table here is on purpose not the one of the product: it is a second reading of the same text.
"""

import pytest

from schemas.catalogue import RecordListing
from schemas.orders import (
    CancellationRequested,
    MoveRefused,
    OrderMoved,
    OrderStatus,
    ReachDeadline,
    ShippingStatus,
)
from schemas.payments import PaymentAxis, RecordPaymentFailure, intent_id
from schemas.values import Actor
from streams.domain.transitions import (
    DEAD,
    OPEN,
    ORDER_MOVES,
    PAID,
    REFUNDABLE,
    REINSTATABLE,
    SHIPPING_MOVES,
    payment_after_move,
    payment_after_settlement,
)
from tests.support.builders import a_key, a_listing, an_order
from tests.support.steps import cancelled, moved, paid, parcel, refunded, requested
from tests.support.story import Story, given

W, P, C, R = OrderStatus.WAITING, OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.PROCESSING
D, X, J = OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REJECTED
E, F, G = OrderStatus.EXPIRED, OrderStatus.FAILED, OrderStatus.REFUNDED

MERCHANTS_MOVES = {(W, X), (P, X), (P, C), (P, R), (P, D), (C, R), (C, D), (C, X), (R, D), (R, X)}
"""TR-06, TR-09, TR-11, TR-12, TR-13, TR-17. To refunded an order goes with its refund (TR-14) and by no wish."""
BUYERS_MOVES = {(W, X), (P, X)}
"""TR-09; TR-12 adds `completed` once the parcel is on its way."""
BUYERS_WISHES = {(C, X), (R, X)}
"""TR-13: stored as a request."""

PARCEL_MOVES = {
    ("none", "processing"),
    ("none", "shipped"),
    ("none", "delivered"),
    ("processing", "shipped"),
    ("processing", "delivered"),
    ("processing", "exception"),
    ("shipped", "delivered"),
    ("shipped", "exception"),
    ("exception", "processing"),
    ("exception", "shipped"),
    ("exception", "delivered"),
}
"""SU-01; a pickup has no shipped step (SU-06)."""


def order_in(status: OrderStatus, parcel_status: ShippingStatus = ShippingStatus.NONE) -> Story:
    """An order that reached this state the way orders do."""
    if status is W:
        return given(RecordListing(listing=a_listing("tea", "10", "XYZ", stock=5)), an_order())
    if status is J:
        return given(an_order())
    story = given(RecordListing(listing=a_listing("tea", "10", stock=5)), an_order())
    if status is F:
        return story.when(RecordPaymentFailure(order=a_key(), intent_id=intent_id(a_key(), 1), reason="x"))
    story.when(requested(10))
    if status is E:
        deadline = story.order().deadline_ms
        assert deadline is not None
        return story.when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline)
    if status is X:
        return story.when(cancelled())
    if status is P:
        return story
    story.when(paid(10))
    if parcel_status is not ShippingStatus.NONE:
        story.when(parcel(ShippingStatus.SHIPPED, cause="on its way"))
    if status is G:
        return story.when(refunded(10, "the refund"))
    if status is not C:
        story.when(moved(status, cause="there"))
    return story


@pytest.mark.parametrize("status", list(OrderStatus))
def test_every_state_can_be_reached(status: OrderStatus) -> None:
    """The table below speaks of states that exist."""
    assert order_in(status).order().status is status


@pytest.mark.req("TR-18")
@pytest.mark.req("ORD-12")
@pytest.mark.parametrize("actor", list(Actor))
@pytest.mark.parametrize("status", list(OrderStatus))
def test_every_wish_in_every_state_is_allowed_or_refused_as_written(status: OrderStatus, actor: Actor) -> None:
    """Ten states, three actors, ten wishes; what is refused changes nothing and is told to nobody."""
    for wish in OrderStatus:
        story = order_in(status)
        story.when(moved(wish, actor, cause="the wish"))
        mine = {Actor.MERCHANT: MERCHANTS_MOVES, Actor.BUYER: BUYERS_MOVES, Actor.COORDINATOR: set()}[actor]
        if wish is status:
            story.then_nothing()
        elif (status, wish) in mine:
            assert story.one(OrderMoved).to is wish
            assert story.order().status is wish
        elif actor is Actor.BUYER and (status, wish) in BUYERS_WISHES:
            story.then(CancellationRequested)
            assert story.order().status is status
        else:
            story.then(MoveRefused)
            assert story.order().status is status


@pytest.mark.req("TR-12")
@pytest.mark.parametrize("status", [C, R])
def test_a_buyer_completes_a_paid_order_whose_parcel_is_on_its_way(status: OrderStatus) -> None:
    """From confirmed and from processing."""
    story = order_in(status, ShippingStatus.SHIPPED).when(moved(D, Actor.BUYER, cause="the wish"))

    story.then(OrderMoved)


@pytest.mark.req("SU-01")
@pytest.mark.parametrize("start", list(ShippingStatus))
def test_every_parcel_move_is_allowed_or_refused_as_written(start: ShippingStatus) -> None:
    """Five states and five wishes."""
    way = {"none": (), "exception": ("processing", "exception")}.get(start.value, (start.value,))
    for wish in ShippingStatus:
        story = order_in(C).when(*(parcel(ShippingStatus(s), cause="way") for s in way))
        assert story.order().parcel is start
        story.when(parcel(wish, cause="the wish"))
        if wish is start:
            story.then_nothing()
        elif (start.value, wish.value) in PARCEL_MOVES:
            assert story.order().parcel is wish
        else:
            story.then(MoveRefused)
            assert story.order().parcel is start


@pytest.mark.req("SU-02")
@pytest.mark.parametrize("status", [s for s in OrderStatus if s not in (C, R)])
def test_a_parcel_of_an_order_that_owes_no_goods_does_not_move(status: OrderStatus) -> None:
    """Unpaid, dead or done."""
    story = order_in(status).when(parcel(ShippingStatus.SHIPPED))

    story.then(MoveRefused)
    assert story.order().parcel is ShippingStatus.NONE


def test_the_tables_name_every_state_and_one_way_out_of_a_dead_one() -> None:
    """Unreachable or forgotten states would show here; only late money leads back, and nobody by a word alone."""
    starts = {start for start, _ in ORDER_MOVES}
    ends = {end for _, end in ORDER_MOVES}
    assert starts | ends | {G} == set(OrderStatus)
    assert {C, R, D} <= REFUNDABLE <= set(OrderStatus) - OPEN - {G}
    back = {(start, end): actors for (start, end), actors in ORDER_MOVES.items() if start in REINSTATABLE}
    assert starts == OPEN | PAID | REINSTATABLE
    assert back == dict.fromkeys(((X, C), (E, C), (F, C)), frozenset({Actor.COORDINATOR}))
    assert not (starts - REINSTATABLE) & (DEAD | {D})
    assert {a for a, _ in SHIPPING_MOVES} | {b for _, b in SHIPPING_MOVES} == set(ShippingStatus)


@pytest.mark.parametrize("payment", list(PaymentAxis))
def test_a_paid_order_that_is_cancelled_and_a_part_paid_one_that_ends_are_owed_their_money(
    payment: PaymentAxis,
) -> None:
    """Every other move leaves the payment axis alone."""
    for to in OrderStatus:
        due = to is X and payment is PaymentAxis.PAID
        due |= to in (X, J, E, F) and payment is PaymentAxis.PARTIAL
        assert payment_after_move(payment, to) is (PaymentAxis.REFUND_DUE if due else payment)


def test_late_money_marks_dead_orders_only() -> None:
    """A refund that is due stays due."""
    for status in OrderStatus:
        for payment in PaymentAxis:
            after = payment_after_settlement(payment, status, late=True)
            marked = status in (X, J, E, F, G) and payment is not PaymentAxis.REFUND_DUE
            assert after is (PaymentAxis.LATE if marked else payment)
            assert payment_after_settlement(payment, status, late=False) is PaymentAxis.PAID
