"""The API's routes about reviews: what buyers say, and what it comes to (REV-06)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from schemas.reviews import Level, Standing

Query = Callable[..., Awaitable[list[dict[str, Any]]]]

_REVIEWS = """
SELECT r.*, i.title AS title FROM reviews_now AS r LEFT JOIN inventory_now AS i ON i.coordinate = r.product
WHERE ({merchant:String} = '' OR r.merchant = {merchant:String})
  AND ({product:String} = '' OR r.product = {product:String})
  AND ({standing:String} = '' OR r.standing = {standing:String})
  AND (NOT {verified:Bool} OR r.is_verified)
ORDER BY reviewed_at DESC, r.event_id LIMIT {limit:UInt32}
"""
_RATINGS = """
SELECT r.*, if(r.level = 'merchant', '', i.title) AS title
FROM ratings_now AS r LEFT JOIN inventory_now AS i ON i.coordinate = r.target
WHERE r.level = {level:String} AND ({merchant:String} = '' OR r.merchant = {merchant:String})
  AND ({target:String} = '' OR r.target = {target:String})
ORDER BY r.target, r.category = '' DESC, r.reviews DESC, r.category LIMIT {limit:UInt32}
"""
ROWS_MAX = 1_000
RATINGS_MAX = 10_000
_ABOUT = ("merchant", "target", "title", "reviews", "verified", "mean", "stars")


def add_routes(app: FastAPI, guarded: list[Any], query: Query) -> None:
    """`GET /reviews`, and `GET /reviews/ratings`."""

    @app.get("/reviews", dependencies=guarded)
    async def list_reviews(
        merchant: str = "", product: str = "", standing: Standing | None = None, verified: bool = False
    ) -> list[dict[str, Any]]:
        """The newest live reviews, those that do not count as well; of one shop, product or standing if named."""
        return await query(
            _REVIEWS,
            {
                "merchant": merchant,
                "product": product,
                "standing": standing.value if standing else "",
                "verified": verified,
                "limit": ROWS_MAX,
            },
        )

    @app.get("/reviews/ratings", dependencies=guarded)
    async def list_ratings(level: Level = Level.PRODUCT, merchant: str = "", target: str = "") -> list[dict[str, Any]]:
        """What reviews that count come to, by product, variable product or shop; each with its categories."""
        found = await query(
            _RATINGS, {"level": level.value, "merchant": merchant, "target": target, "limit": RATINGS_MAX}
        )
        return with_categories(found)


def with_categories(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of each target as one object, its categories beside the scores, the most reviewed target first."""
    targets: dict[str, dict[str, Any]] = {}
    for row in rows:
        if not row["category"]:
            targets[row["target"]] = {**{name: row[name] for name in _ABOUT}, "categories": []}
        elif row["target"] in targets:
            part = {name: row[name] for name in ("category", "reviews", "mean", "stars")}
            targets[row["target"]]["categories"].append(part)
    return sorted(targets.values(), key=lambda one: -int(one["reviews"]))
