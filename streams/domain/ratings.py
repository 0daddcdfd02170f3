"""What all reviews that count come to: figures by product, by variable product and for the shop, kept up to date."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal

from schemas.reviews import STARS, Level, Rating, RatingsChanged, Review, ReviewJudged, Standing
from streams.domain.shop import RatingKey, Shop

_STEP = Decimal(1).scaleb(-18)
_EXACT = Context(prec=60)


def share(score: Decimal) -> Decimal:
    """A score as it is summed: rounded once to 18 places, as ClickHouse keeps it."""
    return score.quantize(_STEP, rounding=ROUND_HALF_EVEN, context=_EXACT)


def stars(score: Decimal) -> int:
    """One to five, by fifths of the scale: up to 0.2 is one star, above 0.8 five."""
    return max(1, math.ceil(score * STARS))


def figures(merchant: str, review: Review, verdict: ReviewJudged) -> Iterator[tuple[RatingKey, Decimal]]:
    """Each figure that a review is part of, and the score it adds there; none where it does not count."""
    if verdict.standing is not Standing.COUNTS:
        return
    targets = [(Level.PRODUCT, review.product), (Level.MERCHANT, merchant)]
    if verdict.parent is not None:
        targets.append((Level.PARENT, verdict.parent))
    for level, target in targets:
        yield (level.value, target, ""), review.score
        for category in review.categories:
            yield (level.value, target, category.category), category.score


class Changes:
    """The figures that one decision changes, as it goes along."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._now: dict[RatingKey, Rating] = {}

    def __len__(self) -> int:
        return len(self._now)

    def take(self, review: Review, verdict: ReviewJudged) -> None:
        """This review no longer counts as it did."""
        self._count(review, verdict, -1)

    def add(self, review: Review, verdict: ReviewJudged) -> None:
        """This review counts so from now on."""
        self._count(review, verdict, +1)

    def event(self) -> RatingsChanged | None:
        """What changed, if anything did."""
        changed = [now for key, now in self._now.items() if now != self._shop.ratings.get(key, _none(key))]
        return RatingsChanged(ratings=tuple(changed)) if changed else None

    def _count(self, review: Review, verdict: ReviewJudged, by: int) -> None:
        for key, score in figures(self._shop.merchant, review, verdict):
            before = self._now.get(key) or self._shop.ratings.get(key) or _none(key)
            place = stars(score) - 1
            self._now[key] = before.model_copy(
                update={
                    "reviews": before.reviews + by,
                    "verified": before.verified + by * verdict.is_verified,
                    "total": _EXACT.add(before.total, by * share(score)),
                    "stars": tuple(n + by * (star == place) for star, n in enumerate(before.stars)),
                }
            )


def _none(key: RatingKey) -> Rating:
    level, target, category = key
    return Rating(
        level=Level(level),
        target=target,
        category=category,
        reviews=0,
        verified=0,
        total=Decimal(0),
        stars=(0, 0, 0, 0, 0),
    )
