"""What a shop does with order messages of a dialect that it has switched off, and what it goes on with."""

from __future__ import annotations

from schemas.catalogue import RecordListing
from schemas.hearing import Heard, HearMessage
from schemas.inbox import MessageReceived, ReceiveMessage
from schemas.orders import MoveOrder, MoveRefused, OrderMoved, OrderPlaced, OrderStatus, PlaceOrder
from schemas.payments import ReportUnnamedPayment
from schemas.shops import OpenShop, ShopSettings, Switchable
from schemas.values import Actor
from tests.support.builders import BUYER, NOW_S, a_key, a_listing, an_id, an_order
from tests.support.steps import cancelled, moved, receipt
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing())
OFF = OpenShop(settings=ShopSettings(dialects_off=(Switchable.K14,)))


def heard(said: Heard, dialect: str = "k14", author: Actor = Actor.BUYER, has_words: bool = True) -> HearMessage:
    """A message of that dialect, with its words."""
    rumor_id = an_id(f"words of {said.model_dump_json()}")
    words = ReceiveMessage(buyer=BUYER, author=author, rumor_id=rumor_id, said_s=NOW_S)
    return HearMessage(dialect=dialect, said=said, words=words if has_words else None)


def in_k14(order: PlaceOrder | None = None) -> PlaceOrder:
    """An order for a tea."""
    return (order or an_order()).model_copy(update={"dialect": "k14"})


def refusals(story: Story) -> list[tuple[Actor, str]]:
    """What was not allowed just now."""
    return [(event.actor, event.reason) for event in story.events if isinstance(event, MoveRefused)]


def test_a_shop_listens_to_every_dialect_until_it_says_otherwise() -> None:
    """What is heard is decided as if it had come plainly."""
    plain = given(TEA).when(in_k14())
    story = given(TEA).when(heard(in_k14()))

    assert story.events == plain.events
    assert isinstance(story.events[0], OrderPlaced)


def test_what_is_switched_off_is_a_letter_with_one_notice() -> None:
    """Orders, moves and receipts alike; the same message again says nothing new, and another dialect is heard."""
    receipt_of_any = ReportUnnamedPayment(buyer=BUYER, payment_hashes=(an_id("hash"),), receipt=receipt())
    for said in (in_k14(), cancelled(), receipt(), receipt_of_any):
        story = given(OFF, TEA).when(heard(said)).then(MessageReceived, MoveRefused)
        assert refusals(story) == [(Actor.BUYER, "dialect_off")]
        assert not story.shop.orders
        assert not story.shop.parked
        story.when(heard(said)).then_nothing()
    story = given(OFF, TEA).when(heard(in_k14(), dialect="k15"))
    assert story.shop.order(a_key()) is not None


def test_the_merchants_own_message_is_the_merchants_letter() -> None:
    """Written with another client, about an order that nobody here knows."""
    said = moved(OrderStatus.PROCESSING)
    story = given(OFF, TEA).when(heard(said, author=Actor.MERCHANT)).then(MessageReceived, MoveRefused)

    assert refusals(story) == [(Actor.MERCHANT, "dialect_off")]


def test_an_order_that_is_there_goes_on_in_its_dialect() -> None:
    """Who ordered before the switch may still cancel, and is answered as before."""
    story = given(TEA, heard(in_k14()), OFF).when(heard(cancelled()))

    assert any(isinstance(event, OrderMoved) and event.to is OrderStatus.CANCELLED for event in story.events)
    assert not refusals(story)


def test_what_is_too_old_for_an_inbox_is_not_taken_at_all() -> None:
    """It has no words here; the merchant has read it elsewhere."""
    given(OFF, TEA).when(heard(in_k14(), has_words=False)).then_nothing()


def test_a_buyer_who_is_not_heard_gets_no_notice_either() -> None:
    """Somebody the merchant denied cannot fill the quarantine in a dialect that is off."""
    settings = ShopSettings(dialects_off=(Switchable.K14,), denied=(BUYER,))
    given(OpenShop(settings=settings), TEA).when(heard(in_k14())).then_nothing()


def test_an_early_message_waits_for_its_order_in_any_dialect() -> None:
    """It is parked as what it asks for, and taken up once the order comes."""
    story = given(TEA).when(heard(cancelled()))

    assert [type(parked.command) for parked in story.shop.parked[a_key().ref]] == [MoveOrder]
