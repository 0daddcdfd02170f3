"""Tries wallets as `ncc wallet add` and `check` do, opened from their credentials, and what the role makes of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState, ObservePayment, PaymentRequested, RecordPaymentRequest
from services.demo.wallets.nwc_service import METHODS, NwcService
from services.payments.credentials import Credential, Lud16Credential, NwcCredential
from services.payments.open_requests import LATE_WATCH_S
from services.payments.simulated import SimulatedWallet
from services.payments.wallet_check import WalletCheck, check_wallet
from services.payments.wallets import open_wallet
from tests.services.payments.contract import MERCHANT, TIMEOUT_S
from tests.support.lnurl_service import LnurlService
from tests.support.till import Till, a_record, until

DAY_S = 86_400


def _now_s() -> int:
    return int(time.time())


@asynccontextmanager
async def an_address(folder: Path, **terms: Any) -> AsyncIterator[LnurlService]:
    """A server with a lightning address."""
    wallet = SimulatedWallet(folder / "wallet.sqlite")
    try:
        async with LnurlService(wallet, MERCHANT, _now_s, **terms) as service:
            yield service
    finally:
        wallet.close()


async def trial_of(credential: Credential, folder: Path) -> WalletCheck:
    """What a trial of a wallet finds."""
    async with aclosing(_Closing(credential, folder)) as opened:
        return await check_wallet(opened.backend, _now_s(), TIMEOUT_S)


class _Closing:
    def __init__(self, credential: Credential, folder: Path) -> None:
        self.backend = open_wallet(credential, folder / "book.sqlite")

    async def aclose(self) -> None:
        await self.backend.close()


async def test_a_trial_of_an_address_finds_its_network_and_whether_it_tells_of_payments(tmp_path: Path) -> None:
    """With the least that the address takes; its invoices may live longer than was asked for, since it sets that."""
    async with an_address(tmp_path, min_msat=10_500, life_s=DAY_S) as service:
        found = await trial_of(Lud16Credential(address=service.address, is_near=True), tmp_path)
        assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
        assert found.may == ("receive", "tell of payments")
        assert [decode(text).amount_msat for _, text in service.made] == [11_000]


async def test_a_trial_of_an_address_that_does_not_tell_says_so(tmp_path: Path) -> None:
    """It can be used; each payment is then to be confirmed by hand."""
    async with an_address(tmp_path, tells_state=False) as service:
        found = await trial_of(Lud16Credential(address=service.address, is_near=True), tmp_path)
        assert (found.may, found.faults) == (("receive",), ())
        assert "confirmed by hand" in found.warnings[0]


async def test_a_trial_of_an_address_whose_invoices_live_for_weeks_is_a_fault(tmp_path: Path) -> None:
    """Money would come when nobody watches any more."""
    async with an_address(tmp_path, life_s=30 * DAY_S) as service:
        found = await trial_of(Lud16Credential(address=service.address, is_near=True), tmp_path)
        assert "outlives" in found.faults[0]


def _tried(service: LnurlService) -> Lud16Credential:
    return Lud16Credential(address=service.address, is_near=True, network=Network.REGTEST)


def _till_of(backend: Any) -> Till:
    return Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: backend)))


async def test_a_buyer_is_told_the_end_of_the_offer_and_not_that_of_an_addresss_invoice(tmp_path: Path) -> None:
    """The invoice lives for a day, the offer for ten minutes; what is paid for it then is seen all the same."""
    async with an_address(tmp_path, life_s=DAY_S) as service:
        opened = _Closing(_tried(service), tmp_path)
        till = _till_of(opened.backend)
        wanted = till.wanted(0, MERCHANT)
        await till.role.take(0, 0, wanted)
        await till.role.caught_up(0)
        await until(lambda: till.said)
        body = till.said[0].body
        assert isinstance(body, RecordPaymentRequest)
        assert body.expires_at == wanted.events[0].expires_at  # type: ignore[union-attr]
        assert decode(body.text).expires_at >= body.expires_at + DAY_S - 700

        said = body.model_dump(exclude={"type"})
        await till.role.take(0, 1, a_record(1, MERCHANT, PaymentRequested(**said)))
        (entry,) = till.role._open.values()
        assert not entry.is_over(body.expires_at + LATE_WATCH_S + 1)
        await service.pay(body.text)
        await until(lambda: len(till.said) > 1)
        paid = till.said[1].body
        assert isinstance(paid, ObservePayment)
        assert (paid.state, paid.gross_msat) == (BackendState.SETTLED, 10_000)
        await till.role.close()
        await opened.aclose()


async def test_a_request_of_an_address_that_does_not_tell_is_watched_until_its_end_only(tmp_path: Path) -> None:
    """Nobody can ever say that it was not paid, so waiting for that word would hold the journal for ever."""
    async with an_address(tmp_path, tells_state=False) as service:
        opened = _Closing(_tried(service), tmp_path)
        till = _till_of(opened.backend)
        await till.role.take(0, 0, till.wanted(0, MERCHANT))
        await till.role.caught_up(0)
        await until(lambda: till.said)
        said = till.said[0].body.model_dump(exclude={"type"})
        await till.role.take(0, 1, a_record(1, MERCHANT, PaymentRequested(**said)))
        (entry,) = till.role._open.values()
        till.role._look_soon(entry)
        await until(lambda: entry.gone)
        ends_s = entry.payable_until + LATE_WATCH_S
        assert [entry.is_over(ends_s), entry.is_over(ends_s + 1)] == [False, True]
        await till.role.close()
        await opened.aclose()


@pytest.mark.real
async def test_a_trial_of_a_wallet_connection_says_what_it_may_do(relay: str, tmp_path: Path) -> None:
    """Over a real relay: the network of its invoice, its methods, and a warning where it can spend."""
    wallet = SimulatedWallet(tmp_path / "wallet.sqlite")
    methods = (*METHODS, "pay_invoice")
    async with NwcService(relay, wallet, MERCHANT, _now_s, methods=methods) as service:
        credential = NwcCredential(connection=SecretStr(service.uri), is_near=True)
        found = await trial_of(credential, tmp_path)
        assert (found.network, found.faults, found.lacks) == (Network.REGTEST, (), ())
        assert found.may == tuple(sorted(methods))
        assert "can spend" in found.warnings[0]
        assert [entry.amount_msat for entry in service.entries] == [1_000]
    wallet.close()


@pytest.mark.real
async def test_a_connection_that_lacks_a_method_is_not_tried(relay: str, tmp_path: Path) -> None:
    """An invoice that could not be found again is not made, and the operator reads what to allow."""
    wallet = SimulatedWallet(tmp_path / "wallet.sqlite")
    methods = tuple(method for method in METHODS if method != "list_transactions")
    async with NwcService(relay, wallet, MERCHANT, _now_s, methods=methods) as service:
        found = await trial_of(NwcCredential(connection=SecretStr(service.uri), is_near=True), tmp_path)
        assert found.lacks == ("list_transactions",)
        assert "list_transactions" in found.faults[0]
        assert service.entries == []
    wallet.close()


@pytest.mark.real
async def test_an_order_is_asked_for_and_seen_paid_over_a_wallet_connection(relay: str, tmp_path: Path) -> None:
    """The role, the connection's credential and a real relay: the wallet's invoice is sent, its payment observed."""
    wallet = SimulatedWallet(tmp_path / "wallet.sqlite")
    async with NwcService(relay, wallet, MERCHANT, _now_s) as service:
        credential = NwcCredential(connection=SecretStr(service.uri), is_near=True, network=Network.REGTEST)
        opened = _Closing(credential, tmp_path)
        till = _till_of(opened.backend)
        await till.role.take(0, 0, till.wanted(0, MERCHANT))
        await till.role.caught_up(0)
        async with asyncio.timeout(TIMEOUT_S * 3):
            while not till.said:  # noqa: ASYNC110  the role tells nobody else
                await asyncio.sleep(0.05)
            body = till.said[0].body
            assert isinstance(body, RecordPaymentRequest)
            assert body.text == service.entries[0].text
            said = body.model_dump(exclude={"type"})
            await till.role.take(0, 1, a_record(1, MERCHANT, PaymentRequested(**said)))
            await service.pay(body.text)
            while len(till.said) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert isinstance(till.said[1].body, ObservePayment)
        await till.role.close()
        await opened.aclose()
    wallet.close()
