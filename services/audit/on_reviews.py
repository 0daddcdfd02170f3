"""Reviews in the books: which count, whose authors bought the goods, and what they add up to (I15)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction

from services.audit.ledger import Fact, Figure, Ledger, Order, Review
from services.audit.rules import short


def listed(ledger: Ledger, fact: Fact) -> None:
    """A variation's reviews are its parent's too; one that was a variation once may have been bought as one."""
    listing = fact["listing"]
    if listing["structure"] == "variation" and listing["parent"]:
        ledger.parents.setdefault(listing["coordinate"], set()).add(listing["parent"])


def completed(ledger: Ledger, order: Order, fact: Fact) -> None:
    """The buyer has the goods."""
    buyer = fact["order"]["buyer"]
    for coordinate in order.lines:
        ledger.bought.put(_purchase(buyer, coordinate), 1)
        for parent in ledger.parents.get(coordinate, ()):
            ledger.bought.put(_purchase(buyer, parent), 2)


def recorded(ledger: Ledger, fact: Fact) -> None:
    """A version of a review; it counts once it is judged."""
    said = fact["review"]
    scores = {"": _score(fact["score"])}
    for one in said["categories"]:
        scores[one["category"]] = _score(one["score"])
    ledger.reviews[said["author"], said["product"]] = Review(said["created_at"], scores)


def withdrawn(ledger: Ledger, fact: Fact) -> None:
    """Its author deleted a review."""
    key = fact["author"], fact["product"]
    known = ledger.reviews.get(key)
    if known is not None and known.created_at <= fact["deleted_at"]:
        del ledger.reviews[key]


def judged(ledger: Ledger, fact: Fact) -> None:
    """A review counts from now on, or no longer, or for something else."""
    key = author, product = fact["author"], fact["product"]
    ledger.owns(product)
    for name, score, verified in ledger.counted.pop(key, ()):
        _count(ledger, name, -1, -score, -verified)
    review, counts = ledger.reviews.get(key), fact["standing"] == "counts"
    is_known = review is not None
    ledger.check("I15", is_known or not counts, lambda: f"a review of {short(product)} counts that is not there")
    is_own = author == ledger.merchant
    ledger.check("I15", not (counts and is_own), lambda: f"the merchant's own review of {short(product)} counts")
    if review is None:
        return
    how, verified = ledger.bought.get(_purchase(author, product)), fact["is_verified"]
    is_right = how > 0 if verified else how != 1
    ledger.check("I15", is_right, lambda: f"a review of {short(product)} is wrong about its author's purchase")
    if counts:
        parts = tuple(
            ((level, target, category), score, int(verified))
            for level, target in _targets(ledger, product, fact["parent"])
            for category, score in review.scores.items()
        )
        ledger.counted[key] = parts
        for name, score, by in parts:
            _count(ledger, name, +1, score, by)


def rated(ledger: Ledger, fact: Fact) -> None:
    """The journal says what some figures are now."""
    for one in fact["ratings"]:
        name = one["level"], one["target"], one["category"]
        stars = sum(one["stars"])
        ledger.check("I15", stars == one["reviews"], lambda: "the stars of a rating are not its reviews")
        ledger.told[name] = Figure(one["reviews"], one["verified"], Fraction(one["total"]))
        ledger.rated[name] = None


def balance(ledger: Ledger) -> None:
    """After a record, every figure it touched is what its reviews add up to."""
    for name in ledger.rated:
        ours, told = ledger.figures.get(name, Figure()), ledger.told.get(name, Figure())
        said = f"the rating of {short(name[1])} is {told}, where the reviews give {ours}"
        ledger.check("I15", ours == told, lambda said=said: said)  # type: ignore[misc]


def _targets(ledger: Ledger, product: str, parent: str | None) -> Iterator[tuple[str, str]]:
    yield "product", product
    yield "merchant", ledger.merchant
    if parent:
        yield "parent", parent


def _count(ledger: Ledger, name: tuple[str, str, str], by: int, score: Fraction, verified: int) -> None:
    before = ledger.figures.get(name, Figure())
    ledger.figures[name] = Figure(before.reviews + by, before.verified + verified, before.total + score)
    ledger.rated[name] = None


def _score(text: object) -> Fraction:
    """A score to 18 places, half to even."""
    return Fraction(round(Fraction(str(text)) * 10**18), 10**18)


def _purchase(buyer: str, coordinate: str) -> str:
    return hashlib.sha256(f"{buyer}:{coordinate}".encode()).hexdigest()[:32]
