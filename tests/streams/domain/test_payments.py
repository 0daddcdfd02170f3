"""Checks that an order has one live payment request and is confirmed by the back-end's word alone, once."""

from decimal import Decimal

import pytest

from schemas.absence import RequestForgotten
from schemas.catalogue import RecordListing
from schemas.currencies import FiatTotal
from schemas.dialects import gamma
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ReachDeadline
from schemas.payments import (
    BackendState,
    ObserveReversal,
    PaymentAxis,
    PaymentDropped,
    PaymentImplied,
    PaymentPartReceived,
    PaymentReported,
    PaymentRequested,
    PaymentReversed,
    PaymentSeen,
    PaymentSettled,
    PaymentWanted,
    RecordPaymentFailure,
    RecordPaymentRequest,
    ReportPayment,
    intent_id,
    request_digest,
)
from schemas.refunds import RefundOwed
from schemas.replies import PaymentRequestReply, ReplyPromised, StatusReply, TextReply
from schemas.stock import StockCommitted, StockReleased
from schemas.values import Actor
from tests.support.builders import MERCHANT, NOW_MS, OTHER_BUYER, a_key, a_listing, a_rumor, an_order
from tests.support.steps import cancelled, moved, paid, receipt, requested
from tests.support.story import Story, given

HOW = "30.57 USD, Order 7\nTo Ann's Teas, AT61 1904 3002 3457 3201"
TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
MUG = RecordListing(listing=a_listing("mug", "15.285", "USD"))


def wanting() -> Story:
    """An order that wants its payment request: 20 sats for two teas."""
    return given(TEA, an_order(("tea", 2)))


def asked() -> Story:
    """The same, with the request made and told."""
    return wanting().when(requested(20))


def by_hand(sats: int) -> RecordPaymentRequest:
    """The merchant's words say how to pay."""
    return requested(sats).model_copy(update={"medium": "fiat", "text": HOW, "payment_hash": None})


def expired() -> Story:
    """The same, never paid."""
    story = asked()
    deadline = story.order().deadline_ms
    assert deadline is not None
    return story.when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline)


def confirmations(story: Story) -> int:
    """How often the buyer was told that the order is confirmed."""
    replies = [e.reply for record in story.journal for e in record.events if isinstance(e, ReplyPromised)]
    return sum(isinstance(r, StatusReply) and r.status == "confirmed" for r in replies)


# The request


@pytest.mark.req("PAY-02")
def test_the_wallets_request_is_told_with_the_quoted_amount() -> None:
    """16/2 to the buyer: amount, the one option and until when."""
    story = wanting().when(requested(20))

    story.then(PaymentRequested, ReplyPromised)
    reply = story.reply()
    assert isinstance(reply, PaymentRequestReply)
    assert reply.amount_sats == 20
    assert [(o.medium, o.text) for o in reply.options] == [("lightning", "lnbc20")]
    assert reply.expires_at == requested(20).expires_at


@pytest.mark.case("F15", "P3")
@pytest.mark.req("PAY-17")
def test_a_revision_has_one_intent_and_its_request_is_told_once() -> None:
    """The wallet's answer again, or a second wallet's answer to the same intent, adds nothing."""
    story = asked()

    story.when(requested(20).model_copy(update={"text": "lnbc20-other"})).then_nothing()


@pytest.mark.req("PAY-17")
def test_intents_differ_by_order_and_revision_and_follow_from_nothing_else() -> None:
    """So a repeat of the decision wants the very same request."""
    ids = {intent_id(key, r) for key in (a_key(), a_key("2"), a_key(buyer=OTHER_BUYER)) for r in (1, 2)}

    assert len(ids) == 6
    assert wanting().one(PaymentWanted).intent_id == intent_id(a_key(), 1)


@pytest.mark.case("F4")
def test_a_request_for_an_amended_orders_former_revision_is_not_told() -> None:
    """It was dropped in the decision that amended the order."""
    story = wanting().when(an_order(("tea", 3), rumor="more"))

    story.when(requested(20, revision=1)).then_nothing()
    story.when(requested(30, revision=2)).then(PaymentRequested, ReplyPromised)


@pytest.mark.case("F5", "P23")
@pytest.mark.parametrize("sats", [19, 21, 0])
def test_a_request_of_another_amount_is_never_told(sats: int) -> None:
    """The buyer pays what was quoted, to the millisatoshi; the right request may still come."""
    story = wanting().when(requested(sats))

    story.then(MoveRefused)
    assert story.one(MoveRefused).reason == "wrong_amount"
    story.when(requested(20)).then(PaymentRequested, ReplyPromised)


def test_a_request_that_comes_after_a_cancel_is_not_told() -> None:
    """The order is dead; its request was dropped."""
    wanting().when(cancelled()).when(requested(20)).then_nothing()


@pytest.mark.req("TR-10")
def test_an_order_for_which_no_request_can_be_made_fails() -> None:
    """Stock back, and the buyer reads cancelled with the reason."""
    failure = RecordPaymentFailure(order=a_key(), intent_id=intent_id(a_key(), 1), reason="no route")

    story = wanting().when(failure)

    story.then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.FAILED
    assert story.told()[0] == "cancelled"
    assert "No payment request could be made" in story.told()[1]


def test_a_failure_of_a_former_revision_fails_nothing() -> None:
    """Only the live intent counts."""
    failure = RecordPaymentFailure(order=a_key(), intent_id=intent_id(a_key(), 1), reason="no route")

    wanting().when(an_order(("tea", 3), rumor="more")).when(failure).then_nothing()


# Settlement


@pytest.mark.case("F12", "P4")
@pytest.mark.req("TR-06")
@pytest.mark.req("PAY-14")
def test_the_back_ends_word_confirms_once_whatever_follows() -> None:
    """Webhook, webhook again, receipt, receipt again: one confirmation; the stock is sold once."""
    story = asked().when(paid(20))
    story.then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    assert story.told()[0] == "confirmed"

    story.when(paid(20), receipt(), paid(20), receipt(rumor="second")).then_nothing()
    assert confirmations(story) == 1
    assert story.order().payment is PaymentAxis.PAID


@pytest.mark.req("PAY-14")
def test_a_receipt_before_the_settlement_makes_no_second_confirmation() -> None:
    """The claim is noted, the look-up confirms."""
    story = asked().when(receipt())
    story.then(PaymentReported)
    assert story.order().status is OrderStatus.PENDING

    story.when(paid(20), receipt())
    assert confirmations(story) == 1


@pytest.mark.case("F3")
def test_a_receipt_alone_never_confirms() -> None:
    """Whatever it claims, however often."""
    story = asked().when(*(receipt(rumor=str(n)) for n in range(5)))

    assert (story.order().status, story.order().payment) == (OrderStatus.PENDING, PaymentAxis.REPORTED)


@pytest.mark.req("PAY-12")
@pytest.mark.parametrize("medium", ["fiat", "pigeon"])
def test_money_that_only_the_merchant_sees_is_reported_by_the_buyer_and_confirmed_by_hand(medium: str) -> None:
    """The claim is kept with its medium and moves nothing; the merchant's word confirms once."""
    said = a_rumor(
        17, ("p", MERCHANT), ("order", a_key().order_id), ("payment", medium, "IBAN 1", "ref 7"), ("amount", "20")
    )
    claim = gamma.DIALECT.read(said)
    assert isinstance(claim, ReportPayment)
    story = asked().when(claim)
    assert story.one(PaymentReported).medium == medium
    assert (story.order().status, story.order().payment) == (OrderStatus.PENDING, PaymentAxis.REPORTED)

    story.when(moved(OrderStatus.CONFIRMED, cause="operator 1"))
    assert (story.one(OrderMoved).actor, story.one(PaymentImplied).amount_msat) == (Actor.MERCHANT, 20_000)
    assert story.one(StockCommitted).order == a_key()
    story.when(claim, moved(OrderStatus.CONFIRMED, cause="operator 1"), moved(OrderStatus.CONFIRMED, cause="again"))
    assert confirmations(story) == 1


def test_an_order_says_what_it_comes_to_in_the_currency_it_was_priced_in() -> None:
    """Whoever is paid by card or bank transfer asks for that, and for nothing that a rate made of it."""
    assert given(MUG, an_order(("mug", 2))).one(PaymentWanted).fiat == FiatTotal(
        amount=Decimal("30.57"), currency="USD"
    )
    assert wanting().one(PaymentWanted).fiat is None


@pytest.mark.req("PAY-12")
def test_a_request_that_only_a_person_can_follow_is_told_in_words() -> None:
    """The sum in the shop's currency and how to pay stand in the text, since no application has a button for them."""
    story = given(MUG, an_order(("mug", 2))).when(by_hand(30_570))
    reply = story.reply()

    assert isinstance(reply, PaymentRequestReply)
    assert [(option.medium, option.text) for option in reply.options] == [("fiat", HOW)]
    assert reply.text.startswith("Please pay 30.57 USD. ")
    assert reply.text.endswith(f"\n\n{HOW}")


def test_fiat_that_is_taken_back_after_the_order_was_paid_is_found_by_its_requests_text() -> None:
    """A request in fiat has no payment hash."""
    asked = by_hand(30_570)
    story = given(MUG, an_order(("mug", 2))).when(asked, paid(30_570))
    story.when(ObserveReversal(payment_hash=request_digest(HOW)))

    assert story.one(PaymentReversed).intent_id == asked.intent_id


@pytest.mark.case("F14")
def test_a_card_payment_that_is_charged_back_is_found_by_the_session_of_its_page() -> None:
    """Its address has lost everything behind the # by then; the page of another session is another request."""
    page = "https://checkout.stripe.com/c/pay/cs_live_a1B2c3"
    asked = by_hand(30_570).model_copy(update={"text": f"{page}#fidkdWxOYHwnPyd1blpxYHZxWjA0"})
    story = given(MUG, an_order(("mug", 2))).when(asked, paid(30_570))
    story.when(ObserveReversal(payment_hash=request_digest(f"{page}4"))).then_nothing()
    story.when(ObserveReversal(payment_hash=request_digest(page)))

    assert story.one(PaymentReversed).intent_id == asked.intent_id


@pytest.mark.case("F11", "P7", "P20")
@pytest.mark.parametrize("state", [s for s in BackendState if s not in (BackendState.SETTLED, BackendState.PARTIAL)])
def test_only_settled_is_settled(state: BackendState) -> None:
    """Held, pending and unknown money is not there yet; what is on its way or forgotten is noted, and pays nothing."""
    story = asked().when(paid(20, state=state))
    if state in (BackendState.PENDING, BackendState.HELD):
        story.then(PaymentSeen, ReplyPromised)
    elif state is BackendState.GONE:
        story.then(RequestForgotten)
    else:
        story.then_nothing()
    assert (story.order().status, story.order().paid_msat) == (OrderStatus.PENDING, 0)


@pytest.mark.req("TR-06")
def test_a_payment_below_what_is_due_does_not_confirm() -> None:
    """One millisatoshi less is less; and a request of which nothing came is refused as paid."""
    short = paid(20).model_copy(update={"gross_msat": 19_999})

    story = asked().when(short)

    story.then(PaymentPartReceived, ReplyPromised, PaymentWanted)
    assert (story.order().status, story.order().payment) == (OrderStatus.PENDING, PaymentAxis.PARTIAL)
    story = asked().when(paid(0))
    story.then(MoveRefused)
    assert story.one(MoveRefused).reason == "underpaid"


def test_more_than_is_due_confirms_and_is_recorded_in_full() -> None:
    """The ledger keeps what came beside what was due."""
    settled = asked().when(paid(25)).one(PaymentSettled)

    assert (settled.gross_msat, settled.due_msat, settled.late) == (25_000, 20_000, False)


@pytest.mark.case("P6")
def test_money_that_arrives_before_the_request_was_recorded_confirms_all_the_same() -> None:
    """A look-up may overtake the answer; the intent is the order's own."""
    story = wanting().when(paid(20))

    assert story.order().status is OrderStatus.CONFIRMED
    story.when(requested(20)).then_nothing()


@pytest.mark.case("F15", "P10", "P11")
@pytest.mark.req("TR-15")
def test_money_for_an_expired_order_is_late_and_moves_nothing() -> None:
    """The buyer reads so and the merchant decides; the stock went back and stays there."""
    story = expired().when(paid(20))

    story.then(PaymentSettled, ReplyPromised)
    assert story.one(PaymentSettled).late
    reply = story.reply()
    assert isinstance(reply, TextReply)
    assert reply.text.startswith("Your payment of 20 sats came when this order did not wait for it")
    assert (story.order().status, story.order().payment) == (OrderStatus.EXPIRED, PaymentAxis.LATE)
    story.when(paid(20)).then_nothing()


@pytest.mark.case("P12")
@pytest.mark.req("TR-15")
@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.MERCHANT])
def test_money_for_a_cancelled_order_is_late(actor: Actor) -> None:
    """Whoever cancelled it."""
    story = asked().when(cancelled(actor)).when(paid(20))

    assert story.order().payment is PaymentAxis.LATE


@pytest.mark.case("F4")
def test_money_for_a_dropped_revision_is_recorded_and_stops_nothing() -> None:
    """It is late money; the live revision is asked for, paid and confirmed as ever."""
    story = wanting().when(an_order(("tea", 3), rumor="more")).when(paid(20, revision=1))
    story.then(PaymentSettled, ReplyPromised)
    assert story.one(PaymentSettled).late

    story.when(requested(30, revision=2)).then(PaymentRequested, ReplyPromised)
    story.when(paid(30, revision=2))
    assert story.order().status is OrderStatus.CONFIRMED
    assert story.order().payment is PaymentAxis.PAID


def test_a_second_payment_of_a_paid_order_is_recorded_and_leaves_it_paid() -> None:
    """A former revision's request paid as well: two ledger entries, one of them late."""
    story = wanting().when(an_order(("tea", 3), rumor="more")).when(requested(30, revision=2), paid(30, revision=2))

    story.when(paid(20, revision=1)).then(PaymentSettled, RefundOwed, ReplyPromised)

    assert story.order().payment is PaymentAxis.PAID
    assert story.order().status is OrderStatus.CONFIRMED


def test_money_that_comes_when_a_refund_is_due_leaves_it_due() -> None:
    """The merchant owes at least that."""
    story = asked().when(paid(20)).when(cancelled(Actor.MERCHANT)).when(paid(20)).then_nothing()

    assert story.order().payment is PaymentAxis.REFUND_DUE


def test_money_for_an_order_nobody_knows_is_no_order() -> None:
    """Nothing is made up from a look-up."""
    given().when(paid(20)).then_nothing()


@pytest.mark.req("TR-18")
@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.MERCHANT])
def test_a_dead_order_does_not_come_back(actor: Actor) -> None:
    """Expired stays expired, whoever says otherwise."""
    for to in (s for s in OrderStatus if s is not OrderStatus.EXPIRED):
        expired().when(moved(to, actor), at_ms=NOW_MS + 10**7).then(MoveRefused)
