"""What reviews come to: the figures in the tables, whatever happened before."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from schemas.catalogue import RecordDeletion, RecordListing, Structure
from schemas.orders import OrderStatus
from schemas.reviews import RatingsChanged, Standing, mean_score
from schemas.rows import RatingRow
from schemas.shops import OpenShop, ShopSettings
from schemas.values import Actor
from streams.domain import reviews
from streams.domain.shop import Shop
from tests.support.builders import (
    BUYER,
    MERCHANT,
    NOW_S,
    OTHER_BUYER,
    STRANGER,
    a_key,
    a_listing,
    a_review,
    an_order,
    product,
)
from tests.support.reviews import JUDGE, TEA, a_family, count, recorded, row, standing, tables
from tests.support.steps import moved, paid, requested
from tests.support.story import Story, given


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
    wordy = [
        a_review("1", *((f"{author}{n}", "1") for n in range(20)), author=f"{author:064x}") for author in range(1, 5)
    ]
    story = given(TEA, *map(recorded, wordy))

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
