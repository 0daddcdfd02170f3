"""Checks how an order begins: placed, amended, waiting, expired, each with what the buyer is told."""

import pytest

from schemas.catalogue import RecordListing, RecordShippingOption
from schemas.orders import (
    MoveRefused,
    OrderMoved,
    OrderPlaced,
    OrderQuoted,
    OrderRejected,
    OrderStatus,
    OrderWaiting,
    ReachDeadline,
)
from schemas.payments import PaymentAxis, PaymentDropped, PaymentWanted, intent_id
from schemas.replies import ReplyPromised
from schemas.shops import OpenShop, ShopSettings
from schemas.stock import StockCommitted, StockHeld, StockReleased
from schemas.values import Actor, OrderKey, Refusal, Waiting
from streams.domain.orders import RETRY_RATE_MS
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_MS,
    NOW_S,
    OTHER_BUYER,
    a_key,
    a_listing,
    a_rate,
    an_id,
    an_option,
    an_order,
    post,
)
from tests.support.steps import cancelled, paid, requested
from tests.support.story import Story, given

TEA = RecordListing(listing=a_listing("tea", "10", stock=5))
VASE = RecordListing(listing=a_listing("vase", "100", stock=3, shipping=((post(), "0"),)))
POST = RecordShippingOption(option=an_option(countries=("DE",), price="7"))


def pending() -> Story:
    """An order for two teas whose payment was asked for."""
    return given(TEA, an_order(("tea", 2)), requested(20))


def dollars() -> Story:
    """An order priced in dollars while no rate is known."""
    return given(RecordListing(listing=a_listing("tea", "2", "USD")), rates={}).when(an_order())


# Placing


@pytest.mark.req("TR-04")
def test_an_order_in_stock_is_quoted_held_and_owed_a_payment_request() -> None:
    """A good order goes to pending in one decision, and what it holds and costs stands beside it."""
    story = given(TEA).when(an_order(("tea", 2)))

    story.then(OrderPlaced, OrderQuoted, StockHeld, PaymentWanted)
    assert story.one(OrderPlaced).revision == 1
    assert story.one(PaymentWanted).amount_msat == 20_000
    assert story.one(PaymentWanted).expires_at == NOW_S + 900
    assert story.order().status is OrderStatus.PENDING
    assert story.order().deadline_ms == (NOW_S + 900 + 60) * 1_000


@pytest.mark.req("TR-01")
def test_an_order_is_kept_with_everything_its_buyer_said() -> None:
    """The journal holds lines, wish, destination and claim as read, whatever becomes of the order."""
    command = an_order(("tea", 2), shipping=post(), country="DE", region="DE-BE", claimed_sats=7)

    placed = given(TEA).when(command).one(OrderPlaced)

    assert placed.model_dump(exclude={"type", "revision", "flow"}) == command.model_dump(exclude={"type"})


@pytest.mark.req("ORD-01")
def test_the_same_order_id_from_another_buyer_is_another_order() -> None:
    """X cannot cancel B's order 42 by ordering under the same id and cancelling that."""
    theirs = a_key(buyer=OTHER_BUYER)
    story = given(TEA, an_order(key=a_key()), an_order(key=theirs)).when(cancelled(key=theirs))

    assert story.order(theirs).status is OrderStatus.CANCELLED
    assert story.order(a_key()).status is OrderStatus.PENDING


def test_orders_whose_parts_run_together_have_different_names() -> None:
    """An order's short name cannot be made equal by moving characters from one part to the next."""
    refs = {
        OrderKey(merchant=m, buyer=b, order_id=o).ref
        for m in (MERCHANT, BUYER)
        for b in (MERCHANT, BUYER)
        for o in ("1", ":1")
    }

    assert len(refs) == 8


@pytest.mark.req("ORD-02")
def test_the_same_rumor_again_says_nothing_new() -> None:
    """Relays bring everything twice."""
    pending().when(an_order(("tea", 2))).then_nothing()


@pytest.mark.req("ORD-02")
def test_another_rumor_before_the_payment_request_amends_the_order() -> None:
    """A public twin without an address, then the private one with it, make one order of revision two."""
    story = given(VASE, POST, an_order(("vase", 1), rumor="public"))
    assert story.order().status is OrderStatus.WAITING

    story.when(an_order(("vase", 1), rumor="private", country="DE"))

    assert story.one(OrderPlaced).revision == 2
    assert story.order().status is OrderStatus.PENDING
    assert story.order().intent_id == intent_id(a_key(), 2)
    assert story.order().rumor_ids == (an_id("public"), an_id("private"))


@pytest.mark.req("ORD-02")
def test_an_amendment_gives_back_what_the_former_revision_held() -> None:
    """Four of five teas held, amended to five of five: the old hold does not stand in its own way."""
    story = given(TEA, an_order(("tea", 4))).when(an_order(("tea", 5), rumor="more"))

    story.then(StockReleased, PaymentDropped, OrderPlaced, OrderQuoted, StockHeld, PaymentWanted)
    assert story.one(PaymentDropped).intent_id == intent_id(a_key(), 1)
    assert story.shop.stock[TEA.listing.coordinate].held == 5


def test_the_first_rumor_of_an_amended_order_is_still_known() -> None:
    """A late copy of revision one does not undo revision two."""
    story = given(TEA, an_order(("tea", 1)), an_order(("tea", 3), rumor="more"))

    story.when(an_order(("tea", 1))).then_nothing()


@pytest.mark.case("F15")
@pytest.mark.req("ORD-02")
def test_another_rumor_after_the_payment_request_is_refused_and_changes_nothing() -> None:
    """What was quoted and asked for stays, whatever a second order under the same id says."""
    story = pending()
    before = story.order().quote

    story.when(an_order(("tea", 1), rumor="second thought")).then(MoveRefused)

    assert story.one(MoveRefused).reason == "already_quoted"
    assert story.order().quote == before
    assert story.order().revision == 1


def test_a_rejected_order_stays_rejected_when_ordered_again_under_its_id() -> None:
    """A turned down order is over (TR-18); the buyer starts another."""
    story = given(an_order()).when(TEA, an_order(rumor="again"))

    assert story.order().status is OrderStatus.REJECTED
    assert story.none(OrderPlaced)


@pytest.mark.req("ORD-03")
def test_a_line_of_another_merchant_is_turned_down() -> None:
    """A cart over two merchants comes as one order for each."""
    order = an_order(("tea", 1))
    foreign = order.lines[0].model_copy(update={"coordinate": f"30402:{BUYER}:tea"})

    story = given(TEA).when(order.model_copy(update={"lines": (*order.lines, foreign)}))

    assert [f.refusal for f in story.one(OrderRejected).findings] == [Refusal.WRONG_MERCHANT]
    assert story.none(StockHeld)


@pytest.mark.req("ORD-04")
@pytest.mark.req("TR-02")
def test_an_order_with_two_faults_names_both_the_graver_first() -> None:
    """The buyer can mend an order in one go; nothing is held meanwhile."""
    story = given(TEA).when(an_order(("tea", 6), ("nothing", 1)))

    findings = [f.refusal for f in story.one(OrderRejected).findings]
    status, text = story.told()
    assert findings == [Refusal.UNKNOWN_ITEM, Refusal.INSUFFICIENT_STOCK]
    assert status == "cancelled"
    assert "not enough of Tea" in text
    assert "nothing" in text
    assert story.none(StockHeld)


@pytest.mark.req("ORD-05")
def test_a_rejection_is_told_exactly_once_and_names_the_product() -> None:
    """However often relays bring the order."""
    story = given().when(an_order(("ghost", 1)))
    _, text = story.told()
    assert "ghost" in text

    story.when(an_order(("ghost", 1))).then_nothing()


@pytest.mark.req("TR-05")
def test_a_free_order_is_confirmed_at_once_without_a_payment_request() -> None:
    """Nothing to pay, nothing to ask for; its stock is sold."""
    story = given(RecordListing(listing=a_listing("tea", "0", "USD", stock=3)), rates=a_rate()).when(an_order())

    story.then(OrderPlaced, OrderQuoted, StockHeld, StockCommitted, OrderMoved, ReplyPromised)
    status, text = story.told()
    assert status == "confirmed"
    assert "payment" not in text
    assert story.order().payment is PaymentAxis.NONE


def test_a_free_order_that_is_cancelled_is_owed_no_refund() -> None:
    """Nobody is promised money that never came."""
    story = given(RecordListing(listing=a_listing("tea", "0", "SATS")), an_order()).when(cancelled(Actor.MERCHANT))

    assert story.order().payment is PaymentAxis.NONE
    assert "refund" not in story.told()[1]


# Waiting


@pytest.mark.req("TR-03")
def test_an_order_without_an_address_waits_and_says_what_is_missing() -> None:
    """The order is neither turned down nor guessed at."""
    story = given(VASE, POST).when(an_order(("vase", 1)))

    story.then(OrderPlaced, OrderWaiting, ReplyPromised)
    assert story.one(OrderWaiting).reason is Waiting.ADDRESS
    assert story.told()[0] == "pending"
    assert "country" in story.told()[1]


@pytest.mark.req("TR-03")
def test_an_amended_address_turns_waiting_into_a_quote() -> None:
    """needs_info and back."""
    story = given(VASE, POST, an_order(("vase", 1))).when(an_order(("vase", 1), rumor="2", country="DE"))

    assert story.one(OrderQuoted).quote.total_msat == 107_000


def test_an_amendment_may_also_lead_back_to_waiting() -> None:
    """The hold and the wanted request of the better revision go."""
    story = given(VASE, POST, an_order(("vase", 1), country="DE")).when(an_order(("vase", 1), rumor="2"))

    story.then(StockReleased, PaymentDropped, OrderPlaced, OrderWaiting, ReplyPromised)
    assert story.shop.stock[VASE.listing.coordinate].held == 0


@pytest.mark.req("PAY-07")
def test_an_order_without_a_rate_is_tried_again_and_its_buyer_told_once() -> None:
    """Half a minute later, as often as it takes, without a message each time."""
    story = dollars()
    assert story.one(OrderWaiting).reason is Waiting.RATE
    assert story.one(OrderWaiting).deadline_ms == NOW_MS + RETRY_RATE_MS
    assert "USD" in story.told()[1]

    later = NOW_MS + RETRY_RATE_MS
    story.when(ReachDeadline(order=a_key(), deadline_ms=later), at_ms=later).then(OrderWaiting)
    again = later + RETRY_RATE_MS
    fresh = a_rate(as_of_ms=again)
    story.when(ReachDeadline(order=a_key(), deadline_ms=again), at_ms=again, rates=fresh)

    story.then(OrderQuoted, PaymentWanted)
    assert story.one(PaymentWanted).amount_msat == 2_000_000


@pytest.mark.req("PAY-07")
def test_an_order_waits_for_a_rate_as_long_as_the_shop_says_and_is_then_turned_down() -> None:
    """An hour after it began to wait its buyer is told, once, and nothing is tried again."""
    story, at_ms = dollars(), NOW_MS
    while (deadline_ms := story.order().deadline_ms) is not None:
        at_ms = deadline_ms
        story.when(ReachDeadline(order=a_key(), deadline_ms=at_ms), at_ms=at_ms)

    assert at_ms - NOW_MS == ShopSettings().rate_wait_s * 1_000
    assert [f.refusal for f in story.one(OrderRejected).findings] == [Refusal.UNPRICEABLE]
    assert story.told()[0] == "cancelled"
    assert "USD" in story.told()[1]
    told = [e for record in story.journal for e in record.events if isinstance(e, ReplyPromised)]
    assert len(told) == 2
    story.when(ReachDeadline(order=a_key(), deadline_ms=at_ms), at_ms=at_ms + 60_000).then_nothing()


def test_an_amended_order_waits_anew() -> None:
    """Its buyer came back; the hour counts from there."""
    story = dollars()
    later = NOW_MS + 3_000_000
    story.when(an_order(("tea", 2), rumor="more"), at_ms=later)

    assert story.order().rate_since_ms == later


def test_an_order_that_meets_another_obstacle_while_waiting_for_a_rate_is_told_of_it() -> None:
    """Otherwise its buyer would wait for a price that never comes."""
    vase = a_listing("vase", "1", "USD", shipping=((post(), "0"),))
    story = given(RecordListing(listing=vase), POST, an_order(("vase", 1), country="DE"), rates={})
    narrower = an_option(countries=("DE",), regions=("DE-BE",), created_at=NOW_S)
    later = NOW_MS + RETRY_RATE_MS

    story.when(RecordShippingOption(option=narrower))
    story.when(ReachDeadline(order=a_key(), deadline_ms=later), at_ms=later)

    story.then(OrderWaiting, ReplyPromised)
    assert "region" in story.told()[1]


# Deadlines


@pytest.mark.case("F15")
@pytest.mark.req("TR-08")
def test_an_unpaid_order_expires_and_gives_its_stock_back() -> None:
    """After the request's life and the grace, and not a moment before."""
    story = pending()
    deadline = story.order().deadline_ms
    assert deadline is not None

    story.when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline - 1).then_nothing()
    story.when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline)

    story.then(StockReleased, PaymentDropped, OrderMoved, ReplyPromised)
    assert story.order().status is OrderStatus.EXPIRED
    assert story.told()[0] == "cancelled"
    assert "expired" in story.told()[1]
    assert story.shop.stock[TEA.listing.coordinate].held == 0


def test_a_deadline_that_is_no_longer_the_orders_is_ignored() -> None:
    """A reminder sent before an amendment, or after the payment, does nothing."""
    story = given(TEA, an_order(("tea", 1)))
    old = story.order().deadline_ms
    assert old is not None
    story.when(an_order(("tea", 2), rumor="more"), at_ms=NOW_MS + 5_000)

    story.when(ReachDeadline(order=a_key(), deadline_ms=old), at_ms=old + 1).then_nothing()


def test_a_paid_order_has_no_deadline() -> None:
    """Nothing that was confirmed ever expires."""
    story = pending()
    deadline = story.order().deadline_ms
    assert deadline is not None

    story.when(paid(20)).when(ReachDeadline(order=a_key(), deadline_ms=deadline), at_ms=deadline + 1)

    story.then_nothing()
    assert story.order().deadline_ms is None


def test_a_deadline_of_an_unknown_order_is_ignored() -> None:
    """Nobody is told of it."""
    given().when(ReachDeadline(order=a_key(), deadline_ms=1)).then_nothing()


def test_the_shops_own_times_are_used() -> None:
    """A shop with another request life and grace gets other deadlines, from its next order on."""
    settings = ShopSettings(request_ttl_s=60, grace_s=10)

    story = given(TEA, OpenShop(settings=settings)).when(an_order())

    assert story.one(OrderQuoted).deadline_ms == (NOW_S + 70) * 1_000


def test_a_due_moment_is_handed_out_once() -> None:
    """The shell asks for what is due; asked again, there is nothing."""
    story = pending()
    deadline = story.order().deadline_ms
    assert deadline is not None

    assert story.shop.take_due(deadline - 1) == []
    assert [due.order_key for due in story.shop.take_due(deadline)] == [a_key()]
    assert story.shop.take_due(deadline) == []
