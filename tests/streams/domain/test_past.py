"""Checks orders from before the shop came here: listed whatever order they are told in, and never acted upon."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import pytest

from schemas import limits
from schemas.catalogue import RecordListing
from schemas.orders import (
    MoveRefused,
    OrderPlaced,
    OrderQuoted,
    OrderStatus,
    PlaceOrder,
    ShippingStatus,
)
from schemas.past import AnswerPast, PastOrderRecorded, RecordPast, Said
from schemas.payments import PaymentAxis, PaymentWanted
from schemas.replies import ReplyPromised
from schemas.rows import OrderRow, Row
from schemas.values import Actor, Origin
from streams.domain.past import CATCH_UP_MS
from streams.domain.projections import RowKey, fold
from tests.support.builders import BUYER, NOW_MS, NOW_S, a_command, a_key, a_listing, an_order
from tests.support.steps import cancelled, moved, parcel, receipt
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
MONTH_S = 30 * 86_400


def then_said(said: Said, is_recent: bool = False, at_s: int = NOW_S - MONTH_S) -> RecordPast:
    """Something that was said a month ago."""
    return RecordPast(order=said.order, said=said, said_at=at_s, is_recent=is_recent)


def asked_elsewhere() -> Said:
    """Another program of the merchant's asked for payment."""
    return moved(OrderStatus.PENDING, announce=False)


def rows_of(story: Story) -> dict[RowKey, Row]:
    """The tables that the story's journal makes."""
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        rows.update(fold(record, 0, rows.get))
    return rows


@pytest.mark.req("REL-11")
def test_an_old_order_with_its_answers_is_listed_as_completed_and_nothing_is_sent() -> None:
    """Order, request, receipt, status: whichever comes first the row is the same, and nothing else moves."""
    told: tuple[Said, ...] = (
        an_order(),
        asked_elsewhere(),
        receipt(),
        moved(OrderStatus.CONFIRMED, announce=False),
        parcel(ShippingStatus.DELIVERED, announce=False),
        moved(OrderStatus.COMPLETED, announce=False),
    )
    seen = set()
    for order in permutations(told):
        story = given(TEA, *(then_said(said) for said in order))
        row = rows_of(story)[RowKey("orders", a_key().ref)]
        assert isinstance(row, OrderRow)
        assert (row.status, row.shipping, row.payment, row.reason) == (
            OrderStatus.COMPLETED,
            ShippingStatus.DELIVERED,
            PaymentAxis.REPORTED,
            "past",
        )
        facts = {type(event) for record in story.journal[1:] for event in record.events}
        assert facts == {PastOrderRecorded}
        seen.add(story.shop.past[a_key().ref].model_dump_json())
        assert story.shop.take_due(NOW_MS + 10 * CATCH_UP_MS) == []
    assert len(seen) == 1


@pytest.mark.req("REL-11")
def test_a_recent_order_that_nobody_answered_is_answered_once_the_copies_had_their_time() -> None:
    """A day before the shop came here: a minute is waited for another program's answer, then it is quoted."""
    story = given(TEA, then_said(an_order(), is_recent=True))
    story.then(PastOrderRecorded)
    assert story.shop.take_due(NOW_MS + CATCH_UP_MS - 1) == []
    (due,) = story.shop.take_due(NOW_MS + CATCH_UP_MS)
    assert (due.kind, due.order_key) == ("past", a_key())

    story.when(a_command(AnswerPast(order=a_key()), origin=Origin.DECIDER, at_ms=NOW_MS + CATCH_UP_MS))

    assert story.one(OrderPlaced).revision == 1
    assert story.one(OrderQuoted)
    assert story.one(PaymentWanted)
    assert story.order().status is OrderStatus.PENDING
    assert story.shop.past == {}


@pytest.mark.req("REL-11")
@pytest.mark.parametrize(
    "answer",
    [
        asked_elsewhere(),
        moved(OrderStatus.CONFIRMED, announce=False),
        parcel(ShippingStatus.SHIPPED, announce=False),
        cancelled(),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_recent_order_that_was_answered_elsewhere_is_left_alone(answer: Said, is_first: bool) -> None:
    """Whether the copy of the answer comes before the order or after it."""
    said = [then_said(answer, is_recent=True), then_said(an_order(), is_recent=True)]
    story = given(TEA, *(said if is_first else reversed(said)))

    story.when(AnswerPast(order=a_key()), at_ms=NOW_MS + CATCH_UP_MS).then_nothing()

    assert all(not isinstance(event, ReplyPromised) for record in story.journal for event in record.events)


def test_an_answer_is_not_given_before_its_time() -> None:
    """A due command that comes early decides nothing."""
    given(TEA, then_said(an_order(), is_recent=True)).when(AnswerPast(order=a_key())).then_nothing()


def test_the_newest_version_of_a_past_order_counts() -> None:
    """Its writer's dates are all there is to tell by; the same one twice changes nothing."""
    later: PlaceOrder = an_order(("tea", 3), rumor="rumor-2")
    for said in permutations([then_said(an_order()), then_said(later, at_s=NOW_S - MONTH_S + 60)]):
        story = given(TEA, *said)
        assert story.shop.past[a_key().ref].lines == later.lines
        story.when(then_said(later, at_s=NOW_S - MONTH_S + 60)).then_nothing()


def test_what_is_said_today_about_a_past_order_is_only_listed() -> None:
    """A late receipt, or the merchant's status by another program: no parking, no answer."""
    story = given(TEA, then_said(an_order()), receipt(), moved(OrderStatus.PROCESSING, announce=False))

    past = story.shop.past[a_key().ref]
    assert (past.is_reported, past.status) == (True, OrderStatus.PROCESSING)
    assert story.shop.parked == {}


def test_an_operator_who_moves_a_past_order_is_told_why_not() -> None:
    """It was sold by another program; only what relays tell moves it here."""
    move = a_command(moved(OrderStatus.COMPLETED), origin=Origin.OPERATOR)
    story = given(TEA, then_said(an_order())).when(move)

    assert story.one(MoveRefused).reason == "past_order"


def test_a_buyer_who_orders_anew_under_the_old_name_has_an_order() -> None:
    """Said today it is an order of today; the old one is forgotten for it."""
    story = given(TEA, then_said(an_order()), an_order(rumor="rumor-2"))

    assert story.order().status is OrderStatus.PENDING
    assert story.shop.past == {}


def test_what_was_said_before_about_an_order_of_ours_is_heard_there() -> None:
    """A message that took its time: the buyer cancelled before the shop had even come."""
    story = given(TEA, an_order()).when(then_said(cancelled()))

    assert story.order().status is OrderStatus.CANCELLED


def test_a_buyer_cannot_put_a_past_order_forward() -> None:
    """Only the merchant's own messages say that it was confirmed."""
    story = given(TEA, then_said(an_order())).when(then_said(moved(OrderStatus.CONFIRMED, Actor.BUYER)))

    assert story.one(MoveRefused).reason == "illegal_transition"
    assert story.shop.past[a_key().ref].status is OrderStatus.WAITING


def test_the_number_of_past_orders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged ones cost their writer nothing; what is too much is refused with a reason, and replayable."""
    monkeypatch.setattr(limits, "PAST_ORDERS", dataclasses.replace(limits.PAST_ORDERS, most=1))
    story = given(TEA, then_said(an_order())).when(then_said(an_order(key=a_key(order_id="second"))))

    assert story.one(MoveRefused).reason == "past_too_many"
    assert story.shop.past.keys() == {a_key().ref}
    story.when(then_said(receipt()))
    assert story.one(PastOrderRecorded).past.is_reported


def test_past_orders_are_no_part_of_a_buyers_share_of_the_shop() -> None:
    """A faithful customer's history takes nothing of what they may order today."""
    many = [then_said(an_order(key=a_key(order_id=f"o{n}"))) for n in range(50)]
    story = given(TEA, *many, an_order())

    assert story.order().status is OrderStatus.PENDING
    assert story.shop.heard == {BUYER: 1}
