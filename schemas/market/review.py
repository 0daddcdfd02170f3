"""Product reviews, kind 31555 (market spec §5)."""

from __future__ import annotations

from decimal import Decimal

from schemas import limits
from schemas.market.reading import MarketFault, MarketRefused, TagReader, exact_decimal
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import Event
from schemas.reviews import CategoryScore, Review

THUMB = "thumb"
CATEGORIES_MAX = limits.REVIEW_CATEGORIES.most
CATEGORY_MAX = limits.REVIEW_CATEGORY.most


def read_review(event: Event) -> Review:
    """A verified event as a review. Raises `MarketRefused` (`foreign_review`, `no_thumb`).

    The first thumb and the first score of each category count; labels are compared in lower case, trimmed (REV-03).
    """
    tags = TagReader(event)
    thumb: Decimal | None = None
    seen: dict[str, Decimal] = {}
    met_thumb = False
    for tag in tags.all("rating"):
        label = tag[2].strip().lower() if len(tag) > 2 else ""
        score = exact_decimal(tag[1].strip())
        if score is not None and score > 1:
            score = None
        if label == THUMB:
            if met_thumb:
                tags.warn("second_thumb")
                continue
            met_thumb, thumb = True, score
        elif not label or len(label) > CATEGORY_MAX or score is None or len(seen) >= CATEGORIES_MAX:
            tags.warn("category_dropped")
        elif label in seen:
            tags.warn("category_repeated")
        else:
            seen[label] = score
    product = _product(tags)
    if thumb is None:
        raise MarketRefused(MarketFault.NO_THUMB)
    return Review(
        author=event.pubkey,
        product=str(product),
        event_id=event.id,
        created_at=event.created_at,
        thumb=thumb,
        categories=tuple(CategoryScore(category=label, score=score) for label, score in seen.items()),
        warnings=tuple(tags.warnings),
    )


def _product(tags: TagReader) -> Coordinate:
    """The product named by `d` = `a:30402:<pubkey>:<d>` (T555-01)."""
    d = tags.text("d") or ""
    prefix, _, address = d.partition(":")
    try:
        product = Coordinate.parse(address)
    except ValueError:
        raise MarketRefused(MarketFault.FOREIGN_REVIEW) from None
    if prefix != "a" or product.kind != Kind.PRODUCT:
        raise MarketRefused(MarketFault.FOREIGN_REVIEW)
    return product
