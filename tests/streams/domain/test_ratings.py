"""What reviews come to: which of them count, for whom, and the figures in the tables."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from schemas import limits
from schemas.catalogue import RecordDeletion, RecordListing, Structure
from schemas.orders import OrderStatus, ShippingStatus
from schemas.replies import ReplyPromised, StatusReply
from schemas.reviews import (
    JudgeReviews,
    RatingsChanged,
    RecordReview,
    Review,
    ReviewInvited,
    ReviewReceived,
    ReviewRecorded,
    Standing,
    mean_score,
)
from schemas.rows import RatingRow, ReviewRow
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor
from streams.domain import reviews, wording
from streams.domain.decide import judge
from streams.domain.projections import Row, RowKey, fold, review_key
from streams.domain.shop import Shop
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
    an_order,
    product,
)
from tests.support.steps import moved, paid, parcel, requested
from tests.support.story import Said, Story, given

TEA = RecordListing(listing=a_listing("tea"))
JUDGE = JudgeReviews()


def recorded(review: Review) -> RecordReview:
    """A version was seen."""
    return RecordReview(review=review)


def a_family() -> tuple[RecordListing, ...]:
    """A cup that comes in red and in blue."""
    red, blue = (
        a_listing(d, structure=Structure.VARIATION).model_copy(update={"parent": product("cup")})
        for d in ("red", "blue")
    )
    cup = a_listing("cup", structure=Structure.VARIABLE)
    return RecordListing(listing=cup), RecordListing(listing=red), RecordListing(listing=blue)


def bought(d: str = "tea", buyer: str = BUYER, completed: bool = True) -> tuple[Said, ...]:
    """A paid order of one, and its end."""
    key = a_key(f"order of {d}", buyer)
    way = (an_order((d, 1), key=key, rumor=f"{buyer} {d}"), requested(10, key), paid(10, key))
    return (*way, moved(OrderStatus.COMPLETED, Actor.MERCHANT, key)) if completed else way


def tables(story: Story) -> dict[RowKey, Row]:
    """The rows after a story's journal."""
    rows: dict[RowKey, Row] = {}
    for record in story.journal:
        rows.update(fold(record, 0, rows.get))
    return rows


def row(story: Story, level: str, target: str, category: str = "") -> tuple[int, int, str, tuple[int, ...]]:
    """One figure in the table: reviews, verified, mean, stars."""
    found = tables(story).get(RowKey("ratings", f"{level}:{len(target)}:{target}:{category}"))
    if found is None:
        return 0, 0, "", (0, 0, 0, 0, 0)
    assert isinstance(found, RatingRow)
    return found.reviews, found.verified, str(found.mean) if found.reviews else "", found.stars


def count(story: Story, d: str = "tea") -> int:
    """How many reviews of a product the table counts."""
    return row(story, "product", product(d))[0]


def standing(story: Story, author: str = BUYER, d: str = "tea") -> Standing:
    """Where a review stands in the table."""
    found = tables(story)[review_key(product(d), author)]
    assert isinstance(found, ReviewRow)
    return found.standing


@pytest.mark.req("REV-06")
def test_three_reviews_give_exactly_these_figures_in_the_tables() -> None:
    """Two of variations, one of a single thing: by product, by parent with its variations, and for the shop."""
    story = given(
        TEA,
        *a_family(),
        recorded(a_review("1", ("value", "0.8"), ("quality", "1"), ("delivery", "0.6"), d="red")),
        recorded(a_review("0.2", ("value", "0.3"), author=OTHER_BUYER, d="blue")),
        recorded(a_review("0.5", ("quality", "0.25"), author=STRANGER)),
        JUDGE,
    )

    assert row(story, "product", product("red")) == (1, 0, "0.9000", (0, 0, 0, 0, 1))
    assert row(story, "product", product("blue")) == (1, 0, "0.2500", (0, 1, 0, 0, 0))
    assert row(story, "product", product("tea")) == (1, 0, "0.3750", (0, 1, 0, 0, 0))
    assert row(story, "parent", product("cup")) == (2, 0, "0.5750", (0, 1, 0, 0, 1))
    assert row(story, "parent", product("cup"), "value") == (2, 0, "0.5500", (0, 1, 0, 1, 0))
    assert row(story, "parent", product("cup"), "delivery") == (1, 0, "0.6000", (0, 0, 1, 0, 0))
    assert row(story, "merchant", MERCHANT) == (3, 0, "0.5083", (0, 2, 0, 0, 1))
    assert row(story, "merchant", MERCHANT, "quality") == (2, 0, "0.6250", (0, 1, 0, 0, 1))
    assert row(story, "parent", product("tea")) == (0, 0, "", (0, 0, 0, 0, 0))


@pytest.mark.req("REV-06")
def test_a_parents_own_reviews_are_part_of_its_familys() -> None:
    """Many clients let a buyer review only what the shop window shows."""
    story = given(*a_family(), recorded(a_review("1", d="cup")), recorded(a_review("0", author=STRANGER, d="red")))

    story.when(JUDGE)

    assert row(story, "parent", product("cup"))[:3] == (2, 0, "0.5000")
    assert row(story, "product", product("cup"))[:3] == (1, 0, "1.0000")


@pytest.mark.req("REV-06")
def test_a_variation_that_moves_to_another_parent_takes_its_reviews_along() -> None:
    """The family it left loses them."""
    story = given(*a_family(), recorded(a_review("1", d="red")), JUDGE)

    moved_on = a_listing("red", structure=Structure.VARIATION, created_at=NOW_S)
    story.when(RecordListing(listing=moved_on.model_copy(update={"parent": product("mug")})), JUDGE)

    assert row(story, "parent", product("cup"))[0] == 0
    assert row(story, "parent", product("mug"))[0] == 1
    assert row(story, "product", product("red"))[0] == 1


@pytest.mark.req("REV-05")
def test_an_edited_review_moves_its_figures_and_a_deleted_one_leaves_them() -> None:
    """From .2 to .8, and then it is gone; whoever else said something stays."""
    story = given(TEA, recorded(a_review("0.2", created_at=5)), recorded(a_review("1", author=STRANGER)), JUDGE)
    assert row(story, "product", product()) == (2, 0, "0.6000", (1, 0, 0, 0, 1))

    story.when(recorded(a_review("0.8", created_at=6)), JUDGE)

    assert row(story, "product", product()) == (2, 0, "0.9000", (0, 0, 0, 1, 1))
    assert row(story, "merchant", MERCHANT)[2] == "0.9000"

    story.when(RecordDeletion(author=BUYER, created_at=9, coordinates=(f"31555:{BUYER}:a:{product()}",)), JUDGE)

    assert row(story, "product", product()) == (1, 0, "1.0000", (0, 0, 0, 0, 1))
    assert standing(story) is Standing.WITHDRAWN


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
    assert (reply.status.value, reply.text.endswith(wording.INVITATION)) == ("completed", True)
    assert reply.text.startswith(wording.COMPLETED) == (actor is Actor.MERCHANT and announce)
    story.when(moved(OrderStatus.COMPLETED, actor, a_key("order of tea"), cause="again")).then_nothing()


@pytest.mark.req("REV-09")
def test_nobody_is_invited_unless_the_shop_wants_it() -> None:
    """Off until it is set."""
    story = given(TEA, *bought(completed=False)).when(moved(OrderStatus.COMPLETED, key=a_key("order of tea")))

    assert story.none(ReviewInvited)
    assert story.told() == ("completed", wording.COMPLETED)


def test_reviews_that_are_many_are_judged_a_record_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever strangers write, a record stays small; the rest is asked for again."""
    monkeypatch.setattr(reviews, "JUDGED_MAX", 2)
    story = given(TEA, *(recorded(a_review("1", author=f"{number:064x}")) for number in range(1, 6)))
    assert story.shop.take_unjudged()
    assert not story.shop.take_unjudged()
    counts = []
    for _ in range(4):
        story.when(JUDGE)
        counts.append(count(story))
        assert story.shop.take_unjudged() == (len(counts) < 3)

    assert counts == [2, 4, 5, 5]
    story.then_nothing()


def test_a_record_holds_no_more_figures_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty categories of one's own in each review."""
    monkeypatch.setattr(reviews, "FIGURES_MAX", 30)
    wordy = (("1", *((f"{author}{n}", "1") for n in range(20))) for author in range(4))
    story = given(
        TEA, *(recorded(a_review(thumb, *rest, author=f"{i:064x}")) for i, (thumb, *rest) in enumerate(wordy, 1))
    )

    story.when(JUDGE)

    assert len(story.one(RatingsChanged).ratings) < 30 + 3 * 21
    assert story.shop.take_unjudged()


@pytest.mark.req("REV-06")
@pytest.mark.parametrize("seed", range(8))
def test_figures_kept_up_to_date_are_those_added_up_from_nothing(seed: int) -> None:
    """Any history of reviews, edits, deletions, orders, listings and settings; in the shop and in the tables."""
    story = _any_history(random.Random(seed))

    for _ in range(9):
        story.when(JUDGE)

    expected = _from_nothing(story.shop)
    kept = {
        key: (one.reviews, one.verified, one.total, one.stars) for key, one in story.shop.ratings.items() if one.reviews
    }
    assert kept == expected
    found = {
        (one.level.value, one.target, one.category): (one.reviews, one.verified, one.total, one.stars)
        for one in tables(story).values()
        if isinstance(one, RatingRow) and one.reviews
    }
    assert found == expected
    assert story.refolded() == story.shop


def test_a_mean_is_rounded_once_and_half_to_even() -> None:
    """Four places; nothing is divided by nothing."""
    assert mean_score(Decimal(2), 3) == Decimal("0.6667")
    assert mean_score(Decimal("0.00010"), 2) == Decimal("0.0000")
    assert mean_score(Decimal("0.00030"), 2) == Decimal("0.0002")
    assert mean_score(Decimal(0), 0) is None


def _any_history(chance: random.Random) -> Story:
    story = given(TEA, *a_family())
    authors = (BUYER, OTHER_BUYER, STRANGER, MERCHANT)
    goods = ("tea", "cup", "red", "blue", "song")
    for step in range(120):
        author, d = chance.choice(authors), chance.choice(goods)
        match chance.choice(("review", "review", "review", "delete", "buy", "list", "deny", "judge")):
            case "review":
                thumb, quality = chance.choice(("0", "0.333333333333333333", "1")), chance.choice(("0.7", "0.1"))
                scores = [("quality", quality), ("value", "0.2"), ("looks", "1")][: chance.randint(0, 3)]
                story.when(recorded(a_review(thumb, *scores, author=author, d=d, created_at=NOW_S + step)))
            case "delete":
                address = f"31555:{author}:a:{product(d)}"
                story.when(RecordDeletion(author=author, created_at=NOW_S + step, coordinates=(address,)))
            case "buy":
                key = a_key(f"o{step}", author)
                story.when(an_order((d, 1), key=key, rumor=f"r{step}"), requested(10, key), paid(10, key))
                story.when(moved(OrderStatus.COMPLETED, Actor.MERCHANT, key))
            case "list":
                structure = chance.choice(list(Structure))
                parent = product(chance.choice(("cup", "tea"))) if structure is Structure.VARIATION else None
                listing = a_listing(d, structure=structure, created_at=NOW_S + step)
                story.when(RecordListing(listing=listing.model_copy(update={"parent": parent})))
            case "deny":
                story.when(OpenShop(settings=ShopSettings(denied=tuple(chance.sample(authors[:3], 1)))))
            case _:
                story.when(JUDGE)
    return story


def _from_nothing(shop: Shop) -> dict[tuple[str, str, str], tuple[int, int, Decimal, tuple[int, ...]]]:
    """Every figure, added up from the reviews and what the shop knows, by rules written a second time."""
    sums: dict[tuple[str, str, str], list[tuple[Decimal, bool]]] = {}
    for (author, item), review in shop.reviews.items():
        known = item in shop.listings or item in shop.withdrawn
        if author == shop.merchant or author in shop.settings.denied or not known:
            continue
        targets = {("product", item), ("merchant", shop.merchant)}
        listing = shop.listings.get(item)
        if listing and listing.structure is Structure.VARIABLE:
            targets.add(("parent", item))
        if listing and listing.structure is Structure.VARIATION:
            targets.add(("parent", str(listing.parent)))
        for level, target in targets:
            parts = [("", review.score), *((one.category, one.score) for one in review.categories)]
            for category, score in parts:
                is_verified = item in shop.purchases.get(author, ())
                sums.setdefault((level, target, category), []).append((score, is_verified))
    return {
        key: (
            len(scores),
            sum(verified for _, verified in scores),
            sum((round(score, 18) for score, _ in scores), Decimal(0)),
            tuple(sum(max(1, math.ceil(score * 5)) == star for score, _ in scores) for star in range(1, 6)),
        )
        for key, scores in sums.items()
    }
