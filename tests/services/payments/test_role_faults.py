"""The payments role where a back-end is away, forgets, repeats itself or lies: only a look-up says what is so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from schemas.payments import BackendState, ObservePayment, PaymentRequested, PaymentSettled
from services.payments.port import Retry, Unauthorized
from services.payments.simulated import SimulatedWallet
from tests.support.builders import MERCHANT as ANN
from tests.support.builders import NOW_S
from tests.support.builders import OTHER_MERCHANT as BOB
from tests.support.shaky import Shaky
from tests.support.till import Till, a_record, until


class Shop:
    """Ann's till over a shaky account, and Bob's over a sound one."""

    def __init__(self, wallet: SimulatedWallet) -> None:
        self.wallet = wallet
        self.account = Shaky(wallet, ANN)
        accounts = {ANN: self.account, BOB: wallet.account(BOB)}
        self.till = Till(cast(SimulatedWallet, SimpleNamespace(account=accounts.__getitem__)))
        self.role = self.till.role

    async def asked(self) -> PaymentRequested:
        """Ann's order wants a request, and its buyer was shown it."""
        await self.role.take(0, 0, self.till.wanted(0, ANN))
        await self.till.requested(1, ANN)
        await until(lambda: self.account.asked["ensure"])
        made = self.till.requests(ANN)[0]
        return PaymentRequested.model_validate(made.model_dump(exclude={"type"}))

    async def looked(self, times: int) -> None:
        """Wait until the back-end was asked so often how a request stands."""
        await until(lambda: self.account.asked["lookup"] >= times)
        await asyncio.sleep(0.05)

    def seen(self) -> list[ObservePayment]:
        """What the role said of Ann's money."""
        return [one.body for one in self.till.said if isinstance(one.body, ObservePayment)]


def settled_of(request: PaymentRequested) -> PaymentSettled:
    """The record that its money came."""
    return PaymentSettled(
        order=request.order, intent_id=request.intent_id, gross_msat=10_000, due_msat=10_000, settled_at=NOW_S
    )


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Both shops, with a role that has caught up."""
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    made = Shop(wallet)
    await made.role.begin(0)
    await made.role.caught_up(0)
    yield made
    await made.role.close()
    wallet.close()


@pytest.mark.case("F11", "P7")
async def test_a_notice_of_money_that_is_not_there_says_nothing(shop: Shop) -> None:
    """Whoever says paid: the back-end is asked, and it says open."""
    request = await shop.asked()
    shop.account.hint(request)
    await shop.looked(1)

    assert shop.seen() == []
    assert not shop.role.failure.done()


@pytest.mark.case("F12", "P4")
async def test_a_payment_that_is_told_of_twenty_times_is_said_once(shop: Shop) -> None:
    """Repeats that come while the back-end is asked are one look-up; every command has the same name."""
    request = await shop.asked()
    await shop.wallet.pay(request.text)
    shop.account.hint(request, times=20)
    await until(shop.seen)
    await shop.looked(1)
    assert shop.account.asked["lookup"] < 20
    assert len({one.id for one in shop.till.said if isinstance(one.body, ObservePayment)}) == 1


@pytest.mark.case("F12", "P8")
async def test_a_notice_of_a_request_that_was_settled_long_ago_says_nothing(shop: Shop) -> None:
    """It is looked up like any other, and the look-up finds what the journal has."""
    request = await shop.asked()
    await shop.wallet.pay(request.text)
    shop.account.hint(request)
    await until(shop.seen)
    await shop.role.take(0, 2, a_record(2, ANN, settled_of(request)))
    shop.till.said.clear()
    asked = shop.account.asked["lookup"]
    shop.account.hint(request, times=5)
    await shop.looked(asked + 1)

    assert shop.till.said == []


@pytest.mark.case("P16")
async def test_a_shop_whose_back_end_is_away_is_asked_again_and_holds_nobody_else_up(shop: Shop) -> None:
    """Its order is not failed for that; the request is made once the back-end answers, and once only."""
    shop.account.failure = Retry("nobody answers")
    await shop.role.take(0, 0, shop.till.wanted(0, ANN))
    await shop.role.take(0, 1, shop.till.wanted(1, BOB))
    await until(lambda: shop.till.requests(BOB))
    await until(lambda: shop.account.asked["ensure"] >= 2)
    assert [one.merchant for one in shop.till.said] == [BOB]

    shop.account.failure = None
    await until(lambda: shop.till.requests(ANN))
    assert len(shop.till.requests(ANN)) == 1


@pytest.mark.case("P17")
async def test_money_is_found_once_a_back_end_that_was_away_answers(shop: Shop) -> None:
    """While it does not answer nothing is said of the payment."""
    request = await shop.asked()
    await shop.wallet.pay(request.text)
    shop.account.failure = Retry("nobody answers")
    shop.account.hint(request)
    await shop.looked(1)
    assert shop.seen() == []

    shop.account.failure = None
    shop.account.hint(request)
    await until(shop.seen)
    assert shop.seen()[0].gross_msat == 10_000


@pytest.mark.case("P18")
async def test_a_request_that_its_back_end_forgot_is_told_to_the_operator_once_and_never_called_unpaid(
    shop: Shop,
) -> None:
    """It may be an old copy's word: the request stays watched, and money that is there after all is found.

    The decider is told until the journal has it.
    """
    request = await shop.asked()
    shop.account.forgets = True
    with capture_logs() as told:
        for number in range(3):
            shop.account.hint(request)
            await shop.looked(number + 1)
    assert {one.state for one in shop.seen()} == {BackendState.GONE}
    assert [one["event"] for one in told if one["log_level"] == "error"] == ["back-end lost a request"]
    assert shop.role.needed_from(0, 9) == 0

    await shop.wallet.pay(request.text)
    shop.account.forgets = False
    shop.account.hint(request)
    await until(lambda: shop.seen()[-1].state is BackendState.SETTLED)


@pytest.mark.case("P24")
async def test_an_order_waits_while_its_shops_credentials_are_refused_and_the_operator_is_told(shop: Shop) -> None:
    """A key that was revoked is the merchant's to mend, and no reason to fail the buyer's order at once."""
    shop.account.failure = Unauthorized("this key is not known")
    with capture_logs() as told:
        await shop.role.take(0, 0, shop.till.wanted(0, ANN))
        await until(lambda: shop.account.asked["ensure"] >= 2)
    assert shop.till.said == []
    assert {one["event"] for one in told if one["log_level"] == "error"} == {"back-end refuses our credentials"}

    shop.account.failure = None
    await until(lambda: shop.till.requests(ANN))


@pytest.mark.case("P26")
async def test_a_back_end_that_says_when_to_come_again_is_left_alone_until_then(shop: Shop) -> None:
    """Longer than our own pause, which is short at first."""
    shop.account.failure = Retry("too many calls", retry_after_s=0.8)
    await shop.role.take(0, 0, shop.till.wanted(0, ANN))
    await until(lambda: shop.account.asked["ensure"] >= 2)

    first_s, second_s = shop.account.asked_s[:2]
    assert second_s - first_s >= 0.8


@pytest.mark.case("P38")
async def test_reading_the_journal_again_asks_no_back_end_for_anything(shop: Shop) -> None:
    """What was settled is settled; until everything was read, what looks owed may have been done long ago."""
    request = await shop.asked()
    successor = Shop(shop.wallet)
    await successor.role.begin(0)
    await successor.role.take(0, 0, successor.till.wanted(0, ANN))
    await successor.role.take(0, 1, a_record(1, ANN, request))
    await asyncio.sleep(0.1)
    await successor.role.take(0, 2, a_record(2, ANN, settled_of(request)))
    await successor.role.caught_up(0)
    await asyncio.sleep(0.1)

    assert (successor.account.asked, successor.till.said) == (Counter(), [])
    await successor.role.close()
