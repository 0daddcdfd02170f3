"""Tries what the on-chain back-end says when the chain takes money back, and when its indexer is wrong or away."""

from __future__ import annotations

import pytest

from schemas.bolt11 import Network
from schemas.payments import BackendState, ObserveReversal, request_digest
from services.payments.chain import ChainWallet
from services.payments.chain_keys import read_account
from services.payments.open_requests import reversal_of
from services.payments.port import FROM_THE_START, Retry, Unauthorized
from tests.services.payments.chain_bench import Open, address_of, bench_of
from tests.services.payments.contract import TIMEOUT_S, Bench
from tests.services.payments.test_chain_keys import TPUB
from tests.support.scripted_chain import HISTORY, TIP, ScriptedChain
from tests.support.scripted_nodes import NodeFault


@pytest.fixture
def wallet(wallet_at: Open) -> ChainWallet:
    return wallet_at()


@pytest.fixture
def bench(chain: ScriptedChain, wallet: ChainWallet) -> Bench:
    return bench_of(chain, wallet)


@pytest.mark.case("P19")
@pytest.mark.req("C-26")
async def test_a_payment_that_a_reorganisation_took_is_taken_back_once_the_chain_has_grown(
    chain: ScriptedChain, bench: Bench
) -> None:
    """First it may come back, so it is on its way; a block later it is gone, in the history too, and stays so."""
    request = await bench.request()
    await bench.pay(request.text)
    paid = await bench.lookup(request)
    chain.reorganise(1, keep=False)
    lost = await bench.lookup(request)
    again = await bench.lookup(request)
    chain.mine()
    gone = await bench.lookup(request)

    assert paid.state is BackendState.SETTLED
    assert (lost.state, again.state) == (BackendState.PENDING, BackendState.PENDING)
    assert (gone.state, gone.gross_msat) == (BackendState.REVERSED, 21_000_000)
    assert reversal_of(gone) == ObserveReversal(payment_hash=request_digest(request.text))
    found, _ = await bench.scan_all(FROM_THE_START)
    assert found == [gone]
    chain.pay(address_of(request), 21_000)
    chain.mine()
    assert await bench.lookup(request) == gone


@pytest.mark.req("C-26")
async def test_a_payment_that_comes_into_another_block_was_never_taken_back(chain: ScriptedChain, bench: Bench) -> None:
    """It waits again, and is mined again: nothing of that is news."""
    request = await bench.request()
    await bench.pay(request.text)
    _, cursor = await bench.scan_all(FROM_THE_START)
    chain.reorganise(1, keep=True)
    assert (await bench.lookup(request)).state is BackendState.PENDING
    chain.mine()
    assert (await bench.lookup(request)).state is BackendState.SETTLED
    chain.reorganise(3, keep=True)
    chain.mine()
    chain.mine(5)

    assert (await bench.lookup(request)).state is BackendState.SETTLED
    assert (await bench.scan_all(cursor))[0] == []


async def test_a_payment_that_comes_back_after_it_was_missing_is_not_taken_back(
    chain: ScriptedChain, bench: Bench
) -> None:
    """The indexer's mempool was empty for a moment after the reorganisation."""
    request = await bench.request()
    await bench.pay(request.text)
    await bench.lookup(request)
    chain.reorganise(1, keep=False)
    assert (await bench.lookup(request)).state is BackendState.PENDING
    chain.pay(address_of(request), 21_000)
    chain.mine(3)
    assert (await bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.case("P19")
async def test_an_indexer_that_forgets_a_payment_without_a_reorganisation_is_not_believed(
    chain: ScriptedChain, bench: Bench
) -> None:
    """The block is still there: it contradicts itself. So does one whose chain is shorter than it was: it is behind."""
    request = await bench.request()
    await bench.pay(request.text)
    paid = await bench.lookup(request)
    chain.ledger.faults[HISTORY].append(NodeFault.STALE)
    chain.mine()
    with pytest.raises(Retry, match="not the payment"):
        await bench.lookup(request)
    cut = chain.blocks[-3:]
    del chain.blocks[-3:]
    with pytest.raises(Retry, match="behind"):
        await bench.lookup(request)
    chain.blocks += cut
    chain.mine()
    assert await bench.lookup(request) == paid


@pytest.mark.parametrize(
    "fault",
    [
        NodeFault.CUT_AFTER,
        NodeFault.FAILS_BEFORE,
        NodeFault.FAILS_AFTER,
        NodeFault.NO_JSON,
        NodeFault.OTHER_WORDS,
        NodeFault.TOO_LONG,
        NodeFault.TOO_OFTEN,
    ],
)
@pytest.mark.parametrize("call", [HISTORY, TIP])
async def test_an_answer_that_fails_says_nothing_of_the_payment(
    chain: ScriptedChain, bench: Bench, call: str, fault: NodeFault
) -> None:
    """Neither open nor paid, neither expired nor taken back; and no address is given out blindly."""
    request, other = await bench.request(), await bench.intent("order-2")
    await bench.pay(request.text)
    if (call, fault) == (TIP, NodeFault.NO_JSON):
        return  # half of a number is a number
    chain.ledger.faults[call].append(fault)
    with pytest.raises(Retry):
        await bench.lookup(request)
    if call == HISTORY:
        chain.ledger.faults[call].append(fault)
        with pytest.raises(Retry):
            await bench.ensure(other)
    assert (await bench.lookup(request)).state is BackendState.SETTLED
    assert address_of(await bench.ensure(other)) != address_of(request)


async def test_an_indexer_that_hangs_costs_no_more_than_the_deadline(chain: ScriptedChain, bench: Bench) -> None:
    """Nothing was given out; the next call finds the same address free."""
    chain.ledger.faults[HISTORY].append(NodeFault.HANGS_AFTER)
    intent = await bench.intent()
    with pytest.raises(Retry):
        await bench.backend.ensure(intent, timeout_s=0.5)
    assert address_of(await bench.ensure(intent)) == read_account(TPUB).address(0, Network.REGTEST)


async def test_an_indexer_of_another_chain_is_refused(chain: ScriptedChain, wallet_at: Open, bench: Bench) -> None:
    """By its first block; for addresses, look-ups and the trial alike."""
    other = wallet_at(network=Network.SIGNET)
    calls = (
        other.ensure(await bench.intent(), timeout_s=TIMEOUT_S),
        other.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
        other.probe(timeout_s=TIMEOUT_S),
    )
    for call in calls:
        with pytest.raises(Unauthorized, match="follows regtest's chain"):
            await call
