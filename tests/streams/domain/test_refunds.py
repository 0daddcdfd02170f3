"""Checks refunds: entered as the merchant says, never more than came in, and the end of an order once all is back."""

from __future__ import annotations

import pytest

from schemas.catalogue import RecordListing
from schemas.orders import MoveRefused, OrderMoved, OrderStatus
from schemas.payments import PaymentAxis, PaymentImplied, PaymentSettled
from schemas.refunds import RefundRecorded
from schemas.replies import ReplyPromised, TextReply
from schemas.rows import Row
from schemas.values import Actor
from streams.domain.projections import RowKey, fold
from tests.support.books import audited
from tests.support.builders import a_key, a_listing, an_order
from tests.support.steps import cancelled, moved, paid, refunded, requested
from tests.support.story import Story, given

DEAR_TEA = RecordListing(listing=a_listing("tea", "1000", stock=5))


def sold() -> Story:
    """An order for 1,000 sats that was paid."""
    return given(DEAR_TEA, an_order(("tea", 1)), requested(1_000), paid(1_000))


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_refunds_may_come_in_parts_and_never_exceed_what_was_paid() -> None:
    """400 of 1,000 twice is entered and told; a third 300 is refused and changes nothing."""
    story = sold()
    for cause in ("operator 1", "operator 2"):
        story.when(refunded(400, cause)).then(RefundRecorded, ReplyPromised)
        reply = story.reply()
        assert isinstance(reply, TextReply)
        assert reply.text == "The shop refunded 400 sats by cash. Reference: R1."

    story.when(refunded(300, "operator 3")).then(MoveRefused)
    assert story.one(MoveRefused).reason == "refund_too_high"
    assert story.order().refunded_msat == 800_000
    assert story.order().status is OrderStatus.CONFIRMED
    audited(story.journal)


@pytest.mark.req("TR-14")
@pytest.mark.parametrize("step", ["confirmed", "processing", "completed", "cancelled"])
def test_an_order_that_got_all_of_its_money_back_is_over_wherever_it_stood(step: str) -> None:
    """One entry, one move by the merchant, and the buyer reads `cancelled` with the sum."""
    story = sold()
    if step != "confirmed":
        story.when(moved(OrderStatus(step)))

    story.when(refunded(1_000, "operator 1")).then(RefundRecorded, OrderMoved, ReplyPromised)

    assert story.told()[0] == "cancelled"
    assert "1000 sats" in story.told()[1]
    assert (story.order().status, story.order().payment) == (OrderStatus.REFUNDED, PaymentAxis.REFUNDED)
    audited(story.journal)
    story.when(moved(OrderStatus.PROCESSING, cause="more")).then(MoveRefused)


@pytest.mark.case("F13")
def test_only_the_merchant_refunds_and_no_message_says_so() -> None:
    """A status that a relay brings cannot be `refunded`, and a move of that name is refused."""
    for actor in (Actor.BUYER, Actor.MERCHANT):
        sold().when(moved(OrderStatus.REFUNDED, actor)).then(MoveRefused)


@pytest.mark.case("P11", "P12")
def test_money_that_came_too_late_can_be_given_back() -> None:
    """The order had ended; what it got is known, and goes back."""
    story = given(DEAR_TEA, an_order(("tea", 1)), requested(1_000), cancelled(), paid(1_000))
    assert story.order().payment is PaymentAxis.LATE

    story.when(refunded(1_000, "operator 1")).then(RefundRecorded, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.REFUNDED
    audited(story.journal)


def test_nothing_is_given_back_where_nothing_came_in() -> None:
    """Of an unpaid order, and of one that nobody knows."""
    given(DEAR_TEA, an_order(("tea", 1))).when(refunded(1, "operator 1")).then(MoveRefused)
    story = given(DEAR_TEA).when(refunded(1, "operator 1")).then(MoveRefused)
    assert story.one(MoveRefused).reason == "unknown_order"


@pytest.mark.case("F13", "P32")
def test_the_same_refund_is_entered_once() -> None:
    """An operator whose first answer was lost asks again."""
    sold().when(refunded(400, "operator 1")).when(refunded(400, "operator 1")).then_nothing()


@pytest.mark.req("TR-17")
@pytest.mark.parametrize("to", [OrderStatus.CONFIRMED, OrderStatus.PROCESSING, OrderStatus.COMPLETED])
def test_a_merchant_who_goes_on_with_an_unpaid_order_answers_for_its_money(to: OrderStatus) -> None:
    """Stock sold, request dropped, payment implied, and one update to the buyer in place of two."""
    story = given(DEAR_TEA, an_order(("tea", 2)), requested(2_000)).when(moved(to))

    assert [type(event).__name__ for event in story.events] == [
        "StockCommitted",
        "PaymentDropped",
        "PaymentImplied",
        "OrderMoved",
        "ReplyPromised",
    ]
    assert story.one(PaymentImplied).amount_msat == 2_000_000
    assert story.told()[0] == to.value
    assert (story.order().status, story.order().payment) == (to, PaymentAxis.PAID)
    stock = story.shop.stock[DEAR_TEA.listing.coordinate]
    assert (stock.on_hand, stock.held) == (3, 0)
    audited(story.journal)
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        rows.update(fold(record, 0, rows.get))
    assert getattr(rows[RowKey("orders", a_key().ref)], "implied_payment", False)


def test_what_is_said_with_another_client_implies_the_payment_as_well_and_is_not_echoed() -> None:
    """The buyer was told there."""
    story = given(DEAR_TEA, an_order(("tea", 1)), requested(1_000))
    story.when(moved(OrderStatus.PROCESSING, announce=False))

    assert story.none(ReplyPromised)
    assert story.order().payment is PaymentAxis.PAID
    audited(story.journal)


def test_money_that_comes_for_a_request_after_all_is_late_and_can_go_back() -> None:
    """The merchant had cash; the buyer paid the invoice too."""
    story = given(DEAR_TEA, an_order(("tea", 1)), requested(1_000)).when(moved(OrderStatus.PROCESSING))
    story.when(paid(1_000)).then(PaymentSettled, ReplyPromised)
    assert story.one(PaymentSettled).late
    assert story.order().paid_msat == 2_000_000

    story.when(refunded(1_000, "operator 1")).then(RefundRecorded, ReplyPromised)
    assert story.order().status is OrderStatus.PROCESSING


def test_a_buyer_cannot_imply_a_payment_nor_can_an_order_without_a_price() -> None:
    """Only the merchant's word is worth money, and only a pending order has a sum."""
    story = given(DEAR_TEA, an_order(("tea", 1)), requested(1_000))
    story.when(moved(OrderStatus.PROCESSING, Actor.BUYER)).then(MoveRefused)
    dollars = given(RecordListing(listing=a_listing("tea", "2", "USD")), rates={}).when(an_order())
    dollars.when(moved(OrderStatus.PROCESSING)).then(MoveRefused)
