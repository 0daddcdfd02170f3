"""What the payments role makes of hints: one look-up for each that may matter, and no belief in any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from schemas.hints import PaymentHint
from schemas.payments import BackendState, ObservePayment
from services.payments.port import BackendRef, Cursor, Hint, Observation
from services.payments.role import PaymentsRole
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from tests.support.builders import MERCHANT, NOW_MS, OTHER_MERCHANT
from tests.support.till import Till, until

QUIET_S = 0.3


class Deaf(SimulatedAccount):
    """An account that tells of nothing by itself, and counts how often it is asked."""

    looks: int
    refs: list[BackendRef]

    async def listen(self, cursor: Cursor) -> AsyncGenerator[Hint, None]:
        await asyncio.Event().wait()
        yield Hint(None, 0)

    async def lookup(self, ref: BackendRef, *, timeout_s: float) -> Observation:
        self.refs.append(ref)
        return await super().lookup(ref, timeout_s=timeout_s)


class DeafTill(Till):
    """A till whose accounts are all deaf."""

    def __init__(self, wallet: SimulatedWallet) -> None:
        super().__init__(wallet)
        self._accounts: dict[str, Deaf] = {}
        self.role = PaymentsRole(self.account, b"\x01" * 32, self.hear)

    def account(self, merchant: str) -> Deaf:
        if merchant not in self._accounts:
            made = self.wallet.account(merchant)
            made.__class__ = Deaf
            assert isinstance(made, Deaf)
            made.refs = []
            self._accounts[merchant] = made
        return self._accounts[merchant]

    async def waits(self, offset: int, merchant: str) -> tuple[str, BackendRef]:
        """A merchant's request that was looked up once and is open: its text, and what the back-end calls it."""
        await self.role.take(0, offset, self.wanted(offset, merchant))
        made = await self.requested(offset + 1, merchant)
        self.role.hinted(0, a_hint(merchant))
        await until(lambda: self.account(merchant).refs)
        return made.text, self.account(merchant).refs[-1]

    def settled(self, merchant: str) -> list[ObservePayment]:
        """The merchant's money that the role told of."""
        bodies = [command.body for command in self.said if command.merchant == merchant]
        return [b for b in bodies if isinstance(b, ObservePayment) and b.state is BackendState.SETTLED]


def a_hint(merchant: str, ref: str | None = None) -> PaymentHint:
    """A reason to look."""
    return PaymentHint(merchant=merchant, backend_ref=ref, at_ms=NOW_MS)


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[DeafTill]:
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    made = DeafTill(wallet)
    await made.role.begin(0)
    await made.role.caught_up(0)
    yield made
    await made.role.close()
    wallet.close()


@pytest.mark.case("F12", "P4")
@pytest.mark.req("PAY-16")
async def test_the_same_hint_five_times_is_one_confirmation(till: DeafTill) -> None:
    """The first finds the money; the others find nothing that was not said."""
    text, ref = await till.waits(0, MERCHANT)
    await till.wallet.pay(text)
    for _ in range(5):
        till.role.hinted(0, a_hint(MERCHANT, ref))
        await asyncio.sleep(QUIET_S / 5)
    await until(lambda: till.settled(MERCHANT))
    await asyncio.sleep(QUIET_S)

    assert len({command.id for command in till.said if isinstance(command.body, ObservePayment)}) == 1


@pytest.mark.case("F11", "P7")
@pytest.mark.req("PAY-16")
async def test_a_hint_at_a_request_that_nobody_paid_says_nothing(till: DeafTill) -> None:
    """Somebody says paid, the back-end says open: the back-end is right."""
    _, ref = await till.waits(0, MERCHANT)
    looks = len(till.account(MERCHANT).refs)
    till.role.hinted(0, a_hint(MERCHANT, ref))
    await until(lambda: len(till.account(MERCHANT).refs) > looks)
    await asyncio.sleep(QUIET_S)

    assert till.settled(MERCHANT) == []


@pytest.mark.case("P9")
async def test_a_hint_without_a_name_finds_whichever_was_paid(till: DeafTill) -> None:
    """A body that nobody could read is no reason to wait for the next poll."""
    text, _ = await till.waits(0, MERCHANT)
    await till.wallet.pay(text)
    till.role.hinted(0, a_hint(MERCHANT))
    await until(lambda: till.settled(MERCHANT))


@pytest.mark.case("F11")
async def test_a_hint_names_requests_of_its_own_merchant_alone(till: DeafTill) -> None:
    """Who may call one shop's address may not have another's wallet asked; nor may an unknown name."""
    text, ref = await till.waits(0, MERCHANT)
    await till.waits(2, OTHER_MERCHANT)
    await till.wallet.pay(text)
    looks = len(till.account(MERCHANT).refs)
    for name in (ref, "nobody's"):
        till.role.hinted(0, a_hint(OTHER_MERCHANT, name))
    await asyncio.sleep(QUIET_S)

    assert len(till.account(MERCHANT).refs) == looks


async def test_a_hint_is_left_to_whoever_holds_the_merchants_partition(till: DeafTill) -> None:
    """Each process hears all of them; and a frozen merchant's look-ups wait."""
    _, ref = await till.waits(0, MERCHANT)
    looks = len(till.account(MERCHANT).refs)
    till.role.hinted(1, a_hint(MERCHANT, ref))
    await till.role.freeze(0, MERCHANT)
    for name in (ref, None):
        till.role.hinted(0, a_hint(MERCHANT, name))
    await asyncio.sleep(QUIET_S)

    assert len(till.account(MERCHANT).refs) == looks
