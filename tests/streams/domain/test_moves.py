"""Checks how an order goes on: moved, shipped, answered, each with what the buyer is told."""

import pytest

from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.orders import (
    CancellationRequested,
    MoveOrder,
    MoveRefused,
    OrderMoved,
    OrderStatus,
    ShippingMoved,
    ShippingStatus,
)
from schemas.payments import PaymentAxis, PaymentDropped, PaymentSettled
from schemas.replies import ReplyPromised, ShippingReply
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockReleased
from schemas.values import Actor
from tests.support.builders import NOW_MS, NOW_S, a_listing, an_id, an_option, an_order, post
from tests.support.steps import cancelled, moved, paid, parcel, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
VASE = RecordListing(listing=a_listing("vase", "100", stock=3, shipping=((post(), "0"),)))
POST = RecordShippingOption(option=an_option(countries=("DE",), price="7"))


def pending() -> Story:
    """An order for two teas whose payment was asked for."""
    return given(TEA, an_order(("tea", 2)), requested(20))


def confirmed() -> Story:
    """The same, paid."""
    return pending().when(paid(20))


# Moving


@pytest.mark.req("TR-09")
@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.MERCHANT])
def test_a_pending_order_may_be_cancelled_by_either_side(actor: Actor) -> None:
    """Stock back, request dropped, buyer told once."""
    story = pending().when(cancelled(actor))

    story.then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)
    assert story.told()[0] == "cancelled"
    assert story.order().payment is not PaymentAxis.REFUND_DUE


@pytest.mark.req("TR-13")
def test_a_buyers_cancel_after_the_payment_is_a_request_to_the_merchant() -> None:
    """The state stays; the merchant decides."""
    story = confirmed().when(cancelled())

    story.then(CancellationRequested)
    assert story.order().status is OrderStatus.CONFIRMED
    story.when(moved(OrderStatus.CANCELLED, Actor.BUYER, cause="again")).then_nothing()


@pytest.mark.req("TR-13")
@pytest.mark.parametrize("processing", [False, True])
def test_a_paid_order_the_merchant_cancels_is_owed_its_money(processing: bool) -> None:
    """refund_due, and the buyer reads of a refund; sold stock stays sold until the merchant restocks (INV-07)."""
    story = confirmed()
    if processing:
        story.when(moved(OrderStatus.PROCESSING))

    story.when(cancelled(Actor.MERCHANT)).then(OrderMoved, ReplyPromised)

    assert story.order().payment is PaymentAxis.REFUND_DUE
    assert "refunded" in story.told()[1]


@pytest.mark.req("TR-11")
def test_the_merchant_moves_a_confirmed_order_to_processing() -> None:
    """And the buyer is told."""
    story = confirmed().when(moved(OrderStatus.PROCESSING))

    assert story.told()[0] == "processing"
    assert story.order().status is OrderStatus.PROCESSING


@pytest.mark.req("TR-12")
def test_the_merchant_completes() -> None:
    """And the buyer is told."""
    assert confirmed().when(moved(OrderStatus.COMPLETED)).told()[0] == "completed"


@pytest.mark.req("TR-12")
def test_a_buyer_completes_only_once_the_parcel_is_on_its_way_and_gets_no_echo() -> None:
    """A-28: before that it would be an order without goods."""
    story = confirmed().when(moved(OrderStatus.COMPLETED, Actor.BUYER, cause="early"))
    story.then(MoveRefused)
    assert story.order().status is OrderStatus.CONFIRMED

    story.when(parcel(ShippingStatus.SHIPPED)).when(moved(OrderStatus.COMPLETED, Actor.BUYER, cause="here"))

    story.then(OrderMoved)
    assert story.order().status is OrderStatus.COMPLETED


@pytest.mark.req("TR-12")
def test_a_delivered_parcel_completes_the_order_where_the_shop_wants_it() -> None:
    """One decision: the parcel, the order, and both messages in this order."""
    story = given(OpenShop(settings=ShopSettings(complete_on_delivery=True)), TEA, an_order(("tea", 2)))
    story.when(requested(20), paid(20)).when(parcel(ShippingStatus.DELIVERED))

    story.then(ShippingMoved, ReplyPromised, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.COMPLETED


@pytest.mark.req("ORD-12")
@pytest.mark.parametrize(
    ("history", "step", "detail"),
    [
        ((moved(OrderStatus.COMPLETED),), moved(OrderStatus.PENDING), "completed→pending"),
        ((cancelled(Actor.MERCHANT),), moved(OrderStatus.PROCESSING), "cancelled→processing"),
        ((), moved(OrderStatus.PROCESSING, Actor.BUYER), "confirmed→processing"),
    ],
)
def test_an_illegal_move_is_refused_with_from_and_to_and_changes_nothing(
    history: tuple[MoveOrder, ...], step: MoveOrder, detail: str
) -> None:
    """No message goes out, and the refusal says who wanted what."""
    story = confirmed().when(*history)
    before = story.order()

    story.when(step).then(MoveRefused)

    refused = story.one(MoveRefused)
    assert (refused.reason, refused.detail) == ("illegal_transition", detail)
    assert (story.order().status, story.order().replies) == (before.status, before.replies)


@pytest.mark.req("ORD-12")
def test_a_buyer_cannot_confirm_their_own_order() -> None:
    """Only money confirms."""
    story = pending().when(moved(OrderStatus.CONFIRMED, Actor.BUYER))

    story.then(MoveRefused)
    assert story.order().status is OrderStatus.PENDING


@pytest.mark.parametrize("to", [s for s in OrderStatus if s is not OrderStatus.PENDING])
def test_nobody_moves_an_order_in_the_coordinators_name(to: OrderStatus) -> None:
    """Confirming, expiring and failing are decisions of the domain; a command that claims them is refused."""
    story = pending().when(moved(to, Actor.COORDINATOR))

    story.then(MoveRefused)
    assert story.shop.stock[TEA.listing.coordinate].held == 2


def test_a_move_to_where_the_order_is_already_says_nothing() -> None:
    """Two clients of the merchant say the same thing."""
    confirmed().when(moved(OrderStatus.PROCESSING)).when(moved(OrderStatus.PROCESSING, cause="other")).then_nothing()


def test_an_old_move_that_relays_bring_again_is_neither_made_nor_refused() -> None:
    """After a restart the look-back brings `processing` once more, long after `completed`."""
    processing = moved(OrderStatus.PROCESSING)
    story = confirmed().when(processing).when(moved(OrderStatus.COMPLETED))

    story.when(processing).then_nothing()


def test_an_old_parcel_message_does_not_turn_the_parcel_back() -> None:
    """processing, exception, processing: the exception brought again is yesterday's."""
    trouble = parcel(ShippingStatus.EXCEPTION)
    story = confirmed().when(parcel(ShippingStatus.PROCESSING, cause="1")).when(trouble)
    story.when(parcel(ShippingStatus.PROCESSING, cause="2"))

    story.when(trouble).then_nothing()
    assert story.order().parcel is ShippingStatus.PROCESSING


def test_a_refused_move_is_refused_once() -> None:
    """The journal is kept for ever; a stranger's repeats do not fill it."""
    story = confirmed().when(moved(OrderStatus.PROCESSING, Actor.BUYER))

    story.when(moved(OrderStatus.PROCESSING, Actor.BUYER), at_ms=NOW_MS + 1).then_nothing()


@pytest.mark.req("ORD-09")
def test_what_the_merchant_said_with_another_client_is_done_and_not_echoed() -> None:
    """The buyer has that client's message already."""
    story = confirmed().when(moved(OrderStatus.PROCESSING, announce=False)).then(OrderMoved)

    story.when(parcel(ShippingStatus.SHIPPED, announce=False)).then(ShippingMoved)
    assert story.order().parcel is ShippingStatus.SHIPPED


# Shipping


@pytest.mark.req("SU-01")
def test_four_steps_of_a_parcel_are_four_messages_with_their_tags() -> None:
    """processing, shipped, exception, delivered; each told as it was given."""
    story = confirmed()
    for status in ("processing", "shipped", "exception", "delivered"):
        step = parcel(ShippingStatus(status), tracking=f"T-{status}").model_copy(
            update={"carrier": "Post", "eta": NOW_S + 9}
        )
        reply = story.when(step).reply()
        assert isinstance(reply, ShippingReply)
        assert (reply.status, reply.tracking, reply.carrier, reply.eta) == (
            status,
            f"T-{status}",
            "Post",
            NOW_S + 9,
        )


@pytest.mark.req("SU-01")
def test_only_the_merchant_says_where_the_parcel_is() -> None:
    """A buyer's word moves no parcel."""
    story = confirmed().when(parcel(ShippingStatus.SHIPPED, Actor.BUYER))

    story.then(MoveRefused)
    assert story.one(MoveRefused).reason == "not_allowed"


@pytest.mark.req("SU-02")
def test_an_unpaid_order_is_not_shipped() -> None:
    """Neither waiting nor pending nor dead."""
    story = pending().when(parcel(ShippingStatus.SHIPPED))
    story.then(MoveRefused)

    story.when(cancelled()).when(parcel(ShippingStatus.SHIPPED, cause="later")).then(MoveRefused)
    assert story.order().parcel is ShippingStatus.NONE


@pytest.mark.req("SU-03")
def test_a_parcel_in_processing_leaves_the_order_where_it_is_and_the_other_way_round() -> None:
    """The two axes share a word and nothing else."""
    story = confirmed().when(parcel(ShippingStatus.PROCESSING))
    assert (story.order().status, story.order().parcel) == (OrderStatus.CONFIRMED, ShippingStatus.PROCESSING)

    story = confirmed().when(moved(OrderStatus.PROCESSING))
    assert (story.order().status, story.order().parcel) == (OrderStatus.PROCESSING, ShippingStatus.NONE)


def test_a_new_tracking_number_is_told_and_the_same_message_again_is_not() -> None:
    """The carrier may change; a relay's repeat is no change."""
    first = parcel(ShippingStatus.SHIPPED, tracking="A")
    story = confirmed().when(first).when(parcel(ShippingStatus.SHIPPED, tracking="B"))
    story.then(ShippingMoved, ReplyPromised)

    story.when(first).then_nothing()


# Replies


@pytest.mark.req("ORD-10")
def test_every_reply_has_a_time_a_sentence_and_answers_the_orders_newest_rumor() -> None:
    """Numbered from one without a gap, in the order's own dialect."""
    story = given(VASE, POST, an_order(("vase", 1), rumor="first"))
    story.when(an_order(("vase", 1), rumor="second", country="DE"))
    story.when(requested(107, revision=2), paid(107, revision=2))
    story.when(moved(OrderStatus.PROCESSING), parcel(ShippingStatus.SHIPPED), moved(OrderStatus.COMPLETED))

    replies = [e for record in story.journal for e in record.events if isinstance(e, ReplyPromised)]
    assert [reply.number for reply in replies] == [1, 2, 3, 4, 5, 6]
    assert [reply.answers for reply in replies] == [an_id("first")] + [an_id("second")] * 5
    assert all(reply.at_s == NOW_S and reply.reply.text and reply.dialect == "gamma" for reply in replies)
    assert len({reply.effect_id for reply in replies}) == 6


@pytest.mark.req("ORD-06")
def test_the_shop_is_a_fold_of_its_journal() -> None:
    """Every change stands in the journal with its cause; folded anew it gives the same shop."""
    story = confirmed().when(moved(OrderStatus.PROCESSING), parcel(ShippingStatus.SHIPPED))
    causes = [e.cause for r in story.journal for e in r.events if isinstance(e, OrderMoved | ShippingMoved)]

    assert story.refolded() == story.shop
    assert all(causes)
    assert story.journal[-1].cause
    assert isinstance(story.journal[3].events[0], PaymentSettled)


@pytest.mark.req("ORD-08")
def test_arrival_decides_not_what_a_sender_says_about_time() -> None:
    """Commands carry when they came; an earlier-looking one that comes later still counts."""
    story = confirmed().when(moved(OrderStatus.PROCESSING), at_ms=NOW_MS + 10**12)

    story.when(moved(OrderStatus.COMPLETED), at_ms=NOW_MS)
    assert story.order().status is OrderStatus.COMPLETED
