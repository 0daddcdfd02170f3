"""What the tests of the on-chain back-end share: how one is opened on the scripted chain, and paid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from schemas import bip21
from schemas.bolt11 import Network
from services.payments.chain import ChainConfig, ChainWallet
from services.payments.chain_state import confirmations_for
from services.payments.esplora import Esplora, esplora_calls
from services.payments.port import PaymentRequest
from tests.services.payments.contract import Bench
from tests.support.scripted_chain import ScriptedChain

type Open = Callable[..., ChainWallet]


def opened(chain: ScriptedChain, url: str, book: Path, account: str, **settings: object) -> ChainWallet:
    """A back-end of an account, which asks the chain's indexer anew each time."""
    config = replace(ChainConfig(account, book, network=Network.REGTEST), **settings)  # type: ignore[arg-type]
    return ChainWallet(config, Esplora(esplora_calls(url)), chain.ledger.clock, poll_s=0.02, tip_fresh_s=0.0)


def bench_of(chain: ScriptedChain, wallet: ChainWallet) -> Bench:
    """A back-end on the chain with a payer who waits for as many blocks as are needed."""

    async def pay(text: str) -> None:
        asked = bip21.read(text)
        assert asked.amount_sats is not None
        chain.pay(asked.address, asked.amount_sats)
        chain.mine(confirmations_for(asked.amount_sats, None))

    clock = chain.ledger.clock
    return Bench(wallet, pay, clock, clock.pass_time)


def address_of(request: PaymentRequest) -> str:
    """Where a request is to be paid."""
    return bip21.read(request.text).address
