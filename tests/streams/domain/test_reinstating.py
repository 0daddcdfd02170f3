"""Checks orders that late money brings back: by the merchant's word, or by itself where the shop says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.catalogue import RecordListing
from schemas.messages import CommandBody
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ReachDeadline
from schemas.payments import (
    BackendState,
    ObservePayment,
    PaymentAxis,
    PaymentPartReceived,
    PaymentReversed,
    PaymentSettled,
    intent_id,
)
from schemas.refunds import OwedFor, RefundOwed
from schemas.reinstatement import OrderReinstated, ReinstateOrder
from schemas.replies import ReplyPromised, TextReply
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import SetStock, StockCommitted, StockHeld
from schemas.values import Actor
from tests.streams.domain.test_settlement import row
from tests.support.books import audited
from tests.support.builders import NOW_MS, NOW_S, a_key, a_listing, a_rate, an_order, product
from tests.support.steps import cancelled, held, moved, paid, refunded, released, requested
from tests.support.story import Story, given

END_MS = NOW_MS + 960_000
"""When an unpaid order ends."""
LATER_MS = END_MS + 60_000
BACK = ReinstateOrder(order=a_key(), cause="operator 1")
AGAIN = ReinstateOrder(order=a_key(), cause="operator 2")
WHOLE = (StockHeld, StockCommitted, OrderMoved, ReplyPromised)
"""What follows a reinstatement."""


def tea(price: str = "1000", stock: int | None = 5, at_s: int = NOW_S - 1_000, sold: bool = False) -> RecordListing:
    """A version of the listing."""
    return RecordListing(listing=a_listing("tea", price, stock=stock, created_at=at_s, sold=sold))


def expired(stock: int | None = 5, quantity: int = 1, **settings: int | None) -> Story:
    """An order for teas at 1,000 sats each that nobody paid in time."""
    rules = OpenShop(settings=ShopSettings(**settings))  # type: ignore[arg-type]
    story = given(rules, tea(stock=stock), an_order(("tea", quantity))).when(requested(1_000 * quantity))
    return story.when(ReachDeadline(order=a_key(), deadline_ms=END_MS), at_ms=END_MS)


def count(units: int) -> SetStock:
    """So many teas are there now."""
    return SetStock(coordinate=product("tea"), on_hand=units, source="shelf", version=1, cause="count 1")


def other_sale(units: int) -> tuple[CommandBody, ...]:
    """Somebody else buys so many."""
    key = a_key("other")
    return (
        an_order(("tea", units), key=key, rumor="other"),
        requested(1_000 * units, key),
        paid(1_000 * units, key),
    )


def confirmations(story: Story) -> int:
    """How often the buyer read that the order is confirmed."""
    told = [e.reply for r in story.journal for e in r.events if isinstance(e, ReplyPromised) and e.order == a_key()]
    return sum(getattr(reply, "status", "") == "confirmed" for reply in told)


@pytest.mark.case("P10", "P12")
@pytest.mark.req("TR-15", "C-04")
@pytest.mark.parametrize("actor", [None, Actor.BUYER, Actor.MERCHANT])
def test_the_merchant_takes_late_money_and_the_order_goes_on(actor: Actor | None) -> None:
    """Stock is held and sold anew, the buyer reads once that it is confirmed, and it can be sent."""
    story = expired() if actor is None else given(tea(), an_order(("tea", 1)), requested(1_000), cancelled(actor))
    story.when(paid(1_000), at_ms=LATER_MS).then(PaymentSettled, ReplyPromised)
    assert story.order().payment is PaymentAxis.LATE

    story.when(BACK, at_ms=LATER_MS).then(OrderReinstated, *WHOLE)
    assert story.one(OrderReinstated).actor is Actor.MERCHANT
    assert story.told()[0] == "confirmed"
    assert (row(story).status, row(story).payment) == (OrderStatus.CONFIRMED, PaymentAxis.PAID)
    stock = story.shop.stock[product("tea")]
    assert (stock.on_hand, stock.held) == (4, 0)
    story.when(BACK, at_ms=LATER_MS).then_nothing()
    assert confirmations(story) == 1
    story.when(moved(OrderStatus.PROCESSING)).then(OrderMoved, ReplyPromised)
    audited(story.journal)


@pytest.mark.case("P11")
@pytest.mark.req("TR-15", "C-04")
def test_an_order_whose_goods_are_gone_is_not_reinstated_and_the_merchant_reads_which() -> None:
    """It stays as it was, so that its money can be given back."""
    story = expired(stock=2, quantity=2).when(*other_sale(1), at_ms=LATER_MS).when(paid(2_000), at_ms=LATER_MS)

    story.when(BACK, at_ms=LATER_MS).then(MoveRefused)
    refused = story.one(MoveRefused)
    assert (refused.reason, refused.detail) == ("insufficient_stock", "Tea: 2 are wanted, 1 are left")
    assert (story.order().status, story.order().payment) == (OrderStatus.EXPIRED, PaymentAxis.LATE)
    story.when(refunded(2_000, "operator 3"))
    assert story.order().status is OrderStatus.REFUNDED
    audited(story.journal)


@pytest.mark.req("TR-15")
def test_goods_that_came_in_again_bring_it_back() -> None:
    """The same merchant, another word."""
    story = expired(stock=1).when(*other_sale(1), at_ms=LATER_MS).when(paid(1_000), BACK, at_ms=LATER_MS)
    story.when(count(3), AGAIN, at_ms=LATER_MS)
    assert story.order().status is OrderStatus.CONFIRMED
    audited(story.journal)


def test_what_is_not_counted_is_not_held() -> None:
    """As by any confirmation."""
    story = expired(stock=None).when(paid(1_000), at_ms=LATER_MS)
    story.when(BACK, at_ms=LATER_MS).then(OrderReinstated, OrderMoved, ReplyPromised)
    audited(story.journal)


@pytest.mark.req("C-04")
def test_late_money_that_is_short_of_the_price_brings_nothing_back() -> None:
    """Two late parts of it do, and so does one that misses no more than the shop lets go."""
    story = (
        expired().when(paid(400, state=BackendState.PARTIAL), at_ms=LATER_MS).then(PaymentPartReceived, ReplyPromised)
    )
    story.when(BACK, at_ms=LATER_MS).then(MoveRefused)
    refused = story.one(MoveRefused)
    assert (refused.reason, refused.detail) == ("underpaid", "600000 of 1000000 msat are missing")
    story.when(paid(1_000), at_ms=LATER_MS).when(AGAIN, at_ms=LATER_MS).then(OrderReinstated, *WHOLE)
    audited(story.journal)

    story = expired(short_accepted_sats=5).when(paid(995), at_ms=LATER_MS)
    story.when(BACK, at_ms=LATER_MS).then(OrderReinstated, *WHOLE)
    audited(story.journal)


def test_what_was_given_back_already_covers_nothing() -> None:
    """A part of the late money went back before the merchant thought better of it."""
    story = expired().when(paid(1_000), at_ms=LATER_MS).when(refunded(1, "operator 3"))
    story.when(BACK, at_ms=LATER_MS).then(MoveRefused)
    assert story.one(MoveRefused).reason == "underpaid"


@pytest.mark.req("C-03")
def test_what_came_above_the_price_is_owed() -> None:
    """And the buyer reads it beside the confirmation."""
    story = expired().when(paid(1_300), at_ms=LATER_MS)
    story.when(BACK, at_ms=LATER_MS).then(OrderReinstated, StockHeld, RefundOwed, *WHOLE[1:])
    owed = story.one(RefundOwed)
    assert (owed.amount_msat, owed.reason) == (300_000, OwedFor.OVER)
    assert "You paid 300 sats too much" in story.told()[1]
    assert row(story).owed_msat == 300_000


@pytest.mark.req("TR-15")
@pytest.mark.parametrize(
    "past",
    [
        lambda: given(tea(), an_order(("tea", 1)), requested(1_000)),
        lambda: given(tea(), an_order(("tea", 1)), requested(1_000), paid(1_000)),
        lambda: given(tea(), an_order(("tea", 1)), requested(1_000), paid(1_000), cancelled(Actor.MERCHANT)),
        expired,
        lambda: expired().when(paid(1_000), refunded(1_000, "operator 3"), at_ms=LATER_MS),
    ],
    ids=["pending", "paid", "cancelled after it was paid", "expired without money", "refunded"],
)
def test_only_an_order_with_late_money_is_reinstated(past: Callable[[], Story]) -> None:
    """What is cancelled after it was paid is owed its money: it was sold once, and its goods may be on their way."""
    story = past().when(BACK, at_ms=LATER_MS).then(MoveRefused)
    assert story.one(MoveRefused).reason == "nothing_to_reinstate"


def test_an_order_that_nobody_knows_is_not_reinstated() -> None:
    """Said by its name."""
    assert given(tea()).when(BACK).one(MoveRefused).reason == "unknown_order"


def test_an_order_whose_money_was_taken_back_once_is_not_reinstated() -> None:
    """It may have been sold before, and its goods be on their way."""
    story = expired().when(paid(1_000), paid(1_000, state=BackendState.REVERSED), at_ms=LATER_MS)
    assert story.order().payment is PaymentAxis.REVERSED
    other = paid(1_000).model_copy(update={"intent_id": intent_id(a_key(), 2)})
    story.when(other, at_ms=LATER_MS)
    assert story.order().payment is PaymentAxis.LATE
    assert story.when(BACK, at_ms=LATER_MS).one(MoveRefused).reason == "payment_reversed"


@pytest.mark.req("TR-16")
def test_a_reinstated_order_whose_money_is_taken_back_waits_for_a_person_as_any_other() -> None:
    """What counted for its price is gone."""
    story = expired().when(paid(1_000), BACK, at_ms=LATER_MS)
    story.when(paid(1_000, state=BackendState.REVERSED), at_ms=LATER_MS)
    assert story.one(PaymentReversed).credit_msat == 0
    assert story.order().payment is PaymentAxis.REVERSED
    audited(story.journal)


@pytest.mark.req("NCC-09")
def test_the_buyer_of_a_reinstated_order_on_hold_reads_it_when_it_is_released() -> None:
    """As of any confirmation."""
    story = expired().when(held(), paid(1_000), BACK, at_ms=LATER_MS)
    assert story.none(ReplyPromised)
    story.when(released(), at_ms=LATER_MS)
    assert confirmations(story) == 1
    audited(story.journal)


# By itself


def late(story: Story, *before: CommandBody, sats: int = 1_000) -> Story:
    """The money comes after all this, and after the order ended."""
    return story.when(*before, at_ms=LATER_MS).when(paid(sats), at_ms=LATER_MS)


def stays_late(story: Story) -> None:
    """The merchant decides, as without the rule."""
    story.then(PaymentSettled, ReplyPromised)
    assert isinstance(story.reply(), TextReply)
    assert story.order().payment is PaymentAxis.LATE
    audited(story.journal)


@pytest.mark.case("P10")
@pytest.mark.req("TR-15")
@pytest.mark.parametrize("price", ["1000", "900", "1020"])
def test_late_money_brings_an_expired_order_back_where_the_shop_says_so(price: str) -> None:
    """Its goods are there, and the price is no more than two in a hundred above the promised one, which counts."""
    story = late(expired(late_accepted_percent=2), tea(price, at_s=NOW_S))
    story.then(PaymentSettled, OrderReinstated, *WHOLE)
    assert story.one(PaymentSettled).late
    assert story.one(OrderReinstated).actor is Actor.COORDINATOR
    assert story.told()[0] == "confirmed"
    assert (row(story).status, row(story).payment) == (OrderStatus.CONFIRMED, PaymentAxis.PAID)
    assert row(story).owed_msat == 0
    story.when(paid(1_000), at_ms=LATER_MS).then_nothing()
    assert confirmations(story) == 1


@pytest.mark.case("P11")
@pytest.mark.req("TR-15")
def test_late_money_of_an_order_whose_price_has_moved_stays_late() -> None:
    """One sat above what the shop lets go."""
    stays_late(late(expired(late_accepted_percent=2), tea("1021", at_s=NOW_S)))


@pytest.mark.case("P11")
@pytest.mark.req("TR-15")
def test_late_money_of_an_order_in_dollars_is_measured_by_todays_rate() -> None:
    """Bitcoin lost a tenth since the order was priced; without a rate nobody can say."""
    rules = OpenShop(settings=ShopSettings(late_accepted_percent=2))
    dollars = RecordListing(listing=a_listing("tea", "2", "USD", stock=5))

    def ended() -> Story:
        story = given(rules, dollars, an_order(("tea", 1))).when(requested(2_000))
        return story.when(ReachDeadline(order=a_key(), deadline_ms=END_MS), at_ms=END_MS)

    stays_late(ended().when(paid(2_000), at_ms=LATER_MS, rates=a_rate(sats_per_unit="1100", as_of_ms=LATER_MS)))
    stays_late(ended().when(paid(2_000), at_ms=LATER_MS, rates={}))
    story = ended().when(paid(2_000), at_ms=LATER_MS, rates=a_rate(as_of_ms=LATER_MS))
    story.then(PaymentSettled, OrderReinstated, *WHOLE)


@pytest.mark.case("P11")
@pytest.mark.req("TR-15")
def test_late_money_of_an_order_whose_goods_are_sold_stays_late() -> None:
    """Nothing is taken from anybody for it."""
    stays_late(late(expired(stock=1, late_accepted_percent=100), *other_sale(1)))


@pytest.mark.case("P11")
def test_late_money_of_an_order_whose_goods_are_off_sale_stays_late() -> None:
    """The merchant may still want to send one: the command is another matter."""
    stays_late(late(expired(late_accepted_percent=100), tea(at_s=NOW_S, sold=True)))


@pytest.mark.case("P12")
@pytest.mark.req("TR-15")
@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.MERCHANT])
def test_late_money_never_brings_back_by_itself_what_somebody_cancelled(actor: Actor) -> None:
    """They wanted it over."""
    rules = OpenShop(settings=ShopSettings(late_accepted_percent=100))
    stays_late(late(given(rules, tea(), an_order(("tea", 1)), requested(1_000), cancelled(actor))))


@pytest.mark.case("P10")
def test_late_money_brings_nothing_back_by_itself_unless_the_shop_says_so() -> None:
    """The rule is off until it is set; a person who has the order decides as well."""
    stays_late(late(expired()))
    story = expired(late_accepted_percent=0).when(held(), at_ms=LATER_MS).when(paid(1_000), at_ms=LATER_MS)
    assert story.none(OrderReinstated)


@pytest.mark.case("P10")
def test_late_parts_bring_an_order_back_with_the_one_that_completes_its_price() -> None:
    """As they came to it over a request that takes several."""
    story = expired(late_accepted_percent=0)
    story.when(paid(400, state=BackendState.PARTIAL), at_ms=LATER_MS).then(PaymentPartReceived, ReplyPromised)
    story.when(paid(1_000, state=BackendState.PARTIAL), at_ms=LATER_MS)
    story.then(PaymentPartReceived, OrderReinstated, *WHOLE)
    more: ObservePayment = paid(1_100)
    story.when(more, at_ms=LATER_MS).then(PaymentSettled, RefundOwed, ReplyPromised)
    assert story.one(RefundOwed).amount_msat == 100_000
    audited(story.journal)


def test_the_rule_is_switched_off_as_it_was_switched_on() -> None:
    """An empty value is none, in the words of `ncc merchant set`."""
    assert ShopSettings.model_validate({"late_accepted_percent": "3"}).late_accepted_percent == 3
    assert ShopSettings.model_validate({"late_accepted_percent": ""}).late_accepted_percent is None
