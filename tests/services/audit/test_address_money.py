"""The books and a shop's own lightning address: each payment once, and taken back once."""

from __future__ import annotations

import pytest

from schemas.payments import BackendState
from services.audit.books import Books
from tests.streams.domain.test_addresses import OPEN, SOLD, a_call, looked, made, requested
from tests.support.books import as_json, audited
from tests.support.builders import an_order
from tests.support.story import Story, given


def a_history() -> Story:
    """Money in parts over the address, beside an order; some is taken back."""
    story = given(OPEN, SOLD, an_order(), requested(), a_call(), made())
    story.when(looked(gross_msat=1_000, state=BackendState.PARTIAL), looked())
    return story.when(looked(state=BackendState.REVERSED))


def test_the_books_are_quiet_over_an_address_that_was_paid() -> None:
    """In parts, whole, and taken back."""
    audited(a_history().journal)


@pytest.mark.parametrize(("type_", "field"), [("AddressPaid", "gross_msat"), ("AddressReversed", "amount_msat")])
@pytest.mark.parametrize("change", [-1_000_000, 1, None])
def test_money_that_is_entered_wrongly_is_a_breach(type_: str, field: str, change: int | None) -> None:
    """Another sum, or the same once more."""
    journal = [as_json(record) for record in a_history().journal]
    nth = max(n for n, record in enumerate(journal) if record["events"][0]["type"] == type_)
    if change is None:
        journal[nth]["events"] *= 2
    else:
        journal[nth]["events"][0][field] += change
    books = Books()

    assert "I5" in {breach.code for record in journal for breach in books.enter(record)}
