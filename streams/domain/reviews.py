"""Reviews: one live review an author and product, the newest, until its author deletes it; and which of them count."""

from __future__ import annotations

from schemas import limits
from schemas.holds import ReplyWithheld
from schemas.orders import OrderMoved, OrderPlaced, OrderStatus
from schemas.replies import ReplyPromised, StatusReply, WireStatus
from schemas.reviews import (
    JudgeReviews,
    RecordReview,
    Review,
    ReviewInvited,
    ReviewJudged,
    ReviewReceived,
    ReviewRecorded,
    Standing,
)
from schemas.texts.phrases import Phrase
from schemas.values import OrderKey
from streams.domain.buyers import Silence
from streams.domain.decision import Decision
from streams.domain.ratings import Changes
from streams.domain.shop import ReviewKey, Shop, is_named, parent_of

WAITING_MAX = limits.WAITING_REVIEWS.most
JUDGED_MAX = 100
FIGURES_MAX = 300
"""Reviews, and figures they change, of one decision: its record has to fit, whatever strangers put in their reviews."""


def record(decision: Decision, command: RecordReview) -> None:
    """A newer version replaces the older; ties go to the lower id (EVT-02, REV-05).

    Whether it counts is decided right after it, with `JudgeReviews`.
    Of products that the merchant never named, only so many reviews wait (REV-08).
    """
    shop, review = decision.shop, command.review
    key = (review.author, review.product)
    current = shop.reviews.get(key)
    if current and (review.created_at, current.event_id) <= (current.created_at, review.event_id):
        return
    if review.created_at <= shop.review_deletions.get(key, -1):
        return
    if current is None and len(shop.waiting_reviews) >= WAITING_MAX and not is_named(shop, review.product):
        decision.silence = Silence.TOO_MANY_REVIEWS
        return
    decision.emit(ReviewRecorded(review=review, score=review.score, strict_score=review.strict_score))


def judge(decision: Decision, _command: JudgeReviews) -> None:
    """Say of each review that something happened to whether it counts, and what all of them come to.

    As many as fit one record; the rest is judged with the next command of this kind.
    """
    shop = decision.shop
    changes = Changes(shop)
    for number, key in enumerate(shop.unjudged):
        if number >= JUDGED_MAX or len(changes) >= FIGURES_MAX:
            break
        review, before = shop.reviews.get(key), shop.judged.get(key)
        if before is not None:
            changes.take(before.review, before.verdict)
        verdict = _verdict(shop, key)
        decision.emit(verdict)
        if review is None or verdict.standing is not Standing.COUNTS:
            continue
        changes.add(review, verdict)
        if before is None or before.verdict.standing is Standing.WAITING:
            decision.emit(_received(review, verdict))
    if (changed := changes.event()) is not None:
        decision.emit(changed)


def _verdict(shop: Shop, key: ReviewKey) -> ReviewJudged:
    author, product = key
    if key not in shop.reviews:
        return ReviewJudged(author=author, product=product, standing=Standing.WITHDRAWN)
    if author == shop.merchant:
        standing = Standing.OWN
    elif author in shop.settings.denied:
        standing = Standing.MUTED
    elif is_named(shop, product):
        standing = Standing.COUNTS
    else:
        standing = Standing.WAITING
    return ReviewJudged(
        author=author,
        product=product,
        standing=standing,
        is_verified=product in shop.purchases.get(author, ()),
        parent=parent_of(shop.listings.get(product)),
    )


def _received(review: Review, verdict: ReviewJudged) -> ReviewReceived:
    return ReviewReceived(
        author=review.author, product=review.product, score=review.score, is_verified=verdict.is_verified
    )


def invite(decision: Decision) -> None:
    """Ask the buyer of each order that the decision completes for a review, where the shop wants that (REV-09).

    It looks at what was decided and not at who decided it; an order is completed once, so it is asked once.
    """
    if not decision.shop.settings.invite_review:
        return
    completed = (e.order for e in decision.events if isinstance(e, OrderMoved) and e.to is OrderStatus.COMPLETED)
    for order in tuple(completed):
        decision.emit(ReviewInvited(order=order))
        if not _add_invitation(decision, order):
            dialect, answers = _place_of(decision, order)
            decision.tell_status(
                order, dialect, answers, WireStatus.COMPLETED, decision.voice(order).say(Phrase.INVITATION)
            )


def _add_invitation(decision: Decision, order: OrderKey) -> bool:
    """Put the sentence into the message that the order is complete; False where nobody promised one.

    Whoever said so themselves, or was told elsewhere, needs no such message, and gets the invitation alone.
    """
    for place, event in enumerate(decision.events):
        match event:
            case (
                ReplyPromised(reply=StatusReply(status=WireStatus.COMPLETED) as reply)
                | ReplyWithheld(reply=StatusReply(status=WireStatus.COMPLETED) as reply)
            ) if event.order == order:
                invitation = decision.voice(order).say(Phrase.INVITATION)
                told = reply.model_copy(update={"text": f"{reply.text} {invitation}"})
                decision.events[place] = event.model_copy(update={"reply": told})
                return True
            case _:
                pass
    return False


def _place_of(decision: Decision, order: OrderKey) -> tuple[str, str]:
    """The order's dialect and the rumor to answer, known or placed just now."""
    known = decision.shop.order(order)
    if known is not None:
        return known.dialect, known.answers
    return next((e.dialect, e.rumor_id) for e in decision.events if isinstance(e, OrderPlaced) and e.order == order)
