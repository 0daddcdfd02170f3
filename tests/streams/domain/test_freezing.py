"""Freezing a merchant: decisions go on, time does not run out, and each cause is heard once."""

from __future__ import annotations

from schemas.catalogue import RecordListing
from schemas.freezes import FreezeMerchant, MerchantFrozen, MerchantThawed, ThawMerchant
from schemas.orders import OrderMoved, OrderPlaced, OrderQuoted, OrderStatus, ReachDeadline
from schemas.payments import PaymentDropped, PaymentSettled, PaymentWanted
from schemas.replies import ReplyPromised
from tests.support.builders import NOW_MS, a_key, a_listing, an_order
from tests.support.steps import paid, requested
from tests.support.story import Story, given

GRACE_MS = 60_000


def freeze(cause: str = "I2 at 0:7") -> FreezeMerchant:
    """What the auditor says."""
    return FreezeMerchant(code="I2", reason="oversold", cause=cause)


def thaw(cause: str = "operator 1") -> ThawMerchant:
    """What a person says."""
    return ThawMerchant(reason="counted", cause=cause)


def asked() -> Story:
    """A shop that waits for the money of one order."""
    return given(RecordListing(listing=a_listing("tea", "10"))).when(an_order(), requested(10))


def test_a_freeze_and_a_thaw_are_facts_with_their_reasons() -> None:
    """The thaw says until when an order that ran out of time may still be paid."""
    given().when(freeze()).then(MerchantFrozen(code="I2", reason="oversold", cause="I2 at 0:7"))
    thawed = MerchantThawed(reason="counted", cause="operator 1", deadline_ms=NOW_MS + GRACE_MS)
    given(freeze()).when(thaw()).then(thawed)


def test_what_is_so_already_is_no_news() -> None:
    """A second reason for a freeze, and a thaw of what is not frozen."""
    given(freeze()).when(freeze("I5 at 0:9")).then_nothing()
    given().when(thaw()).then_nothing()


def test_a_cause_is_heard_once_however_late_it_comes_again() -> None:
    """A freeze that is delivered again after the thaw freezes nobody, nor does an old thaw thaw."""
    given(freeze(), thaw()).when(freeze()).then_nothing()
    given(freeze(), thaw(), freeze("I2 at 0:8")).when(thaw()).then_nothing()
    given(freeze(), thaw()).when(freeze("I2 at 0:8")).then(MerchantFrozen)


def test_decisions_go_on_while_effects_wait() -> None:
    """A frozen shop still takes orders and money; that nobody hears of it is the followers' part."""
    story = asked().when(freeze())

    story.when(an_order(key=a_key("2"), rumor="2")).then(OrderPlaced, OrderQuoted, PaymentWanted)
    story.when(paid(10)).then(PaymentSettled, OrderMoved, ReplyPromised)


def test_no_order_expires_while_its_money_is_not_looked_for() -> None:
    """Its deadline moves to a while after the thaw; then it expires as ever, if the money does not come."""
    story = asked()
    first_ms = story.order().deadline_ms or 0
    story.when(freeze()).when(ReachDeadline(order=a_key(), deadline_ms=first_ms), at_ms=first_ms).then_nothing()
    thawed_ms = first_ms + 5_000_000
    story.when(thaw(), at_ms=thawed_ms)
    last_ms = thawed_ms + GRACE_MS
    assert story.order().deadline_ms == last_ms
    assert [due.at_ms for due in story.shop.take_due(last_ms)][-1] == last_ms

    story.when(ReachDeadline(order=a_key(), deadline_ms=first_ms), at_ms=last_ms).then_nothing()
    expired = ReachDeadline(order=a_key(), deadline_ms=last_ms)
    story.when(expired, at_ms=last_ms).then(PaymentDropped, OrderMoved, ReplyPromised)


def test_money_that_came_meanwhile_is_not_late() -> None:
    """The buyer paid in time; the coordinator looked late."""
    story = asked()
    deadline_ms = story.order().deadline_ms or 0
    story.when(freeze()).when(thaw(), at_ms=deadline_ms + 5_000_000)
    story.when(paid(10), at_ms=deadline_ms + 5_000_500)

    assert story.one(PaymentSettled).late is False
    assert story.order().status is OrderStatus.CONFIRMED


def test_a_deadline_further_away_stays_where_it_is() -> None:
    """A short freeze takes and gives no time."""
    story = asked()
    before_ms = story.order().deadline_ms
    story.when(freeze(), thaw())

    assert story.order().deadline_ms == before_ms
