"""Checks reviews: the market spec's score, and one live review an author and product."""

import itertools
from decimal import Decimal

import pytest

from schemas.catalogue import RecordDeletion
from schemas.reviews import RecordReview, Review, ReviewRecorded, ReviewWithdrawn
from tests.support.builders import BUYER, NOW_S, OTHER_BUYER, OTHER_MERCHANT, a_review, an_id, product
from tests.support.story import given


def recorded(review: Review) -> RecordReview:
    """The command that brings it."""
    return RecordReview(review=review)


def deletion(at: int, author: str = BUYER, events: tuple[str, ...] = (), d: str | None = None) -> RecordDeletion:
    """The author's kind 5, by id or by address."""
    address = () if d is None else (f"31555:{author}:a:{product(d)}",)
    return RecordDeletion(author=author, created_at=at, event_ids=events, coordinates=address)


KEY = (BUYER, product())


@pytest.mark.req("REV-01")
@pytest.mark.parametrize(
    ("thumb", "scores", "total"),
    [
        ("1", ("0.8", "1", "0.6", "0.9"), "0.9125"),
        ("0", ("1", "1"), "0.5"),
        ("0.5", ("0.5",), "0.5"),
        ("1", ("0", "0", "0"), "0.5"),
        ("0", ("0",), "0"),
    ],
)
def test_the_score_is_half_thumb_and_half_the_mean_of_the_categories(
    thumb: str, scores: tuple[str, ...], total: str
) -> None:
    """Exact, as the market spec has it."""
    review = a_review(thumb, *((f"c{n}", score) for n, score in enumerate(scores)))

    event = given().when(recorded(review)).one(ReviewRecorded)

    assert event.score == Decimal(total)
    assert event.strict_score == Decimal(total)


@pytest.mark.req("REV-02")
def test_without_categories_the_thumb_is_the_score_and_the_strict_reading_is_kept_beside() -> None:
    """A-27: dividing by no categories."""
    event = given().when(recorded(a_review("1"))).one(ReviewRecorded)

    assert (event.score, event.strict_score) == (Decimal(1), Decimal("0.5"))
    assert event.review.thumb == 1


@pytest.mark.req("REV-05")
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_review_of_an_author_counts_in_any_order(order: tuple[int, ...]) -> None:
    """An edit from .2 to .8 moves the score; ties go to the lower id."""
    low, high = sorted(("one", "two"), key=an_id)
    versions = [
        a_review("0.2", created_at=5, event="old"),
        a_review("0.8", created_at=6, event=low),
        a_review("0.4", created_at=6, event=high),
    ]

    story = given(*(recorded(versions[i]) for i in order))

    assert story.shop.reviews[KEY].thumb == Decimal("0.8")
    assert len(story.shop.reviews) == 1


def test_reviews_of_other_authors_and_products_stand_beside() -> None:
    """One each."""
    others = (a_review("0", author=OTHER_BUYER), a_review("0", d="cup"))

    assert len(given(recorded(a_review("1")), *map(recorded, others)).shop.reviews) == 3


@pytest.mark.req("REV-05")
@pytest.mark.parametrize("by_id", [True, False])
def test_a_deleted_review_no_longer_counts_and_does_not_come_back(by_id: bool) -> None:
    """By id or by address; a relay that missed the deletion brings the review again in vain."""
    review = a_review("1", created_at=5)
    request = deletion(9, events=(review.event_id,)) if by_id else deletion(9, d="tea")

    story = given(recorded(review)).when(request)

    story.then(ReviewWithdrawn)
    assert story.shop.reviews == {}
    story.when(recorded(review)).then_nothing()
    story.when(recorded(a_review("0", created_at=10))).then(ReviewRecorded)


@pytest.mark.req("REL-16")
def test_a_deletion_that_comes_before_the_review_holds_too() -> None:
    """Order does not matter."""
    story = given(deletion(9, d="tea")).when(recorded(a_review("1", created_at=5)))

    story.then_nothing()
    assert story.shop.reviews == {}


def test_a_review_dated_after_its_deletion_by_id_stays_deleted() -> None:
    """The author's clock went back between the two; the id was named all the same."""
    review = a_review("1", created_at=20)
    story = given(recorded(review)).when(deletion(9, events=(review.event_id,), d="tea"))

    assert story.shop.reviews == {}
    story.when(recorded(review)).then_nothing()


def test_a_newer_review_survives_an_older_deletion_by_address() -> None:
    """NIP-09: versions up to the deletion."""
    story = given(recorded(a_review("1", created_at=20))).when(deletion(9, d="tea"))

    assert KEY in story.shop.reviews


@pytest.mark.parametrize("by_id", [True, False])
def test_nobody_deletes_another_authors_review(by_id: bool) -> None:
    """Not even the merchant whose product it is of."""
    review = a_review("0", created_at=5)
    address = (f"31555:{BUYER}:a:{product()}",)
    for author in (OTHER_BUYER, product().split(":")[1]):
        request = RecordDeletion(
            author=author,
            created_at=9,
            event_ids=(review.event_id,) if by_id else (),
            coordinates=() if by_id else address,
        )

        story = given(recorded(review)).when(request)

        story.then_nothing()


def test_a_deletion_about_another_shops_product_leaves_no_trace_here() -> None:
    """Each shop remembers its own."""
    address = f"31555:{BUYER}:a:30402:{OTHER_MERCHANT}:tea"
    request = RecordDeletion(author=BUYER, created_at=NOW_S, coordinates=(address,))

    given().when(request).then_nothing()
