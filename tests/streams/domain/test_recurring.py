"""Goods whose price recurs: one period is billed, and the next is due when it is over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.catalogue import RecordListing
from schemas.orders import OrderQuoted, OrderStatus
from schemas.rows import OrderRow
from schemas.values import Price
from streams.domain.projections import RowKey, fold
from streams.domain.recurring import due_ms
from tests.support.builders import NOW_MS, a_key, a_listing, an_order
from tests.support.steps import cancelled, moved, paid, requested
from tests.support.story import Story, given

MONTHLY = Price(amount=5, currency="USD", frequency="M")


def a_subscription(price: Price = MONTHLY) -> Story:
    """A tea that costs so much each time, ordered once."""
    listing = a_listing("tea").model_copy(update={"price": price})
    return given(RecordListing(listing=listing)).when(an_order(("tea", 1)))


def row_of(story: Story) -> OrderRow:
    """The order's row."""
    table = {}
    for record in story.journal:
        table.update(fold(record, 3, table.get))
    row = table[RowKey("orders", a_key().ref)]
    assert isinstance(row, OrderRow)
    return row


def on(*date: int) -> int:
    """A quarter past ten on that day, UTC milliseconds."""
    return int(datetime(*date, 10, 15, tzinfo=UTC).timestamp()) * 1_000 + 7


@pytest.mark.req("CAT-12")
def test_five_dollars_a_month_are_billed_once_and_due_again_a_month_after_the_sale() -> None:
    """The quote holds one period; nothing is due before the money came, and nothing before that month is over."""
    story = a_subscription()
    quote = story.one(OrderQuoted).quote
    (charge,) = quote.charges
    assert (charge.amount, charge.currency) == (5, "USD")
    assert "first period" in charge.label
    (waiting,) = row_of(story).renewals
    assert (waiting.frequency, waiting.due_ms) == ("M", None)

    sats = quote.total_msat // 1_000
    sold_ms = NOW_MS + 60_000
    story.when(requested(sats)).when(paid(sats), at_ms=sold_ms)

    (due,) = row_of(story).renewals
    sold = datetime.fromtimestamp(sold_ms / 1_000, UTC)
    month = sold.replace(year=sold.year + sold.month // 12, month=sold.month % 12 + 1)
    assert due.due_ms == int(month.timestamp() * 1_000)

    story.when(moved(OrderStatus.PROCESSING), at_ms=sold_ms + 86_400_000)
    assert row_of(story).renewals == (due,), "due is counted from the sale"


@pytest.mark.parametrize(
    ("frequency", "first", "periods", "then"),
    [
        ("M", (2023, 1, 31), 1, (2023, 2, 28)),
        ("M", (2024, 1, 31), 1, (2024, 2, 29)),
        ("M", (2023, 1, 31), 2, (2023, 3, 31)),
        ("M", (2023, 12, 5), 1, (2024, 1, 5)),
        ("M", (2023, 11, 30), 3, (2024, 2, 29)),
        ("Y", (2024, 2, 29), 1, (2025, 2, 28)),
        ("Y", (2024, 2, 29), 4, (2028, 2, 29)),
        ("W", (2023, 12, 28), 1, (2024, 1, 4)),
        ("D", (2023, 2, 28), 1, (2023, 3, 1)),
    ],
)
def test_a_period_ends_on_the_same_day_or_the_last_of_a_short_month(
    frequency: str, first: tuple[int, ...], periods: int, then: tuple[int, ...]
) -> None:
    """Counted from the first day, so that a short month moves no later one; the hour stays."""
    assert due_ms(on(*first), frequency, periods) == on(*then)


def test_a_word_of_no_known_length_is_never_due() -> None:
    """A fortnight is a word of the seller's: it is billed once, and a person decides about the next."""
    assert due_ms(NOW_MS, "fortnight") is None
    assert due_ms(NOW_MS, "H", 3) == NOW_MS + 3 * 3_600_000


def test_an_order_that_is_off_is_due_no_more() -> None:
    """Cancelled before it was paid, or after."""
    unpaid = a_subscription(Price(amount=5, currency="SATS", frequency="W")).when(cancelled())
    assert row_of(unpaid).renewals == ()


def test_what_costs_once_is_due_once() -> None:
    """No frequency, no renewal."""
    story = a_subscription(Price(amount=5, currency="SATS")).when(requested(5), paid(5))
    assert row_of(story).renewals == ()
