"""Checks how reviews are read (market spec §5, requirements 4.4)."""

from decimal import Decimal

import pytest

from schemas.market.reading import MarketFault, MarketRefused
from schemas.market.review import CATEGORIES_MAX, CATEGORY_MAX, read_review
from schemas.reviews import Review
from tests.support.builders import BUYER, MERCHANT, Tag, an_event, product

D = ("d", f"a:{product()}")
UP = ("rating", "1", "thumb")


def read(*tags: Tag) -> Review:
    """A review with these tags and nothing else."""
    return read_review(an_event(31555, *tags, author=BUYER))


def fault(*tags: Tag) -> MarketFault:
    """Why an event with these tags is no review."""
    with pytest.raises(MarketRefused) as caught:
        read(*tags)
    return caught.value.reason


@pytest.mark.req("REV-01")
def test_the_market_specs_sample_scores_as_its_formula_says() -> None:
    """1 thumb; .8, 1.0, .6, .9: 0.9125."""
    review = read(
        D,
        UP,
        ("rating", "0.8", "value"),
        ("rating", "1.0", "quality"),
        ("rating", "0.6", "delivery"),
        ("rating", "0.9", "communication"),
    )

    assert review.score == Decimal("0.9125")
    assert (review.author, review.product, review.warnings) == (BUYER, product(), ())


@pytest.mark.req("T555-01")
def test_the_product_is_named_by_an_address_after_a_prefix() -> None:
    """`a:30402:M:x:y` is the product `x:y`."""
    assert read(("d", f"a:30402:{MERCHANT}:x:y"), UP).product == f"30402:{MERCHANT}:x:y"


@pytest.mark.req("T555-01")
@pytest.mark.parametrize(
    "d",
    [
        (),
        ("d",),
        ("d", ""),
        ("d", product()),
        ("d", f"p:{product()}"),
        ("d", f"a:30403:{MERCHANT}:x"),
        ("d", f"a:30402:{MERCHANT.upper()}:x"),
        ("d", f"a:30402:{MERCHANT}"),
        ("d", "a:"),
    ],
)
def test_another_kind_of_subject_is_somebody_elses_review(d: Tag) -> None:
    """Drafts of other specs share the kind."""
    assert fault(*((d,) if d else ()), UP) is MarketFault.FOREIGN_REVIEW


@pytest.mark.req("T555-02")
@pytest.mark.req("REV-04")
@pytest.mark.parametrize(
    "score", ["1.2", "1.000001", "-0.1", "NaN", "1e0", "", "up", "1,0", "１", "1.0000000000000000001"]
)
def test_a_thumb_outside_nought_to_one_voids_the_review(score: str) -> None:
    """The thumb is the review."""
    assert fault(D, ("rating", score, "thumb")) is MarketFault.NO_THUMB


@pytest.mark.req("T555-02")
@pytest.mark.parametrize("score", ["0", "0.5", "1", "1.0", " 0.25 "])
def test_a_thumb_may_be_a_fraction(score: str) -> None:
    """From nought to one, both included."""
    assert read(D, ("rating", score, "thumb")).thumb == Decimal(score.strip())


@pytest.mark.req("T555-02")
@pytest.mark.parametrize("rating", [(), ("rating", "1"), ("rating", "1", "quality"), ("rating", "1", "")])
def test_a_rating_without_the_thumbs_label_is_no_thumb(rating: Tag) -> None:
    """A-48: an unlabeled rating is not one either."""
    assert fault(D, *((rating,) if rating else ())) is MarketFault.NO_THUMB


@pytest.mark.req("REV-03")
def test_the_first_thumb_counts_and_labels_are_trimmed_and_in_any_case() -> None:
    """Two thumbs 1, 0 are 1."""
    review = read(D, ("rating", "1", " Thumb "), ("rating", "0", "thumb"))

    assert (review.thumb, review.warnings) == (Decimal(1), ("second_thumb",))


@pytest.mark.req("REV-03")
def test_a_first_thumb_that_is_bad_is_not_mended_by_a_second() -> None:
    """Otherwise the author could hedge."""
    assert fault(D, ("rating", "5", "thumb"), UP) is MarketFault.NO_THUMB


@pytest.mark.req("REV-03")
def test_custom_categories_count_and_the_first_of_each() -> None:
    """`Packaging` .4 counted, `packaging` .9 not."""
    review = read(D, UP, ("rating", "0.4", "Packaging"), ("rating", "0.9", "packaging "))

    assert [(c.category, c.score) for c in review.categories] == [("packaging", Decimal("0.4"))]
    assert review.warnings == ("category_repeated",)
    assert review.score == Decimal("0.7")


@pytest.mark.req("REV-04")
@pytest.mark.req("T555-03")
@pytest.mark.parametrize(
    "rating",
    [("rating", "5", "quality"), ("rating", "1e0", "quality"), ("rating", "1"), ("rating", "0.5", " ")],
)
def test_a_bad_category_is_dropped_with_a_warning(rating: Tag) -> None:
    """Thumb 1, quality 5: the total is 1."""
    review = read(D, UP, rating)

    assert (review.score, review.warnings) == (Decimal(1), ("category_dropped",))


def test_the_number_of_categories_is_bounded() -> None:
    """A review is not a data base."""
    ratings = tuple(("rating", "1", f"c{n}") for n in range(CATEGORIES_MAX + 5))

    assert len(read(D, UP, *ratings).categories) == CATEGORIES_MAX


def test_a_category_has_so_long_a_name_and_no_longer() -> None:
    """Its name stands in every figure it is part of."""
    assert read(D, UP, ("rating", "0", "x" * CATEGORY_MAX)).score == Decimal("0.5")
    assert read(D, UP, ("rating", "0", "x" * (CATEGORY_MAX + 1))).warnings == ("category_dropped",)
