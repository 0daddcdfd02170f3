"""Checks that money is exact until it is rounded up once, and that no rate is invented."""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.currencies import FiatTotal
from schemas.orders import Charge, Rate
from streams.domain.money import NoRate, charge_of, fiat_total, rates_for, share, times, total_msat
from streams.domain.wording import plain
from tests.support.builders import NOW_MS, a_rate

AMOUNTS = st.decimals(min_value=0, max_value=10**12, places=6)
RATES = st.decimals(min_value="0.000001", max_value=10**12, places=9)


def charge(amount: Decimal, currency: str) -> Charge:
    """One term of a total."""
    return Charge(label="x", amount=amount, currency=currency)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.lists(st.tuples(AMOUNTS, st.sampled_from(["USD", "SATS", "BTC", "EUR"])), max_size=6), RATES, RATES)
def test_a_total_is_the_exact_sum_rounded_up_to_whole_sats(
    terms: list[tuple[Decimal, str]], usd: Decimal, eur: Decimal
) -> None:
    """Compared with fractions, which know no rounding at all."""
    per_unit = {
        "USD": Fraction(usd),
        "EUR": Fraction(eur),
        "SATS": Fraction(1_000),
        "BTC": Fraction(10**11),
    }
    rates = [Rate(currency=c, msat_per_unit=r, source="s", as_of_ms=0) for c, r in (("USD", usd), ("EUR", eur))]
    exact = sum((Fraction(amount) * per_unit[currency] for amount, currency in terms), Fraction(0))

    total = total_msat([charge(*term) for term in terms], rates)

    assert total == ceil(exact / 1_000) * 1_000


def test_a_sum_of_the_widest_amounts_is_still_exact() -> None:
    """Eighteen digits, the largest quantity, and one tiny bit more: the tiny bit costs a sat."""
    wide = times(Decimal("999999999999999999"), 10_000)

    assert total_msat([charge(wide, "BTC"), charge(Decimal("0.000000000000000001"), "SATS")], []) == (
        int(wide) * 10**11 + 1_000
    )


def test_a_share_is_divided_last() -> None:
    """A third of three is one."""
    assert share(Decimal(1), Decimal(3), Decimal(3)) == 1
    assert share(Decimal("0.75"), Decimal(800), Decimal(1000)) == Decimal("0.6")


def test_rates_are_taken_once_a_currency_and_only_where_needed() -> None:
    """Sorted, so that the same quote is the same text."""
    rates = {**a_rate("USD"), **a_rate("EUR"), **a_rate("CHF")}

    used = rates_for(["USD", "SATS", "EUR", "USD", "BTC"], rates, NOW_MS, 900)

    assert [rate.currency for rate in used] == ["EUR", "USD"]


@pytest.mark.parametrize("rates", [{}, a_rate("EUR"), a_rate("USD", as_of_ms=0), a_rate("USD", "0")])
def test_a_missing_stale_or_worthless_rate_is_named(rates: dict[str, Rate]) -> None:
    """So that the merchant knows which feed to mend."""
    with pytest.raises(NoRate, match="USD"):
        rates_for(["USD"], rates, NOW_MS, 900)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("21.980", "21.98"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("0.00", "0"),
        ("4.535923700001", "4.5359237"),
        ("0.00000001", "0.00000001"),
    ],
)
def test_amounts_read_without_exponents_and_trailing_noughts(amount: str, text: str) -> None:
    """As a person writes them."""
    assert plain(Decimal(amount)) == text


@pytest.mark.req("C-08")
@pytest.mark.parametrize(
    ("amounts", "currency", "shown", "minor_units"),
    [
        (["30.565", "0.001"], "EUR", "30.57 EUR", 3_057),
        (["1999.2"], "JPY", "2000 JPY", 2_000),
        (["4.0001", "1"], "KWD", "5.001 KWD", 5_001),
        (["12"], "USD", "12.00 USD", 1_200),
    ],
)
def test_a_total_in_its_own_currency_is_rounded_up_once_to_the_smallest_unit(
    amounts: list[str], currency: str, shown: str, minor_units: int
) -> None:
    """Two, no and three places; terms are added before anything is rounded."""
    total = fiat_total([charge(Decimal(amount), currency) for amount in amounts])

    assert total is not None
    assert (str(total), total.minor_units) == (shown, minor_units)


def test_a_third_that_has_no_end_is_rounded_only_in_the_sum() -> None:
    """Three thirds of ten are ten."""
    third = charge_of("x", Fraction(10, 3), "EUR")

    assert fiat_total([third] * 3) == FiatTotal(amount=Decimal("10.00"), currency="EUR")


@pytest.mark.parametrize("currencies", [("SATS",), ("BTC",), ("EUR", "USD"), ("EUR", "SATS"), ()])
def test_prices_in_bitcoin_or_in_several_currencies_have_no_total_of_their_own(currencies: tuple[str, ...]) -> None:
    """Which rate would make one sum of them is not for us to guess."""
    assert fiat_total([charge(Decimal(5), currency) for currency in currencies]) is None
