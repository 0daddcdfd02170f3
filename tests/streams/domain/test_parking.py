"""Checks early arrivals: they wait for their order, within bounds, and apply when it shows up."""

import pytest

from schemas.catalogue import RecordListing
from schemas.orders import MoveRefused, OrderMoved, OrderStatus, ShippingStatus
from schemas.parking import PARKED_MAX, CommandParked, Early, ParkedReleased, ReleaseParked
from schemas.payments import PaymentReported
from schemas.values import Actor, Origin
from tests.support.builders import NOW_MS, OTHER_BUYER, a_command, a_key, a_listing, an_order
from tests.support.steps import by_operator, cancelled, moved, paid, parcel, receipt, requested
from tests.support.story import given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
RELEASE = ReleaseParked(order=a_key())
TTL_MS = 172_800 * 1_000


@pytest.mark.req("ORD-07")
@pytest.mark.parametrize("early", [cancelled(), receipt(), parcel(ShippingStatus.SHIPPED)])
def test_a_message_before_its_order_waits(early: Early) -> None:
    """Relays bring things in any order."""
    story = given().when(early)

    story.then(CommandParked)
    assert story.one(CommandParked).deadline_ms == NOW_MS + TTL_MS


@pytest.mark.req("ORD-07")
def test_an_early_cancel_is_applied_once_the_order_is_there() -> None:
    """The order's arrival makes it due at once."""
    story = given(cancelled(), TEA, an_order())
    assert [(due.kind, due.order_key) for due in story.shop.take_due(NOW_MS)] == [("parked", a_key())]

    story.when(a_command(RELEASE, origin=Origin.DECIDER))

    assert story.order().status is OrderStatus.CANCELLED
    assert story.told()[0] == "cancelled"
    assert story.shop.parked == {}
    story.when(RELEASE).then_nothing()


@pytest.mark.req("ORD-07")
def test_an_early_receipt_is_a_claim_once_there_is_a_request() -> None:
    """Receipt, order, request, release: reported; the look-up confirms."""
    story = given(receipt(), TEA, an_order(), requested(10)).when(RELEASE)
    story.then(ParkedReleased, PaymentReported)

    story.when(paid(10))
    assert story.order().status is OrderStatus.CONFIRMED


def test_messages_are_released_in_the_order_they_came() -> None:
    """One at a time, oldest first; each is judged as if it came now."""
    story = given(moved(OrderStatus.COMPLETED, Actor.BUYER), cancelled(Actor.MERCHANT), TEA, an_order())

    story.when(RELEASE).then(ParkedReleased, MoveRefused)
    story.when(RELEASE)
    assert story.one(OrderMoved).to is OrderStatus.CANCELLED


def test_releasing_too_early_changes_nothing() -> None:
    """No order, no deadline reached."""
    given(cancelled()).when(RELEASE, at_ms=NOW_MS + TTL_MS - 1).then_nothing()


@pytest.mark.req("ORD-07")
def test_a_message_whose_order_never_came_is_given_up_with_a_reason() -> None:
    """QUAR(orphan) after its time."""
    story = given(cancelled())
    assert story.shop.take_due(NOW_MS + TTL_MS - 1) == []
    assert len(story.shop.take_due(NOW_MS + TTL_MS)) == 1

    story.when(RELEASE, at_ms=NOW_MS + TTL_MS)

    story.then(ParkedReleased, MoveRefused)
    refused = story.one(MoveRefused)
    assert (refused.reason, refused.actor, refused.cause) == ("orphan", Actor.BUYER, cancelled().cause)
    assert story.shop.parked == {}


def test_the_same_message_waits_once() -> None:
    """Four relays bring it four times."""
    given(cancelled()).when(cancelled(), at_ms=NOW_MS + 7).then_nothing()


@pytest.mark.req("ORD-07")
def test_the_parking_area_of_an_order_is_bounded() -> None:
    """The thirty-third is refused, the first thirty-two stay."""
    story = given(*(receipt(rumor=str(n)) for n in range(PARKED_MAX))).when(receipt(rumor="more"))

    story.then(MoveRefused)
    assert story.one(MoveRefused).reason == "parked_too_many"
    assert len(story.shop.parked[a_key().ref]) == PARKED_MAX


def test_only_relays_messages_wait() -> None:
    """An operator is told at once that there is no such order."""
    story = given().when(by_operator(moved(OrderStatus.PROCESSING)))

    story.then(MoveRefused)
    assert story.one(MoveRefused).reason == "unknown_order"


@pytest.mark.req("ORD-01")
def test_messages_wait_for_their_own_buyers_order() -> None:
    """Another buyer's order of the same id releases nothing."""
    theirs = a_key(buyer=OTHER_BUYER)
    story = given(cancelled(), TEA, an_order(key=theirs))

    story.when(ReleaseParked(order=theirs)).then_nothing()
    assert len(story.shop.parked) == 1
