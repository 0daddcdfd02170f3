"""Runs the BTCPay back-end through the payment contract where its store is paid on the chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from schemas.bolt11 import Network
from schemas.payments import BackendState, ObserveReversal, request_digest
from services.payments.btcpay import BtcpayStore
from services.payments.btcpay_scope import CREATE, VIEW
from services.payments.btcpay_ways import CHAIN_WAY, LIGHTNING_WAY
from services.payments.chain_state import LATE_S
from services.payments.open_requests import faults_of, reversal_of
from services.payments.port import FROM_THE_START, Rejected, RequestFault, Retry
from services.payments.wallet_check import check_wallet
from tests.services.payments.btcpay_bench import address_of, backend_of, bench_of, opened
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_btcpay import CREATE as CREATE_CALL
from tests.support.scripted_btcpay import LIST, STORE, ScriptedBtcpay
from tests.support.scripted_nodes import NodeFault


@pytest.fixture
async def server() -> ScriptedBtcpay:
    return ScriptedBtcpay()


@pytest.fixture
async def url(server: ScriptedBtcpay) -> AsyncIterator[str]:
    async with server.serve() as url:
        yield url


@pytest.fixture
async def backend(server: ScriptedBtcpay, url: str) -> AsyncIterator[BtcpayStore]:
    async with opened(server, url, CHAIN_WAY) as backend:
        yield backend


@pytest.fixture
def bench(server: ScriptedBtcpay, backend: BtcpayStore) -> Bench:
    return bench_of(server, backend)


class TestBtcpayOnChain(PaymentBackendContract):
    """The contract, with payments that are deep enough at once."""

    back_end, peer = "btcpay on-chain", SCRIPTED


@pytest.mark.parametrize(("sats", "speed"), [(999_999, "MediumSpeed"), (1_000_000, "LowSpeed")])
async def test_an_invoice_on_the_chain_asks_for_our_terms(
    server: ScriptedBtcpay, bench: Bench, sats: int, speed: str
) -> None:
    """One method, one block or six, and watched for as long as we say that money may come."""
    await bench.request(amount_msat=sats * 1_000)
    ((body),) = server.bodies.values()
    checkout = body["checkout"]
    assert (body["amount"], body["currency"]) == (str(sats), "SATS")
    assert (checkout["paymentMethods"], checkout["speedPolicy"]) == (["BTC-CHAIN"], speed)
    assert (checkout["monitoringMinutes"], checkout["paymentTolerance"]) == (LATE_S // 60, 0)
    assert bench.backend.capabilities.payable_late_s == LATE_S


@pytest.mark.case("P1")
@pytest.mark.parametrize("fault", [NodeFault.CUT_AFTER, NodeFault.FAILS_AFTER, NodeFault.OTHER_WORDS])
async def test_an_answer_that_was_lost_leads_to_the_address_that_was_made(
    server: ScriptedBtcpay, bench: Bench, fault: NodeFault
) -> None:
    """It is looked for before a second one is made."""
    server.ledger.faults[CREATE_CALL].append(fault)
    request = await bench.request()
    assert [entry.text for entry in server.ledger.entries] == [address_of(request)]


@pytest.mark.case("P20")
async def test_a_payment_is_on_its_way_until_it_is_deep_enough_and_one_that_is_replaced_never_was(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """Seen, replaced by one to somebody else, sent again, and settled: only that is money."""
    request = await bench.request()
    coin = server.send(address_of(request), 21_000)
    seen = [await bench.lookup(request)]
    server.mark(coin, "Invalid")
    seen.append(await bench.lookup(request))
    coin = server.send(address_of(request), 21_000)
    seen.append(await bench.lookup(request))
    server.mark(coin, "Settled")
    seen.append(await bench.lookup(request))

    assert [(one.state, one.gross_msat) for one in seen] == [
        (BackendState.PENDING, 0),
        (BackendState.OPEN, 0),
        (BackendState.PENDING, 0),
        (BackendState.SETTLED, 21_000_000),
    ]
    assert seen[-1].evidence == f"bitcoin:{address_of(request)}:{coin.id.partition('-')[0]}"


@pytest.mark.case("P13", "P14")
async def test_several_payments_to_one_address_add_up_and_what_is_too_much_counts(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """A part, a part on its way, the whole, and seven sats more."""
    request = await bench.request()
    seen = []
    for sats, status in ((10_000, "Settled"), (11_000, "Processing")):
        coin = server.send(address_of(request), sats, status)
        seen.append(await bench.lookup(request))
    server.mark(coin, "Settled")
    seen.append(await bench.lookup(request))
    server.send(address_of(request), 7, "Settled")
    seen.append(await bench.lookup(request))

    assert [(one.state, one.gross_msat) for one in seen] == [
        (BackendState.PARTIAL, 10_000_000),
        (BackendState.PARTIAL, 10_000_000),
        (BackendState.SETTLED, 21_000_000),
        (BackendState.SETTLED, 21_007_000),
    ]


@pytest.mark.case("P10")
async def test_money_for_an_address_is_late_money_for_a_week(server: ScriptedBtcpay, bench: Bench) -> None:
    """BTCPay says of it that it came after the end; what was seen in time and was deep later is in time."""
    late, seen_in_time = await bench.request("order-1"), await bench.request("order-2")
    coin = server.send(address_of(seen_in_time), 21_000)
    await bench.pass_time(bench.life_s + LATE_S)
    await bench.pay(late.text)
    server.mark(coin, "Settled")
    found = [await bench.lookup(request) for request in (late, seen_in_time)]

    assert [(one.state, one.is_late) for one in found] == [(BackendState.SETTLED, True), (BackendState.SETTLED, False)]
    assert sorted(one.backend_ref for one in (await bench.scan_all(FROM_THE_START))[0]) == sorted(
        (late.backend_ref, seen_in_time.backend_ref)
    )


@pytest.mark.case("P19")
@pytest.mark.req("C-26")
async def test_money_that_btcpay_settled_and_calls_invalid_is_taken_back(server: ScriptedBtcpay, bench: Bench) -> None:
    """In no block any more it waits; spent elsewhere it is gone, in the history and for a listener too."""
    request = await bench.request()
    coin = server.send(address_of(request), 21_000, "Settled")
    _, cursor = await bench.scan_all(FROM_THE_START)
    server.mark(coin, "Processing")
    waiting = await bench.lookup(request)
    server.mark(coin, "Settled")
    again = await bench.lookup(request)
    server.mark(coin, "Processing")
    listening = asyncio.create_task(bench.hints(cursor, 2))
    await asyncio.sleep(0.1)
    server.mark(coin, "Invalid")
    gone = await bench.lookup(request)

    assert (waiting.state, waiting.gross_msat) == (BackendState.PENDING, 0)
    assert (again.state, again.gross_msat) == (BackendState.SETTLED, 21_000_000)
    assert (gone.state, gone.gross_msat) == (BackendState.REVERSED, 21_000_000)
    assert reversal_of(gone) == ObserveReversal(payment_hash=request_digest(request.text))
    assert {hint.backend_ref for hint in await listening} == {request.backend_ref}
    assert (await bench.scan_all(cursor))[0] == [gone]


@pytest.mark.case("P19")
async def test_an_invoice_that_somebody_marked_settled_has_lost_nothing(server: ScriptedBtcpay, bench: Bench) -> None:
    """A payment that was replaced, and a word without money: nothing was ever there to be taken back."""
    request = await bench.request()
    coin = server.send(address_of(request), 21_000)
    server.mark(coin, "Invalid")
    server.marks[server.ledger.entries[0].number] = "Settled"
    assert (await bench.lookup(request)).state is BackendState.OPEN


@pytest.mark.case("P19")
async def test_what_btcpay_settled_with_less_money_than_was_asked_for_is_a_part_and_no_loss(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """The store takes a spread on its rate."""
    request = await bench.request()
    server.send(address_of(request), 20_900, "Settled")
    server.settled.add(server.ledger.entries[0].number)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (BackendState.PARTIAL, 20_900_000)


async def test_dust_is_not_asked_for(server: ScriptedBtcpay, bench: Bench) -> None:
    """Nobody could pay it."""
    with pytest.raises(Rejected, match="dust"):
        await bench.request(amount_msat=545_000)
    assert (server.ledger.entries, (await bench.backend.probe(timeout_s=TIMEOUT_S)).amount_min_msat) == ([], 546_000)


@pytest.mark.case("F5")
async def test_an_address_of_another_network_is_shown_to_nobody(server: ScriptedBtcpay, bench: Bench) -> None:
    """The server is one for tests, and the shop is not."""
    intent = await bench.intent()
    request = await bench.ensure(intent)
    elsewhere = replace(
        request, text=request.text.replace(address_of(request), "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    )
    assert faults_of(intent, request, bench.backend, bench.now()) is None
    fault = faults_of(intent, elsewhere, bench.backend, bench.now())
    assert fault is not None
    assert fault.reason is RequestFault.NETWORK


@pytest.mark.case("P3")
async def test_one_store_is_paid_in_both_ways_and_neither_takes_the_others_money_for_its_own(
    server: ScriptedBtcpay, url: str, bench: Bench
) -> None:
    """As own wallet and spare one of a shop: one reference, two invoices, each known to its own back-end alone."""
    async with opened(server, url, LIGHTNING_WAY) as lightning:
        other = bench_of(server, lightning)
        on_chain, over_lightning = await bench.request(), await other.request()
        assert on_chain.backend_ref == over_lightning.backend_ref
        await other.pay(over_lightning.text)
        states = [(await one.lookup(on_chain)).state for one in (bench, other)]
        found = [len((await one.scan_all(FROM_THE_START))[0]) for one in (bench, other)]
        await bench.pay(on_chain.text)
        assert (await other.lookup(over_lightning)).gross_msat == 21_000_000

    assert (states, found) == ([BackendState.OPEN, BackendState.SETTLED], [0, 1])
    assert (await bench.lookup(on_chain)).gross_msat == 21_000_000


async def test_a_server_that_lists_no_payment_methods_is_asked_for_them(server: ScriptedBtcpay, bench: Bench) -> None:
    """Those before 2.4.1; the address is the same one."""
    server.lists_methods = False
    request = await bench.request()
    assert await bench.request() == request
    await bench.pay(request.text)
    assert [one.gross_msat for one in (await bench.scan_all(FROM_THE_START))[0]] == [21_000_000]


async def test_a_trial_finds_the_network_by_one_address_and_gives_no_second_one(
    server: ScriptedBtcpay, url: str, bench: Bench
) -> None:
    """The invoice of a trial is nobody's; another trial reads it again. A store without an account is told."""
    server.has_account = False
    trial = backend_of(server, url, way=CHAIN_WAY, network=None)
    with pytest.raises(Retry, match="cannot make an invoice"):
        await check_wallet(trial, bench.now(), TIMEOUT_S)
    server.has_account = True
    for backend in (trial, backend_of(server, url, way=CHAIN_WAY, network=None)):
        found = await check_wallet(backend, bench.now(), TIMEOUT_S)
        assert (found.network, found.faults, found.warnings) == (Network.REGTEST, (), ())
        assert backend.network is Network.REGTEST
        await backend.close()
    assert len(server.ledger.entries) == 1
    server.send(server.ledger.entries[0].text, 546, "Settled")
    assert (await bench.scan_all(FROM_THE_START))[0] == []


@pytest.mark.case("P24")
async def test_a_key_that_lacks_something_is_not_tried_on_the_chain_either(server: ScriptedBtcpay, url: str) -> None:
    """No address is used up for it."""
    server.rights = (f"{VIEW}:{STORE}",)
    backend = backend_of(server, url, way=CHAIN_WAY, network=None)
    found = await check_wallet(backend, server.ledger.now_s, TIMEOUT_S)
    await backend.close()
    assert (found.lacks, server.ledger.entries) == ((CREATE,), [])


@pytest.mark.case("P17")
async def test_a_look_up_that_fails_says_nothing_of_an_address(server: ScriptedBtcpay, bench: Bench) -> None:
    """Neither open nor paid."""
    request = await bench.request()
    server.ledger.faults[LIST].append(NodeFault.OTHER_WORDS)
    with pytest.raises(Retry):
        await bench.lookup(request)
