"""Reviews, families of products, purchases, and what the tables say of them: for tests about ratings."""

from __future__ import annotations

from schemas.catalogue import RecordListing, Structure
from schemas.orders import OrderStatus
from schemas.reviews import JudgeReviews, RecordReview, Review, Standing
from schemas.rows import RatingRow, ReviewRow, Row
from schemas.values import Actor
from streams.domain.projections import RowKey, fold, review_key
from tests.support.builders import BUYER, a_key, a_listing, an_order, product
from tests.support.steps import moved, paid, requested
from tests.support.story import Said, Story

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
