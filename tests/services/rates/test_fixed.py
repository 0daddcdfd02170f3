"""The operator's own exchange rates, as they are written in a setting."""

from __future__ import annotations

from decimal import Decimal

import pytest

from services.rates.fixed import BadRates, FixedRates


def test_a_pinned_rate_is_exact_and_never_stale() -> None:
    """A thousand sats a dollar are a million msat, as of the moment somebody asks."""
    rate = FixedRates.parse(" usd = 1000.5 , EUR=1100").now(7)["USD"]

    assert (rate.msat_per_unit, rate.as_of_ms, rate.source) == (Decimal("1000500.0"), 7, "fixed")


@pytest.mark.parametrize(
    "text", ["USD", "USD=", "USD=1e999999999", "USD=-1", "USD=NaN", "USD=1,5", "USD=0", "USD=3" * 9]
)
def test_a_rate_that_is_no_plain_number_is_refused_in_words(text: str) -> None:
    """One sentence says how it is written; no figure breaks the arithmetic behind it."""
    with pytest.raises(BadRates, match="rate"):
        FixedRates.parse(text)


def test_no_rate_is_above_all_the_sats_there_are() -> None:
    """A unit that costs more than all bitcoin is a slip of the pen."""
    FixedRates.parse("USD=2100000000000000")
    with pytest.raises(BadRates, match="not more than there are"):
        FixedRates.parse("USD=2100000000000001")
