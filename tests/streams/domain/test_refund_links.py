"""Checks pay-outs by a claim link: no invoice is asked for, two people agree, and its buyer alone is told, once."""

from __future__ import annotations

import pytest

from schemas.orders import OrderMoved, OrderStatus
from schemas.payouts import (
    DropPayout,
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RecordPayoutFailure,
    RecordRefundLink,
    RefundLinkMade,
    WantPayout,
    link_refund_id_of,
)
from schemas.refunds import RecordRefund, RefundRecorded
from schemas.replies import ReplyPromised, TextReply
from schemas.values import SealedDetails
from tests.streams.domain.test_payouts import an_invoice, approves, refusal, shows, sold, wants
from tests.support.books import audited
from tests.support.builders import NOW_MS, a_key
from tests.support.story import Story

NAME = link_refund_id_of(a_key(), "operator 1")
BOX = SealedDetails(key_id="refund-1:2", box="what only the buyer reads")


def by_link(sats: int | None = None, cause: str = "operator 1") -> WantPayout:
    """Somebody asks, at a shop whose wallet gives out links."""
    return wants(sats, cause).model_copy(update={"by_link": True})


def makes(refund_id: str = NAME, box: SealedDetails = BOX) -> RecordRefundLink:
    """The payments role has a link."""
    return RecordRefundLink(order=a_key(), refund_id=refund_id, sealed=box)


def claimed() -> RecordRefund:
    """The buyer has the money."""
    return RecordRefund(
        order=a_key(), amount_msat=1_000_000, rail="btcpay", reference="Refund orders-name 1234", cause=NAME
    )


def told() -> Story:
    """Its buyer has the link."""
    return sold().when(by_link(), approves(), makes())


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_a_refund_by_link_needs_no_invoice_and_the_word_of_two_people() -> None:
    """Asked for, approved, made, told, claimed; then the order is over."""
    story = sold()
    story.when(by_link()).then(PayoutWanted)
    assert (story.one(PayoutWanted).invoice, story.one(PayoutWanted).refund_id) == (None, NAME)
    story.when(makes()).then_nothing()
    story.when(approves(), at_ms=NOW_MS + 7_200_000).then(PayoutApproved)
    assert (story.one(PayoutApproved).invoice, story.one(PayoutApproved).amount_msat) == (None, 1_000_000)
    assert story.one(PayoutApproved).intent_id == story.order().intent_id

    story.when(makes()).then(RefundLinkMade, ReplyPromised)
    story.when(claimed()).then(RefundRecorded, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.REFUNDED
    story.when(claimed()).then_nothing()
    audited(story.journal)


@pytest.mark.case("F13")
def test_the_link_goes_to_the_orders_buyer_alone_and_once() -> None:
    """In the box of a reply to the order; whoever makes another one says it to nobody."""
    story = told()
    promised, made = story.one(ReplyPromised), story.one(RefundLinkMade)
    assert (promised.order.buyer, promised.companion) == (a_key().buyer, False)
    assert isinstance(promised.reply, TextReply)
    assert promised.reply.sealed == made.sealed == BOX
    assert "1000 sats" in promised.reply.text

    story.when(makes()).then_nothing()
    story.when(makes(box=BOX.model_copy(update={"box": "another"}))).then_nothing()
    audited(story.journal)


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_no_more_goes_out_by_link_than_is_left_and_one_at_a_time() -> None:
    """As to an invoice; what is asked for counts as gone."""
    story = sold()
    assert refusal(story.when(by_link(1_001, "a")))[0] == "refund_too_high"
    story.when(by_link(600, "b"))
    assert refusal(story.when(by_link(400, "c")))[0] == "payout_under_way"
    assert refusal(story.when(approves(599, "less")))[0] == "other_amount"
    story.when(DropPayout(order=a_key(), cause="drop")).then(PayoutDropped)
    story.when(by_link(600, "b")).then_nothing()
    story.when(by_link(400, "d")).then(PayoutWanted)
    audited(story.journal)


@pytest.mark.case("F13")
def test_a_link_for_a_pay_out_to_an_invoice_is_told_to_nobody() -> None:
    """It was approved to go elsewhere."""
    story = sold().when(shows(an_invoice()), wants(), approves())
    (live,) = [order.pay_back.live for order in story.shop.orders.values()]
    assert live is not None
    story.when(makes(live.refund_id)).then_nothing()


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
def test_a_pay_out_whose_buyer_has_the_link_never_fails() -> None:
    """It may be claimed at any moment, so the money must not go back a second time; before that it can fail."""
    failure = RecordPayoutFailure(order=a_key(), refund_id=NAME, reason="another wallet")
    story = told()
    story.when(failure).then_nothing()
    assert refusal(story.when(by_link(cause="again")))[0] == "payout_under_way"
    sold().when(by_link(), approves()).when(failure).then(PayoutFailed)
