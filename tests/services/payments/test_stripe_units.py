"""Tries how a total is said to Stripe, which counts some currencies in a way of its own."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.currencies import FiatTotal
from services.payments.port import Unsupported
from services.payments.stripe_units import stripe_units


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("30.57", "EUR", (3057, "eur")),
        ("0.5", "USD", (50, "usd")),
        ("500", "JPY", (500, "jpy")),
        ("5.120", "KWD", (5120, "kwd")),
        ("5", "ISK", (500, "isk")),
        ("10.45", "HUF", (1045, "huf")),
        ("7", "MGA", (7, "mga")),
    ],
)
def test_a_total_is_said_in_stripes_own_units(amount: str, currency: str, units: tuple[int, str]) -> None:
    """Cents, whole yen, thousandths of a dinar; a krona as a hundred."""
    assert stripe_units(FiatTotal(amount=Decimal(amount), currency=currency)) == units


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("5.124", "KWD"),
        ("0.50", "MGA"),
        ("0.001", "EUR"),
        ("5", "UGX"),
        ("0", "EUR"),
        ("-1", "EUR"),
        ("1e30", "EUR"),
        ("5", "eur"),
        ("5", "EURO"),
        ("5", "E\u00dcR"),
    ],
)
def test_what_stripe_cannot_ask_for_to_the_last_unit_is_unsupported(amount: str, currency: str) -> None:
    """Nothing is rounded here, and where Stripe says two things of a currency nothing is asked for in it."""
    with pytest.raises(Unsupported):
        stripe_units(FiatTotal(amount=Decimal(amount), currency=currency))
