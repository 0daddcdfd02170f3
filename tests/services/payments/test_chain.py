"""Runs the on-chain back-end through the payment contract, on a small chain behind an indexer of the tests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from schemas.bolt11 import Network
from schemas.payments import BackendState
from services.payments.chain import ChainWallet
from services.payments.chain_keys import read_account
from services.payments.chain_state import FINAL_BLOCKS, LATE_S, confirmations_for
from services.payments.port import FROM_THE_START, Cursor, Rejected, Unauthorized
from services.payments.wallet_check import check_wallet
from tests.services.payments.chain_bench import Open, address_of, bench_of
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.test_chain_keys import TPUB, UPUB, ZPUB
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_chain import HISTORY, SOMEBODY, ScriptedChain


@pytest.fixture
def wallet(wallet_at: Open) -> ChainWallet:
    return wallet_at()


@pytest.fixture
def bench(chain: ScriptedChain, wallet: ChainWallet) -> Bench:
    return bench_of(chain, wallet)


class TestChain(PaymentBackendContract):
    """The contract, with the default confirmations."""

    back_end, peer = "chain", SCRIPTED


@pytest.mark.case("P20")
async def test_money_on_its_way_is_pending_until_blocks_stand_on_it(chain: ScriptedChain, bench: Bench) -> None:
    """In the mempool, in a block that is not deep enough, then paid; each block is asked for once it is there."""
    request = await bench.request(amount_msat=2_000_000_000)
    chain.pay(address_of(request), 2_000_000)
    states = []
    for _ in range(4):
        seen = await bench.lookup(request)
        states.append((seen.state, seen.gross_msat, bool(seen.evidence)))
        chain.mine()

    assert states[:3] == [(BackendState.PENDING, 0, False)] * 3
    assert states[3] == (BackendState.SETTLED, 2_000_000_000, True)


@pytest.mark.parametrize(("sats", "fixed", "needed"), [(999_999, None, 1), (1_000_000, None, 3), (999, 6, 6)])
def test_how_many_blocks_a_payment_needs(sats: int, fixed: int | None, needed: int) -> None:
    """By its amount, or as the shop says."""
    assert confirmations_for(sats, fixed) == needed


async def test_a_shops_own_confirmations_count(chain: ScriptedChain, wallet_at: Open, bench: Bench) -> None:
    """Two for every amount."""
    careful = wallet_at(confirmations=2)
    request = await bench.request()
    chain.pay(address_of(request), 21_000)
    chain.mine()
    assert (await careful.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.PENDING
    chain.mine()
    assert (await careful.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.SETTLED


async def test_a_payment_that_is_replaced_by_one_to_somebody_else_never_was(chain: ScriptedChain, bench: Bench) -> None:
    """The fee of the second is higher (RBF): the request is open again. A fee bump to the same address stays."""
    request = await bench.request()
    first = chain.pay(address_of(request), 21_000)
    assert (await bench.lookup(request)).state is BackendState.PENDING
    second = chain.replace(first, address_of(request), 21_000)
    assert (await bench.lookup(request)).state is BackendState.PENDING
    third = chain.replace(second, SOMEBODY, 21_000)
    assert (await bench.lookup(request)).state is BackendState.OPEN
    chain.mine(only=[third])
    assert (await bench.lookup(request)).state is BackendState.OPEN


@pytest.mark.case("P13", "P14")
async def test_dust_and_several_payments_add_up(chain: ScriptedChain, bench: Bench) -> None:
    """Two outputs of one transaction, then another transaction: each is told once it counts, a surplus too."""
    request = await bench.request()
    chain.pay(address_of(request), 1, 9_999)
    chain.mine()
    part = await bench.lookup(request)
    chain.pay(address_of(request), 11_000)
    waiting = await bench.lookup(request)
    chain.mine()
    whole = await bench.lookup(request)
    chain.pay(address_of(request), 7)
    chain.mine()
    over = await bench.lookup(request)

    seen = [(one.state, one.gross_msat) for one in (part, waiting, whole, over)]
    partly = (BackendState.PARTIAL, 10_000_000)
    assert seen == [partly, partly, (BackendState.SETTLED, 21_000_000), (BackendState.SETTLED, 21_007_000)]
    found, _ = await bench.scan_all(FROM_THE_START)
    assert found == [over]


async def test_what_is_spent_from_an_address_was_received_all_the_same(chain: ScriptedChain, bench: Bench) -> None:
    """A merchant may move the money on at once, and leave some change there."""
    request = await bench.request()
    await bench.pay(request.text)
    chain.pay(address_of(request), 500, spends=address_of(request))
    chain.mine()
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (BackendState.SETTLED, 21_000_000)


async def test_sixty_payments_to_one_address_are_all_counted(chain: ScriptedChain, bench: Bench) -> None:
    """Dust that somebody sends cannot hide the money on a later page."""
    request = await bench.request()
    for number in range(60):
        chain.pay(address_of(request), 600 if number else 21_000)
    chain.mine()
    chain.pay(address_of(request), 1_000)
    chain.mine()
    assert (await bench.lookup(request)).gross_msat == (21_000 + 59 * 600 + 1_000) * 1_000


async def test_a_trial_finds_out_the_network_and_gives_no_address_away(
    chain: ScriptedChain, wallet_at: Open, bench: Bench
) -> None:
    """The indexer says which; the key has to be for it. The owner compares the next address with the own wallet's."""
    found = await check_wallet(wallet_at(network=None), bench.now(), TIMEOUT_S)
    first = read_account(TPUB).address(0, Network.REGTEST)
    assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
    assert f"the next address is {first}" in found.may
    assert address_of(await bench.request()) == first
    with pytest.raises(Unauthorized, match="key is not for regtest"):
        await check_wallet(wallet_at(ZPUB, network=None), bench.now(), TIMEOUT_S)
    with pytest.raises(Rejected, match="not for bitcoin"):
        wallet_at(TPUB, network=Network.BITCOIN)
    with pytest.raises(Rejected, match="no public key"):
        wallet_at("hello")


@pytest.mark.req("PAY-10")
async def test_no_address_is_ever_given_twice(chain: ScriptedChain, wallet_at: Open, bench: Bench) -> None:
    """Two processes give out addresses at once; the same request has the same one in both, after a restart too."""
    other = wallet_at()
    intents = [await bench.intent(f"order-{number}") for number in range(12)]
    backends = (bench.backend, other)
    requests = await asyncio.gather(*(b.ensure(i, timeout_s=TIMEOUT_S) for i in intents for b in backends))
    addresses = [address_of(request) for request in requests]
    assert addresses[::2] == addresses[1::2]
    assert len(set(addresses)) == 12
    assert [await wallet_at().ensure(intent, timeout_s=TIMEOUT_S) for intent in intents] == list(requests[::2])


@pytest.mark.case("F1")
@pytest.mark.req("PAY-10")
async def test_an_address_that_was_paid_before_is_not_given_out(
    chain: ScriptedChain, wallet_at: Open, tmp_path: Path, bench: Bench
) -> None:
    """The book was lost, or the account is used elsewhere: money of yesterday pays no order of today."""
    await bench.pay((await bench.request("order-1")).text)
    chain.pay(read_account(TPUB).address(2, Network.REGTEST), 5_000)
    lost = wallet_at(book=tmp_path / "new.db")
    for order_id, number in (("order-2", 1), ("order-3", 3)):
        request = await lost.ensure(await bench.intent(order_id), timeout_s=TIMEOUT_S)
        assert address_of(request) == read_account(TPUB).address(number, Network.REGTEST)
        assert (await lost.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.OPEN


async def test_another_account_begins_anew_and_what_the_former_gave_out_is_still_watched(
    chain: ScriptedChain, wallet_at: Open, bench: Bench
) -> None:
    """A shop changes its key: the old address may still be paid, and is found."""
    old = await bench.request()
    changed = wallet_at(UPUB)
    new = await changed.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S)
    assert address_of(new) == read_account(UPUB).address(0, Network.REGTEST)
    assert await changed.ensure(await bench.intent(), timeout_s=TIMEOUT_S) == old
    await bench.pay(old.text)
    assert (await changed.lookup(old.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.SETTLED


@pytest.mark.req("C-26")
async def test_too_many_unused_addresses_in_a_row_are_warned_of(
    chain: ScriptedChain, wallet_at: Open, bench: Bench
) -> None:
    """A wallet looks so far ahead and no farther; one payment to the last of them, and nothing is wrong."""
    narrow = wallet_at(gap_limit=2)
    requests = [await narrow.ensure(await bench.intent(f"order-{n}"), timeout_s=TIMEOUT_S) for n in range(3)]
    (warning,) = (await narrow.probe(timeout_s=TIMEOUT_S)).warnings
    assert "3 addresses in a row" in warning
    await bench.pay(requests[-1].text)
    await narrow.lookup(requests[-1].backend_ref, timeout_s=TIMEOUT_S)
    assert (await narrow.probe(timeout_s=TIMEOUT_S)).warnings == ()


async def test_dust_is_not_asked_for(bench: Bench) -> None:
    """Nobody could pay it."""
    with pytest.raises(Rejected, match="dust"):
        await bench.request(amount_msat=545_000)


async def test_an_address_is_watched_for_a_week_and_then_no_more(chain: ScriptedChain, bench: Bench) -> None:
    """What comes until then is late money; what comes after it nobody looks for."""
    unpaid, late, deep = [await bench.request(f"order-{number}") for number in range(3)]
    await bench.pay(deep.text)
    assert (await bench.lookup(deep)).state is BackendState.SETTLED
    await bench.pass_time(bench.life_s + LATE_S - 1)
    await bench.pay(late.text)
    seen = await bench.lookup(late)
    assert (seen.state, seen.is_late) == (BackendState.SETTLED, True)
    await bench.pass_time(1)
    chain.mine(FINAL_BLOCKS)
    for request in (unpaid, late, deep):
        await bench.lookup(request)
    chain.ledger.asked.clear()
    await bench.pay(unpaid.text)

    found = [(await bench.lookup(request)).state for request in (unpaid, late, deep)]
    assert found == [BackendState.EXPIRED, BackendState.SETTLED, BackendState.SETTLED]
    assert HISTORY not in chain.ledger.asked


async def test_an_address_that_only_a_new_block_can_change_is_not_asked_about_before(
    chain: ScriptedChain, bench: Bench
) -> None:
    """A public indexer counts the calls of whoever asks it."""
    request = await bench.request()
    await bench.pay(request.text)
    await bench.lookup(request)
    chain.ledger.asked.clear()
    for _ in range(5):
        await bench.lookup(request)
        await bench.scan_all(FROM_THE_START)
    assert HISTORY not in chain.ledger.asked
    chain.mine()
    await bench.lookup(request)
    assert chain.ledger.asked.count(HISTORY) == 1


async def test_a_listener_hints_at_money_on_its_way(chain: ScriptedChain, bench: Bench) -> None:
    """The order can be told that its payment was seen, before a block has it."""
    request = await bench.request()
    listening = asyncio.create_task(bench.hints(FROM_THE_START, 1))
    chain.pay(address_of(request), 21_000)
    assert [hint.backend_ref for hint in await listening] == [request.backend_ref]
    assert (await bench.lookup(request)).state is BackendState.PENDING


async def test_a_cursor_of_another_kind_of_wallet_is_refused(wallet: ChainWallet) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await wallet.scan(Cursor("no place"), timeout_s=TIMEOUT_S)


@pytest.mark.req("PAY-10")
async def test_two_shops_of_one_account_share_its_numbers(chain: ScriptedChain, wallet_at: Open, bench: Bench) -> None:
    """One owner, two shops, one key: no address is both shops', and each hears of its own money alone."""
    other = wallet_at(owner="other")
    mine = await bench.request("order-1")
    theirs = await other.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S)
    assert address_of(mine) != address_of(theirs)
    await bench.pay(mine.text)
    assert (await other.scan(FROM_THE_START, timeout_s=TIMEOUT_S)).observations == ()
    assert [one.backend_ref for one in (await bench.scan_all(FROM_THE_START))[0]] == [mine.backend_ref]
