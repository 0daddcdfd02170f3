"""Checks what a shop may want of its orders: who may ask once more, who must be reachable, and when it is closed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas import limits
from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.orders import (
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    ReachDeadline,
)
from schemas.payments import PaymentAxis, PaymentDropped, PaymentSettled, PaymentWanted
from schemas.replies import ReplyPromised
from schemas.shops import ContactRule, OpenShop, ShopSettings
from schemas.stock import StockHeld, StockReleased
from schemas.values import Refusal, Waiting
from tests.support.builders import NOW_S, a_key, a_listing, a_rate, an_option, an_order, post
from tests.support.steps import cancelled, paid, requested
from tests.support.story import given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
VASE = RecordListing(listing=a_listing("vase", "100", stock=3, shipping=((post(), "0"),)))
POST = RecordShippingOption(option=an_option(countries=("DE",), price="7"))

# Asking again


PATIENT = OpenShop(settings=ShopSettings(ask_again_s=3_600))


@pytest.mark.case("F4", "F15")
@pytest.mark.req("PAY-18")
def test_once_a_request_is_dead_its_buyer_may_ask_for_another_until_the_order_expires() -> None:
    """The same order as a further revision, with the rate of then; money for the old request is late."""
    dollar_tea = RecordListing(listing=a_listing("tea", "2", "USD", stock=5))
    story = given(PATIENT, dollar_tea, an_order(("tea", 1)), requested(2_000))
    dead_ms = (NOW_S + 960) * 1_000
    assert story.order().deadline_ms == dead_ms + 3_600_000

    story.when(an_order(("tea", 1), rumor="too soon"), at_ms=dead_ms - 1).then(MoveRefused)
    fresh = a_rate(sats_per_unit="1500", as_of_ms=dead_ms)
    story.when(an_order(("tea", 1), rumor="again"), at_ms=dead_ms, rates=fresh)
    story.then(StockReleased, PaymentDropped, OrderPlaced, OrderQuoted, StockHeld, PaymentWanted)
    assert story.one(PaymentWanted).revision == 2
    assert story.one(PaymentWanted).amount_msat == 3_000_000

    story.when(paid(2_000), at_ms=dead_ms + 1_000)
    assert story.one(PaymentSettled).late
    assert story.order().status is OrderStatus.PENDING
    end_ms = story.order().deadline_ms
    assert end_ms is not None
    story.when(ReachDeadline(order=a_key(), deadline_ms=end_ms), at_ms=end_ms)
    story.when(an_order(("tea", 1), rumor="too late"), at_ms=end_ms + 1).then(MoveRefused)


def test_nobody_asks_again_while_money_is_not_looked_for() -> None:
    """After a freeze the payment of the first request has to be found before there is a second one."""
    story = given(PATIENT, TEA, an_order(("tea", 1)), requested(10))
    dead_ms = (NOW_S + 960) * 1_000
    story.when(FreezeMerchant(code="operator", reason="x", cause="f"))
    story.when(an_order(("tea", 1), rumor="frozen"), at_ms=dead_ms).then(MoveRefused)

    story.when(ThawMerchant(reason="y", cause="t"), at_ms=dead_ms)
    story.when(an_order(("tea", 1), rumor="thawed"), at_ms=dead_ms + 59_999).then(MoveRefused)
    story.when(an_order(("tea", 1), rumor="looked"), at_ms=dead_ms + 60_000)
    assert story.order().revision == 2


@pytest.mark.req("PAY-20")
def test_a_buyer_may_cancel_instead_of_paying_more_than_they_thought() -> None:
    """The request names both sums; the cancellation frees stock and request and is no debt."""
    story = given(TEA, an_order(("tea", 2), claimed_sats=5), requested(20))
    assert "5 sats" in story.reply().text

    story.when(cancelled()).then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.CANCELLED
    assert story.order().payment is PaymentAxis.REQUESTED
    assert story.shop.stock[TEA.listing.coordinate].held == 0


# Contact, and a shop that is closed


@pytest.mark.req("C-37")
def test_a_shop_may_want_to_know_how_its_guests_are_reached() -> None:
    """Without e-mail or phone the order waits and says so; sent again with one it is quoted."""
    policy = OpenShop(settings=ShopSettings(contact_required=ContactRule.ALWAYS))
    story = given(policy, TEA).when(an_order(("tea", 1))).then(OrderPlaced, OrderWaiting, ReplyPromised)
    assert story.one(OrderWaiting).reason is Waiting.CONTACT
    assert story.told() == ("pending", "Please send the order again with an e-mail address or a phone number.")

    story.when(an_order(("tea", 1), rumor="with", has_contact=True))
    story.then(OrderPlaced, OrderQuoted, StockHeld, PaymentWanted)


def test_everything_that_is_missing_is_said_at_once() -> None:
    """A second message for the address would be one too many."""
    policy = OpenShop(settings=ShopSettings(contact_required=ContactRule.ALWAYS))
    story = given(policy, VASE, POST).when(an_order(("vase", 1)))

    assert "phone number" in story.told()[1]
    assert "the country to ship to" in story.told()[1]


def test_a_shop_that_does_not_care_takes_orders_without_contact() -> None:
    """As ever."""
    given(TEA).when(an_order(("tea", 1))).then(OrderPlaced, OrderQuoted, StockHeld, PaymentWanted)


@pytest.mark.req("C-35")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Your order cannot be accepted: the shop takes no orders at the moment."),
        ("Back on 3 August.", "Back on 3 August."),
    ],
)
def test_a_shop_that_is_paused_turns_new_orders_down_with_its_own_words(text: str, told: str) -> None:
    """Nothing is held, and after the pause orders are taken as ever."""
    story = given(OpenShop(settings=ShopSettings(is_paused=True, pause_text=text)), TEA).when(an_order(("tea", 1)))
    story.then(OrderPlaced, OrderRejected, ReplyPromised)
    assert story.one(OrderRejected).findings[0].refusal is Refusal.SHOP_CLOSED
    assert story.told() == ("cancelled", told)

    story.when(OpenShop(settings=ShopSettings()), an_order(("tea", 1), key=a_key("2"), rumor="2"))
    assert story.order(a_key("2")).status is OrderStatus.PENDING


def test_a_pause_leaves_the_orders_that_are_there_alone() -> None:
    """They may be amended, paid and sent."""
    closed = OpenShop(settings=ShopSettings(is_paused=True))
    story = given(TEA, an_order(("tea", 1)), closed).when(an_order(("tea", 2), rumor="2"))
    assert story.order().status is OrderStatus.PENDING

    story.when(requested(20, revision=2), paid(20, revision=2))
    assert story.order().status is OrderStatus.CONFIRMED


def test_a_shops_own_words_are_as_long_as_a_sentence_may_be_and_no_longer() -> None:
    """They stand in every record of the settings."""
    assert ShopSettings(pause_text="x" * limits.SHOP_TEXT.most)
    with pytest.raises(ValidationError):
        ShopSettings(pause_text="x" * (limits.SHOP_TEXT.most + 1))
