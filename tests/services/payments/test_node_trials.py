"""Tries nodes as `ncc wallet add` and `check` do: opened from their credentials, over their own certificates."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from services.payments.credentials import (
    BtcpayCredential,
    ClnCredential,
    Credential,
    LndCredential,
    PhoenixdCredential,
    StripeCredential,
)
from services.payments.wallet_check import WalletCheck, check_wallet
from services.payments.wallets import open_wallet
from tests.services.payments.contract import TIMEOUT_S
from tests.support.certificates import self_signed
from tests.support.scripted_btcpay import CREATE_RIGHT, KEY, STORE, VIEW, ScriptedBtcpay
from tests.support.scripted_btcpay_refunds import REFUND_RIGHT
from tests.support.scripted_cln import RUNE, ScriptedCln, a_rune
from tests.support.scripted_lnd import MACAROON, ScriptedLnd, a_macaroon
from tests.support.scripted_nodes import Clock, Ledger
from tests.support.scripted_phoenixd import FULL, ScriptedPhoenixd
from tests.support.scripted_stripe import CREATE as CREATE_PAGE
from tests.support.scripted_stripe import KEY as STRIPE_KEY
from tests.support.scripted_stripe import ScriptedStripe


@pytest.fixture
async def ledger() -> Ledger:
    clock = Clock()
    clock.now_s = int(time.time())
    return Ledger(clock)


async def trial_of(credential: Credential, folder: Path) -> WalletCheck:
    """What a trial of a node finds."""
    backend = open_wallet(credential, folder / "book.sqlite")
    try:
        return await check_wallet(backend, int(time.time()), TIMEOUT_S)
    finally:
        await backend.close()


async def test_a_trial_of_a_phoenixd_finds_its_network_and_a_password_that_may_spend(
    ledger: Ledger, tmp_path: Path
) -> None:
    """With one invoice over one sat, signed by the key that the node calls its own."""
    async with ScriptedPhoenixd(ledger).serve() as url:
        found = await trial_of(PhoenixdCredential(url=url, password=SecretStr(FULL)), tmp_path)
    assert (found.network, found.faults, found.may) == (Network.REGTEST, (), ("receive", "spend"))
    assert "limited-access" in found.warnings[0]
    assert [decode(one.text).amount_msat for one in ledger.entries] == [1_000]


async def test_a_trial_of_an_lnd_finds_its_network_over_its_own_certificate(ledger: Ledger, tmp_path: Path) -> None:
    """Its invoice carries a preimage of the trial's own; one that may not read its invoices is not tried."""
    tls = self_signed(tmp_path / "tls")
    async with ScriptedLnd(ledger).serve(tls) as url:
        good = LndCredential(url=url, macaroon=SecretStr(MACAROON.hex()), certificate=tls[0].read_text())
        found = await trial_of(good, tmp_path)
        assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
        blind = good.model_copy(update={"macaroon": SecretStr(a_macaroon("invoices:write").hex())})
        weak = await trial_of(blind, tmp_path)
    assert weak.lacks == ("invoices:read",)
    assert "invoices:read" in weak.faults[0]
    assert len(ledger.entries) == 1


async def test_a_trial_of_a_btcpay_store_finds_its_network_and_a_key_that_lacks_something(
    ledger: Ledger, tmp_path: Path
) -> None:
    """With the two permissions that it needs; one that may not see its invoices is not tried."""
    server = ScriptedBtcpay(ledger)
    async with server.serve() as url:
        good = BtcpayCredential(url=url, store=STORE, key=SecretStr(KEY))
        found = await trial_of(good, tmp_path)
        assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
        server.rights = (f"{CREATE_RIGHT}:{STORE}",)
        weak = await trial_of(good, tmp_path)
    assert weak.lacks == (VIEW,)
    assert len(ledger.entries) == 1


async def test_a_trial_of_a_btcpay_store_that_is_paid_on_the_chain_and_gives_refunds(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Its network is known by an address; a key that may not refund is not used for a shop that wants it to."""
    server = ScriptedBtcpay(ledger)
    async with server.serve() as url:
        plain = BtcpayCredential(url=url, store=STORE, key=SecretStr(KEY), is_on_chain=True)
        found = await trial_of(plain, tmp_path)
        assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
        weak = await trial_of(plain.model_copy(update={"may_refund": True}), tmp_path)
        assert weak.lacks == (REFUND_RIGHT,)
        server.rights += (f"{REFUND_RIGHT}:{STORE}",)
        good = await trial_of(plain.model_copy(update={"may_refund": True}), tmp_path)
    assert (good.faults, good.warnings) == ((), ())


async def test_a_trial_of_a_core_lightning_finds_its_network_over_its_own_certificate(
    ledger: Ledger, tmp_path: Path
) -> None:
    """With a rune for three calls; one that lacks any of them is not tried."""
    tls = self_signed(tmp_path / "tls")
    async with ScriptedCln(ledger).serve(tls) as url:
        good = ClnCredential(url=url, rune=SecretStr(RUNE), certificate=tls[0].read_text())
        found = await trial_of(good, tmp_path)
        assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
        weak = await trial_of(good.model_copy(update={"rune": SecretStr(a_rune("method=invoice"))}), tmp_path)
    assert weak.lacks == ("listinvoices", "waitanyinvoice")
    assert len(ledger.entries) == 1


async def test_a_trial_of_a_stripe_account_makes_no_page_and_finds_a_key_that_lacks_something(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Nobody knows in what currency one could be asked for; a key that may make none is not used."""
    server = ScriptedStripe(ledger)
    async with server.serve() as url:
        good = StripeCredential(url=url, key=SecretStr(STRIPE_KEY), success_url="https://shop.example")
        found = await trial_of(good, tmp_path)
        assert (found.faults, ["test key" in word for word in found.warnings]) == ((), [True])
        server.refused = frozenset({f"POST {CREATE_PAGE}"})
        weak = await trial_of(good, tmp_path)
    assert weak.lacks == ("Checkout Sessions: write",)
    assert "Checkout Sessions: write" in weak.faults[0]
    assert ledger.entries == []
