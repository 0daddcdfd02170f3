"""The books about orders that late money brings back, and about requests that a wallet has forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.payments import BackendState
from tests.services.audit.test_books import Journal, breaches, twice, with_, without
from tests.streams.domain.test_absence import END_MS
from tests.streams.domain.test_forgotten import ANEW, forgotten
from tests.streams.domain.test_reinstating import BACK, LATER_MS, expired
from tests.support.books import as_json
from tests.support.steps import paid
from tests.support.story import Story


def reinstated() -> Story:
    """Late money brings an order back."""
    return expired().when(paid(1_300), BACK, at_ms=LATER_MS)


def renewed() -> Story:
    """A wallet forgets, knows again and forgets, and the merchant asks anew."""
    story = forgotten().when(paid(0, state=BackendState.OPEN), at_ms=END_MS - 30_000)
    return story.when(paid(0, state=BackendState.GONE), ANEW, at_ms=END_MS - 20_000)


FAULTS: list[tuple[str, str, Callable[[], Story], Callable[[Journal], None]]] = [
    ("I2", "its goods stay on the shelf", reinstated, without("StockCommitted")),
    ("I4", "it is confirmed without its money", reinstated, without("OrderReinstated")),
    ("I4", "it is brought back though it is not over", reinstated, without("OrderMoved")),
    ("I5", "more counts than came", reinstated, with_("OrderReinstated", credit_msat=2_000_000)),
    ("I5", "less counts than it costs", reinstated, with_("OrderReinstated", credit_msat=999_999)),
    ("I5", "what is too much is nobody's", reinstated, without("RefundOwed")),
    ("I3", "the same request is forgotten twice", renewed, twice("RequestForgotten")),
    ("I3", "what was never forgotten is known again", renewed, without("RequestForgotten")),
    ("I14", "it ends earlier for it", renewed, with_("RequestForgotten", deadline_ms=1)),
    ("I11", "it is asked for anew though it can be paid", renewed, without("RequestForgotten", 1)),
]


@pytest.mark.parametrize(
    ("code", "what", "story", "change"), FAULTS, ids=[f"{code} {what}" for code, what, *_ in FAULTS]
)
def test_a_doctored_journal_breaks_the_invariant_it_should(
    code: str, what: str, story: Callable[[], Story], change: Callable[[Journal], None]
) -> None:
    """The same journal as it stands breaks none."""
    journal = [as_json(record) for record in story().journal]
    assert breaches(journal) == []
    change(journal)
    assert code in {breach.code for breach in breaches(journal)}
