"""Ecash that is handed in is reported, swapped elsewhere, and either pays or is refused with a word (PAY-11)."""

from __future__ import annotations

import pytest

from schemas.cashu.faults import TokenFault
from schemas.catalogue import RecordListing
from schemas.ecash import HandInToken, RecordTokenRefusal, TokenHandedIn, TokenRefused
from schemas.freezes import FreezeMerchant
from schemas.orders import OrderStatus
from schemas.payments import PaymentAxis, PaymentSettled
from schemas.replies import ReplyPromised, TextReply
from schemas.values import SealedDetails
from streams.domain import ecash
from tests.support.builders import a_listing, an_id, an_order
from tests.support.steps import cancelled, paid, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=50))
REQUEST = requested(20).model_copy(update={"medium": "ecash", "text": "creqAexample", "payment_hash": None})


def asked() -> Story:
    """An order for 20 sats that is to be paid in ecash."""
    return given(TEA, an_order(("tea", 2)), REQUEST)


def hands_in(name: str = "token", intent: str = REQUEST.intent_id) -> HandInToken:
    return HandInToken(intent_id=intent, token_id=an_id(name), sealed=SealedDetails(key_id=f"t:{name}", box="c2VhbGVk"))


def refuses(name: str = "token", reason: TokenFault = TokenFault.SPENT) -> RecordTokenRefusal:
    return RecordTokenRefusal(intent_id=REQUEST.intent_id, token_id=an_id(name), reason=reason)


def payment_of(story: Story) -> PaymentAxis:
    return story.order().payment


def test_a_token_is_reported_and_its_repeat_is_nothing() -> None:
    """It moves no money: the order waits for what the mint says."""
    story = asked().when(hands_in())
    story.then(TokenHandedIn)
    assert (payment_of(story), story.order().status) == (PaymentAxis.REPORTED, OrderStatus.PENDING)
    story.when(hands_in()).then_nothing()


@pytest.mark.case("F10")
def test_a_token_that_was_refused_leaves_the_order_unpaid_and_the_buyer_told() -> None:
    """Reported, then failed, with the reason; once however often it is said, and another token may follow."""
    story = asked().when(hands_in()).when(refuses())
    story.then(TokenRefused, ReplyPromised)
    reply = story.one(ReplyPromised).reply
    assert isinstance(reply, TextReply)
    assert "spent" in reply.text
    assert (payment_of(story), story.order().status) == (PaymentAxis.REQUESTED, OrderStatus.PENDING)
    story.when(refuses()).then_nothing()
    story.when(hands_in()).then_nothing()
    story.when(hands_in("another")).then(TokenHandedIn)


def test_a_token_that_was_swapped_pays_like_any_money() -> None:
    """Through the look-up, and through nothing else; what is refused after that is told to nobody."""
    story = asked().when(hands_in()).when(paid(20))
    assert story.one(PaymentSettled).gross_msat == 20_000
    assert payment_of(story) is PaymentAxis.PAID
    assert story.when(hands_in("late")).then(TokenRefused).one(TokenRefused).reason is TokenFault.ALREADY_PAID
    story.when(refuses("other")).then(TokenRefused)
    assert payment_of(story) is PaymentAxis.PAID


def test_a_token_for_no_request_of_this_shop_is_refused_once() -> None:
    """Whoever posted it reads why."""
    story = asked().when(hands_in(intent=an_id("nobody's")))
    assert story.then(TokenRefused).one(TokenRefused).order is None
    assert story.one(TokenRefused).reason is TokenFault.UNKNOWN_REQUEST
    story.when(hands_in(intent=an_id("nobody's"))).then_nothing()


def test_a_token_for_an_order_that_is_over_or_held_back_is_refused() -> None:
    """The payer keeps it: nobody is to swap it for goods that will not come."""
    over = asked().when(cancelled()).when(hands_in())
    assert over.then(TokenRefused).one(TokenRefused).reason is TokenFault.NOT_PAYABLE
    frozen = asked().when(FreezeMerchant(code="I5", reason="books", cause="c")).when(hands_in())
    assert frozen.one(TokenRefused).reason is TokenFault.NOT_PAYABLE


def test_an_order_takes_only_so_many_tokens() -> None:
    """Each stands in the journal, sealed, and a stranger would fill it."""
    story = asked()
    for number in range(ecash.HANDED_MAX):
        story.when(hands_in(f"token {number}")).then(TokenHandedIn)
    assert story.when(hands_in("one more")).one(TokenRefused).reason is TokenFault.TOO_MANY_TOKENS


@pytest.mark.parametrize("reason", list(TokenFault))
def test_every_reason_reaches_the_buyer_as_a_word(reason: TokenFault) -> None:
    """In the shop's language, with the stable word that the journal has."""
    story = asked().when(hands_in()).when(refuses(reason=reason))
    reply = story.one(ReplyPromised).reply
    assert isinstance(reply, TextReply)
    assert reason.value in reply.text
