"""Ecash in a message goes the way of what is posted: to who swaps it, for the order it is for (PAY-11)."""

from __future__ import annotations

from schemas.cashu.faults import TokenFault
from schemas.catalogue import RecordListing
from schemas.ecash import RecordTokenRefusal, SealedToken, TokenHandedIn, TokenRefused, intent_start
from schemas.freezes import FreezeMerchant, ThawMerchant
from schemas.inbox import MessageReceived, ReceiveMessage
from schemas.orders import MoveRefused, OrderStatus
from schemas.parking import CommandParked, ReleaseParked
from schemas.payments import (
    AnnouncePayment,
    PaymentAxis,
    PaymentReported,
    RecordPaymentRequest,
    ReportPayment,
    ReportUnnamedPayment,
)
from schemas.replies import ReplyPromised, TextReply
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor, OrderKey, SealedDetails
from services.payments.port import reference
from streams.domain import ecash
from streams.domain.buyers import Silence
from streams.domain.decide import judge
from tests.support.builders import BUYER, NOW_S, STRANGER, a_command, a_key, a_listing, an_id, an_order
from tests.support.steps import cancelled, paid, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=50))
FIRST, SECOND = a_key(), a_key("order-2")


def request(key: OrderKey = FIRST) -> RecordPaymentRequest:
    return requested(20, key).model_copy(update={"medium": "ecash", "text": "creqAexample", "payment_hash": None})


def asked() -> Story:
    """An order for 20 sats that is to be paid in ecash."""
    return given(TEA, an_order(("tea", 2)), request())


def two_orders() -> Story:
    """Two such orders of one buyer."""
    return asked().when(an_order(("tea", 2), key=SECOND, rumor="two"), request(SECOND))


def a_token(name: str = "token", request_id: str | None = None, fault: TokenFault | None = None) -> SealedToken:
    sealed = None if fault else SealedDetails(key_id=f"t:{name}", box="c2VhbGVk")
    return SealedToken(token_id=an_id(name), sealed=sealed, fault=fault, request_id=request_id)


def receipt(*tokens: SealedToken, key: OrderKey = FIRST, rumor: str = "receipt") -> ReportPayment:
    return ReportPayment(order=key, rumor_id=an_id(rumor), medium="ecash", tokens=tokens)


def announced(*tokens: SealedToken, key: OrderKey = FIRST) -> AnnouncePayment:
    return AnnouncePayment(order=key, rumor_id=an_id("16"), amount_sats=20, payments=(), tokens=tokens)


def letter(token: SealedToken, buyer: str = BUYER, rumor: str = "letter") -> ReceiveMessage:
    """A message that is nothing but a token."""
    words = SealedDetails(key_id="c6" * 16, box="c2VhbGVk")
    return ReceiveMessage(
        buyer=buyer, author=Actor.BUYER, rumor_id=an_id(rumor), said_s=NOW_S, text=words, tokens=(token,)
    )


def refuses() -> RecordTokenRefusal:
    return RecordTokenRefusal(intent_id=request().intent_id, token_id=an_id("token"), reason=TokenFault.FOREIGN_MINT)


def told(story: Story) -> str:
    """What the buyer was told, in words."""
    reply = story.one(ReplyPromised).reply
    assert isinstance(reply, TextReply)
    return reply.text


def test_a_receipts_token_is_handed_on_beside_the_claim() -> None:
    """The claim is looked up as ever; the token pays once it was swapped, and the receipt again is nothing."""
    story = asked().when(receipt(a_token())).then(PaymentReported, TokenHandedIn)
    handed = story.one(TokenHandedIn)
    assert (handed.order, handed.intent_id, handed.token_id) == (FIRST, request().intent_id, an_id("token"))
    story.when(receipt(a_token())).then_nothing()
    story.when(receipt(a_token(), rumor="again")).then_nothing()
    assert story.when(paid(20)).order().payment is PaymentAxis.PAID


def test_a_token_comes_with_a_second_receipt_too() -> None:
    """The order is reported by then, which says nothing new; the money does."""
    story = asked().when(receipt()).then(PaymentReported)
    story.when(receipt(a_token(), rumor="again")).then(TokenHandedIn)


def test_a_buyers_own_request_pays_by_the_token_it_shows() -> None:
    """What mint it is of is the wallet's to judge, so the listed mints are not asked."""
    story = asked().when(announced(a_token())).then(TokenHandedIn)
    assert story.order().payment is PaymentAxis.REPORTED
    story.when(announced(a_token())).then_nothing()


def test_a_token_that_is_none_is_refused_and_its_buyer_told() -> None:
    """The order waits for its money as before."""
    story = asked().when(receipt(a_token(fault=TokenFault.BAD_ENCODING)))
    assert story.then(PaymentReported, TokenRefused, ReplyPromised).one(TokenRefused).reason is TokenFault.BAD_ENCODING
    assert "bad_encoding" in told(story)
    assert story.order().payment is PaymentAxis.REQUESTED


def test_a_token_for_an_order_that_is_over_is_refused_and_its_buyer_told() -> None:
    """Nobody waits at a door for the word."""
    story = asked().when(cancelled()).when(announced(a_token()))
    assert story.then(TokenRefused, ReplyPromised).one(TokenRefused).reason is TokenFault.NOT_PAYABLE
    assert "not_payable" in told(story)
    assert "pay" not in told(story).replace("not_payable", "")


def test_a_receipt_with_a_token_waits_for_its_order() -> None:
    """Relays may bring it first; the box waits in the journal and nothing else of it."""
    story = given(TEA).when(receipt(a_token())).then(CommandParked)
    story.when(an_order(("tea", 2)), request())
    assert story.when(ReleaseParked(order=FIRST)).one(TokenHandedIn).token_id == an_id("token")


def test_a_token_without_an_order_is_for_the_buyers_one_order_that_waits_for_ecash() -> None:
    """In a receipt, or as a message of nothing else, which is then no letter; each once."""
    unnamed = ReportUnnamedPayment(buyer=BUYER, payment_hashes=(), receipt=receipt(a_token(), key=a_key("token x")))
    assert asked().when(unnamed).one(TokenHandedIn).order == FIRST
    story = asked().when(letter(a_token())).then(TokenHandedIn)
    assert story.one(TokenHandedIn).order == FIRST
    story.when(letter(a_token())).then_nothing()
    story.when(letter(a_token(), rumor="wrapped anew")).then_nothing()
    story.when(paid(20)).when(letter(a_token())).then_nothing()


def test_a_token_of_nobodys_order_is_a_letter() -> None:
    """The merchant reads it: a gift, or money for something that only a person can tell."""
    for story in (given(TEA), asked().when(cancelled()), two_orders()):
        story.when(letter(a_token())).then(MessageReceived)
    assert asked().when(letter(a_token(), STRANGER)).one(MessageReceived).buyer == STRANGER
    invoice = given(TEA, an_order(("tea", 2)), requested(20))
    invoice.when(letter(a_token())).then(MessageReceived)


def test_a_receipt_with_a_token_of_nobodys_order_is_refused() -> None:
    """Of two orders nobody can tell which; the token is swapped for none."""
    unnamed = ReportUnnamedPayment(buyer=BUYER, payment_hashes=(), receipt=receipt(a_token(), key=a_key("token x")))
    assert two_orders().when(unnamed).then(MoveRefused).one(MoveRefused).reason == "no_order"


def test_a_token_that_names_its_request_is_for_that_whoever_sends_it() -> None:
    """Wallets send under keys of one message alone (NUT-18); who knows the request was shown it, as at the door."""
    name = reference(request(SECOND).intent_id)
    assert request(SECOND).intent_id.startswith(intent_start(name))
    story = two_orders().when(letter(a_token(request_id=name), STRANGER))
    assert story.then(TokenHandedIn).one(TokenHandedIn).order == SECOND
    nobodys = reference(an_id("nobody's"))
    two_orders().when(letter(a_token(request_id=nobodys), STRANGER)).then(MessageReceived)


def test_a_token_for_a_request_that_is_paid_is_refused() -> None:
    """The payer keeps it."""
    name = reference(request().intent_id)
    story = asked().when(paid(20)).when(letter(a_token(request_id=name), STRANGER))
    assert story.one(TokenRefused).reason is TokenFault.ALREADY_PAID
    assert "already_paid" in told(story)
    story.when(letter(a_token(request_id=name), STRANGER)).then_nothing()
    assert story.order().status is OrderStatus.CONFIRMED


def test_tokens_of_one_message_count_as_they_come() -> None:
    """An order takes only so many, however they are bundled."""
    story = asked()
    for number in range(ecash.HANDED_MAX - 1):
        story.when(receipt(a_token(f"token {number}"), rumor=f"r{number}"))
    story.when(receipt(a_token("last"), a_token("one more"), rumor="two"))
    assert story.one(TokenHandedIn).token_id == an_id("last")
    assert story.one(TokenRefused).reason is TokenFault.TOO_MANY_TOKENS


def test_messages_with_tokens_count_like_any_others() -> None:
    """A buyer who says too much in an hour is heard no more; nothing of it is decided."""
    story = asked().when(OpenShop(settings=ShopSettings(buyer_messages_per_hour_max=3)))
    for number in range(2):
        story.when(receipt(a_token(f"token {number}"), rumor=f"r{number}"))
    name = reference(request().intent_id)
    for said in (
        receipt(a_token("more"), rumor="more"),
        announced(a_token("more")),
        letter(a_token("more")),
        letter(a_token("more", request_id=name), STRANGER),
    ):
        assert judge(story.shop, a_command(said), story.rates).silence is Silence.TOO_MANY_MESSAGES


def test_a_token_that_was_refused_may_come_again_in_another_message() -> None:
    """The merchant may have put its mint on the list by then; what became of it is said again, and once."""
    story = asked().when(receipt(a_token())).when(refuses())
    story.when(receipt(a_token())).then_nothing()
    for number, way in enumerate((letter(a_token(), rumor="2"), receipt(a_token(), rumor="3"))):
        story.when(way)
        assert story.one(TokenHandedIn).token_id == an_id("token")
        assert story.order().payment is PaymentAxis.REPORTED
        story.when(way).then_nothing()
        story.when(letter(a_token(), rumor=f"meanwhile {number}")).then_nothing()
        assert story.when(refuses()).then(TokenRefused, ReplyPromised).order().payment is PaymentAxis.REQUESTED
        story.when(refuses()).then_nothing()


def test_a_token_that_was_refused_at_once_may_come_again() -> None:
    """It never went to who swaps, and goes there now."""
    story = asked().when(FreezeMerchant(code="I5", reason="books", cause="c")).when(receipt(a_token()))
    assert story.one(TokenRefused).reason is TokenFault.NOT_PAYABLE
    story.when(ThawMerchant(reason="looked", cause="d"))
    story.when(receipt(a_token())).then_nothing()
    assert story.when(receipt(a_token(), rumor="again")).one(TokenHandedIn).token_id == an_id("token")
