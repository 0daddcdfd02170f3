"""`ncc reviews` and the demo's stories on the command line: tables, stars, and one sentence for a mistake."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from schemas.reviews import STARS
from services.cli import reviews
from services.cli.demo import STORIES
from services.cli.main import app
from streams.domain.ratings import stars as counted
from tests.support.builders import BUYER, MERCHANT, OTHER_MERCHANT, product

REVIEW = {
    "product": product(),
    "title": "Tea",
    "score": "0.75",
    "is_verified": True,
    "standing": "counts",
    "author": BUYER,
    "reviewed_at": "2023-11-14T22:13:20",
}
RATING = {
    "merchant": MERCHANT,
    "target": product(),
    "title": "Tea",
    "reviews": 3,
    "verified": 2,
    "mean": "0.5083",
    "stars": [0, 2, 0, 0, 1],
    "categories": [{"category": "quality", "reviews": 2, "mean": "0.6250", "stars": [0, 1, 0, 0, 1]}],
}


class FakeStack:
    """A stack that has one review, one rating, and tea in two shops."""

    asked: list[tuple[str, dict[str, Any]]]

    def __init__(self, _home: Path) -> None:
        FakeStack.asked = []

    def get(self, path: str, **params: Any) -> Any:
        """What the API would say."""
        self.asked.append((path, params))
        stock = [product(), product("tea", OTHER_MERCHANT), product("cup")]
        own = {**REVIEW, "standing": "own", "is_verified": False, "title": ""}
        return {
            "/reviews": [REVIEW, own],
            "/reviews/ratings": [RATING],
            "/stock": [{"coordinate": one} for one in stock],
        }[path]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`ncc …` against that stack; gives exit code and what was printed."""
    monkeypatch.setattr(reviews, "Stack", FakeStack)

    def runs(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, words, env={"COLUMNS": "160"})
        return result.exit_code, result.output

    return runs


def test_reviews_show_stars_and_why_one_does_not_count(run: Any) -> None:
    """A buyer's, and the shop's own."""
    code, shown = run("reviews")

    assert code == 0
    assert "★★★★☆" in shown
    assert "the shop's own" in shown


def test_ratings_show_how_often_each_star_was_given(run: Any) -> None:
    """From five down to one, and the categories."""
    code, shown = run("reviews", "--by", "product")

    assert code == 0
    assert shown.split("by category")[1].split() == [
        *("Tea", "★★★☆☆", "0.51", "3", "2"),
        *("1", "0", "0", "2", "0"),
        *("quality", "0.62"),
    ]


def test_json_is_what_the_api_said(run: Any) -> None:
    """For programs."""
    assert json.loads(run("reviews", "--json")[1])[0] == REVIEW
    assert json.loads(run("reviews", "--by", "product", "--json")[1]) == [RATING]


def test_a_listing_is_named_by_its_address_or_its_name(run: Any) -> None:
    """A name that two shops have has to be an address."""
    assert run("reviews", "--product", "cup")[0] == 0
    assert FakeStack.asked[-1] == ("/reviews", {"product": product("cup"), "verified": False})
    assert run("reviews", "--by", "product", "--product", product())[0] == 0
    assert FakeStack.asked[-1] == ("/reviews/ratings", {"level": "product", "target": product()})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reviews", "--product", "tea"), "several shops"),
        (("reviews", "--product", "unicorn"), "no listing is named 'unicorn'"),
        (("reviews", "--by", "product", "--verified"), "--verified picks single reviews"),
        (("reviews", "--by", "merchant", "--product", "cup"), "leave one of them out"),
        (("demo", "--story", "play"), "there is no story 'play': choose one of order, market"),
    ],
)
def test_a_mistake_is_one_sentence(run: Any, words: tuple[str, ...], said: str) -> None:
    """What, and what to do; nothing was started."""
    code, shown = run(*words)

    assert code == 2
    assert said in shown
    assert len(shown.strip().splitlines()) == 1


def test_the_demo_knows_two_stories() -> None:
    """The first is what it plays without a word."""
    assert list(STORIES) == ["order", "market"]


@pytest.mark.parametrize("score", ["0", "0.1", "0.2", "0.2001", "0.4", "0.5", "0.6", "0.7999", "0.8", "0.81", "1"])
def test_stars_on_the_screen_are_those_that_are_counted(score: str) -> None:
    """By fifths of the scale."""
    assert reviews.stars(score) == "★" * counted(Decimal(score)) + "☆" * (STARS - counted(Decimal(score)))
