"""Checks settlement: money in parts, too much, twice, too late or taken back is entered, judged and told."""

from __future__ import annotations

import pytest

from schemas.catalogue import RecordListing
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ReachDeadline
from schemas.payments import (
    BackendState,
    ObservePayment,
    PaymentAxis,
    PaymentImplied,
    PaymentPartReceived,
    PaymentRequested,
    PaymentSettled,
    PaymentWanted,
    RecordPaymentRequest,
    intent_id,
)
from schemas.refunds import OwedFor, RefundOwed, RefundRecorded
from schemas.replies import PaymentRequestReply, ReplyPromised, TextReply
from schemas.rows import OrderRow, Row
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockCommitted, StockReleased
from schemas.values import Actor
from streams.domain.projections import RowKey, fold
from tests.support.books import audited
from tests.support.builders import NOW_MS, NOW_S, a_key, a_listing, an_id, an_order
from tests.support.steps import cancelled, moved, paid, receipt, refunded, requested
from tests.support.story import Story, given

DEAR_TEA = RecordListing(listing=a_listing("tea", "1000", stock=5))


def asked(**settings: int) -> Story:
    """An order for 1,000 sats whose request was shown."""
    rules = (OpenShop(settings=ShopSettings(**settings)),) if settings else ()  # type: ignore[arg-type]
    return given(*rules, DEAR_TEA, an_order(("tea", 1))).when(requested(1_000))


def part(sats: int) -> ObservePayment:
    """The request has received so much, and may receive more."""
    return paid(sats, state=BackendState.PARTIAL)


def for_rest(sats: int, number: int = 2) -> RecordPaymentRequest:
    """The wallet made the request for the rest."""
    intent = intent_id(a_key(), 1, part=number)
    return requested(sats).model_copy(update={"intent_id": intent, "payment_hash": an_id(f"rest {number}")})


def rest_paid(sats: int, number: int = 2) -> ObservePayment:
    """That request settled."""
    return paid(sats).model_copy(update={"intent_id": intent_id(a_key(), 1, part=number)})


def row(story: Story) -> OrderRow:
    """The order's row, which has to say what the fold says."""
    audited(story.journal)
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        rows.update(fold(record, 0, rows.get))
    found = rows[RowKey("orders", a_key().ref)]
    assert isinstance(found, OrderRow)
    order = story.order()
    assert (found.payment, found.status, found.paid_msat) == (order.payment, order.status, order.paid_msat)
    assert found.owed_msat == order.owed_msat
    return found


def text(story: Story) -> str:
    """The last text told."""
    reply = story.reply()
    assert isinstance(reply, TextReply)
    return reply.text


# In parts


@pytest.mark.case("P13")
@pytest.mark.req("TR-07")
def test_a_part_leaves_the_order_pending_and_its_buyer_reads_what_is_missing() -> None:
    """Payment `partial`, and a text with the remaining sats; the same request stays payable."""
    story = asked().when(part(400)).then(PaymentPartReceived, ReplyPromised)

    assert "400 sats arrived so far; 600 sats are missing" in text(story)
    assert (story.order().status, story.order().payment) == (OrderStatus.PENDING, PaymentAxis.PARTIAL)
    assert row(story).paid_msat == 400_000
    story.when(part(400)).then_nothing()


@pytest.mark.case("P13")
@pytest.mark.req("PAY-19")
@pytest.mark.req("C-02")
def test_parts_that_add_up_confirm_the_order_once() -> None:
    """Due 1,000: 400 and then 600 for one request confirm; each is entered as what was new."""
    story = asked().when(part(400)).when(paid(1_000))

    story.then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    settled = story.one(PaymentSettled)
    assert (settled.new_msat, settled.in_all_msat, settled.due_msat) == (600_000, 1_000_000, 1_000_000)
    assert (row(story).paid_msat, row(story).payment) == (1_000_000, PaymentAxis.PAID)
    story.when(paid(1_000)).then_nothing()


@pytest.mark.case("P13")
@pytest.mark.req("PAY-19")
def test_a_request_that_is_used_up_gets_a_successor_for_the_rest() -> None:
    """400 settled it; 600 are asked for under an own name, and confirm."""
    story = asked().when(paid(400)).then(PaymentPartReceived, ReplyPromised, PaymentWanted)
    wanted = story.one(PaymentWanted)
    assert (wanted.part, wanted.amount_msat, wanted.intent_id) == (2, 600_000, intent_id(a_key(), 1, part=2))

    story.when(for_rest(600)).then(PaymentRequested, ReplyPromised)
    reply = story.reply()
    assert isinstance(reply, PaymentRequestReply)
    assert (reply.amount_sats, "missing 600 sats" in reply.text) == (600, True)
    assert story.order().payment is PaymentAxis.PARTIAL
    story.when(for_rest(600)).then_nothing()
    story.when(rest_paid(600)).then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    assert row(story).paid_msat == 1_000_000


def test_the_request_for_the_rest_is_of_the_rest_alone() -> None:
    """A wallet that asks for the whole price again is not passed on."""
    asked().when(paid(400)).when(for_rest(1_000)).then(MoveRefused)


def test_a_rest_is_rounded_up_to_whole_sats() -> None:
    """A part of 400.5 sats leaves 600 to be asked for, and half a sat that is owed."""
    odd = paid(0).model_copy(update={"gross_msat": 400_500})
    story = asked().when(odd)
    assert story.one(PaymentWanted).amount_msat == 600_000

    story.when(for_rest(600)).when(rest_paid(600))
    assert story.one(RefundOwed).amount_msat == 500
    row(story)


def test_an_order_waits_for_its_rest_from_the_first_part_on() -> None:
    """The first part gives it the shop's time; further ones do not."""
    story = asked(rest_wait_s=5_000)
    story.when(part(400), at_ms=NOW_MS + 1_000)
    assert story.order().deadline_ms == NOW_MS + 5_001_000

    story.when(part(500), at_ms=NOW_MS + 2_000)
    assert story.order().deadline_ms == NOW_MS + 5_001_000


@pytest.mark.case("P13")
@pytest.mark.req("C-02")
def test_a_part_whose_rest_never_comes_is_owed() -> None:
    """The order expires, the stock goes back, and the buyer reads what is to be refunded; so do books and rows."""
    story = asked().when(part(400))
    deadline = story.order().deadline_ms
    assert deadline is not None
    story.when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline)

    assert story.one(RefundOwed).reason is OwedFor.UNFINISHED
    assert "The 400 sats that arrived are to be refunded." in story.told()[1]
    assert (row(story).payment, row(story).owed_msat) == (PaymentAxis.REFUND_DUE, 400_000)
    story.when(refunded(400, "operator 9"))
    assert (row(story).status, row(story).owed_msat) == (OrderStatus.REFUNDED, 0)


@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.MERCHANT])
def test_a_part_of_an_order_that_is_cancelled_is_owed(actor: Actor) -> None:
    """Whoever cancelled it; the rest that still comes is late."""
    story = asked().when(part(400)).when(cancelled(actor))
    assert row(story).owed_msat == 400_000

    story.when(paid(1_000)).then(PaymentSettled, ReplyPromised)
    assert story.one(PaymentSettled).late
    assert (row(story).paid_msat, row(story).payment) == (1_000_000, PaymentAxis.REFUND_DUE)


def test_a_merchant_who_goes_on_after_a_part_answers_for_the_rest_only() -> None:
    """400 came; 600 are implied."""
    story = asked().when(part(400)).when(moved(OrderStatus.PROCESSING))

    assert story.one(PaymentImplied).amount_msat == 600_000
    assert row(story).paid_msat == 1_000_000


def test_a_part_is_given_back_by_cancelling_and_not_while_the_rest_is_asked_for() -> None:
    """It counts towards the price, so the order would wait for a rest that is none; late money can go back at once."""
    story = asked().when(paid(400))
    story.when(refunded(400, "back")).then(MoveRefused)
    assert "until the order is cancelled" in story.one(MoveRefused).detail
    assert row(story).payment is PaymentAxis.PARTIAL
    story.when(for_rest(600)).then(PaymentRequested, ReplyPromised)

    story.when(moved(OrderStatus.CANCELLED, cause="enough")).when(refunded(400, "then")).then(
        RefundRecorded, OrderMoved, ReplyPromised
    )
    assert (row(story).payment, row(story).owed_msat) == (PaymentAxis.REFUNDED, 0)


def test_an_order_that_is_paid_in_part_is_not_amended() -> None:
    """Its price stands, because some of it was paid."""
    story = asked().when(part(400)).when(an_order(("tea", 2), rumor="more"), at_ms=NOW_MS + 970_000)

    assert story.one(MoveRefused).reason == "already_quoted"


def test_an_order_is_paid_in_ten_parts_at_most() -> None:
    """Then it fails, and all of it is owed."""
    story = asked().when(paid(1))
    for number in range(2, 10):
        story.when(for_rest(1_000 - number + 1, number)).when(rest_paid(1, number))
        assert story.one(PaymentWanted).part == number + 1
    story.when(rest_paid(1, 10))

    assert (row(story).status, row(story).owed_msat) == (OrderStatus.FAILED, 10_000)


def test_a_shop_may_take_a_little_less() -> None:
    """With five sats of patience 995 pay for 1,000, and 994 do not."""
    story = asked(short_accepted_sats=5)
    story.when(paid(995)).then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    assert row(story).payment is PaymentAxis.PAID

    asked(short_accepted_sats=5).when(paid(994)).then(PaymentPartReceived, ReplyPromised, PaymentWanted)


def test_a_claim_on_an_order_that_is_paid_in_part_is_noted_once() -> None:
    """It leads to a look-up and leaves the payment `partial`."""
    story = asked().when(part(400)).when(receipt())
    assert story.order().payment is PaymentAxis.PARTIAL

    story.when(receipt()).then_nothing()


# Too much, twice, too late


@pytest.mark.case("P14")
@pytest.mark.req("PAY-19")
@pytest.mark.req("C-03")
def test_more_than_the_price_confirms_and_the_surplus_is_owed() -> None:
    """1,200 for 1,000: confirmed, 200 over in the ledger, and the buyer reads it in the same message."""
    story = asked().when(paid(1_200)).then(PaymentSettled, RefundOwed, StockCommitted, OrderMoved, ReplyPromised)

    owed = story.one(RefundOwed)
    assert (owed.amount_msat, owed.reason) == (200_000, OwedFor.OVER)
    assert "You paid 200 sats too much" in story.told()[1]
    assert (row(story).payment, row(story).owed_msat, row(story).paid_msat) == (PaymentAxis.PAID, 200_000, 1_200_000)
    story.when(refunded(200, "operator 9")).then(RefundRecorded, ReplyPromised)
    assert (row(story).owed_msat, row(story).status) == (0, OrderStatus.CONFIRMED)


@pytest.mark.case("P3", "P15")
@pytest.mark.req("C-05")
def test_a_second_request_that_is_paid_too_is_owed_in_full() -> None:
    """The first settles; what comes for the other counts as over, all of it."""
    story = given(DEAR_TEA, an_order(("tea", 1))).when(an_order(("tea", 1), rumor="more"))
    story.when(requested(1_000, revision=2)).when(paid(1_000, revision=2))

    story.when(paid(1_000, revision=1)).then(PaymentSettled, RefundOwed, ReplyPromised)

    owed = story.one(RefundOwed)
    assert (owed.amount_msat, owed.reason) == (1_000_000, OwedFor.DOUBLE)
    assert (row(story).payment, row(story).owed_msat, row(story).paid_msat) == (
        PaymentAxis.PAID,
        1_000_000,
        2_000_000,
    )


def test_a_part_for_a_dead_order_is_late() -> None:
    """It is entered, and the merchant decides."""
    story = asked().when(cancelled()).when(part(400)).then(PaymentPartReceived, ReplyPromised)

    assert (row(story).payment, row(story).paid_msat) == (PaymentAxis.LATE, 400_000)


def test_stock_goes_back_where_a_part_paid_order_ends() -> None:
    """Held units are released with the order, however much of it was paid."""
    story = asked().when(part(999)).when(cancelled())

    assert story.one(StockReleased).order == a_key()
    assert NOW_S * 1_000 == NOW_MS
