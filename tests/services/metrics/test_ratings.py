"""What reviews come to, in ClickHouse: by product, by parent and by shop, and as the API asks for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas.catalogue import RecordListing, Structure
from schemas.reviews import JudgeReviews, RecordReview
from schemas.rows import RatingRow
from services.api import reviews as api
from services.metrics.query_server import answer
from services.metrics.store import Store
from services.metrics.writer import MetricsWriter
from tests.services.metrics.scenes import only, state_rows
from tests.services.metrics.test_queries import ask, written
from tests.support.builders import MERCHANT, OTHER_BUYER, STRANGER, a_listing, a_review, product
from tests.support.story import Story, given

pytestmark = pytest.mark.real


def three_reviews() -> Story:
    """A cup in two colours, and tea: one review each, and one by the merchant that does not count."""
    red, blue = (
        a_listing(d, structure=Structure.VARIATION).model_copy(update={"parent": product("cup")})
        for d in ("red", "blue")
    )
    story = given(
        *(RecordListing(listing=one) for one in (a_listing("cup", structure=Structure.VARIABLE), red, blue)),
        RecordListing(listing=a_listing("tea")),
        RecordReview(review=a_review("1", ("value", "0.8"), ("quality", "1"), ("delivery", "0.6"), d="red")),
        RecordReview(review=a_review("0.2", ("value", "0.3"), author=OTHER_BUYER, d="blue")),
        RecordReview(review=a_review("0.5", ("quality", "0.25"), author=STRANGER)),
        RecordReview(review=a_review("1", author=MERCHANT)),
    )
    return story.when(JudgeReviews())


def figures(rows: list[dict[str, object]], level: str) -> list[tuple[object, ...]]:
    """The rows of a level, short."""
    return [
        (str(r["target"]).rpartition(":")[2], r["category"], r["reviews"], r["mean"], r["stars"])
        for r in rows
        if r["level"] == level
    ]


@pytest.mark.req("REV-06")
def test_three_reviews_give_exactly_these_figures(store: Store, writer: MetricsWriter) -> None:
    """Overall and by category; the merchant's own is no part of them."""
    written(writer, three_reviews())
    rows = ask(store, "ratings_by_level")
    assert figures(rows, "merchant") == [
        (MERCHANT, "", 3, Decimal("0.5083"), [0, 2, 0, 0, 1]),
        (MERCHANT, "quality", 2, Decimal("0.625"), [0, 1, 0, 0, 1]),
        (MERCHANT, "value", 2, Decimal("0.55"), [0, 1, 0, 1, 0]),
        (MERCHANT, "delivery", 1, Decimal("0.6"), [0, 0, 1, 0, 0]),
    ]
    assert figures(rows, "parent") == [
        ("cup", "", 2, Decimal("0.575"), [0, 1, 0, 0, 1]),
        ("cup", "value", 2, Decimal("0.55"), [0, 1, 0, 1, 0]),
        ("cup", "delivery", 1, Decimal("0.6"), [0, 0, 1, 0, 0]),
        ("cup", "quality", 1, Decimal(1), [0, 0, 0, 0, 1]),
    ]
    overall = {d: mean for d, category, _, mean, _ in figures(rows, "product") if not category}
    assert overall == {"red": Decimal("0.9"), "blue": Decimal("0.25"), "tea": Decimal("0.375")}


def test_the_figures_are_those_that_clickhouse_adds_up_itself(store: Store, writer: MetricsWriter) -> None:
    """And a figure that is not is found."""
    story = three_reviews()
    written(writer, story)
    checked = ask(store, "ratings_check")
    assert len(checked) == 4 + 4 + 4 + 2 + 2
    assert [row for row in checked if not row["agrees"]] == []
    last = only(RatingRow, state_rows(story.journal))[-1]

    writer.write_ratings([last.model_copy(update={"total": Decimal("0.1"), "sequence": last.sequence + 1})])

    wrong = [row for row in ask(store, "ratings_check") if not row["agrees"]]
    assert [(row["level"], row["target"], row["category"]) for row in wrong] == [
        (last.level.value, last.target, last.category)
    ]


def test_a_store_of_an_earlier_version_gets_the_new_columns(store: Store) -> None:
    """Its reviews counted, since nobody had judged them."""
    store.command(
        "CREATE TABLE reviews (merchant LowCardinality(String), product String, author String, event_id String,"
        " thumb Decimal(38, 18), score Decimal(38, 18), strict_score Decimal(38, 18), categories Array(String),"
        " category_scores Array(Decimal(38, 18)), reviewed_at DateTime64(3, 'UTC'), withdrawn Bool,"
        " updated_at DateTime64(3, 'UTC'), partition UInt16, sequence UInt64)"
        " ENGINE = ReplacingMergeTree(sequence) ORDER BY (merchant, product, author)"
    )
    store.command("INSERT INTO reviews (merchant, product, author) VALUES ('m', 'p', 'a')")
    writer = MetricsWriter(store, lambda merchant, buyer: buyer)

    writer.migrate()

    assert store.query("SELECT standing, is_verified, parent FROM reviews_now").rows == (("counts", False, ""),)
    written(writer, three_reviews())
    assert store.query("SELECT count() FROM reviews_now WHERE standing = 'own'").rows == ((1,),)


@pytest.mark.req("REV-06")
def test_the_api_shows_a_target_with_its_categories(store: Store, writer: MetricsWriter) -> None:
    """One object for each, with its title, by the same statement as in production."""
    written(writer, three_reviews())
    asked: dict[str, Any] = {"level": "parent", "merchant": MERCHANT, "target": "", "limit": 10}

    (cup,) = api.with_categories(answer(store, api._RATINGS, asked).dicts())

    assert (cup["title"], cup["reviews"], cup["mean"], cup["stars"]) == ("Cup", 2, Decimal("0.575"), [0, 1, 0, 0, 1])
    assert [(one["category"], one["mean"]) for one in cup["categories"]] == [
        ("value", Decimal("0.55")),
        ("delivery", Decimal("0.6")),
        ("quality", Decimal(1)),
    ]
    shop = api.with_categories(answer(store, api._RATINGS, {**asked, "level": "merchant"}).dicts())
    assert [(one["target"], one["title"], one["reviews"]) for one in shop] == [(MERCHANT, "", 3)]


@pytest.mark.req("REV-07")
def test_the_api_lists_reviews_with_their_standing(store: Store, writer: MetricsWriter) -> None:
    """The merchant's own is seen and said to be so; of one product, or of one standing, where that is asked."""
    written(writer, three_reviews())
    asked: dict[str, Any] = {"merchant": "", "product": "", "standing": "", "verified": False, "limit": 10}

    def shown(**wish: object) -> list[tuple[object, object, object]]:
        rows = answer(store, api._REVIEWS, {**asked, **wish}).dicts()
        return sorted((str(r["title"]), str(r["standing"]), bool(r["is_verified"])) for r in rows)

    assert shown() == [
        ("Blue", "counts", False),
        ("Red", "counts", False),
        ("Tea", "counts", False),
        ("Tea", "own", False),
    ]
    assert shown(product=product("tea"), standing="counts") == [("Tea", "counts", False)]
    assert shown(verified=True) == []
