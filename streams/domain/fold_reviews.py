"""What facts do to reviews and their figures, and which reviews have to be judged anew after them."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.catalogue import Listing
from schemas.orders import OrderMoved
from schemas.reviews import Level, RatingsChanged, Review, ReviewJudged, ReviewWithdrawn, Standing
from streams.domain.shop import Judged, ReviewKey, Shop, is_named, parent_of


def record(shop: Shop, review: Review) -> None:
    """Keep a review; of a product nobody named yet, it is found by that once it is named."""
    key = (review.author, review.product)
    shop.reviews[key] = review
    if not is_named(shop, review.product):
        shop.waiting_reviews[key] = None
    _doubt(shop, (key,))


def withdraw(shop: Shop, event: ReviewWithdrawn) -> None:
    """Forget a review that is not newer than its deletion."""
    key = (event.author, event.product)
    shop.review_deletions[key] = event.deleted_at
    if key in shop.reviews and shop.reviews[key].created_at <= event.deleted_at:
        del shop.reviews[key]
        shop.waiting_reviews.pop(key, None)
        _doubt(shop, (key,))


def judge(shop: Shop, event: ReviewJudged) -> None:
    """Keep what the figures now have of a review."""
    key = (event.author, event.product)
    shop.unjudged.pop(key, None)
    shop.is_judging = False
    review = shop.reviews.get(key)
    if review is None or event.standing is Standing.WITHDRAWN:
        shop.judged.pop(key, None)
    else:
        shop.judged[key] = Judged(review, event)


def rate(shop: Shop, event: RatingsChanged) -> None:
    """Take figures over as they are; one without reviews is not kept."""
    for rating in event.ratings:
        key = (rating.level.value, rating.target, rating.category)
        if rating.reviews:
            shop.ratings[key] = rating
        else:
            shop.ratings.pop(key, None)


def change_listing(shop: Shop, product: str, before: Listing | None) -> None:
    """A listing came, changed or went: reviews that waited for it, and those that are now part of another rating."""
    waited = [key for key in shop.waiting_reviews if key[1] == product]
    for key in waited:
        del shop.waiting_reviews[key]
    _doubt(shop, waited)
    has_reviews = (Level.PRODUCT.value, product, "") in shop.ratings
    if has_reviews and parent_of(shop.listings.get(product)) != parent_of(before):
        _doubt(shop, (key for key in shop.reviews if key[1] == product))


def change_denied(shop: Shop, before: Iterable[str]) -> None:
    """Other buyers are declined now: their reviews count, or no longer do."""
    changed = set(before).symmetric_difference(shop.settings.denied)
    if changed:
        _doubt(shop, (key for key in shop.reviews if key[0] in changed))


def complete(shop: Shop, event: OrderMoved) -> None:
    """Remember what the buyer of a completed order got: their reviews of it are verified ones (REV-07).

    A variation makes one of its parent verified too.
    """
    order = shop.orders.get(event.order.ref)
    if order is None:
        return
    buyer = event.order.buyer
    before = shop.purchases.get(buyer, ())
    items = dict.fromkeys(before)
    for line in order.lines:
        items[line.coordinate] = None
        listing = shop.listings.get(line.coordinate)
        if listing is not None and listing.parent is not None:
            items[listing.parent] = None
    shop.purchases[buyer] = tuple(items)
    new = tuple(items)[len(before) :]
    _doubt(shop, ((buyer, item) for item in new if (buyer, item) in shop.reviews))


def _doubt(shop: Shop, keys: Iterable[ReviewKey]) -> None:
    """These have to be judged anew."""
    for key in keys:
        shop.unjudged[key] = None
        shop.is_judging = False
