"""Which reviews count, which are by buyers, which wait for their product, and who hears of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas import limits
from schemas.catalogue import RecordDeletion, RecordListing
from schemas.orders import OrderStatus, ShippingStatus
from schemas.replies import ReplyPromised, StatusReply
from schemas.reviews import ReviewInvited, ReviewReceived, ReviewRecorded, Standing
from schemas.shops import OpenShop, ShopSettings
from schemas.texts.english import TEXTS
from schemas.texts.phrases import Phrase
from schemas.values import Actor
from streams.domain.decide import judge
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_S,
    OTHER_BUYER,
    STRANGER,
    a_command,
    a_key,
    a_listing,
    a_review,
    product,
)
from tests.support.reviews import JUDGE, TEA, a_family, bought, count, recorded, row, standing
from tests.support.steps import moved, parcel
from tests.support.story import Said, given

INVITATION, COMPLETED = TEXTS[Phrase.INVITATION], TEXTS[Phrase.COMPLETED]


@pytest.mark.req("REV-07")
@pytest.mark.parametrize("review_first", [True, False])
def test_a_review_is_verified_by_a_completed_order_whichever_came_first(review_first: bool) -> None:
    """A buyer who has the goods says what they are like; the flag and the count agree."""
    review = recorded(a_review("1"))
    story = given(TEA, *((review, JUDGE, *bought()) if review_first else (*bought(), review)), JUDGE)

    assert story.shop.judged[BUYER, product()].verdict.is_verified
    assert row(story, "product", product())[:2] == (1, 1)
    assert row(story, "merchant", MERCHANT)[:2] == (1, 1)


@pytest.mark.req("REV-07")
@pytest.mark.parametrize(
    "history",
    [(), bought(completed=False), bought(buyer=OTHER_BUYER), (RecordListing(listing=a_listing("cup")), *bought("cup"))],
    ids=["no order", "an order on its way", "somebody else's order", "an order of something else"],
)
def test_a_review_without_a_completed_order_of_that_item_is_not_verified(history: tuple[Said, ...]) -> None:
    """It counts all the same."""
    story = given(TEA, *history, recorded(a_review("1")), JUDGE)

    assert row(story, "product", product())[:2] == (1, 0)


@pytest.mark.req("REV-07")
def test_who_bought_a_variation_reviews_its_parent_as_a_buyer() -> None:
    """But not its sister."""
    story = given(*a_family(), *bought("red"), recorded(a_review("1", d="cup")), recorded(a_review("1", d="blue")))

    story.when(JUDGE)

    assert story.shop.judged[BUYER, product("cup")].verdict.is_verified
    assert not story.shop.judged[BUYER, product("blue")].verdict.is_verified


@pytest.mark.req("REV-07")
def test_a_merchant_who_praises_the_own_goods_is_not_counted() -> None:
    """The review is kept and says why."""
    story = given(TEA, recorded(a_review("1", author=MERCHANT)), recorded(a_review("0")), JUDGE)

    assert row(story, "product", product())[:3] == (1, 0, "0.0000")
    assert standing(story, MERCHANT) is Standing.OWN


@pytest.mark.req("REV-07")
def test_reviews_of_declined_buyers_stop_counting_and_count_again() -> None:
    """The shop's setting decides, whenever it is changed."""
    declines = OpenShop(settings=ShopSettings(denied=(STRANGER,)))
    story = given(TEA, recorded(a_review("0", author=STRANGER)), recorded(a_review("1")), JUDGE)
    assert count(story) == 2

    story.when(declines, JUDGE)
    assert row(story, "product", product())[:3] == (1, 0, "1.0000")
    assert standing(story, STRANGER) is Standing.MUTED

    story.when(recorded(a_review("0.5", author=STRANGER, created_at=NOW_S + 1)), JUDGE)
    assert count(story) == 1

    story.when(OpenShop(), JUDGE)
    assert row(story, "product", product())[:3] == (2, 0, "0.7500")


@pytest.mark.req("REV-08")
def test_a_review_of_an_unknown_product_waits_and_counts_once_it_is_there() -> None:
    """The review came first; the merchant hears of it when it counts."""
    story = given(recorded(a_review("1")), JUDGE)
    assert (count(story), standing(story)) == (0, Standing.WAITING)
    assert story.none(ReviewReceived)

    story.when(TEA, JUDGE)

    assert story.one(ReviewReceived).product == product()
    assert (count(story), standing(story)) == (1, Standing.COUNTS)


@pytest.mark.req("REV-08")
def test_a_review_of_what_is_sold_no_more_goes_on_counting() -> None:
    """Deleting a listing takes no review away, and a later one still counts."""
    gone = RecordDeletion(author=MERCHANT, created_at=NOW_S, coordinates=(product(),))
    story = given(TEA, recorded(a_review("0")), JUDGE, gone, recorded(a_review("1", author=STRANGER)), JUDGE)

    assert row(story, "product", product())[:3] == (2, 0, "0.5000")


@pytest.mark.req("REV-08")
def test_reviews_of_things_nobody_named_wait_up_to_a_figure() -> None:
    """Anybody may review what is not there; one too many is only counted, and none of what is there is lost for it."""
    most = limits.WAITING_REVIEWS.most
    story = given(TEA)
    for number in range(most):
        story.shop.waiting_reviews[f"{number:064x}", product("nothing")] = None

    too_many = a_command(recorded(a_review("1", d="nothing")))

    decision = judge(story.shop, too_many, {})

    assert (decision.silence, decision.events) == ("too_many_reviews", [])
    story.when(recorded(a_review("1"))).then(ReviewRecorded)


@pytest.mark.req("REV-09")
def test_the_merchant_hears_of_each_new_review_once() -> None:
    """Not of edits, not of the own, not of those that do not count."""
    story = given(TEA, recorded(a_review("1", created_at=5)), recorded(a_review("1", author=MERCHANT))).when(JUDGE)

    news = story.one(ReviewReceived)
    assert (news.author, news.score, news.is_verified) == (BUYER, Decimal(1), False)
    story.when(recorded(a_review("0", created_at=6)), JUDGE)
    assert story.none(ReviewReceived)


@pytest.mark.req("REV-09")
@pytest.mark.parametrize("actor", [Actor.MERCHANT, Actor.BUYER])
@pytest.mark.parametrize("announce", [True, False])
def test_a_buyer_is_invited_once_to_review_a_completed_order(actor: Actor, announce: bool) -> None:
    """Whoever completed it, in one message that says both where the buyer was not told elsewhere."""
    story = given(OpenShop(settings=ShopSettings(invite_review=True)), TEA, *bought(completed=False))
    story.when(parcel(ShippingStatus.SHIPPED, key=a_key("order of tea")))

    story.when(moved(OrderStatus.COMPLETED, actor, a_key("order of tea"), announce=announce))

    assert story.one(ReviewInvited).order == a_key("order of tea")
    reply = story.one(ReplyPromised).reply
    assert isinstance(reply, StatusReply)
    assert (reply.status.value, reply.text.endswith(INVITATION)) == ("completed", True)
    assert reply.text.startswith(COMPLETED) == (actor is Actor.MERCHANT and announce)
    story.when(moved(OrderStatus.COMPLETED, actor, a_key("order of tea"), cause="again")).then_nothing()


@pytest.mark.req("REV-09")
def test_nobody_is_invited_unless_the_shop_wants_it() -> None:
    """Off until it is set."""
    story = given(TEA, *bought(completed=False)).when(moved(OrderStatus.COMPLETED, key=a_key("order of tea")))

    assert story.none(ReviewInvited)
    assert story.told() == ("completed", COMPLETED)
