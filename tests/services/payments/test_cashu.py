"""Runs ecash of a real mint through the payment contract, and tries what is the mint's own: fees, keysets, restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import SAT, Token, read_token, write_token
from schemas.payments import BackendState
from services.demo.wallets.ecash_purse import EcashPurse
from services.demo.wallets.nutshell_mint import NutshellMint, nutshell_mint
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import Reference, Retry
from tests.services.payments.contract import TIMEOUT_S, PaymentBackendContract
from tests.services.payments.ecash_laws import CAP_SATS, SEED, Clock, EcashBench, EcashLaws, bench_of
from tests.support.contract_table import REAL

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def mint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NutshellMint]:
    with nutshell_mint(tmp_path_factory.mktemp("nutshell")) as mint:
        yield mint


@pytest.fixture
def purse(mint: NutshellMint) -> EcashPurse:
    return EcashPurse(mint.url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "ecash.db", SEED)


@pytest.fixture
async def wallet(mint: NutshellMint, book: Book, clock: Clock) -> AsyncIterator[EcashWallet]:
    wallet = EcashWallet([Mint(mint.url)], book, SEED, cap_sats=CAP_SATS, clock=clock)
    yield wallet
    await wallet.close()


@pytest.fixture
def bench(wallet: EcashWallet, purse: EcashPurse, clock: Clock) -> EcashBench:
    return bench_of(wallet, purse.token, clock)


@pytest.mark.req("PAY-22")
class TestCashu(EcashLaws, PaymentBackendContract):
    """The contract, with a real mint."""

    back_end, peer = "cashu", REAL


async def test_what_was_taken_out_is_money_at_the_mint(
    bench: EcashBench, wallet: EcashWallet, book: Book, purse: EcashPurse
) -> None:
    """The token that a merchant takes out is one that another wallet takes in, once."""
    request = await bench.request(amount_msat=5_000_000)
    await bench.pay(request.text)
    taken = book.withdraw(purse.mint, 0)
    assert taken is not None
    token = read_token(write_token(Token(taken.mint, SAT, taken.proofs)))
    assert token.amount == 5_000
    other = await bench.request("order-2", amount_msat=5_000_000)
    await wallet.take(other.reference, token, timeout_s=TIMEOUT_S)
    assert (await bench.lookup(other)).state is BackendState.SETTLED
    assert book.held() == {purse.mint: 5_000}


@pytest.mark.case("F10")
async def test_a_real_mint_refuses_what_was_spent_and_knows_it_by_its_code(
    bench: EcashBench, wallet: EcashWallet, purse: EcashPurse, tmp_path: Path, mint: NutshellMint, clock: Clock
) -> None:
    """Ecash that somebody else has swapped is refused for good, and nothing is held."""
    token = await purse.token(21_000)
    thief = EcashWallet([Mint(mint.url)], Book(tmp_path / "other.db", b"x" * 32), b"x" * 32, clock=clock)
    other = bench_of(thief, purse.token, clock)
    await thief.take((await other.request()).reference, token, timeout_s=TIMEOUT_S)
    await thief.close()
    request = await bench.request()
    for _ in range(2):
        with pytest.raises(TokenRefused) as refused:
            await wallet.take(request.reference, token, timeout_s=TIMEOUT_S)
        assert refused.value.reason is TokenFault.SPENT
    assert (await bench.lookup(request)).state is BackendState.OPEN


@pytest.mark.case("P29")
async def test_an_answer_that_was_lost_is_restored_by_a_real_mint(
    bench: EcashBench, wallet: EcashWallet, mint: NutshellMint, purse: EcashPurse, book: Book, clock: Clock
) -> None:
    """The mint has swapped, the wallet knows nothing of it: the same outputs bring the same ecash back (NUT-09)."""
    request, token = await bench.request(), await purse.token(21_000, wallet.lock_key)
    forgetful = EcashWallet([Mint(mint.url)], book, SEED, cap_sats=CAP_SATS, clock=clock)
    forgetful._swaps._keep = lambda *_: False  # type: ignore[method-assign]  # dies before it writes it down
    with pytest.raises(Exception, match="not what was asked for"):
        await forgetful.take(request.reference, token, timeout_s=TIMEOUT_S)
    assert book.held() == {}
    await wallet.take(request.reference, token, timeout_s=TIMEOUT_S)
    assert book.held() == {purse.mint: 21_000}
    assert (await bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.case("P31")
async def test_a_mint_that_moved_to_another_keyset_and_charges_for_it(
    bench: EcashBench, wallet: EcashWallet, mint: NutshellMint, purse: EcashPurse, book: Book
) -> None:
    """Ecash of the old keyset is good, what comes back is of the new one; its fee leaves part of the price due."""
    old = await purse.token(1_000, wallet.lock_key)
    try:
        mint.restart(fee_ppk=1_000, derivation_path="m/0'/0'/1'")
        first = await bench.request("order-1", amount_msat=1_000_000)
        await wallet.take(first.reference, old, timeout_s=TIMEOUT_S)
        assert (await bench.lookup(first)).state is BackendState.SETTLED
        second = await bench.request("order-2", amount_msat=1_000_000)
        new = await purse.token(1_000, wallet.lock_key)
        assert {proof.keyset for proof in new.proofs}.isdisjoint({proof.keyset for proof in old.proofs})
        await wallet.take(second.reference, new, timeout_s=TIMEOUT_S)
        seen = await bench.lookup(second)
        assert (seen.state, seen.gross_msat) == (BackendState.PARTIAL, (1_000 - len(new.proofs)) * 1_000)
        assert any("charges 1000" in warning for warning in (await wallet.probe(timeout_s=TIMEOUT_S)).warnings)
    finally:
        mint.restart(fee_ppk=0, derivation_path="m/0'/0'/0'")


@pytest.mark.case("P30")
async def test_a_mint_that_is_down_leaves_the_token_to_be_taken_later(
    bench: EcashBench, wallet: EcashWallet, mint: NutshellMint, purse: EcashPurse
) -> None:
    """Nothing is decided while it cannot be asked."""
    request, token = await bench.request(), await purse.token(21_000, wallet.lock_key)
    mint.stop()
    try:
        with pytest.raises(Retry):
            await wallet.take(request.reference, token, timeout_s=TIMEOUT_S)
        assert (await bench.lookup(request)).state is BackendState.OPEN
    finally:
        mint.start()
    await wallet.take(request.reference, token, timeout_s=TIMEOUT_S)
    assert (await bench.lookup(request)).state is BackendState.SETTLED


async def test_a_lock_to_another_key_is_refused_before_the_mint_is_asked(
    bench: EcashBench, wallet: EcashWallet, purse: EcashPurse
) -> None:
    """Nor can the mint be talked into it."""
    request, token = (
        await bench.request(),
        await purse.token(21_000, "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
    )
    with pytest.raises(TokenRefused) as refused:
        await wallet.take(Reference(request.reference), replace(token), timeout_s=TIMEOUT_S)
    assert refused.value.reason is TokenFault.FOREIGN_LOCK
