"""A wallet of ecash over a mint of the tests', as fixtures, and what its tests say again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import Token
from services.payments.cashu import EcashWallet
from services.payments.cashu_book import Book
from services.payments.cashu_mint import Mint
from services.payments.port import PaymentRequest
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.ecash_laws import CAP_SATS, SEED, Clock, EcashBench, bench_of
from tests.support.scripted_mint import ScriptedMint


@pytest.fixture
def mint() -> ScriptedMint:
    return ScriptedMint()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ecash.db"


@pytest.fixture
def book(path: Path) -> Book:
    return Book(path, SEED)


@pytest.fixture
async def wallet(mint: ScriptedMint, book: Book, clock: Clock) -> AsyncIterator[EcashWallet]:
    wallet = wallet_of(mint, book, clock)
    yield wallet
    await wallet.close()


@pytest.fixture
def bench(wallet: EcashWallet, mint: ScriptedMint, clock: Clock) -> EcashBench:
    async def made(sats: int, lock_key: str | None) -> Token:
        return mint.token(sats, lock_key)

    return bench_of(wallet, made, clock)


def wallet_of(mint: ScriptedMint, book: Book, clock: Clock, cap_sats: int = CAP_SATS) -> EcashWallet:
    return EcashWallet([Mint(mint.url, mint.transport)], book, SEED, cap_sats=cap_sats, clock=clock)


async def reason(taking: Awaitable[None]) -> TokenFault:
    with pytest.raises(TokenRefused) as refused:
        await taking
    return refused.value.reason


def take(wallet: EcashWallet, request: PaymentRequest, token: Token) -> Awaitable[None]:
    return wallet.take(request.reference, token, timeout_s=TIMEOUT_S)


def swaps(mint: ScriptedMint) -> list[object]:
    return [body for path, body in mint.calls if path == "/v1/swap"]
