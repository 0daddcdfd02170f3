"""What the domain figures work on is real: every order of the mix is priced, requested and confirmed."""

from __future__ import annotations

from bench import domain
from bench.shop import RATES, Shop, a_secret
from schemas.codec import encode
from schemas.orders import OrderStatus
from services.rates.fixed import FixedRates
from streams.domain import shop as state

SHOP = Shop(a_secret("merchant of tests"))
RATE = FixedRates.parse(RATES).now(domain.NOW_MS)


def test_an_order_costs_what_the_golden_example_says() -> None:
    """Two mugs with post are 30.57 USD, 30,570 sats at 1,000 sats a dollar (SHP-04)."""
    assert domain.price(domain.openings(SHOP), domain.an_order(SHOP, "one"), RATE) == 30_570_000


def test_every_order_of_the_mix_ends_confirmed_and_every_command_decides() -> None:
    """No command of the benchmark is one that says nothing new, which would be cheaper than a real one."""
    shop = state.Shop(SHOP.merchant)
    commands = [*domain.openings(SHOP), *domain.orders(SHOP, 150, 30_570_000)]

    records, _ = domain.decided(shop, commands, RATE, 0)

    assert all(record.events for record in records)
    assert [order.status for order in shop.orders.values()] == [OrderStatus.CONFIRMED] * 150


def test_the_fold_of_the_records_is_the_state_that_was_decided() -> None:
    """What is timed as reading the journal leads to the same orders and stock."""
    decided, folded = state.Shop(SHOP.merchant), state.Shop(SHOP.merchant)
    commands = [*domain.openings(SHOP), *domain.orders(SHOP, 20, 30_570_000)]
    records, _ = domain.decided(decided, commands, RATE, 0)

    domain.fold(folded, [encode(record) for record in records])

    assert (folded.orders, folded.stock) == (decided.orders, decided.stock)
