"""Runs payment by hand through the contract, and tries what is its own: parts, too much, money that is gone again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.currencies import FiatTotal
from schemas.payments import BackendState, ObserveReversal, request_digest
from services.payments.manual import ByHand
from services.payments.manual_book import Book
from services.payments.open_requests import faults_of, reversal_of
from services.payments.port import FROM_THE_START, PaymentRequest, RequestFault
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.support.contract_table import REAL

START_S = 1_760_000_000
INSTRUCTIONS = "To Ann's Teas, AT61 1904 3002 3457 3201"


class Merchant:
    """Who sees the money, and enters it; the clock goes when it is told to."""

    def __init__(self, path: Path) -> None:
        self.path, self.now_s = path, START_S

    def __call__(self) -> int:
        return self.now_s

    async def pass_time(self, seconds: int) -> None:
        self.now_s += seconds

    async def sees_all(self, text: str) -> None:
        """All of a request came."""
        book = Book(self.path)
        (row,) = [row for row in book.of_memo("") if row.text == text]
        book.enter(row.reference, row.due_units, self.now_s)
        book.close()

    def sees(self, request: PaymentRequest, units: int) -> None:
        """So much of it came."""
        book = Book(self.path)
        book.enter(request.reference, units, self.now_s)
        book.close()

    def loses(self, request: PaymentRequest) -> None:
        """It is gone again."""
        book = Book(self.path)
        book.take_back(request.reference)
        book.close()


@pytest.fixture
def merchant(tmp_path: Path) -> Merchant:
    return Merchant(tmp_path / "by-hand.db")


@pytest.fixture
async def bench(merchant: Merchant) -> AsyncIterator[Bench]:
    backend = ByHand(INSTRUCTIONS, merchant.path, clock=merchant, poll_s=0.01)
    yield Bench(backend, merchant.sees_all, merchant, merchant.pass_time)
    await backend.close()


class TestPaymentByHand(PaymentBackendContract):
    """The contract, with a merchant who enters what came."""

    back_end, peer = "manual", REAL


@pytest.mark.req("PAY-12")
async def test_the_buyer_reads_the_sum_the_orders_name_and_where_to_pay(bench: Bench) -> None:
    """In the currency of the shop; what to write on the transfer is what the merchant looks for."""
    intent = replace(await bench.intent(memo="Order 7f3a"), fiat=FiatTotal(amount=Decimal("30.57"), currency="EUR"))
    request = await bench.ensure(intent)

    assert request.text == f"30.57 EUR, Order 7f3a\n{INSTRUCTIONS}"
    assert faults_of(intent, request, bench.backend, bench.now()) is None


async def test_a_shop_that_is_priced_in_sats_asks_for_sats(bench: Bench) -> None:
    """No rate is made up for it."""
    request = await bench.ensure(replace(await bench.intent(), fiat=None))

    assert request.text.startswith("21000 sats, Order 1\n")


async def test_a_request_in_another_currency_than_was_asked_for_is_shown_to_nobody(bench: Bench) -> None:
    """The same number of another money is another amount."""
    intent = await bench.intent()
    request = await bench.ensure(intent)
    other = replace(request, fiat=FiatTotal(amount=Decimal("210000.00"), currency="ALL"))
    refused = faults_of(intent, other, bench.backend, bench.now())

    assert refused is not None
    assert refused.reason is RequestFault.AMOUNT


async def test_what_comes_in_parts_adds_up_and_is_whole_to_the_last_cent(bench: Bench, merchant: Merchant) -> None:
    """A part is never told as more than its share of the amount, all of it is told as exactly that."""
    intent = replace(await bench.intent(amount_msat=10_000), fiat=FiatTotal(amount=Decimal("0.03"), currency="EUR"))
    request = await bench.ensure(intent)
    told = []
    for _ in range(3):
        merchant.sees(request, 1)
        seen = await bench.lookup(request)
        told.append((seen.state, seen.gross_msat))

    assert told == [(BackendState.PARTIAL, 3_333), (BackendState.PARTIAL, 6_666), (BackendState.SETTLED, 10_000)]


async def test_more_than_was_asked_for_is_told_in_full(bench: Bench, merchant: Merchant) -> None:
    """What is too much is the buyer's, so it has to be known."""
    request = await bench.request(amount_msat=10_000)
    merchant.sees(request, 15_000)

    assert (await bench.lookup(request)).gross_msat == 15_000


@pytest.mark.case("F14")
async def test_money_that_is_gone_again_is_reversed_and_found_by_the_requests_text(
    bench: Bench, merchant: Merchant
) -> None:
    """A transfer that was called back, long after anybody watched it."""
    request = await bench.request()
    await bench.pay(request.text)
    _, cursor = await bench.scan_all(FROM_THE_START)
    merchant.loses(request)
    (seen,) = (await bench.backend.scan(cursor, timeout_s=TIMEOUT_S)).observations

    assert (seen.state, seen.gross_msat) == (BackendState.REVERSED, request.amount_msat)
    assert reversal_of(seen) == ObserveReversal(payment_hash=request_digest(request.text))


async def test_nothing_is_taken_back_of_what_never_came(bench: Bench, merchant: Merchant) -> None:
    """The request stays open."""
    request = await bench.request()
    merchant.loses(request)

    assert (await bench.lookup(request)).state is BackendState.OPEN


async def test_what_was_shown_outlives_other_instructions(bench: Bench, merchant: Merchant) -> None:
    """A buyer pays to the account that they were told."""
    intent = await bench.intent()
    request = await bench.ensure(intent)
    moved = ByHand("To another account", merchant.path, clock=merchant)

    assert await moved.ensure(intent, timeout_s=TIMEOUT_S) == request
    await moved.close()
