"""The inbox's rules: each message once, answers once a name, what is taken back, and what is only counted."""

from __future__ import annotations

import pytest

from schemas import limits
from schemas.catalogue import RecordListing
from schemas.inbox import (
    AnswerMessage,
    AnswerPromised,
    AnswerRefused,
    DeleteMessages,
    MessageDeleted,
    MessageReceived,
    ReceiveMessage,
)
from schemas.messages import Command
from schemas.orders import OrderPlaced, OrderStatus
from schemas.replies import ReplyPromised
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor, Origin, SealedDetails
from streams.domain import buyers
from streams.domain.decide import judge
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_MS,
    NOW_S,
    OTHER_BUYER,
    STRANGER,
    a_command,
    a_key,
    a_listing,
    an_id,
    an_order,
)
from tests.support.steps import paid, requested
from tests.support.story import Story, given

WORDS = SealedDetails(key_id="c6" * 16, box="c2VhbGVk")
TEA = RecordListing(listing=a_listing())


def a_letter(rumor: str = "letter", buyer: str = BUYER, author: Actor = Actor.BUYER, *refs: str) -> ReceiveMessage:
    """A person's message."""
    return ReceiveMessage(buyer=buyer, author=author, rumor_id=an_id(rumor), said_s=NOW_S, text=WORDS, order_refs=refs)


def an_answer(name: str = "c5" * 16, order_id: str | None = None, answers: str | None = None) -> Command:
    """What the operator answers."""
    wish = AnswerMessage(
        buyer=BUYER, name=name, text=WORDS, order_id=order_id, answers=None if answers is None else an_id(answers)
    )
    return a_command(wish, origin=Origin.OPERATOR)


def a_deletion(*rumors: str, actor: Actor = Actor.BUYER, buyer: str = BUYER) -> DeleteMessages:
    """A wrapped kind 5."""
    return DeleteMessages(buyer=buyer, actor=actor, rumor_ids=tuple(an_id(rumor) for rumor in rumors))


def silence_of(story: Story, said: ReceiveMessage) -> str | None:
    """Why a message is only counted; None where it is heard."""
    return judge(story.shop, a_command(said), story.rates).silence


def test_a_message_stands_in_the_inbox_once_and_moves_nothing() -> None:
    """However often relays bring it."""
    story = given(TEA, an_order()).when(a_letter("letter", BUYER, Actor.BUYER, a_key().ref))
    before = story.order()

    received = story.one(MessageReceived)

    assert (received.order, received.text, received.author) == (a_key(), WORDS, Actor.BUYER)
    story.when(a_letter("letter", BUYER, Actor.BUYER, a_key().ref)).then_nothing()
    assert story.order() == before


def test_only_an_order_of_the_writers_is_linked() -> None:
    """What a subject says of somebody else's order, or of none, links nothing."""
    story = given(TEA, an_order()).when(a_letter("1", OTHER_BUYER, Actor.BUYER, a_key(buyer=OTHER_BUYER).ref))

    assert story.one(MessageReceived).order is None
    assert story.when(a_letter("2", BUYER, Actor.BUYER, "00" * 16, a_key().ref)).one(MessageReceived).order == a_key()


def test_the_merchants_own_message_stands_beside_the_buyers() -> None:
    """It is never counted against the buyer."""
    story = given().when(a_letter(author=Actor.MERCHANT))

    assert story.one(MessageReceived).author is Actor.MERCHANT
    assert story.shop.heard == {}


def test_an_answer_is_promised_once_a_name_and_about_what_it_answers() -> None:
    """Its time is the wish's, so that its rumor is fixed."""
    story = given(TEA, an_order(), a_letter("letter", BUYER, Actor.BUYER, a_key().ref))

    story.when(an_answer(answers="letter"))

    assert story.one(AnswerPromised) == AnswerPromised(
        buyer=BUYER, name="c5" * 16, at_s=NOW_S, text=WORDS, order=a_key(), answers=an_id("letter")
    )
    story.when(an_answer(answers="letter")).then_nothing()
    story.when(an_answer("c7" * 16, order_id="order-1")).then(AnswerPromised)


def test_an_answer_about_an_order_that_is_not_the_buyers_is_refused() -> None:
    """Nothing is sent, and the same wish again is not judged anew."""
    story = given().when(an_answer(order_id="order-9"))

    assert story.one(AnswerRefused).reason == "unknown_order"
    story.when(an_answer(order_id="order-9")).then_nothing()


@pytest.mark.req("MSG-12")
def test_an_order_whose_message_is_taken_back_stays_an_order_and_is_marked() -> None:
    """The deletion is noted at the order; its status, stock and payment are as they were."""
    story = given(TEA, an_order())
    before = story.order()

    story.when(a_deletion("rumor-1"))

    story.then(MessageDeleted(buyer=BUYER, actor=Actor.BUYER, rumor_id=an_id("rumor-1"), order=a_key()))
    assert story.order() == before
    story.when(a_deletion("rumor-1")).then_nothing()


def test_whoever_wrote_a_message_may_take_it_back_and_nobody_else() -> None:
    """The merchant takes back only the merchant's own, a buyer only that buyer's."""
    story = given(a_letter("hers"), a_letter("ours", author=Actor.MERCHANT))

    story.when(a_deletion("hers", actor=Actor.MERCHANT)).then_nothing()
    story.when(a_deletion("ours")).then_nothing()
    story.when(a_deletion("hers", buyer=OTHER_BUYER)).then_nothing()
    story.when(a_deletion("hers", "hers")).then(MessageDeleted)
    story.when(a_deletion("ours", actor=Actor.MERCHANT)).then(MessageDeleted)


def test_what_is_taken_back_before_it_comes_is_marked_when_it_does() -> None:
    """Relays bring things in any order; a deletion by another key says nothing."""
    story = given(a_deletion("early"), a_deletion("late", buyer=STRANGER), a_deletion("rumor-1"), TEA)

    story.when(a_letter("early")).then(MessageReceived, MessageDeleted)
    story.when(a_letter("late")).then(MessageReceived)
    story.when(an_order())
    assert story.one(MessageDeleted).order == a_key()
    assert story.none(OrderPlaced) is False
    assert story.order().status is OrderStatus.PENDING


def test_messages_at_the_figure_are_heard_and_the_next_is_only_counted() -> None:
    """A sender's in an hour; the merchant's own are not counted."""
    story = given(OpenShop(settings=ShopSettings(buyer_messages_per_hour_max=2)), a_letter("1"), a_letter("2"))

    assert silence_of(story, a_letter("3")) is buyers.Silence.TOO_MANY_MESSAGES
    assert silence_of(story, a_letter("3", OTHER_BUYER)) is None
    assert silence_of(story, a_letter("3", BUYER, Actor.MERCHANT)) is None


def test_a_crowd_does_not_fill_the_inbox_and_buyers_of_an_order_are_still_heard() -> None:
    """So many of strangers in an hour; the next hour begins anew."""
    settings = ShopSettings(inbox_messages_per_hour_max=2)
    story = given(OpenShop(settings=settings), TEA, an_order())
    story.when(*(a_letter(str(n), f"{n:064x}") for n in (1, 2)))

    assert silence_of(story, a_letter("3", STRANGER)) is buyers.Silence.INBOX_FULL
    assert silence_of(story, a_letter("4", BUYER, Actor.BUYER, a_key().ref)) is None
    story.when(a_command(a_letter("5", STRANGER), NOW_MS + 3_600_000)).then(MessageReceived)


def test_whom_a_shop_declines_it_does_not_hear() -> None:
    """The message is counted and not kept."""
    story = given(OpenShop(settings=ShopSettings(denied=(STRANGER,))))

    assert silence_of(story, a_letter("1", STRANGER)) is buyers.Silence.MUTED
    assert silence_of(story, a_letter("1", BUYER)) is None


def test_so_many_messages_are_remembered_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first."""
    monkeypatch.setattr(limits, "WORDS", limits.Limit("", 3, "", "", ""))
    story = given(*(a_letter(str(n)) for n in range(4)))

    assert list(story.shop.words) == [an_id(str(n)) for n in (1, 2, 3)]


def test_a_shop_made_anew_from_its_journal_knows_the_same_messages() -> None:
    """Received, answered and taken back."""
    story = given(TEA, an_order(), a_letter(), an_answer(), a_deletion("letter"))

    assert story.refolded().words == story.shop.words
    assert story.shop.merchant == MERCHANT


@pytest.mark.req("MSG-11")
def test_a_companion_is_promised_for_each_state_where_the_shop_wants_it() -> None:
    """Off unless set; a payment request has none, for its invoice is no prose."""
    for wanted in (False, True):
        story = given(OpenShop(settings=ShopSettings(human_companion=wanted)), TEA, an_order(), requested(10))
        assert not story.one(ReplyPromised).companion
        assert story.when(paid(10)).one(ReplyPromised).companion is wanted


@pytest.mark.req("MSG-03")
def test_an_answer_goes_the_way_its_buyer_wrote() -> None:
    """By kind 4 to a letter of kind 4, whatever the order's dialect; without a letter as the order came."""
    direct = a_letter("direct").model_copy(update={"is_direct": True})
    stall = given(TEA, an_order().model_copy(update={"dialect": "nip15"}), direct, a_letter("wrapped"))
    told = [("c1" * 16, "direct"), ("c2" * 16, "wrapped"), ("c3" * 16, "rumor-1"), ("c4" * 16, None)]
    ways = {
        answers: stall.when(an_answer(name, a_key().order_id, answers)).one(AnswerPromised).is_direct
        for name, answers in told
    }
    assert ways == {"direct": True, "wrapped": False, "rumor-1": True, None: True}

    other = given(TEA, an_order(), direct)
    assert other.when(an_answer("c1" * 16, None, "direct")).one(AnswerPromised).is_direct
    assert not other.when(an_answer("c2" * 16, a_key().order_id)).one(AnswerPromised).is_direct
