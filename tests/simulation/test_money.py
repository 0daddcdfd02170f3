"""Thousands of payments of every kind through the domain: a till outside and two bookkeepers agree at the end."""

from __future__ import annotations

import pytest

from streams.domain import owing
from tests.simulation.money import MONEY, payments_in, play

SHOPS = 30


def test_thousands_of_payments_leave_all_books_agreed() -> None:
    """Whole, short, over, in parts, twice, late, taken back, over the address, seen, as ecash; each kind came often."""
    total = sum((play(seed) for seed in range(SHOPS)), play(SHOPS))
    assert payments_in(total) > 100 * SHOPS
    assert min(total[name] for name in MONEY) >= 10
    assert min(total[name] for name in ("RefundOwed", "PaymentImplied", "OrderReinstated", "AddressAssigned")) >= 10
    assert min(total[name] for name in ("AddressClosed", "PaymentSeen", "TokenHandedIn", "TokenRefused")) >= 10
    assert min(total[f"Payout{what}"] for what in ("Wanted", "Approved", "Dropped", "Failed")) >= 10
    assert total["RefundLinkMade"] >= 10


def test_books_that_disagree_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A debt that is entered as more than there is, for instance."""
    right = owing.surplus_msat
    monkeypatch.setattr(owing, "surplus_msat", lambda order, new_msat: 10 * right(order, new_msat))
    with pytest.raises(AssertionError):
        sum((play(seed) for seed in range(SHOPS)), play(SHOPS))
