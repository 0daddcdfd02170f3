"""Product reviews (kind 31555): the value, its command and its events, with the market spec's score."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from schemas.values import EventId, PublicKey, Value


class CategoryScore(Value):
    """One category's score, 0..1."""

    category: str
    score: Decimal


class Review(Value):
    """A buyer's rating of one product. `thumb` and category scores are exact decimals in 0..1."""

    author: PublicKey
    product: str
    event_id: EventId
    created_at: int
    thumb: Decimal
    categories: tuple[CategoryScore, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def score(self) -> Decimal:
        """Half the thumb, half the mean of the categories; the thumb alone where there are none (A-27)."""
        if not self.categories:
            return self.thumb
        mean = sum((c.score for c in self.categories), Decimal(0)) / len(self.categories)
        return (self.thumb + mean) / 2

    @property
    def strict_score(self) -> Decimal:
        """The score as some clients compute it, where a review without categories counts half its thumb."""
        return self.score if self.categories else self.thumb / 2


class RecordReview(Value):
    """A version of a review was seen."""

    type: Literal["RecordReview"] = "RecordReview"
    review: Review


class ReviewRecorded(Value):
    """The newest review of this author for this product; it replaces an older one (REV-05)."""

    type: Literal["ReviewRecorded"] = "ReviewRecorded"
    review: Review
    score: Decimal
    strict_score: Decimal


class ReviewWithdrawn(Value):
    """The author deleted the review; it no longer counts."""

    type: Literal["ReviewWithdrawn"] = "ReviewWithdrawn"
    author: PublicKey
    product: str
    deleted_at: int
