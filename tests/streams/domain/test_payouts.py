"""Checks pay-outs: whose invoice counts, who has to agree, how much at most, and that none is paid twice."""

from __future__ import annotations

import pytest

from schemas.catalogue import RecordListing
from schemas.inbox import MessageReceived, ReceiveMessage
from schemas.orders import MoveRefused, OrderMoved, OrderStatus
from schemas.payments import ObserveReversal, PaymentReversed
from schemas.payouts import (
    ApprovePayout,
    DropPayout,
    OfferedInvoice,
    PayoutApproved,
    PayoutDropped,
    PayoutFailed,
    PayoutWanted,
    RecordPayoutFailure,
    RefundInvoiceOffered,
    WantPayout,
    refund_id_of,
)
from schemas.refunds import RecordRefund, RefundRecorded
from schemas.reinstatement import OrderReinstated
from schemas.replies import ReplyPromised
from schemas.values import Actor
from tests.streams.domain.test_reinstating import BACK, LATER_MS, expired
from tests.support.books import audited
from tests.support.builders import NOW_MS, NOW_S, OTHER_BUYER, a_key, a_listing, an_id, an_order
from tests.support.steps import moved, paid, refunded, requested
from tests.support.story import Story, given

DEAR_TEA = RecordListing(listing=a_listing("tea", "1000", stock=5))


def sold() -> Story:
    """An order for 1,000 sats that was paid."""
    return given(DEAR_TEA, an_order(("tea", 1)), requested(1_000), paid(1_000))


def an_invoice(sats: int = 1_000, name: str = "refund", ends_s: int = NOW_S + 3_600) -> OfferedInvoice:
    """An invoice of the buyer's own wallet, as a message shows it."""
    return OfferedInvoice(
        text=f"lnbcrt-{name}", amount_msat=sats * 1_000, payment_hash=an_id(f"hash of {name}"), expires_at=ends_s
    )


def shows(invoice: OfferedInvoice, rumor: str = "letter", **more: object) -> ReceiveMessage:
    """The buyer's message with it, about the order."""
    said = {"buyer": a_key().buyer, "author": Actor.BUYER, "order_refs": (a_key().ref,), **more}
    return ReceiveMessage.model_validate({**said, "rumor_id": an_id(rumor), "said_s": NOW_S, "invoice": invoice})


def wants(sats: int | None = None, cause: str = "operator 1") -> WantPayout:
    """Somebody asks."""
    return WantPayout(order=a_key(), amount_msat=None if sats is None else sats * 1_000, cause=cause)


def approves(sats: int = 1_000, cause: str = "operator 2") -> ApprovePayout:
    """Somebody else agrees."""
    return ApprovePayout(order=a_key(), amount_msat=sats * 1_000, approver="anna", cause=cause)


def pays(invoice: OfferedInvoice) -> RecordRefund:
    """The payments role paid it."""
    return RecordRefund(
        order=a_key(),
        amount_msat=invoice.amount_msat,
        rail="lightning",
        reference=invoice.payment_hash,
        cause=refund_id_of(a_key(), invoice.payment_hash),
        fee_msat=1_500,
    )


def fails(invoice: OfferedInvoice) -> RecordPayoutFailure:
    """The payments role could not."""
    return RecordPayoutFailure(order=a_key(), refund_id=refund_id_of(a_key(), invoice.payment_hash), reason="no route")


def refusal(story: Story) -> tuple[str, str]:
    """The only refusal that followed."""
    story.then(MoveRefused)
    return story.one(MoveRefused).reason, story.one(MoveRefused).detail


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_a_refund_goes_to_the_buyers_own_invoice_once_two_people_want_it() -> None:
    """Offered, asked for, approved; then paid, told, and the order is over."""
    story, invoice = sold(), an_invoice()

    story.when(shows(invoice)).then(MessageReceived, RefundInvoiceOffered)
    story.when(wants()).then(PayoutWanted)
    assert story.one(PayoutWanted).refund_id == refund_id_of(a_key(), invoice.payment_hash)
    story.when(approves()).then(PayoutApproved)
    assert (story.one(PayoutApproved).invoice, story.one(PayoutApproved).approver) == (invoice, "anna")

    story.when(pays(invoice)).then(RefundRecorded, OrderMoved, ReplyPromised)
    assert story.one(RefundRecorded).fee_msat == 1_500
    assert "1000 sats by lightning" in story.told()[1]
    assert story.order().status is OrderStatus.REFUNDED
    audited(story.journal)


@pytest.mark.case("F13")
@pytest.mark.parametrize(
    "letter",
    [
        shows(an_invoice(), buyer=OTHER_BUYER),
        shows(an_invoice(), author=Actor.MERCHANT),
        shows(an_invoice(), order_refs=()),
        shows(an_invoice(ends_s=NOW_S)),
    ],
    ids=["of another key", "of the merchant", "about no order", "that has ended"],
)
def test_an_invoice_that_is_not_the_buyers_about_the_order_is_a_letter_and_no_more(letter: ReceiveMessage) -> None:
    """Nobody else can name where the money goes."""
    story = sold().when(letter)
    assert story.none(RefundInvoiceOffered)
    assert refusal(story.when(wants())) == ("no_refund_invoice", "ask the buyer for an invoice over 1000 sats")


@pytest.mark.case("F13")
def test_an_invoice_counts_only_while_its_order_has_money_to_give_back() -> None:
    """Not before it is paid, nor after all of it went back, and never the shop's own invoice."""
    unpaid = given(DEAR_TEA, an_order(("tea", 1)), requested(1_000))
    unpaid.when(shows(an_invoice())).then(MessageReceived)
    story = sold()
    (own,) = story.shop.requests
    story.when(shows(an_invoice().model_copy(update={"payment_hash": own}))).then(MessageReceived)
    story.when(refunded(1_000, "operator 1"), shows(an_invoice(), "later"))
    assert story.none(RefundInvoiceOffered)


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_no_more_is_paid_out_than_is_left_and_only_to_an_invoice_over_exactly_that() -> None:
    """Refused in one sentence that says what to ask the buyer for."""
    story = sold().when(shows(an_invoice(400)))
    assert refusal(story.when(wants(1_001, "a")))[0] == "refund_too_high"
    assert refusal(story.when(wants(300, "b"))) == ("no_refund_invoice", "ask the buyer for an invoice over 300 sats")
    story.when(refunded(700, "by hand"))
    assert refusal(story.when(wants(400, "c")))[0] == "refund_too_high"
    audited(story.journal)


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_money_on_its_way_out_cannot_go_back_a_second_time_by_hand() -> None:
    """What a pay-out is to take is counted, from the moment it is asked for."""
    story = sold().when(shows(an_invoice(600)), wants(600))
    assert refusal(story.when(refunded(500, "by hand")))[0] == "refund_too_high"
    assert refusal(story.when(wants(400, "again")))[0] == "payout_under_way"
    story.when(refunded(400, "less by hand")).then(RefundRecorded, ReplyPromised)
    story.when(approves(600), pays(an_invoice(600)))
    assert story.order().refunded_msat == 1_000_000
    assert story.order().status is OrderStatus.REFUNDED
    audited(story.journal)


@pytest.mark.case("F13")
@pytest.mark.req("C-01")
def test_an_approver_says_how_much_and_approves_only_what_was_asked_for() -> None:
    """Nothing is approved that nobody asked for, of another sum, or twice."""
    story = sold().when(shows(an_invoice()))
    assert refusal(story.when(approves(cause="early")))[0] == "no_payout"
    story.when(wants())
    assert refusal(story.when(approves(999, "less"))) == ("other_amount", "1000 sats were asked for")
    story.when(approves()).then(PayoutApproved)
    story.when(approves()).then_nothing()
    assert refusal(story.when(approves(cause="again")))[0] == "payout_approved"


@pytest.mark.req("C-01")
def test_what_was_not_approved_is_dropped_and_may_be_asked_for_anew() -> None:
    """What was approved may be on its way, and cannot be dropped."""
    story = sold().when(shows(an_invoice()), wants())
    story.when(DropPayout(order=a_key(), cause="drop")).then(PayoutDropped)
    story.when(wants()).then_nothing()
    story.when(wants(cause="anew"), approves())
    assert refusal(story.when(DropPayout(order=a_key(), cause="late")))[0] == "payout_approved"
    audited(story.journal)


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
def test_an_invoice_that_was_tried_in_vain_is_never_tried_again() -> None:
    """The buyer is asked for another one; the first one's refund cannot come up twice."""
    story, first = sold().when(shows(an_invoice()), wants(), approves()), an_invoice()
    story.when(fails(first)).then(PayoutFailed)
    story.when(shows(first, "the same again"))
    assert story.none(RefundInvoiceOffered)
    assert refusal(story.when(wants(cause="anew")))[0] == "no_refund_invoice"

    second = an_invoice(name="second")
    story.when(shows(second, "another"), wants(cause="anew 2"), approves(cause="agreed")).then(
        MessageReceived, RefundInvoiceOffered, PayoutWanted, PayoutApproved
    )
    story.when(pays(second)).when(pays(second)).then_nothing()
    assert story.order().refunded_msat == 1_000_000
    audited(story.journal)


@pytest.mark.case("P32")
def test_a_pay_out_is_entered_once_and_its_failure_afterwards_is_nothing() -> None:
    """Whatever the payments role says again after a restart."""
    story = sold().when(shows(an_invoice()), wants(), approves(), pays(an_invoice()))
    story.when(pays(an_invoice())).then_nothing()
    story.when(fails(an_invoice())).then_nothing()


def test_money_that_left_is_entered_though_its_payment_was_taken_back_meanwhile() -> None:
    """It is gone, whatever else happened; before the approval it would have been refused."""
    story = sold().when(shows(an_invoice()), wants())
    (payment_hash,) = story.shop.requests
    gone = ObserveReversal(payment_hash=payment_hash)
    story.when(approves(), gone)
    assert story.one(PaymentReversed).amount_msat == 1_000_000
    story.when(pays(an_invoice()))
    assert story.order().refunded_msat == 1_000_000
    audited(story.journal)

    late = sold().when(shows(an_invoice()), wants(), gone)
    assert refusal(late.when(approves()))[0] == "refund_too_high"


@pytest.mark.req("C-01")
def test_of_an_order_that_goes_on_only_what_is_owed_goes_back_by_itself() -> None:
    """200 of 1,200 were too much; of a cancelled order all of it goes."""
    over = given(DEAR_TEA, an_order(("tea", 1)), requested(1_000), paid(1_200)).when(wants())
    assert refusal(over)[1] == "ask the buyer for an invoice over 200 sats"
    ended = sold().when(moved(OrderStatus.CANCELLED)).when(wants())
    assert refusal(ended)[1] == "ask the buyer for an invoice over 1000 sats"


def test_an_invoice_that_has_ended_is_neither_asked_for_nor_approved() -> None:
    """Time goes by between the three."""
    later_ms = NOW_MS + 7_200_000
    story = sold().when(shows(an_invoice()))
    story.when(wants(cause="late"), at_ms=later_ms)
    assert refusal(story)[0] == "no_refund_invoice"
    story.when(wants())
    story.when(approves(), at_ms=later_ms)
    assert refusal(story)[0] == "no_refund_invoice"


@pytest.mark.req("C-04")
def test_late_money_that_is_on_its_way_back_brings_no_order_back() -> None:
    """The shop would have neither the goods nor the money; once the pay-out is dropped, it is there again."""
    story = expired().when(paid(1_000), at_ms=LATER_MS)
    story.when(shows(an_invoice(ends_s=LATER_MS // 1_000 + 600)), at_ms=LATER_MS).when(wants(), at_ms=LATER_MS)
    story.when(BACK, at_ms=LATER_MS)
    assert refusal(story)[0] == "payout_under_way"

    story.when(DropPayout(order=a_key(), cause="operator 3"), at_ms=LATER_MS).when(BACK, at_ms=LATER_MS)
    assert story.one(OrderReinstated).credit_msat == 1_000_000
    assert audited(story.journal).order(a_key().ref) is not None
