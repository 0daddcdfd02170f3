"""Product reviews (kind 31555): the value, its command and its events, with the market spec's score and its sums."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from schemas.values import EventId, OrderKey, PublicKey, Value

MEAN_PLACES = 4
STARS = 5


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


class Standing(StrEnum):
    """Whether a review counts: not the merchant's own, nor one by a buyer the shop declines (REV-07).

    One of a product that the merchant never named waits until they do (REV-08); one that was deleted is gone.
    """

    COUNTS = "counts"
    OWN = "own"
    MUTED = "muted"
    WAITING = "waiting"
    WITHDRAWN = "withdrawn"


class Level(StrEnum):
    """What a rating is about: one product, a variable product with its variations, or the whole shop (REV-06)."""

    PRODUCT = "product"
    PARENT = "parent"
    MERCHANT = "merchant"


class Rating(Value):
    """All reviews that count for one target, as one figure; exact.

    `target` is a product's address, or the merchant's public key. `category` is '' for the scores themselves,
    else the figure is of that category alone. `total` is the sum of scores, each rounded once to 18 places.
    `stars` counts them by fifths of the scale: up to 0.2 is one star, above 0.8 five.
    """

    level: Level
    target: str
    category: str = ""
    reviews: int
    verified: int
    total: Decimal
    stars: tuple[int, int, int, int, int]

    @property
    def mean(self) -> Decimal | None:
        """The mean score to four places, half to even; None without reviews."""
        return mean_score(self.total, self.reviews)


def mean_score(total: Decimal, reviews: int) -> Decimal | None:
    """A sum of scores divided by their number, rounded once to four places; None where there is none."""
    if not reviews:
        return None
    return Decimal(round(Fraction(total) * 10**MEAN_PLACES / reviews)).scaleb(-MEAN_PLACES)


class RecordReview(Value):
    """A version of a review was seen."""

    type: Literal["RecordReview"] = "RecordReview"
    review: Review


class JudgeReviews(Value):
    """Say which of the reviews that something happened to count; sent by the decider, again while some are left."""

    type: Literal["JudgeReviews"] = "JudgeReviews"


class ReviewRecorded(Value):
    """The newest review of this author for this product; it replaces an older one (REV-05).

    Whether it counts is judged right after.
    """

    type: Literal["ReviewRecorded"] = "ReviewRecorded"
    review: Review
    score: Decimal
    strict_score: Decimal


class ReviewWithdrawn(Value):
    """The author deleted the review; its figures lose it right after."""

    type: Literal["ReviewWithdrawn"] = "ReviewWithdrawn"
    author: PublicKey
    product: str
    deleted_at: int


class ReviewJudged(Value):
    """Whether a review counts, and for what: `parent` is the variable product it is also a review of.

    `is_verified` says that its author has a completed order with the product, or with a variation of it.
    Said after each version that is recorded, and after an order, a listing or the settings may have changed it.
    """

    type: Literal["ReviewJudged"] = "ReviewJudged"
    author: PublicKey
    product: str
    standing: Standing
    is_verified: bool = False
    parent: str | None = None


class RatingsChanged(Value):
    """These figures as they are now; nothing else follows, and a row that has them already stays as it is."""

    type: Literal["RatingsChanged"] = "RatingsChanged"
    ratings: tuple[Rating, ...]


class ReviewReceived(Value):
    """The merchant is to hear of a review that counts now for the first time (REV-09); edits are no news."""

    type: Literal["ReviewReceived"] = "ReviewReceived"
    author: PublicKey
    product: str
    score: Decimal
    is_verified: bool = False


class ReviewInvited(Value):
    """The buyer of a completed order is asked for a review, in the message of the same record (REV-09).

    An order is completed once, so this is said once an order.
    """

    type: Literal["ReviewInvited"] = "ReviewInvited"
    order: OrderKey
