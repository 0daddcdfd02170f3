"""Reviews: one live review an author and product, the newest, until its author deletes it."""

from __future__ import annotations

from schemas.reviews import RecordReview, ReviewRecorded
from streams.domain.decision import Decision


def record(decision: Decision, command: RecordReview) -> None:
    """A newer version replaces the older; ties go to the lower id (EVT-02, REV-05)."""
    review = command.review
    key = (review.author, review.product)
    current = decision.shop.reviews.get(key)
    if current and (review.created_at, current.event_id) <= (current.created_at, review.event_id):
        return
    if review.created_at <= decision.shop.review_deletions.get(key, -1):
        return
    decision.emit(ReviewRecorded(review=review, score=review.score, strict_score=review.strict_score))
