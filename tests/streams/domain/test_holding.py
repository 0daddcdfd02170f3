"""Checks manual holds: silence while a person has the order, and one word on how it stands when they are done."""

from __future__ import annotations

import pytest

from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.holds import OrderHeld, OrderReleased, OrderRenewed, ReplyWithheld
from schemas.orders import (
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderStatus,
    OrderWaiting,
    ReachDeadline,
    ShippingStatus,
)
from schemas.payments import PaymentDropped, PaymentRequested, PaymentSettled, PaymentWanted
from schemas.replies import PaymentRequestReply, ReplyPromised, ShippingReply, StatusReply
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockCommitted, StockHeld, StockReleased
from schemas.values import Actor, Waiting
from tests.support.builders import NOW_MS, NOW_S, a_key, a_listing, an_option, an_order, post
from tests.support.steps import by_operator, cancelled, held, moved, paid, parcel, released, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
VASE = RecordListing(listing=a_listing("vase", "100", stock=3, shipping=((post(), "0"),)))
POST = RecordShippingOption(option=an_option(countries=("DE",), price="7"))
GRACE_MS = 60_000


def asked() -> Story:
    """An order for two teas whose buyer was asked for the money."""
    return given(TEA, an_order(("tea", 2)), requested(20))


def promised(story: Story) -> list[ReplyPromised]:
    """Everything the buyer was ever told."""
    return [event for record in story.journal for event in record.events if isinstance(event, ReplyPromised)]


@pytest.mark.req("NCC-09")
def test_nothing_is_said_while_an_order_is_on_hold_and_it_goes_on_once_released() -> None:
    """Money and moves count as ever; the buyer hears how it stands when the person is done."""
    story = asked().when(held())
    story.then(OrderHeld(order=a_key(), cause="operator 1"))

    story.when(paid(20)).then(PaymentSettled, StockCommitted, OrderMoved, ReplyWithheld)
    story.when(moved(OrderStatus.PROCESSING)).then(OrderMoved, ReplyWithheld)
    assert story.order().status is OrderStatus.PROCESSING
    assert len(promised(story)) == 1

    story.when(released()).then(OrderReleased, ReplyPromised)
    assert story.told() == ("processing", "Your order is being prepared.")
    story.when(moved(OrderStatus.COMPLETED)).then(OrderMoved, ReplyPromised)


def test_what_was_said_before_is_not_said_again() -> None:
    """A hold during which nothing happened leaves no trace with the buyer."""
    asked().when(held()).when(released()).then(
        OrderReleased(order=a_key(), cause="operator 2", deadline_ms=NOW_MS + 960_000)
    )


def test_the_order_and_its_parcel_are_told_apart() -> None:
    """Of each kind of message the newest; the confirmation is no news any more."""
    story = given(VASE, POST, an_order(("vase", 1), country="DE"), requested(107), held(), paid(107))
    story.when(parcel(ShippingStatus.PROCESSING), parcel(ShippingStatus.SHIPPED, tracking="T1"))

    story.when(released()).then(OrderReleased, ReplyPromised, ReplyPromised)

    status, shipping = (event.reply for event in story.events[1:] if isinstance(event, ReplyPromised))
    assert isinstance(status, StatusReply)
    assert status.status == "confirmed"
    assert isinstance(shipping, ShippingReply)
    assert (shipping.status, shipping.tracking) == (ShippingStatus.SHIPPED, "T1")


def test_no_order_on_hold_expires_and_its_money_has_the_grace_to_be_found() -> None:
    """As with a thaw: the deadline moves behind the release, and counts again from there."""
    story = asked().when(held())
    first_ms = story.order().deadline_ms or 0
    story.when(ReachDeadline(order=a_key(), deadline_ms=first_ms), at_ms=first_ms).then_nothing()

    released_ms = first_ms + 9_000_000
    story.when(released(), at_ms=released_ms).then(OrderReleased)
    last_ms = released_ms + GRACE_MS
    assert story.order().deadline_ms == last_ms
    assert [due.at_ms for due in story.shop.take_due(last_ms)][-1] == last_ms
    story.when(ReachDeadline(order=a_key(), deadline_ms=last_ms), at_ms=last_ms)
    story.then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)


def test_a_request_that_was_not_shown_is_shown_while_it_lives() -> None:
    """The wallet made it while the order was on hold."""
    story = given(TEA, an_order(("tea", 2)), held()).when(requested(20))
    story.then(PaymentRequested, ReplyWithheld)

    story.when(released(), at_ms=NOW_MS + 100_000).then(OrderReleased, ReplyPromised)
    reply = story.reply()
    assert isinstance(reply, PaymentRequestReply)
    assert (reply.amount_sats, reply.expires_at) == (20, NOW_S + 900)


def test_a_request_that_died_unseen_is_made_anew() -> None:
    """Its buyer never had a chance to pay: another revision, another request, the same stock."""
    story = given(TEA, an_order(("tea", 2)), held(), requested(20))
    late_ms = NOW_MS + 1_000_000

    story.when(released(), at_ms=late_ms)
    story.then(OrderReleased, StockReleased, PaymentDropped, OrderRenewed, OrderQuoted, StockHeld, PaymentWanted)
    assert (story.one(PaymentWanted).revision, story.order().revision) == (2, 2)
    assert story.order().deadline_ms == late_ms + 960_000
    story.when(requested(20, revision=2), at_ms=late_ms + 1_000).then(PaymentRequested, ReplyPromised)


def test_an_order_on_hold_that_is_sent_again_waits_for_the_person() -> None:
    """No price is made behind their back; the release makes it."""
    story = given(VASE, POST, an_order(("vase", 1))).when(held())

    story.when(an_order(("vase", 1), rumor="2", country="DE")).then(OrderPlaced, OrderWaiting)
    assert story.one(OrderWaiting).reason is Waiting.HOLD
    story.when(released()).then(OrderReleased, OrderQuoted, StockHeld, PaymentWanted)


def test_an_order_that_waits_for_its_buyer_is_not_asked_again_by_a_release() -> None:
    """They were told what is missing."""
    given(VASE, POST, an_order(("vase", 1))).when(held()).when(released()).then(OrderReleased)


def test_a_buyer_may_cancel_and_hears_of_it_later() -> None:
    """The request that was shown is no matter any more."""
    story = asked().when(held()).when(cancelled(Actor.BUYER))
    story.then(StockReleased, PaymentDropped, OrderMoved, ReplyWithheld)

    story.when(released()).then(OrderReleased, ReplyPromised)
    assert story.told()[0] == "cancelled"


def test_what_is_so_already_is_no_news_and_each_cause_is_heard_once() -> None:
    """A second hold, a release of what is free, and either of them delivered late."""
    story = asked().when(held())
    story.when(held(cause="operator 3")).then_nothing()
    story.when(released()).when(held()).then_nothing()
    story.when(released(cause="operator 4")).then_nothing()
    story.when(held(cause="operator 5")).then(OrderHeld)


def test_an_amended_order_stays_on_hold() -> None:
    """The person has the order, not one revision of it."""
    story = given(TEA, an_order(("tea", 1)), held()).when(an_order(("tea", 2), rumor="2"))

    assert story.order().is_on_hold
    assert story.order().deadline_ms is None
    assert story.shop == story.refolded()


def test_an_order_nobody_knows_cannot_be_held() -> None:
    """The person is told so."""
    for command in (held(), released()):
        story = given(TEA).when(command).then(MoveRefused)
        assert story.one(MoveRefused).reason == "unknown_order"


def test_a_thaw_does_not_end_a_hold() -> None:
    """Both keep time from running out, each for its own reason."""
    story = asked().when(held(), FreezeMerchant(code="operator", reason="x", cause="f"))
    deadline_ms = story.order().deadline_ms or 0
    story.when(ThawMerchant(reason="y", cause="t"), at_ms=deadline_ms)

    again_ms = story.order().deadline_ms or 0
    story.when(ReachDeadline(order=a_key(), deadline_ms=again_ms), at_ms=again_ms).then_nothing()
    assert story.order().is_on_hold


def test_a_move_by_the_operator_is_held_back_as_well() -> None:
    """Whoever moves it: the buyer of an order on hold hears nothing from us."""
    story = asked().when(paid(20), held()).when(by_operator(moved(OrderStatus.CANCELLED)))

    story.then(OrderMoved, ReplyWithheld)


def test_an_invitation_waits_with_the_message_it_stands_in() -> None:
    """Completed while on hold: the buyer is told and asked in one message, once it is released."""
    inviting = OpenShop(settings=ShopSettings(invite_review=True))
    story = given(inviting, TEA, an_order(("tea", 2)), requested(20), paid(20), held())
    story.when(moved(OrderStatus.COMPLETED))
    assert story.none(ReplyPromised)

    status, text = story.when(released()).told()
    assert status == "completed"
    assert text.startswith("Your order is complete.")
    assert text.endswith("glad of your review.")
