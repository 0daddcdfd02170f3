"""What ingest asks relays for: whatever a merchant publishes, and what that points at."""

from __future__ import annotations

import pytest

from schemas.nostr.coordinates import Coordinate
from schemas.nostr.kinds import Kind
from services.following import Followed, Topic, filters_of, targets_of
from tests.support.builders import BUYER, MERCHANT, OTHER_MERCHANT, an_event

APP = f"31990:{OTHER_MERCHANT}:plebeian"
PACK = f"30405:{OTHER_MERCHANT}:spring"
POST = f"30406:{OTHER_MERCHANT}:post"


def asked(topic: Topic, followed: Followed) -> tuple[dict[str, object], ...]:
    """The filters of one topic for one shop; none where there is nothing to ask for."""
    targets = targets_of(topic, MERCHANT, followed)
    return tuple(dict(one) for one in filters_of(topic, targets)) if targets else ()


@pytest.mark.req("REL-08")
def test_every_kind_of_the_catalogue_is_asked_for() -> None:
    """Profile, deletions, lists, stalls, listings with all they stand on, drafts and recommended apps; of its own."""
    (catalogue,) = asked(Topic.CATALOGUE, Followed())

    kinds = {0, 5, 10_002, 10_019, 10_050, *range(30_017, 30_021), 30_402, 30_403, 30_405, 30_406, 31_234, 31_989}
    assert kinds <= set(catalogue["kinds"])  # type: ignore[call-overload]
    assert catalogue["authors"] == [MERCHANT]


@pytest.mark.req("REL-09")
def test_what_a_merchant_points_at_is_asked_for_whoever_wrote_it() -> None:
    """Reviews of each listing; another's option and collection a listing names; the app that is recommended."""
    followed = Followed()
    product = an_event(Kind.PRODUCT, ("d", "mug"), ("shipping_option", POST), ("shipping_option", PACK))
    recommended = an_event(Kind.APP_RECOMMENDATION, ("d", "30402"), ("a", APP, "wss://relay.example", "web"))

    assert (followed.learn(product), followed.learn(recommended)) == (True, True)
    assert (followed.learn(product), followed.learn(recommended)) == (False, False), "nothing is new the second time"

    (reviews,) = asked(Topic.REVIEWS, followed)
    assert reviews == {"kinds": [31_555], "#d": [f"a:30402:{MERCHANT}:mug"]}
    offers, deletions = asked(Topic.OFFERS, followed)
    assert offers["kinds"] == [30_405, 30_406, 31_990]
    assert (offers["authors"], offers["#d"]) == ([OTHER_MERCHANT], ["plebeian", "post", "spring"])
    assert deletions == {"kinds": [5], "authors": [OTHER_MERCHANT]}


def test_a_recommendation_that_names_no_app_teaches_nothing() -> None:
    """Broken addresses, and addresses of something else, are left out."""
    followed = Followed()
    tags = (("d", "30402"), ("a", "31990"), ("a", f"30402:{BUYER}:mug"), ("a", ""))

    assert followed.learn(an_event(Kind.APP_RECOMMENDATION, *tags)) is False
    assert (followed.offers, asked(Topic.OFFERS, followed)) == ({}, ())


def test_a_merchants_own_app_is_followed_like_anybodys() -> None:
    """Nothing else would bring it: a handler is not among what is asked of a merchant's own events."""
    followed = Followed()
    followed.learn(an_event(Kind.APP_RECOMMENDATION, ("d", "16"), ("a", f"31990:{MERCHANT}:till")))

    assert list(followed.offers) == [Coordinate(31_990, MERCHANT, "till")]
