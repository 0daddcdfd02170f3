"""Checks goods that no parcel carries: texts sent once they are paid, and orders that their buyers collect."""

from __future__ import annotations

import pytest

from schemas.catalogue import Format, RecordListing, RecordShippingOption
from schemas.goods import GoodsSet, MarkReady, PickupReady, SetGoods
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ShippingStatus
from schemas.payments import PaymentSettled
from schemas.replies import ReplyPromised, StatusReply, TextReply
from schemas.values import SealedDetails
from tests.support.books import audited
from tests.support.builders import a_key, a_listing, an_option, an_order, post, product
from tests.support.steps import held, moved, paid, parcel, released, requested
from tests.support.story import Story, given

SONG = RecordListing(listing=a_listing("song", "10"))
BOOK = RecordListing(listing=a_listing("book", "20"))
VASE = RecordListing(listing=a_listing("vase", "100", shipping=((post(), "0"),), format_=Format.PHYSICAL))
PICKUP = RecordShippingOption(option=an_option(service="pickup", price="0", location="Main Street 1"))
BOX = SealedDetails(key_id="goods-1:2", box="c2VhbGVk")


def setting(d: str, sealed: SealedDetails | None = BOX, cause: str = "operator 1") -> SetGoods:
    """The merchant says what buyers of a listing are sent."""
    return SetGoods(coordinate=product(d), sealed=sealed, cause=cause)


def replies(story: Story) -> list[object]:
    """What the buyer was promised last."""
    return [event.reply for event in story.events if isinstance(event, ReplyPromised)]


@pytest.mark.req("SU-06")
def test_a_digital_order_is_sent_and_complete_once_it_is_paid() -> None:
    """Confirmed, the goods in their box, completed: three messages of one decision."""
    story = given(SONG, setting("song"), an_order(("song", 1)), requested(10)).when(paid(10))

    story.then(PaymentSettled, OrderMoved, ReplyPromised, ReplyPromised, OrderMoved, ReplyPromised)
    confirmed, goods, completed = replies(story)
    assert isinstance(confirmed, StatusReply)
    assert confirmed.status == "confirmed"
    assert goods == TextReply(about=product("song"), text="Here is what you bought, Song:", sealed=BOX)
    assert isinstance(completed, StatusReply)
    assert completed.status == "completed"
    assert story.order().status is OrderStatus.COMPLETED
    audited(story.journal)


def test_an_order_with_more_than_that_waits_for_the_rest() -> None:
    """What can be sent is; the merchant completes it."""
    story = given(SONG, BOOK, setting("song"), an_order(("song", 1), ("book", 1)), requested(30)).when(paid(30))

    assert [type(reply) for reply in replies(story)] == [StatusReply, TextReply]
    assert story.order().status is OrderStatus.CONFIRMED


def test_a_merchant_who_goes_on_unpaid_sends_the_goods_as_well() -> None:
    """The one update, and what was bought."""
    story = given(SONG, setting("song"), an_order(("song", 1)), requested(10)).when(moved(OrderStatus.COMPLETED))

    assert [type(reply) for reply in replies(story)] == [StatusReply, TextReply]


def test_goods_wait_while_the_order_is_on_hold() -> None:
    """Nothing leaves before the person is done; then everything that was left unsaid does."""
    story = given(SONG, BOOK, setting("song"), setting("book", cause="operator 2"))
    story.when(an_order(("song", 1), ("book", 1)), requested(30), held(cause="operator 3"), paid(30))
    assert not any(isinstance(event, ReplyPromised) for event in story.events if getattr(event, "number", 0) > 1)

    story.when(released(cause="operator 4"))
    said = replies(story)
    assert [type(reply) for reply in said] == [TextReply, TextReply, StatusReply]


def test_goods_are_set_changed_and_taken_back() -> None:
    """Each word counts once, and the same box again is no news."""
    story = given(SONG).when(setting("song")).then(GoodsSet(coordinate=product("song"), sealed=BOX, cause="operator 1"))
    story.when(setting("song", cause="operator 2")).then_nothing()
    story.when(setting("song", None, "operator 3")).then(GoodsSet)
    story.when(setting("song", None, "operator 4")).then_nothing()

    story.when(an_order(("song", 1)), requested(10)).when(paid(10)).then(PaymentSettled, OrderMoved, ReplyPromised)


def collected() -> Story:
    """A paid order that its buyer comes for."""
    return given(VASE, PICKUP, an_order(("vase", 1)), requested(100), paid(100))


@pytest.mark.req("SU-06")
def test_a_pickup_is_ready_and_never_shipped() -> None:
    """The buyer reads where to come, once; the goods are handed over or they are not."""
    story = collected().when(MarkReady(order=a_key(), cause="operator 1")).then(PickupReady, ReplyPromised)
    assert story.reply().text == "Your order is ready. You can collect it at: Main Street 1."
    story.when(MarkReady(order=a_key(), cause="operator 2")).then_nothing()

    story.when(parcel(ShippingStatus.SHIPPED)).then(MoveRefused)
    story.when(parcel(ShippingStatus.DELIVERED))
    assert story.order().parcel is ShippingStatus.DELIVERED


def test_only_a_paid_pickup_can_be_ready() -> None:
    """What is sent, what is not paid and what nobody knows is refused, each in a word."""
    unpaid = given(VASE, PICKUP, an_order(("vase", 1))).when(MarkReady(order=a_key(), cause="1")).then(MoveRefused)
    assert unpaid.one(MoveRefused).reason == "not_a_pickup"
    song = given(SONG, an_order(("song", 1)), requested(10), paid(10)).when(MarkReady(order=a_key(), cause="1"))
    assert song.one(MoveRefused).reason == "not_a_pickup"
    nobody = given(VASE).when(MarkReady(order=a_key(), cause="1"))
    assert nobody.one(MoveRefused).reason == "unknown_order"
