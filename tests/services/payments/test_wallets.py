"""Tries the store of wallets' credentials, and which back-end a merchant is given."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from schemas.bolt11 import Network
from services.home import Home
from services.payments.btcpay import BtcpayStore
from services.payments.cashu import EcashWallet
from services.payments.chain import ChainWallet
from services.payments.cln import ClnNode
from services.payments.credentials import (
    BadCredential,
    BtcpayCredential,
    CashuCredential,
    ChainCredential,
    ClnCredential,
    LnbitsCredential,
    LndCredential,
    Lud16Credential,
    ManualCredential,
    NwcCredential,
    PhoenixdCredential,
    StripeCredential,
    WalletStore,
)
from services.payments.lnbits import LnbitsAccount
from services.payments.lnd import LndNode
from services.payments.lud16 import LightningAddress
from services.payments.manual import ByHand
from services.payments.nwc import NwcWallet
from services.payments.phoenixd import PhoenixdNode
from services.payments.port import FROM_THE_START, BackendRef, PaymentBackend, Unauthorized
from services.payments.simulated import SimulatedAccount, SimulatedWallet
from services.payments.stripe import StripeAccount
from services.payments.wallet_check import check_wallet
from services.payments.wallets import CALLED, KINDS, NoWallet, Wallets
from tests.services.payments.contract import MERCHANT, TIMEOUT_S
from tests.services.payments.scripted_lnbits import KEY, ScriptedLnbits
from tests.services.payments.test_chain_keys import TPUB

OTHER = "d4" * 32
NODE = "b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4"
NODES = (
    PhoenixdCredential(
        url="http://127.0.0.1:9740",
        password=SecretStr("7171"),
        webhook_secret=SecretStr("7171 too"),
        network=Network.TESTNET,
    ),
    LndCredential(url="https://127.0.0.1:8080", macaroon=SecretStr("7171"), network=Network.SIGNET),
    ClnCredential(url="https://127.0.0.1:3010", rune=SecretStr("7171"), network=Network.REGTEST),
    BtcpayCredential(
        url="https://127.0.0.1",
        store="9CiN",
        key=SecretStr("7171"),
        webhook_secret=SecretStr("7171 too"),
        network=Network.SIGNET,
    ),
    StripeCredential(
        key=SecretStr("rk_live_7171"),
        success_url="https://shop.example",
        webhook_secret=SecretStr("7171 too"),
        network=Network.BITCOIN,
    ),
)
CREDENTIAL = LnbitsCredential(url="https://lnbits.example", key=SecretStr(KEY), network=Network.BITCOIN)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> WalletStore:
    return WalletStore.of(home)


@pytest.fixture
def simulated(home: Home) -> Iterator[SimulatedWallet]:
    wallet = SimulatedWallet(home.wallet / "simulated.db")
    yield wallet
    wallet.close()


def test_a_credential_is_sealed_at_rest_and_for_its_owner_only(home: Home, store: WalletStore) -> None:
    """No file of the home has the key or the server in it, and no other user may open one."""
    store.put(MERCHANT, CREDENTIAL)
    assert store.get(MERCHANT) == CREDENTIAL
    files = [path for path in home.root.rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        assert KEY.encode() not in path.read_bytes()
        assert b"lnbits" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_credential_opens_for_its_own_merchant_only(home: Home, store: WalletStore) -> None:
    """A file that is renamed to another shop's would have that shop's money paid elsewhere."""
    store.put(MERCHANT, CREDENTIAL)
    (home.wallet / f"{MERCHANT}.sealed").rename(home.wallet / f"{OTHER}.sealed")
    with pytest.raises(BadCredential) as raised:
        store.get(OTHER)
    assert KEY not in str(raised.value)
    assert store.get(MERCHANT) is None


@pytest.mark.parametrize("damage", [b"", b"!", b"AAAA", b"A" * 200])
def test_a_damaged_file_is_said_and_not_guessed_at(home: Home, store: WalletStore, damage: bytes) -> None:
    """The operator adds the wallet again."""
    store.put(MERCHANT, CREDENTIAL)
    (home.wallet / f"{MERCHANT}.sealed").write_bytes(damage)
    with pytest.raises(BadCredential):
        store.get(MERCHANT)


def test_a_removed_credential_is_gone(store: WalletStore) -> None:
    """Once it was there, then not."""
    store.put(MERCHANT, CREDENTIAL)
    assert [store.remove(MERCHANT), store.remove(MERCHANT)] == [True, False]
    assert (store.get(MERCHANT), store.version(MERCHANT)) == (None, 0)


def test_a_credential_prints_no_key(store: WalletStore) -> None:
    """Neither as itself, nor as words, nor in the complaint about a wrong one."""
    assert KEY not in f"{CREDENTIAL!r} {CREDENTIAL} {CREDENTIAL.model_dump()} {CREDENTIAL.model_dump_json()}"
    with pytest.raises(ValidationError) as raised:
        LnbitsCredential.model_validate({"kind": "lnbits", "url": 7, "key": KEY, "network": "bc", KEY: 1})
    assert f"input_value='{KEY}'" not in str(raised.value)


def test_every_kind_of_credential_is_kept_whole_and_sealed(home: Home, store: WalletStore) -> None:
    """A wallet connection is a secret as a whole; each kind comes back as it was put."""
    connection = f"nostr+walletconnect://{NODE}?relay=wss://relay.example&secret={'71' * 32}"
    for credential in (
        NwcCredential(connection=SecretStr(connection), is_near=True, network=Network.SIGNET),
        Lud16Credential(address="shop@example.com", network=Network.BITCOIN),
        *NODES,
    ):
        store.put(MERCHANT, credential)
        assert store.get(MERCHANT) == credential
        assert "7171" not in f"{credential!r} {credential} {credential.model_dump_json()}"
        assert b"7171" not in (home.wallet / f"{MERCHANT}.sealed").read_bytes()


async def test_the_kind_and_the_credential_decide_which_back_end_a_merchant_is_given(
    store: WalletStore, simulated: SimulatedWallet
) -> None:
    """Every kind that can be configured is one that can be opened; the credential of another kind opens nothing."""
    connection = f"nostr+walletconnect://{NODE}?relay=wss://relay.example&secret={'71' * 32}"
    kinds = {MERCHANT: "simulated"}
    wallets = Wallets(kinds.get, store, simulated)
    given: list[PaymentBackend] = []
    for credential in (
        CREDENTIAL,
        NwcCredential(connection=SecretStr(connection), network=Network.SIGNET),
        Lud16Credential(address="shop@example.com", network=Network.TESTNET),
        *NODES,
        CashuCredential(mints=("https://mint.example",), cap_sats=1_000, network=Network.BITCOIN),
        ChainCredential(url="https://indexer.example/api", account=SecretStr(TPUB), network=Network.REGTEST),
        ManualCredential(instructions=SecretStr("To Ann's Teas"), network=Network.BITCOIN),
    ):
        kinds[MERCHANT] = credential.kind
        assert isinstance(wallets.backend_of(MERCHANT), NoWallet)
        store.put(MERCHANT, credential)
        backend = wallets.backend_of(MERCHANT)
        assert backend.network is credential.network
        given.append(backend)
    assert [type(backend) for backend in given] == [
        LnbitsAccount,
        NwcWallet,
        LightningAddress,
        PhoenixdNode,
        LndNode,
        ClnNode,
        BtcpayStore,
        StripeAccount,
        EcashWallet,
        ChainWallet,
        ByHand,
    ]
    kinds_known = "simulated lnbits nwc lud16 phoenixd lnd cln btcpay cashu chain manual stripe"
    assert set(kinds_known.split()) == set(KINDS)
    called = {type(backend) for backend in given if backend.capabilities.takes_notices}
    assert called == {LnbitsAccount, PhoenixdNode, BtcpayStore, StripeAccount}
    assert {"lnbits", "phoenixd", "btcpay", "stripe"} == CALLED
    await wallets.close()


@pytest.mark.req("PAY-22")
async def test_configuration_alone_swaps_the_simulated_wallet_for_a_real_one(
    store: WalletStore, simulated: SimulatedWallet
) -> None:
    """At the next call and back again, without a restart; one merchant's wallet is not the other's."""
    kinds = {MERCHANT: "simulated", OTHER: "simulated"}
    wallets = Wallets(kinds.get, store, simulated)
    assert isinstance(wallets.backend_of(MERCHANT), SimulatedAccount)
    kinds[MERCHANT] = "lnbits"
    store.put(MERCHANT, CREDENTIAL)
    real = wallets.backend_of(MERCHANT)
    assert isinstance(real, LnbitsAccount)
    assert wallets.backend_of(MERCHANT) is real
    assert (real.network, wallets.backend_of(OTHER).network) == (Network.BITCOIN, Network.REGTEST)
    kinds[MERCHANT] = "simulated"
    assert isinstance(wallets.backend_of(MERCHANT), SimulatedAccount)
    await wallets.close()


async def test_a_new_key_is_used_at_the_next_call(home: Home, store: WalletStore, simulated: SimulatedWallet) -> None:
    """A file that changed is read again."""
    wallets = Wallets(lambda _: "lnbits", store, simulated)
    store.put(MERCHANT, CREDENTIAL)
    first = wallets.backend_of(MERCHANT)
    store.put(MERCHANT, CREDENTIAL.model_copy(update={"key": SecretStr("other")}))
    os.utime(home.wallet / f"{MERCHANT}.sealed", ns=(1, 1))
    assert wallets.backend_of(MERCHANT) is not first
    await wallets.close()


@pytest.mark.parametrize("kind", [None, "lnbits", "gold"])
async def test_a_missing_wallet_refuses_everything_and_is_said_until_it_is_there(
    kind: str | None, store: WalletStore, simulated: SimulatedWallet
) -> None:
    """Nothing fails for ever for want of it: what is owed waits, and the operator sees why."""
    said: list[str] = []
    wallets = Wallets(lambda _: kind, store, simulated, said.append)
    backend: PaymentBackend = wallets.backend_of(MERCHANT)
    for call in (
        backend.lookup(BackendRef("a" * 24), timeout_s=1),
        backend.scan(FROM_THE_START, timeout_s=1),
        backend.probe(timeout_s=1),
        backend.cancel(BackendRef("a" * 24), timeout_s=1),
        anext(backend.listen(FROM_THE_START)),
    ):
        with pytest.raises(Unauthorized):
            await call
    assert MERCHANT[:8] in said[-1]
    if kind == "lnbits":
        store.put(MERCHANT, CREDENTIAL)
        assert isinstance(wallets.backend_of(MERCHANT), LnbitsAccount)
        assert said[-1] == ""
    await wallets.close()


async def test_a_trial_tells_the_network_and_leaves_one_small_invoice() -> None:
    """It asks for one sat, dead after two minutes."""
    server = ScriptedLnbits(network=Network.SIGNET)
    found = await check_wallet(server.account(), _now_s(), TIMEOUT_S)
    assert (found.network, found.faults, found.warnings) == (Network.SIGNET, (), ())
    assert [(one["amount"], one["status"]) for one in server.payments] == [(1_000, "pending")]


async def test_a_trial_that_makes_a_bad_invoice_is_a_fault() -> None:
    """The wallet is not used, however well it answers."""
    server = ScriptedLnbits()
    account = server.account(clock=lambda: _now_s() - 3_000)  # ours is behind, so its invoices live too long
    found = await check_wallet(account, _now_s(), TIMEOUT_S)
    assert "outlives" in found.faults[0]


def _now_s() -> int:
    return int(time.time())
