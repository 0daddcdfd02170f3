"""Ecash that is handed in is reported, swapped elsewhere, and either pays or is refused with a word (PAY-11)."""

from __future__ import annotations

import pytest

from schemas.cashu.faults import TokenFault
from schemas.catalogue import RecordListing
from schemas.ecash import EcashTerms, HandInToken, RecordTokenRefusal, TokenHandedIn, TokenRefused
from schemas.freezes import FreezeMerchant
from schemas.market.mints import read_mints
from schemas.orders import OrderStatus
from schemas.payments import BackendState, PaymentAxis, PaymentSettled, PaymentWanted
from schemas.preferences import RecordPreference
from schemas.replies import ReplyPromised, TextReply
from schemas.values import SealedDetails
from streams.domain import ecash
from tests.streams.domain.test_projections import order_row
from tests.support.builders import NOW_S, Tag, a_listing, an_event, an_id, an_order
from tests.support.preferences import LOCK, MINT, takes_ecash
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


def mint_list(*tags: Tag, at: int = NOW_S) -> RecordPreference:
    """A list of these mints without a key."""
    return RecordPreference(preference=read_mints(an_event(10019, *tags, at=at)))


def ecash_of(*mints: str) -> EcashTerms:
    return EcashTerms(mints=mints)


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


@pytest.mark.parametrize(
    ("said", "terms"),
    [
        ((), None),
        ((takes_ecash(),), EcashTerms(mints=(MINT,), lock_key=f"02{LOCK}")),
        (
            (takes_ecash("https://b.example", "https://a.example"),),
            EcashTerms(mints=("https://b.example", "https://a.example"), lock_key=f"02{LOCK}"),
        ),
        (
            (mint_list(("mint", MINT, "usd"), ("mint", "https://a.example", "usd", "sat")),),
            ecash_of("https://a.example"),
        ),
        ((mint_list(("mint", MINT, "usd")),), ecash_of()),
        ((mint_list(),), EcashTerms()),
        ((takes_ecash(), mint_list(("mint", "https://a.example"), at=NOW_S + 1)), ecash_of("https://a.example")),
    ],
)
def test_a_request_is_wanted_by_the_shops_mint_list(
    said: tuple[RecordPreference, ...], terms: EcashTerms | None
) -> None:
    """Mints that it names for sats, in its order, and its key as a lock has it; the newest list counts."""
    story = given(TEA, *said).when(an_order(("tea", 2)))
    assert story.one(PaymentWanted).ecash == terms
    asked_ = story.when(REQUEST).when(paid(5, state=BackendState.SETTLED))
    assert asked_.one(PaymentWanted).ecash == terms


@pytest.mark.req("PAY-11")
def test_the_merchants_list_of_orders_says_why_ecash_was_not_taken() -> None:
    """Until other ecash comes for the order: that of a mint which is not listed has to be spoken about."""
    story = asked().when(hands_in()).when(refuses(reason=TokenFault.FOREIGN_MINT))
    assert (order_row(story).token_refused, order_row(story).payment) == ("foreign_mint", PaymentAxis.REQUESTED)
    story.when(hands_in("another"))
    assert (order_row(story).token_refused, order_row(story).payment) == ("", PaymentAxis.REPORTED)
