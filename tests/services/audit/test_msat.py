"""The books and money that is no whole sats: kept to the msat, so that rounding is never a breach."""

from __future__ import annotations

from schemas.catalogue import RecordListing
from schemas.orders import OrderStatus
from schemas.payments import BackendState
from tests.support.books import audited
from tests.support.builders import a_key, a_listing, an_order
from tests.support.steps import moved, paid, refunded, requested
from tests.support.story import given


def test_parts_of_a_sat_are_counted_to_the_msat() -> None:
    """Two late payments of a tenth of a sat each are given back whole: nothing of it is left over by rounding."""
    story = given(RecordListing(listing=a_listing("tea", "10"))).when(an_order(), an_order(("tea", 2), rumor="more"))
    story.when(moved(OrderStatus.CANCELLED))
    for revision in (1, 2):
        story.when(paid(1, revision=revision).model_copy(update={"gross_msat": 100}))
    story.when(refunded(1, "operator 1").model_copy(update={"amount_msat": 200}))

    known = audited(story.journal).order(a_key().ref)
    assert known is not None
    assert known[0] == "refunded"


def test_what_was_given_back_of_money_that_was_then_taken_back_is_no_surplus_later() -> None:
    """The shop is five sats short by that: the part of a sat which comes on top of the price is not the buyer's."""
    story = given(RecordListing(listing=a_listing("tea", "10")))
    story.when(an_order(), an_order(("tea", 2), rumor="more"), requested(20, revision=2))
    story.when(paid(10), refunded(5, "operator 1"), paid(10, state=BackendState.REVERSED))
    story.when(paid(20, revision=2).model_copy(update={"gross_msat": 20_600}))

    known = audited(story.journal).order(a_key().ref)
    assert known is not None
    assert known[0] == "confirmed"
