"""The payments role says that a wallet does not answer: of a request that is late, and of an order near its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from schemas.absence import RecordWalletAbsence, RequestForgotten, RequestRecalled, WalletAnswered, WalletMissed
from schemas.messages import Event, JournalRecord
from schemas.payments import BackendState, ObservePayment, PaymentRequested, PaymentWanted, intent_id
from services.payments.port import Retry
from services.payments.simulated import SimulatedWallet
from tests.support.builders import MERCHANT, a_key
from tests.support.shaky import Shaky
from tests.support.till import Till, a_record, until

KEY = a_key(merchant=MERCHANT)
INTENT = intent_id(KEY, 1)
AWAY = Retry("nobody answers")


class ShakyTill:
    """A till over a shaky account, whose journal is of now."""

    def __init__(self, wallet: SimulatedWallet) -> None:
        self.wallet, self.account, self.offset = wallet, Shaky(wallet, MERCHANT), 0
        self.journal: list[JournalRecord] = []
        self.till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: self.account)))

    async def start(self) -> None:
        """Another process takes over: it reads the journal, and then acts."""
        await self.till.role.close()
        self.till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: self.account)))
        await self.till.role.begin(0)
        for offset, record in enumerate(self.journal):
            await self.till.role.take(0, offset, record)
        await self.till.role.caught_up(0)

    async def read(self, *events: Event, ago_s: float = 0.0) -> None:
        """A record of so many seconds ago is read; the clock goes by the newest one."""
        at_ms = int((time.time() - ago_s) * 1_000)
        record = a_record(len(self.journal), MERCHANT, *events).model_copy(update={"at_ms": at_ms})
        self.journal.append(record)
        await self.till.role.take(0, len(self.journal) - 1, record)

    async def wants(self, ttl_s: float, ago_s: float = 0.0) -> None:
        """An order wants a request that ends so soon."""
        wanted = PaymentWanted(
            order=KEY,
            intent_id=INTENT,
            revision=1,
            amount_msat=10_000,
            expires_at=int(time.time() + ttl_s),
            memo="Order",
        )
        await self.read(wanted, ago_s=ago_s)

    async def shows(self, ttl_s: float) -> PaymentRequested:
        """The same, and its buyer was shown it."""
        await self.wants(ttl_s)
        await until(lambda: self.till.requests(MERCHANT))
        made = self.till.requests(MERCHANT)[0]
        requested = PaymentRequested.model_validate(made.model_dump(exclude={"type"}))
        await self.read(requested)
        return requested

    async def looks(self, request: PaymentRequested) -> None:
        """A look-up is made and over."""
        before = self.account.asked["lookup"]
        self.account.hint(request)
        await until(lambda: self.account.asked["lookup"] > before)
        await asyncio.sleep(0.05)

    async def tries(self, times: int) -> None:
        """The wallet is asked for the request so often more."""
        enough = self.account.asked["ensure"] + times
        await until(lambda: self.account.asked["ensure"] >= enough)

    def absences(self) -> int:
        """How often this process said that the wallet does not answer."""
        return sum(isinstance(command.body, RecordWalletAbsence) for command in self.till.said)

    def seen(self) -> list[BackendState]:
        """What it said of look-ups."""
        return [command.body.state for command in self.till.said if isinstance(command.body, ObservePayment)]


@pytest.fixture
async def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ShakyTill]:
    """One that has started, and does not wait long between two tries."""
    monkeypatch.setattr("services.payments.making_requests.PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr("services.payments.making_requests.PAUSE_MAX_S", 0.05)
    wallet = SimulatedWallet(tmp_path / "wallet.db")
    made = ShakyTill(wallet)
    await made.start()
    yield made
    await made.till.role.close()
    wallet.close()


@pytest.mark.case("P16")
async def test_a_request_that_is_late_by_a_minute_is_said_until_the_journal_has_it(counter: ShakyTill) -> None:
    """Not before, and not by the next process, which reads that the buyer was told."""
    counter.account.failure = AWAY
    await counter.wants(600, ago_s=50)
    await counter.tries(4)
    assert counter.absences() == 0

    counter.journal.clear()
    await counter.start()
    await counter.wants(600, ago_s=61)
    await counter.read()
    await until(counter.absences)
    await counter.read(WalletMissed(order=KEY, intent_id=INTENT))
    said = counter.absences()
    await counter.tries(3)
    assert counter.absences() == said
    await counter.start()
    await counter.tries(3)
    assert counter.absences() == 0

    counter.account.failure = None
    await until(lambda: counter.till.requests(MERCHANT))


async def test_the_absence_of_a_wallet_is_nobodys_business_while_there_is_time(counter: ShakyTill) -> None:
    """The order does not end yet, and the next look-up may be answered."""
    request = await counter.shows(600)
    counter.account.failure = AWAY
    await counter.looks(request)
    assert counter.absences() == 0


@pytest.mark.case("P17")
async def test_a_wallet_that_is_away_near_a_requests_end_is_said_and_its_answer_too(counter: ShakyTill) -> None:
    """After the end, that no money came is what the order waits for."""
    near = await counter.shows(3)
    counter.account.failure = AWAY
    await counter.looks(near)
    assert counter.absences() == 1
    await counter.read(WalletMissed(order=KEY, intent_id=INTENT, deadline_ms=time.time_ns() // 1_000_000 + 60_000))
    await counter.looks(near)
    assert counter.absences() == 1

    counter.account.failure = None
    await counter.looks(near)
    assert counter.seen() == []
    await asyncio.sleep(max(0.0, near.expires_at - time.time()) + 0.05)
    await counter.looks(near)
    await until(counter.seen)
    assert counter.seen() == [BackendState.EXPIRED]
    await counter.read(WalletAnswered(order=KEY, intent_id=INTENT, deadline_ms=near.expires_at * 1_000))
    await counter.looks(near)
    assert len(counter.seen()) == 1


@pytest.mark.case("P17")
async def test_a_process_that_starts_while_the_wallet_is_away_says_so_and_finds_the_money_later(
    counter: ShakyTill,
) -> None:
    """It cannot even find the request again; what it says once is enough, and the money is in time."""
    request = await counter.shows(60)
    await counter.wallet.pay(request.text)
    counter.account.failure = AWAY
    await counter.start()
    await until(counter.absences)
    await counter.read(WalletMissed(order=KEY, intent_id=INTENT, deadline_ms=time.time_ns() // 1_000_000 + 60_000))
    await counter.start()
    await counter.tries(4)
    assert counter.absences() == 0

    counter.account.failure = None
    await until(counter.seen)
    assert set(counter.seen()) == {BackendState.SETTLED}


@pytest.mark.case("P18")
async def test_a_request_that_the_wallet_forgot_is_said_until_the_journal_has_it_and_so_is_its_return(
    counter: ShakyTill,
) -> None:
    """Once the journal has it, it is no news, not even to the next process; that the wallet knows it again is."""
    request = await counter.shows(600)
    counter.account.forgets = True
    await counter.looks(request)
    await counter.looks(request)
    assert counter.seen() == [BackendState.GONE, BackendState.GONE]

    await counter.read(RequestForgotten(order=KEY, intent_id=INTENT, deadline_ms=4_000_000_000_000))
    await counter.looks(request)
    assert len(counter.seen()) == 2
    await counter.start()
    await counter.looks(request)
    assert counter.seen() == []

    counter.account.forgets = False
    await counter.looks(request)
    assert counter.seen()[-1] is BackendState.OPEN
    await counter.read(RequestRecalled(order=KEY, intent_id=INTENT, deadline_ms=4_000_000_000_000))
    said = len(counter.seen())
    await counter.looks(request)
    assert len(counter.seen()) == said
