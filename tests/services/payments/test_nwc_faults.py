"""Lets everything go wrong between us and a wallet behind NIP-47, over a real relay: no second invoice, no lost one."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.payments import BackendState
from services.demo.wallets.nwc_service import Fault
from services.embedded.ports import free_port
from services.embedded.relay import READY_LINE
from services.payments.port import (
    FROM_THE_START,
    BackendError,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
    Unsupported,
)
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.nwc_peers import LATE_S, QUICK_S, Peers, a_backend, speaking

pytestmark = pytest.mark.real


@pytest.fixture
async def peers(relay: str, tmp_path: Path) -> AsyncIterator[Peers]:
    async with speaking(relay, tmp_path) as both:
        yield both


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_an_invoice_that_was_made_and_never_answered_for_is_found_again(peers: Peers) -> None:
    """A time-out after success is unknown; the next call finds the invoice in the wallet's list and makes no other."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(Fault.UNANSWERED)
    with pytest.raises(Unknown):
        await peers.backend.ensure(intent, timeout_s=QUICK_S)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]
    assert peers.service.asked.count("make_invoice") == 1


@pytest.mark.case("P2")
@pytest.mark.req("PAY-17")
async def test_an_invoice_whose_maker_was_killed_is_found_by_the_next_process(peers: Peers) -> None:
    """Nothing but the wallet remembers it."""
    intent = await peers.bench.intent()
    request = await peers.bench.ensure(intent)
    restarted = a_backend(peers.service, peers.clock)
    assert await restarted.ensure(intent, timeout_s=TIMEOUT_S) == request
    await peers.clock.pass_time(5_000)
    again = a_backend(peers.service, peers.clock)
    assert await again.ensure(intent, timeout_s=TIMEOUT_S) == request
    assert len(peers.service.entries) == 1
    await restarted.close()
    await again.close()


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_an_error_after_success_makes_no_second_invoice(peers: Peers) -> None:
    """INTERNAL may be said of an invoice that is there."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(Fault.FAILS_AFTER)
    with pytest.raises(Unknown):
        await peers.bench.ensure(intent)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_a_list_that_lags_makes_no_second_invoice(peers: Peers) -> None:
    """While a request of ours may still be carried out or listed, its absence proves nothing."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(Fault.UNANSWERED)
    peers.service.faults["list_transactions"].extend([Fault.STALE, Fault.STALE])
    with pytest.raises(Unknown):
        await peers.backend.ensure(intent, timeout_s=QUICK_S)
    with pytest.raises(Unknown, match="still come into being"):
        await peers.bench.ensure(intent)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]


@pytest.mark.case("P28")
@pytest.mark.req("PAY-17")
async def test_a_request_that_is_carried_out_late_makes_no_second_invoice(peers: Peers) -> None:
    """A slow wallet makes the invoice after we gave up; we wait until it must be there or nowhere."""
    intent = await peers.bench.intent()
    await peers.bench.capabilities()
    peers.service.slow_s = QUICK_S + 0.2
    peers.service.faults["make_invoice"].append(Fault.SLOW)
    with pytest.raises(Unknown):
        await peers.backend.ensure(intent, timeout_s=QUICK_S)
    with pytest.raises(Unknown):
        await peers.bench.ensure(intent)
    await asyncio.sleep(LATE_S)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]


@pytest.mark.case("P27")
async def test_a_request_that_was_lost_is_made_again_once_it_must_be_lost(peers: Peers) -> None:
    """A relay dropped it: after its own end and the lag, absence is a proof."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(Fault.UNHEARD)
    with pytest.raises(Unknown):
        await peers.backend.ensure(intent, timeout_s=QUICK_S)
    await asyncio.sleep(LATE_S)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]


@pytest.mark.case("P18")
async def test_a_forgotten_invoice_is_gone_and_not_expired(peers: Peers) -> None:
    """A wallet restored from an old backup has it no more."""
    request = await peers.bench.request()
    peers.service.forget(request.backend_ref)
    assert (await peers.bench.lookup(request)).state is BackendState.GONE


async def test_a_stale_look_up_is_mended_by_the_next(peers: Peers) -> None:
    """Open is what the wallet said; nothing is concluded from it but that."""
    request = await peers.bench.request()
    await peers.pay(request.text)
    peers.service.faults["lookup_invoice"].append(Fault.STALE)
    assert (await peers.bench.lookup(request)).state is BackendState.OPEN
    assert (await peers.bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.case("P23")
@pytest.mark.req("PAY-08")
async def test_an_invoice_cut_to_whole_sats_is_rejected(peers: Peers) -> None:
    """The amount is read off the text, not taken from the wallet's word."""
    peers.service.faults["make_invoice"].append(Fault.CUTS_SATS)
    with pytest.raises(Rejected, match="another amount"):
        await peers.bench.request(amount_msat=5_500)


@pytest.mark.case("P24", "P26")
@pytest.mark.parametrize(
    ("code", "making", "asking"),
    [
        ("RATE_LIMITED", Retry, Retry),
        ("QUOTA_EXCEEDED", Retry, Retry),
        ("NOT_IMPLEMENTED", Unsupported, Unsupported),
        ("RESTRICTED", Unauthorized, Unauthorized),
        ("UNAUTHORIZED", Unauthorized, Unauthorized),
        ("UNSUPPORTED_ENCRYPTION", Retry, Retry),
        ("INSUFFICIENT_BALANCE", Rejected, Retry),
        ("BAD_REQUEST", Rejected, Retry),
        ("PAYMENT_FAILED", Rejected, Retry),
        ("NOT_FOUND", Rejected, Retry),
        ("INTERNAL", Unknown, Retry),
        ("OTHER", Unknown, Retry),
        ("MADE_UP", Unknown, Retry),
    ],
)
async def test_every_error_of_a_wallet_is_one_of_the_ports(
    peers: Peers, code: str, making: type[BackendError], asking: type[BackendError]
) -> None:
    """When making, what may have happened is unknown; when asking, nothing can have happened."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(code)
    with pytest.raises(making) as made:
        await peers.bench.ensure(intent)
    peers.service.faults["list_transactions"].append(code)
    with pytest.raises(asking) as asked:
        await peers.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    assert type(made.value) is making
    assert type(asked.value) is asking
    assert peers.service.entries == []


@pytest.mark.case("P26")
async def test_a_rate_limit_says_when_to_come_back(peers: Peers) -> None:
    """NIP-47: in a few seconds."""
    peers.service.faults["list_transactions"].append("RATE_LIMITED")
    with pytest.raises(Retry) as limited:
        await peers.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    assert limited.value.retry_after_s == 5.0


async def test_a_garbled_answer_is_no_answer(peers: Peers) -> None:
    """It is left out, and the time-out says unknown."""
    request = await peers.bench.request()
    peers.service.faults["lookup_invoice"].append(Fault.GARBLED)
    with pytest.raises(Unknown):
        await peers.backend.lookup(request.backend_ref, timeout_s=QUICK_S)
    assert (await peers.bench.lookup(request)).state is BackendState.OPEN


@pytest.mark.case("P5", "P27")
async def test_a_payment_nobody_told_of_is_found_by_a_scan(peers: Peers) -> None:
    """Notifications are ephemeral; the listener asks as well."""
    peers.backend._poll_s = 0.1
    request = await peers.bench.request()
    listening = asyncio.create_task(peers.bench.hints(FROM_THE_START, 1))
    await asyncio.sleep(0.3)
    await peers.service.pay(request.text, is_told=False)
    assert [hint.backend_ref for hint in await listening] == [request.backend_ref]


@pytest.mark.case("P27")
async def test_a_relay_that_comes_back_is_listened_to_again(tmp_path: Path) -> None:
    """What was paid while it was away is hinted at, and the wallet answers again."""
    port = str(free_port())
    argv = [sys.executable, "-m", "services.embedded.relay", "--folder", str(tmp_path / "relay"), "--port", port]

    def start() -> "subprocess.Popen[str]":
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().startswith(READY_LINE)
        return process

    process = start()
    try:
        async with speaking(f"ws://127.0.0.1:{port}", tmp_path) as peers:
            request = await peers.bench.request()
            listening = asyncio.create_task(peers.bench.hints(FROM_THE_START, 1))
            await asyncio.sleep(0.3)
            process.kill()
            process.communicate()
            await peers.service.wallet.pay(request.text)
            process = start()
            async with peers.service:
                assert [hint.backend_ref for hint in await listening] == [request.backend_ref]
                assert (await peers.bench.lookup(request)).state is BackendState.SETTLED
    finally:
        process.kill()
        process.communicate()
