"""The payments role pays approved refunds out, each once over any death, and says what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from schemas.bolt11 import Network
from schemas.crash_points import Point, arm
from schemas.payments import Method
from schemas.payouts import PayoutFailed, RecordPayoutFailure
from schemas.refunds import RecordRefund, RefundRecorded
from services.payments.port import Intent, Refund, Refunded, RefundState, Retry, Unknown, Unsupported, reference
from services.payments.simulated import SimulatedWallet
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.payout_laws import PayerBench, PayerLaws
from tests.support.builders import MERCHANT
from tests.support.payout_invoices import a_text, approval_of, wish_of
from tests.support.till import Till, a_record, until

FUNDS_MSAT = 10_000


class Died(Exception):
    """The process ended here."""


@pytest.fixture
async def wallet(tmp_path: Path) -> AsyncIterator[SimulatedWallet]:
    """A wallet in which the merchant was paid ten sats."""
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    till = Till(wallet)
    await till.role.caught_up(0)
    await till.role.take(0, 0, till.wanted(0, MERCHANT))
    await until(lambda: till.requests(MERCHANT))
    await wallet.pay(till.requests(MERCHANT)[0].text)
    await till.role.close()
    assert await wallet.account(MERCHANT).balance_msat(timeout_s=TIMEOUT_S) == FUNDS_MSAT
    yield wallet
    wallet.close()


def payouts(folder: Path) -> list[tuple[str, int]]:
    """What left the wallet."""
    with contextlib.closing(sqlite3.connect(folder / "wallet.db")) as database:
        return database.execute("SELECT refund_id, amount_msat FROM payouts").fetchall()


def said[T](till: Till, kind: type[T]) -> list[T]:
    """The commands of a kind that the role sent."""
    return [one.body for one in till.said if isinstance(one.body, kind)]


async def a_till(wallet: Any, text: str, *, live: bool = True) -> Till:
    """A role that read the approval."""
    till = Till(cast(SimulatedWallet, wallet))
    if live:
        await till.role.caught_up(0)
    await till.role.take(0, 7, a_record(7, MERCHANT, approval_of(text, MERCHANT)))
    return till


@pytest.mark.req("C-01")
async def test_an_approved_refund_is_paid_and_said_with_its_payment_hash(
    wallet: SimulatedWallet, tmp_path: Path
) -> None:
    """By lightning, under the refund's own id."""
    text = a_text()
    event = approval_of(text, MERCHANT)
    till = await a_till(wallet, text)
    await until(lambda: till.said)
    (paid,) = said(till, RecordRefund)
    assert (paid.amount_msat, paid.rail, paid.reference) == (5_000, "lightning", event.invoice.payment_hash)
    assert paid.cause == event.refund_id
    assert payouts(tmp_path) == [(event.refund_id, 5_000)]
    assert await wallet.account(MERCHANT).balance_msat(timeout_s=TIMEOUT_S) == FUNDS_MSAT - 5_000
    await till.role.close()


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
@pytest.mark.parametrize("deaths", [1, 3])
async def test_a_process_that_dies_between_paying_and_saying_so_pays_once(
    wallet: SimulatedWallet, tmp_path: Path, deaths: int
) -> None:
    """The next one reads the approval again, finds the payment, and says it."""
    text = a_text()

    def die(point: Point) -> None:
        if point is Point.PAYMENTS_LOOKED:
            raise Died

    for _ in range(deaths):
        arm(die)
        try:
            till = await a_till(wallet, text)
            with pytest.raises(Died):
                await asyncio.wait_for(till.role.failure, 20)
        finally:
            arm(None)
        assert till.said == []
        assert till.role.needed_from(0, 9) == 7, "the approval is read again"
        await till.role.close()

    till = await a_till(wallet, text)
    await until(lambda: said(till, RecordRefund))
    assert len(payouts(tmp_path)) == 1
    await till.role.close()


@pytest.mark.case("P32", "P38")
async def test_nothing_is_paid_before_the_journal_was_read_to_its_end(wallet: SimulatedWallet, tmp_path: Path) -> None:
    """What was paid or failed before is behind in it."""
    text = a_text()
    event = approval_of(text, MERCHANT)
    till = await a_till(wallet, text, live=False)
    done = RefundRecorded(order=event.order, amount_msat=5_000, rail="lightning", cause=event.refund_id)
    other = approval_of(a_text(name="other"), MERCHANT)
    failure = PayoutFailed(order=event.order, refund_id=other.refund_id, amount_msat=5_000, reason="no route")
    await till.role.take(0, 8, a_record(8, MERCHANT, done, other))
    await till.role.take(0, 9, a_record(9, MERCHANT, failure))
    await till.role.caught_up(0)
    await asyncio.sleep(0.1)
    assert (payouts(tmp_path), till.said, till.role.needed_from(0, 10)) == ([], [], 10)
    await till.role.close()


@pytest.mark.case("P32")
async def test_nothing_is_paid_for_a_merchant_who_is_frozen(wallet: SimulatedWallet, tmp_path: Path) -> None:
    """It waits, and is paid after the thaw."""
    till = Till(wallet)
    await till.role.caught_up(0)
    await till.role.freeze(0, MERCHANT)
    await till.role.take(0, 7, a_record(7, MERCHANT, approval_of(a_text(), MERCHANT)))
    await asyncio.sleep(0.1)
    assert payouts(tmp_path) == []
    await till.role.thaw(0, MERCHANT)
    await until(lambda: said(till, RecordRefund))
    await till.role.close()


@pytest.mark.req("C-01")
async def test_what_the_wallet_refuses_for_good_is_said_as_a_failure(wallet: SimulatedWallet, tmp_path: Path) -> None:
    """More than there is in it, say."""
    till = await a_till(wallet, a_text(amount_msat=FUNDS_MSAT + 1_000))
    await until(lambda: till.said)
    (failure,) = said(till, RecordPayoutFailure)
    assert "less than" in failure.reason
    assert payouts(tmp_path) == []
    await till.role.close()


class Moody:
    """A back-end that answers a refund with one thing after the other."""

    def __init__(self, *moods: Exception | RefundState) -> None:
        self.moods, self.asked = list(moods), list[Refund]()

    async def refund(self, wish: Refund, *, timeout_s: float) -> Refunded:
        self.asked.append(wish)
        mood = self.moods.pop(0)
        if isinstance(mood, Exception):
            raise mood
        return Refunded(wish.refund_id, mood, wish.amount_msat, fee_msat=21)


@pytest.mark.case("P32")
async def test_a_doubt_is_asked_about_until_it_is_known_what_came_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pending, unknown, away, or another wallet by now: none of it is a failure, and the wish stays the same."""
    monkeypatch.setattr("services.payments.paying_back.PAUSE_FIRST_S", 0.01)
    doubts = (Unknown("?"), RefundState.PENDING, Retry("away"), Unsupported("another wallet"))
    moody = Moody(*doubts, RefundState.SENT)
    till = await a_till(SimpleNamespace(account=lambda _: moody), a_text())
    await until(lambda: till.said)
    (paid,) = said(till, RecordRefund)
    assert paid.fee_msat == 21
    assert len(moody.asked) == 5
    assert len(set(moody.asked)) == 1
    await till.role.close()


async def test_a_payment_that_failed_at_the_wallet_is_said_as_a_failure() -> None:
    """So that another invoice may be asked for."""
    till = await a_till(SimpleNamespace(account=lambda _: Moody(RefundState.FAILED)), a_text())
    await until(lambda: said(till, RecordPayoutFailure))
    await till.role.close()


# The simulated wallet itself


@pytest.mark.case("P32")
async def test_a_hundred_concurrent_calls_for_one_refund_pay_once(wallet: SimulatedWallet, tmp_path: Path) -> None:
    """One id, one invoice, one payment."""
    account, wish = wallet.account(MERCHANT), wish_of(a_text())
    done = await asyncio.gather(*(account.refund(wish, timeout_s=TIMEOUT_S) for _ in range(100)))
    assert len(set(done)) == 1
    assert len(payouts(tmp_path)) == 1


@pytest.fixture
async def payer_bench(wallet: SimulatedWallet, tmp_path: Path) -> PayerBench:
    account = wallet.account(MERCHANT)

    async def foreign(amount_msat: int) -> str:
        return a_text(amount_msat)

    async def own(amount_msat: int) -> str:
        name = hashlib.sha256(b"own").hexdigest()
        ends = int(time.time()) + 600
        intent = Intent(name, reference(name), amount_msat, "a mug", ends, Method.BOLT11)
        return (await account.ensure(intent, timeout_s=TIMEOUT_S)).text

    async def paid_msat() -> int:
        return sum(amount_msat for _, amount_msat in payouts(tmp_path))

    return PayerBench(account, Network.REGTEST, foreign, own, paid_msat)


class TestSimulatedPayer(PayerLaws):
    """The laws, with play money."""
