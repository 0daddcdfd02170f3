"""Texts and links that were bought by card wait for a person where a shop wants it: a bank may take the money back."""

from __future__ import annotations

import pytest

from schemas.goods import SetGoods
from schemas.holds import OrderHeld, OrderReleased, ReplyWithheld
from schemas.orders import MoveRefused, OrderMoved, OrderStatus
from schemas.payments import (
    BackendState,
    ObservePayment,
    PaymentAxis,
    PaymentReversed,
    PaymentSettled,
    RecordPaymentRequest,
    WaivePayment,
)
from schemas.replies import ReplyPromised, StatusReply, TextReply
from schemas.shops import OpenShop, ShopSettings
from tests.streams.domain.test_handing import BOOK, BOX, SONG, replies, setting
from tests.support.books import audited
from tests.support.builders import a_key, an_order, product
from tests.support.steps import moved, paid, released, requested
from tests.support.story import Story, given

PAGE = "https://checkout.stripe.com/c/pay/cs_test_a1b2c3#fid1"
CAREFUL = OpenShop(settings=ShopSettings(card_goods_wait=True))


def by_card(sats: int) -> RecordPaymentRequest:
    """The order's request is a page to pay at by card."""
    return requested(sats).model_copy(update={"medium": "fiat", "text": PAGE, "payment_hash": None})


def bought(*goods: SetGoods, shop: OpenShop = CAREFUL) -> Story:
    """A song, bought by card and paid."""
    return given(shop, SONG, *(goods or (setting("song"),)), an_order(("song", 1)), by_card(10)).when(paid(10))


def charged_back() -> ObservePayment:
    """The bank has the money again."""
    return paid(10).model_copy(update={"state": BackendState.REVERSED})


@pytest.mark.case("F14")
def test_a_song_that_was_bought_by_card_waits_for_its_merchant() -> None:
    """The buyer reads that it is confirmed; the order is on hold, and not completed."""
    story = bought().then(PaymentSettled, OrderMoved, ReplyPromised, OrderHeld, ReplyWithheld)

    (confirmed,) = replies(story)
    assert isinstance(confirmed, StatusReply)
    assert (story.order().status, story.order().is_on_hold) == (OrderStatus.CONFIRMED, True)
    audited(story.journal)


@pytest.mark.case("F14")
def test_it_is_sent_and_complete_once_its_merchant_releases_the_order() -> None:
    """As if it had been paid in money that stays."""
    story = bought().when(released(cause="operator 2")).then(OrderReleased, ReplyPromised, OrderMoved, ReplyPromised)

    goods, completed = replies(story)
    assert goods == TextReply(about=product("song"), text="Here is what you bought, Song:", sealed=BOX)
    assert isinstance(completed, StatusReply)
    assert story.order().status is OrderStatus.COMPLETED
    story.when(released(cause="operator 3")).then_nothing()
    audited(story.journal)


@pytest.mark.case("F14")
def test_it_is_not_sent_once_the_bank_took_the_money_back() -> None:
    """Unless the merchant waives it first, and bears the loss."""
    story = bought().when(charged_back()).then(PaymentReversed, ReplyWithheld)
    story.when(released(cause="operator 2")).then(MoveRefused)
    assert story.one(MoveRefused).reason == "payment_reversed"
    assert (story.order().is_on_hold, story.order().payment) == (True, PaymentAxis.REVERSED)

    story.when(WaivePayment(order=a_key(), cause="operator 3"), released(cause="operator 4"))
    assert any(isinstance(reply, TextReply) and reply.sealed == BOX for reply in replies(story))
    audited(story.journal)


@pytest.mark.case("F14")
def test_a_buyer_whose_order_was_cancelled_is_not_sent_it() -> None:
    """The rest of what was left unsaid is said."""
    story = bought().when(charged_back(), moved(OrderStatus.CANCELLED), released(cause="operator 2"))

    assert replies(story)
    assert not any(isinstance(reply, TextReply) and reply.sealed for reply in replies(story))


def test_an_order_with_more_than_that_is_on_hold_and_its_merchant_completes_it() -> None:
    """What can be sent is sent with the release."""
    story = given(CAREFUL, SONG, BOOK, setting("song"), an_order(("song", 1), ("book", 1)), by_card(30), paid(30))
    assert story.order().is_on_hold

    story.when(released(cause="operator 2")).then(OrderReleased, ReplyPromised)
    assert story.order().status is OrderStatus.CONFIRMED


def test_nothing_waits_where_nothing_is_sent_by_itself() -> None:
    """A parcel is kept back by what takes its money back."""
    story = given(CAREFUL, BOOK, an_order(("book", 1)), by_card(20)).when(paid(20))

    assert not story.order().is_on_hold


def test_money_that_stays_has_it_sent_at_once() -> None:
    """An invoice is paid for good, and so is what a merchant enters by hand."""
    story = given(CAREFUL, SONG, setting("song"), an_order(("song", 1)), requested(10)).when(paid(10))

    assert story.order().status is OrderStatus.COMPLETED


def test_a_shop_that_did_not_ask_for_it_sends_at_once() -> None:
    """What a file costs is little, and its buyer expects it now."""
    assert bought(shop=OpenShop()).order().status is OrderStatus.COMPLETED
