"""Checks orders whose wallet does not answer: the buyer hears that a request is late, and no order ends unheard."""

from __future__ import annotations

import pytest

from schemas.absence import RecordWalletAbsence, RequestForgotten, WalletAnswered, WalletMissed
from schemas.catalogue import RecordListing
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.holds import ReplyWithheld
from schemas.messages import CommandBody
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ReachDeadline
from schemas.payments import BackendState, PaymentDropped, PaymentPartReceived, PaymentSettled, PaymentWanted, intent_id
from schemas.replies import ReplyPromised, TextReply
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockCommitted, StockReleased
from schemas.texts.phrases import Language
from streams.domain.shop import Due
from tests.support.books import audited
from tests.support.builders import NOW_MS, a_key, a_listing, an_id, an_order
from tests.support.steps import held, paid, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "1000", stock=5))
AWAY = RecordWalletAbsence(order=a_key(), intent_id=intent_id(a_key(), 1))
END_MS = NOW_MS + 960_000
"""When an unpaid order ends: a quarter of an hour, and a minute's grace."""
HOUR_MS = 3_600_000
OPEN, EXPIRED = BackendState.OPEN, BackendState.EXPIRED


def ordered(*rules: CommandBody, language: Language | None = None) -> Story:
    """An order for 1,000 sats whose request is wanted."""
    order = an_order(("tea", 1)).model_copy(update={"language": language})
    return given(*rules, TEA, order)


def asked(**settings: int) -> Story:
    """The same, with the request shown."""
    return ordered(OpenShop(settings=ShopSettings(**settings))).when(requested(1_000))


def ends(at_ms: int) -> ReachDeadline:
    """The deadline that the order had at this time is over."""
    return ReachDeadline(order=a_key(), deadline_ms=at_ms)


def nothing_came(state: BackendState = OPEN) -> CommandBody:
    """The wallet was asked, and has no money for it."""
    return paid(0, state=state)


@pytest.mark.case("P16")
@pytest.mark.parametrize(
    ("language", "words"), [(None, "does not answer"), (Language.GERMAN, "antwortet"), (Language.SPANISH, "responde")]
)
def test_a_buyer_whose_request_is_late_is_told_once_in_their_language(language: Language | None, words: str) -> None:
    """However often it is said; the request comes all the same, and the order's end stays where it was."""
    story = ordered(language=language).when(AWAY).then(WalletMissed, ReplyPromised)
    reply = story.reply()
    assert isinstance(reply, TextReply)
    assert words in reply.text
    assert story.order().deadline_ms == END_MS
    story.when(AWAY, at_ms=NOW_MS + 60_000).then_nothing()

    story.when(requested(1_000)).when(paid(1_000)).then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    audited(story.journal)


@pytest.mark.case("P17")
@pytest.mark.parametrize("state", [OPEN, EXPIRED, BackendState.CANCELLED])
def test_an_order_whose_wallet_is_away_does_not_end_before_it_answered(state: BackendState) -> None:
    """Nobody can say whether it was paid, so its goods stay held; the first answer after its end ends it."""
    story = asked().when(AWAY, at_ms=END_MS - 90_000)
    story.then(WalletMissed(order=a_key(), intent_id=AWAY.intent_id, deadline_ms=END_MS + HOUR_MS))
    story.when(ends(END_MS), at_ms=END_MS).then_nothing()

    story.when(nothing_came(state), at_ms=END_MS + 420_000)
    story.then(WalletAnswered(order=a_key(), intent_id=AWAY.intent_id, deadline_ms=END_MS))
    assert Due(END_MS, "deadline", a_key()) in story.shop.take_due(END_MS + 420_000)
    story.when(ends(END_MS), at_ms=END_MS + 420_001).then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.EXPIRED
    audited(story.journal)


@pytest.mark.case("P17")
def test_money_that_came_while_the_wallet_was_away_pays_the_order() -> None:
    """It is found seven minutes after the order would have ended, and is not late."""
    story = asked().when(AWAY, at_ms=END_MS - 30_000)
    story.when(ends(END_MS), at_ms=END_MS).then_nothing()
    story.when(paid(1_000), at_ms=END_MS + 420_000).then(PaymentSettled, StockCommitted, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.CONFIRMED
    audited(story.journal)


@pytest.mark.case("P17")
def test_an_order_waits_for_an_absent_wallet_only_so_long() -> None:
    """Its stock is not held for ever: the same said again and again moves nothing."""
    story = asked(wallet_wait_s=600).when(AWAY, at_ms=END_MS - 30_000)
    story.when(AWAY, at_ms=END_MS + 300_000).then_nothing()
    story.when(AWAY, at_ms=END_MS + 599_000).then_nothing()
    last_ms = END_MS + 600_000
    story.when(ends(last_ms), at_ms=last_ms).then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)
    audited(story.journal)


def test_a_shop_may_have_its_orders_end_all_the_same() -> None:
    """`wallet_wait_s` is 0."""
    asked(wallet_wait_s=0).when(AWAY, at_ms=END_MS - 30_000).then_nothing()


def test_an_answer_while_the_request_can_still_be_paid_says_nothing() -> None:
    """It may be paid a moment later, when the wallet is away again."""
    story = asked().when(AWAY, at_ms=END_MS - 90_000)
    story.when(nothing_came(), at_ms=END_MS - 1).then_nothing()
    assert story.order().deadline_ms == END_MS + HOUR_MS


def test_absence_that_is_said_again_after_the_answer_says_nothing() -> None:
    """A process that lost its partition may say it late."""
    story = asked(ask_again_s=86_400).when(AWAY, at_ms=END_MS - 30_000)
    story.when(nothing_came(), at_ms=END_MS).then(WalletAnswered)
    story.when(AWAY, at_ms=END_MS + 1).then_nothing()
    assert story.order().deadline_ms == END_MS + 86_400_000


@pytest.mark.case("P17")
def test_a_buyer_gets_no_second_request_before_the_wallet_said_what_became_of_the_first() -> None:
    """Where a shop lets its buyers ask again: the first may be paid, and then its money would be late."""
    again = an_order(("tea", 1)).model_copy(update={"rumor_id": an_id("again")})
    story = asked(ask_again_s=86_400).when(AWAY, at_ms=END_MS - 30_000)
    story.when(again, at_ms=END_MS + 60_000).then(MoveRefused)

    story.when(nothing_came(), at_ms=END_MS + 120_000).then(WalletAnswered)
    third = again.model_copy(update={"rumor_id": an_id("third")})
    story.when(third, at_ms=END_MS + 180_000)
    assert story.one(PaymentWanted).revision == 2
    audited(story.journal)


def test_a_part_that_came_is_an_answer_too() -> None:
    """The order waits for the rest as any other does, and may wait for its wallet once more."""
    story = asked().when(AWAY, at_ms=END_MS - 90_000)
    story.when(paid(400, state=BackendState.PARTIAL), at_ms=END_MS - 60_000).then(PaymentPartReceived, ReplyPromised)
    rest_ms = END_MS - 60_000 + 900_000
    assert (story.order().deadline_ms, story.order().ends_ms) == (rest_ms, None)

    story.when(AWAY, at_ms=rest_ms - 1_000).then(WalletMissed)
    story.when(paid(400, state=BackendState.PARTIAL), at_ms=rest_ms).then(WalletAnswered)
    assert story.order().deadline_ms == rest_ms
    audited(story.journal)


def test_a_wallet_that_has_forgotten_the_request_has_not_answered() -> None:
    """That is never called unpaid (P18): the order ends at the end of its wait."""
    story = asked().when(AWAY, at_ms=END_MS - 30_000)
    story.when(nothing_came(BackendState.GONE), at_ms=END_MS + 60_000).then(RequestForgotten)
    assert story.order().deadline_ms == END_MS + HOUR_MS
    story.when(nothing_came(BackendState.UNKNOWN), at_ms=END_MS + 60_000).then_nothing()


def test_absence_about_what_nobody_waits_for_says_nothing() -> None:
    """An order that is unknown, paid or over, and a request of a former revision."""
    given(TEA).when(AWAY).then_nothing()
    asked().when(paid(1_000)).when(AWAY).then_nothing()
    asked().when(ends(END_MS), at_ms=END_MS).when(AWAY, at_ms=END_MS).then_nothing()
    asked().when(AWAY.model_copy(update={"intent_id": "ab" * 32})).then_nothing()


def test_an_order_that_was_frozen_or_on_hold_meanwhile_has_its_grace() -> None:
    """The answer brings its end back to what it is by then, not to what it was."""
    story = asked().when(AWAY, at_ms=END_MS - 30_000)
    story.when(FreezeMerchant(code="I9", reason="r", cause="c1"), at_ms=END_MS)
    thawed_ms = END_MS + 600_000
    story.when(ThawMerchant(reason="r", cause="c2"), at_ms=thawed_ms)
    story.when(nothing_came(), at_ms=thawed_ms + 1_000).then_nothing()
    story.when(nothing_came(), at_ms=thawed_ms + 60_000).then(WalletAnswered)
    assert story.order().deadline_ms == thawed_ms + 60_000
    audited(story.journal)

    on_hold = asked().when(AWAY, at_ms=END_MS - 30_000).when(held()).when(nothing_came(), at_ms=END_MS)
    on_hold.when(ends(END_MS), at_ms=END_MS).then_nothing()


def test_a_buyer_whose_order_is_a_persons_is_told_later() -> None:
    """Of an order on hold nothing is said before it is released."""
    ordered().when(held()).when(AWAY).then(WalletMissed, ReplyWithheld)
