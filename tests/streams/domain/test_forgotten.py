"""Checks orders whose wallet has forgotten the request that was shown: a person decides, or it knows it again."""

from __future__ import annotations

import pytest

from schemas.absence import RecordWalletAbsence, RequestForgotten, RequestRecalled, WalletMissed
from schemas.holds import OrderRenewed, RenewOrder
from schemas.messages import CommandBody
from schemas.orders import MoveRefused, OrderMoved, OrderQuoted, OrderStatus
from schemas.payments import (
    BackendState,
    PaymentDropped,
    PaymentImplied,
    PaymentPartReceived,
    PaymentSettled,
    PaymentWanted,
)
from schemas.replies import ReplyPromised
from schemas.stock import StockCommitted, StockHeld, StockReleased
from streams.domain.shop import Due
from tests.streams.domain.test_absence import END_MS, HOUR_MS, asked, ends, nothing_came, ordered
from tests.streams.domain.test_settlement import row
from tests.support.books import audited
from tests.support.builders import a_key, an_id, an_order
from tests.support.steps import cancelled, moved, paid, requested
from tests.support.story import Story

GONE = paid(0, state=BackendState.GONE)
INTENT = GONE.intent_id
ANEW = RenewOrder(order=a_key(), cause="operator 1")
EXPIRE = (StockReleased, PaymentDropped, OrderMoved, ReplyPromised)


def forgotten(**settings: int) -> Story:
    """A minute before the order would end, its wallet does not know its request."""
    return asked(**settings).when(GONE, at_ms=END_MS - 60_000)


@pytest.mark.case("P18")
def test_an_order_whose_request_was_forgotten_does_not_end_at_its_deadline() -> None:
    """It is said once, wants a person, and holds its stock for an hour more; then it ends as any other."""
    story = forgotten().then(RequestForgotten(order=a_key(), intent_id=INTENT, deadline_ms=END_MS + HOUR_MS))
    assert row(story).request_forgotten
    story.when(GONE, at_ms=END_MS - 1).then_nothing()
    story.when(ends(END_MS), at_ms=END_MS).then_nothing()
    assert story.order().status is OrderStatus.PENDING

    last_ms = END_MS + HOUR_MS
    story.when(ends(last_ms), at_ms=last_ms).then(*EXPIRE)
    assert story.order().status is OrderStatus.EXPIRED
    audited(story.journal)


@pytest.mark.case("P18")
@pytest.mark.parametrize("state", [BackendState.OPEN, BackendState.EXPIRED, BackendState.CANCELLED])
def test_a_wallet_that_knows_the_request_again_asks_nobody(state: BackendState) -> None:
    """The order ends when it would have; forgotten once more, that is said once more, and the hour is not added up."""
    story = forgotten().when(nothing_came(state), at_ms=END_MS - 30_000)
    story.then(RequestRecalled(order=a_key(), intent_id=INTENT, deadline_ms=END_MS))
    assert not row(story).request_forgotten
    assert Due(END_MS, "deadline", a_key()) in story.shop.take_due(END_MS)

    story.when(GONE, at_ms=END_MS - 20_000).then(RequestForgotten)
    assert story.order().deadline_ms == END_MS + HOUR_MS
    story.when(nothing_came(state), at_ms=END_MS + 60_000).then(RequestRecalled)
    story.when(ends(END_MS), at_ms=END_MS + 60_001).then(*EXPIRE)
    audited(story.journal)


@pytest.mark.case("P18")
def test_money_that_is_there_after_all_pays_the_order() -> None:
    """It is in time as long as the order waits for a person."""
    story = forgotten().when(paid(1_000), at_ms=END_MS + 420_000)
    story.then(RequestRecalled, PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    assert (story.order().status, row(story).request_forgotten) == (OrderStatus.CONFIRMED, False)
    audited(story.journal)


def test_a_part_of_it_is_a_part() -> None:
    """And the order waits for the rest."""
    story = forgotten().when(paid(400, state=BackendState.PARTIAL), at_ms=END_MS - 30_000)
    story.then(RequestRecalled, PaymentPartReceived, ReplyPromised)
    assert story.order().deadline_ms == END_MS - 30_000 + 900_000
    story.when(GONE, at_ms=END_MS).then(RequestForgotten)
    story.when(ANEW, at_ms=END_MS)
    assert story.one(MoveRefused).reason == "part_paid"
    audited(story.journal)


@pytest.mark.case("P18")
def test_the_merchant_may_ask_for_the_money_anew() -> None:
    """Another price and another request, on the words the buyer said; the forgotten one is late if it is paid."""
    story = forgotten().when(ANEW, at_ms=END_MS + 60_000)
    story.then(StockReleased, PaymentDropped, OrderRenewed, OrderQuoted, StockHeld, PaymentWanted)
    assert (story.one(PaymentWanted).revision, row(story).request_forgotten) == (2, False)
    story.when(ANEW, at_ms=END_MS + 60_000).then_nothing()
    audited(story.journal)

    story.when(paid(1_000), at_ms=END_MS + 61_000)
    assert story.one(PaymentSettled).late
    story.when(requested(1_000, revision=2), at_ms=END_MS + 62_000)
    story.when(paid(1_000, revision=2), at_ms=END_MS + 63_000)
    assert story.order().status is OrderStatus.CONFIRMED
    audited(story.journal)


@pytest.mark.case("P18")
@pytest.mark.parametrize(
    ("word", "fact"), [(moved(OrderStatus.CONFIRMED), PaymentImplied), (cancelled(), StockReleased)]
)
def test_the_merchant_may_confirm_it_or_cancel_it(
    word: CommandBody, fact: type[PaymentImplied | StockReleased]
) -> None:
    """As any order that waits for its money."""
    story = forgotten().when(word, at_ms=END_MS + 60_000)
    assert story.one(fact).order == a_key()
    audited(story.journal)


def test_only_a_request_that_was_forgotten_is_asked_for_anew() -> None:
    """One that can be paid would be paid twice."""
    assert asked().when(ANEW).one(MoveRefused).reason == "nothing_to_renew"
    assert forgotten().when(cancelled()).when(ANEW).one(MoveRefused).reason == "nothing_to_renew"
    other = RenewOrder(order=a_key("nobody's"), cause="operator 2")
    assert asked().when(other).one(MoveRefused).reason == "unknown_order"


@pytest.mark.case("P18")
def test_its_buyer_gets_no_second_request_before_somebody_decides() -> None:
    """They may have paid the first."""
    again = an_order(("tea", 1)).model_copy(update={"rumor_id": an_id("again")})
    forgotten(ask_again_s=86_400).when(again, at_ms=END_MS + 60_000).then(MoveRefused)


def test_a_shop_may_have_its_orders_end_all_the_same() -> None:
    """`wallet_wait_s` is 0: the merchant is asked as long as the order waits."""
    story = forgotten(wallet_wait_s=0).then(RequestForgotten)
    assert (row(story).request_forgotten, story.order().deadline_ms) == (True, END_MS)
    story.when(ends(END_MS), at_ms=END_MS).then(*EXPIRE)
    audited(story.journal)


def test_a_wallet_that_was_away_and_has_forgotten_is_waited_for_once() -> None:
    """The two hours are one."""
    away = RecordWalletAbsence(order=a_key(), intent_id=INTENT)
    story = asked().when(away, at_ms=END_MS - 90_000).then(WalletMissed)
    story.when(GONE, at_ms=END_MS).then(RequestForgotten)
    assert story.order().deadline_ms == END_MS + HOUR_MS
    story.when(away, at_ms=END_MS + 1).then_nothing()
    story.when(nothing_came(), at_ms=END_MS + 2).then(RequestRecalled)
    assert story.order().deadline_ms == END_MS
    audited(story.journal)


def test_what_nobody_was_shown_or_waits_for_is_not_forgotten() -> None:
    """A request still to be made, one that was dropped, and one that is paid."""
    ordered().when(GONE).then_nothing()
    asked().when(cancelled()).when(GONE).then_nothing()
    asked().when(paid(1_000)).when(GONE).then_nothing()
