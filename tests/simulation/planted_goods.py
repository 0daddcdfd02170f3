"""Bugs to plant in the catalogue, in reviews and in people's messages; see `tests.simulation.planted`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streams.domain import (
    catalogue,
    fold_goods,
    fold_inbox,
    fold_reviews,
    past,
    pricing,
    publishing,
    ratings,
    reviews,
    shop,
)
from tests.simulation.planted import Bug, Change


def _older_wins() -> list[Change]:
    return [(catalogue, "newer", lambda created_at, event_id, current: True)]


def _answer_the_past() -> list[Change]:
    return [(past, "record", lambda decision, command: command.said)]


def _undelete() -> list[Change]:
    return [(fold_goods, "withdraw", _forgetful_withdraw)]


def _forgetful_withdraw(shop: Any, event: Any) -> None:
    shop.listings.pop(event.coordinate, None)
    shop.options.pop(event.coordinate, None)


def _never_revise() -> list[Change]:
    return [(shop.Shop, "take_stale", lambda self, now_s: [])]


def _old_reviews() -> list[Change]:
    right = reviews.record

    def wrong(decision: Any, command: Any) -> None:
        known: Mapping[Any, Any] = decision.shop.reviews
        decision.shop.reviews = {}
        try:
            right(decision, command)
        finally:
            decision.shop.reviews = known

    return [(reviews, "record", wrong)]


def _verify_all() -> list[Change]:
    def wrong(folded: Any, event: Any) -> None:
        folded.purchases[event.order.buyer] = tuple(folded.listings)

    return [(fold_reviews, "complete", wrong)]


def _keep_old_scores() -> list[Change]:
    return [(ratings.Changes, "take", lambda self, review, verdict: None)]


def _anywhere() -> list[Change]:
    return [(pricing, "serves", lambda option, destination: True)]


def _forget_words() -> list[Change]:
    return [(fold_inbox, "receive", lambda shop, event: None)]


def _answer_again() -> list[Change]:
    return [(fold_inbox, "settle", lambda shop, event: None)]


PUBLISHING = "tests/streams/domain/test_publishing.py"


def _overwrite_edits() -> list[Change]:
    def wrong(kind: int, old: Any, known: Any, wanted: Any, rules: Any) -> Any:
        return (*(tag for tag in old if tag[0] == "d"), *wanted)

    return [(publishing, "rebase", wrong)]


def _publish_anything() -> list[Change]:
    return [(publishing, "_is_own", lambda decision, command, kinds: True)]


GOODS: tuple[Bug, ...] = (
    Bug("older wins", "an older version of a listing replaces the newer", _older_wins),
    Bug("undelete", "a deleted listing comes back with an old version", _undelete),
    Bug("never revise", "the published stock is never brought up to date", _never_revise),
    Bug("old reviews", "an older review replaces the newer", _old_reviews, "tests/streams/domain/test_reviews.py"),
    Bug("verify all", "whoever bought anything is taken to have bought everything", _verify_all),
    Bug("keep old scores", "an edited or deleted review goes on counting", _keep_old_scores),
    Bug("anywhere", "goods are sent to countries not served", _anywhere, "tests/streams/domain/test_shipping.py"),
    Bug("answer the past", "an order of two months ago is answered as if it were new", _answer_the_past),
    Bug("forget words", "a message stands in the inbox as often as it comes", _forget_words),
    Bug("answer again", "one wish of the operator's is as many answers as it is sent", _answer_again),
    Bug("overwrite edits", "a publication forgets what other clients wrote", _overwrite_edits, PUBLISHING),
    Bug("publish anything", "an event of any kind goes out in a merchant's name", _publish_anything, PUBLISHING),
)
