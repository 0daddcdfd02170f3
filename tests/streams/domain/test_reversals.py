"""Checks money that is taken back: it counts no more, nothing is sent for it, and an old copy's word is no loss."""

from __future__ import annotations

import pytest

from schemas.goods import MarkReady
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ShippingStatus
from schemas.payments import (
    BackendState,
    ObserveReversal,
    PaymentAxis,
    PaymentImplied,
    PaymentPartReceived,
    PaymentReversed,
    PaymentWanted,
    WaivePayment,
    intent_id,
)
from schemas.refunds import RefundOwed
from schemas.replies import ReplyPromised
from schemas.values import Actor
from tests.streams.domain.test_settlement import DEAR_TEA, asked, for_rest, part, rest_paid, row, text
from tests.support.builders import a_key, an_order
from tests.support.steps import cancelled, moved, paid, parcel, refunded, requested
from tests.support.story import given

BACK = paid(1_000, state=BackendState.REVERSED)
WAIVED = WaivePayment(order=a_key(), cause="operator 1")


@pytest.mark.case("F14", "P19")
@pytest.mark.req("TR-16")
def test_money_that_is_taken_back_stops_whatever_was_to_be_sent() -> None:
    """Payment `reversed`; parcels, pickups and `processing` wait for a person, whoever says so and however often."""
    story = asked().when(paid(1_000)).when(BACK).then(PaymentReversed, ReplyPromised)

    assert "taken back" in text(story)
    assert (row(story).status, row(story).payment) == (OrderStatus.CONFIRMED, PaymentAxis.REVERSED)
    assert (row(story).paid_msat, row(story).reversed_msat) == (0, 1_000_000)
    for step in (
        parcel(ShippingStatus.PROCESSING),
        parcel(ShippingStatus.SHIPPED),
        parcel(ShippingStatus.DELIVERED),
        moved(OrderStatus.PROCESSING),
        moved(OrderStatus.COMPLETED),
        MarkReady(order=a_key(), cause="operator 3"),
    ):
        story.when(step).then(MoveRefused)
        assert story.one(MoveRefused).reason == "payment_reversed"
    story.when(BACK).then_nothing()
    story.when(paid(1_000)).then_nothing()


def test_a_person_may_go_on_with_it_and_bears_the_loss() -> None:
    """What is missing is implied, the buyer is told, and it can be sent; said again it says nothing new."""
    story = asked().when(paid(1_000)).when(BACK).when(WAIVED).then(PaymentImplied, ReplyPromised)

    assert "goes on all the same" in text(story)
    assert (row(story).payment, row(story).implied_payment) == (PaymentAxis.PAID, True)
    story.when(WAIVED).then_nothing()
    story.when(parcel(ShippingStatus.SHIPPED))
    assert story.order().parcel is ShippingStatus.SHIPPED
    row(story)


def test_an_order_whose_money_is_there_has_nothing_to_waive() -> None:
    """One clear refusal; the same of an order nobody knows."""
    story = asked().when(paid(1_000)).when(WAIVED).then(MoveRefused)
    assert story.one(MoveRefused).reason == "nothing_to_waive"

    given().when(WAIVED).then(MoveRefused)


def test_an_order_whose_money_was_taken_back_can_be_cancelled_and_owes_nothing() -> None:
    """Nothing is there to be given back."""
    story = asked().when(paid(1_000)).when(BACK).when(cancelled(Actor.MERCHANT)).then(OrderMoved, ReplyPromised)

    assert row(story).owed_msat == 0
    story.when(refunded(1, "operator 9")).then(MoveRefused)


def test_of_two_payments_one_may_be_taken_back_and_the_order_stays_paid() -> None:
    """What was owed of the other is not owed any more."""
    story = given(DEAR_TEA, an_order(("tea", 1))).when(an_order(("tea", 1), rumor="more"))
    story.when(requested(1_000, revision=2)).when(paid(1_000, revision=2)).when(paid(1_000, revision=1))

    story.when(BACK.model_copy(update={"intent_id": intent_id(a_key(), 2)})).then(PaymentReversed, ReplyPromised)

    assert (row(story).payment, row(story).owed_msat, row(story).paid_msat) == (PaymentAxis.PAID, 0, 1_000_000)


def test_a_part_that_is_taken_back_is_asked_for_again() -> None:
    """The live request is dead with it, so the whole price is wanted by another."""
    story = asked().when(part(400)).when(part(0).model_copy(update={"state": BackendState.REVERSED}))

    story.then(PaymentReversed, ReplyPromised, PaymentWanted)
    assert (story.one(PaymentWanted).amount_msat, story.one(PaymentWanted).part) == (1_000_000, 2)
    story.when(for_rest(1_000)).when(rest_paid(1_000))
    assert (row(story).status, row(story).paid_msat) == (OrderStatus.CONFIRMED, 1_000_000)


def test_an_earlier_part_that_is_taken_back_is_missing_once_the_rest_came() -> None:
    """The live request stays; what it does not cover is asked for after it."""
    story = asked().when(paid(400)).when(for_rest(600)).when(BACK)
    story.then(PaymentReversed, ReplyPromised)

    story.when(rest_paid(600)).then(PaymentPartReceived, ReplyPromised, PaymentWanted)
    assert story.one(PaymentWanted).amount_msat == 400_000
    row(story)


def test_a_request_that_had_money_in_time_and_later_loses_what_it_counted_for() -> None:
    """The merchant had answered for the rest; of what is gone only the part that came in time was in the price."""
    story = asked().when(part(400)).when(moved(OrderStatus.CONFIRMED)).when(paid(1_000)).when(BACK)

    assert story.one(PaymentReversed).credit_msat == 600_000
    story.when(WAIVED)
    assert story.one(PaymentImplied).amount_msat == 400_000
    row(story)


def test_what_the_merchant_answers_for_is_what_is_not_there_any_more() -> None:
    """A surplus that went back to the buyer covers nothing, though it had come in time."""
    story = asked().when(paid(400)).when(for_rest(600)).when(rest_paid(900))
    story.when(refunded(300, "operator 1")).when(paid(400, state=BackendState.REVERSED))

    assert row(story).payment is PaymentAxis.REVERSED
    story.when(WAIVED)
    assert story.one(PaymentImplied).amount_msat == 400_000
    row(story)


def test_money_that_came_again_before_the_merchant_went_on_leaves_nothing_to_answer_for() -> None:
    """It came late, so a person went on; what it is above the price is the buyer's."""
    story = asked().when(paid(400)).when(for_rest(600)).when(rest_paid(600)).when(BACK)
    assert row(story).payment is PaymentAxis.REVERSED
    story.when(rest_paid(1_500)).when(WAIVED)

    assert (story.one(PaymentImplied).amount_msat, story.one(RefundOwed).amount_msat) == (0, 500_000)
    assert (row(story).payment, row(story).paid_msat) == (PaymentAxis.PAID, 1_500_000)


@pytest.mark.case("F14")
def test_a_completed_order_can_lose_its_money_too() -> None:
    """A chargeback after the goods were handed over: the merchant sees it, and nothing else moves."""
    story = asked().when(paid(1_000)).when(moved(OrderStatus.COMPLETED)).when(BACK)

    assert (row(story).status, row(story).payment) == (OrderStatus.COMPLETED, PaymentAxis.REVERSED)
    story.when(WAIVED).then(PaymentImplied)
    row(story)


def test_a_request_nobody_watches_is_known_by_its_payment_hash() -> None:
    """A look-up long after names no order; a hash that no order had changes nothing."""
    shown = requested(1_000).payment_hash
    assert shown is not None
    story = asked().when(paid(1_000)).when(ObserveReversal(payment_hash=shown)).then(PaymentReversed, ReplyPromised)

    assert row(story).payment is PaymentAxis.REVERSED
    story.when(ObserveReversal(payment_hash="ff" * 32)).then_nothing()


def test_a_reversal_of_money_that_never_came_is_nothing() -> None:
    """Of an order that is asked for, and of a cancelled one."""
    asked().when(BACK).then_nothing()
    asked().when(cancelled()).when(BACK).then_nothing()


@pytest.mark.case("P19")
@pytest.mark.parametrize(
    "state",
    [
        state
        for state in BackendState
        if state not in (BackendState.SETTLED, BackendState.PARTIAL, BackendState.REVERSED)
    ],
)
def test_what_was_settled_stays_so_though_its_back_end_knows_nothing_of_it_any_more(state: BackendState) -> None:
    """A wallet that was put back to an old copy says open or gone; only `reversed` is a loss."""
    story = asked().when(paid(1_000)).when(paid(0, state=state)).then_nothing()

    assert (row(story).status, row(story).payment) == (OrderStatus.CONFIRMED, PaymentAxis.PAID)
