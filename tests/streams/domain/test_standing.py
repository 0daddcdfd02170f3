"""Checks how a reply says that its order stands, for the dialect whose every update says so (NIP-15)."""

from __future__ import annotations

import pytest

from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.orders import MoveOrder, OrderStatus, PlaceOrder, ShippingStatus
from schemas.payments import BackendState, RecordPaymentFailure, WaivePayment, intent_id
from schemas.refunds import RecordRefund
from schemas.replies import ReplyPromised, Standing
from schemas.values import Actor
from tests.support.builders import a_key, a_listing, an_id, an_option, an_order, post
from tests.support.steps import moved, paid, parcel, requested
from tests.support.story import Story, given

VASE = RecordListing(listing=a_listing("vase", "100", shipping=((post(), "0"),)))
POST = RecordShippingOption(option=an_option(countries=("DE",), price="7"))


def stall_order(*lines: tuple[str, int]) -> PlaceOrder:
    """An order from a stall's page."""
    return an_order(*lines, country="DE").model_copy(update={"dialect": "nip15"})


def asked() -> Story:
    """A stall's order whose payment request its buyer has."""
    return given(VASE, POST, stall_order(("vase", 2)), requested(207))


def replies(story: Story) -> list[ReplyPromised]:
    """Everything the buyer was promised."""
    return [event for record in story.journal for event in record.events if isinstance(event, ReplyPromised)]


def standing(story: Story) -> tuple[str, bool, bool]:
    """What the last reply says of the whole order."""
    said = replies(story)[-1].standing
    assert isinstance(said, Standing)
    return said.status.value, said.paid, said.shipped


@pytest.mark.req("TJ2-01")
def test_each_update_says_what_is_paid_and_what_left() -> None:
    """Asked, paid, under way, complete: with the facts of the very decision that it tells of."""
    story = asked()
    assert standing(story) == ("pending", False, False)
    assert standing(story.when(paid(207))) == ("confirmed", True, False)
    assert standing(story.when(moved(OrderStatus.PROCESSING))) == ("processing", True, False)
    assert standing(story.when(parcel(ShippingStatus.SHIPPED, tracking="A"))) == ("processing", True, True)
    assert standing(story.when(moved(OrderStatus.COMPLETED))) == ("completed", True, True)


def test_an_order_is_paid_when_its_rest_is_there_and_not_any_more_once_that_is_taken_back() -> None:
    """A part pays nothing; what a request had before is counted once; a waiver makes it good."""
    part, back = paid(100, state=BackendState.PARTIAL), paid(207, state=BackendState.REVERSED)
    story = asked()
    assert standing(story.when(part)) == ("pending", False, False)
    assert standing(story.when(paid(207))) == ("confirmed", True, False)
    assert standing(story.when(back)) == ("confirmed", False, False)
    assert standing(story.when(WaivePayment(order=a_key(), cause="operator 1"))) == ("confirmed", True, False)


def test_an_order_that_came_to_nothing_says_why_and_whether_money_is_owed_back() -> None:
    """Turned down, failed, cancelled before and after its payment, given back."""
    assert standing(given(VASE, POST, stall_order(("nothing", 1)))) == ("rejected", False, False)
    wanted = given(VASE, POST, stall_order(("vase", 2)))
    failure = RecordPaymentFailure(order=a_key(), intent_id=intent_id(a_key(), 1), reason="wallet")
    assert standing(wanted.when(failure)) == ("failed", False, False)

    by_buyer = MoveOrder(order=a_key(), actor=Actor.BUYER, to=OrderStatus.CANCELLED, cause=an_id("c"))
    assert standing(asked().when(by_buyer)) == ("cancelled", False, False)
    paid_for = asked().when(paid(207), moved(OrderStatus.CANCELLED))
    assert standing(paid_for) == ("cancelled", True, False)
    refund = RecordRefund(order=a_key(), amount_msat=207_000, rail="lightning", cause="refund-1")
    assert standing(paid_for.when(refund)) == ("refunded", True, False)


def test_money_that_the_merchant_answers_for_counts_as_paid() -> None:
    """A merchant who goes on with an unpaid order says that it is paid (TR-17)."""
    assert standing(asked().when(moved(OrderStatus.PROCESSING))) == ("processing", True, False)


def test_other_dialects_carry_no_standing() -> None:
    """Their updates say one thing at a time."""
    story = given(VASE, POST, an_order(("vase", 2), country="DE"), requested(207), paid(207))
    assert [reply.standing for reply in replies(story)] == [None, None]
