"""Runs wallets behind NIP-47 through the payment contract, over a real relay, and then lets everything go wrong."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nostr_sdk
import pytest

from schemas.bolt11 import decode
from schemas.payments import BackendState
from services.embedded.ports import free_port
from services.embedded.relay import READY_LINE
from services.payments.nwc import NwcConfig, NwcWallet, account_from
from services.payments.nwc_line import LineTuning
from services.payments.port import (
    FROM_THE_START,
    BackendError,
    BackendRef,
    Cursor,
    Push,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
    Unsupported,
)
from services.payments.simulated import SimulatedWallet
from tests.services.payments.contract import MERCHANT, TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.relays.support import CONNECTION, READ, everyone
from tests.support.nwc_service import METHODS, Fault, NwcService

pytestmark = pytest.mark.real

TUNING = LineTuning(read=READ, connection=CONNECTION)
QUICK_S = 0.6
"""Patience where the wallet is made to say nothing."""
LATE_S = 0.5


class Clock:
    """A clock that goes when it is told to, from now on: relays drop what is dated long ago."""

    def __init__(self) -> None:
        self.now_s = int(time.time())

    def __call__(self) -> int:
        return self.now_s

    async def pass_time(self, seconds: int) -> None:
        self.now_s += seconds


@dataclass
class Peers:
    """A wallet service and the back-end that speaks to it."""

    service: NwcService
    backend: NwcWallet
    clock: Clock

    @property
    def bench(self) -> Bench:
        return Bench(self.backend, self.pay, self.clock, self.clock.pass_time)

    async def pay(self, text: str) -> None:
        # A wallet tells whole seconds, so payments of one second have no order.
        await self.clock.pass_time(1)
        await self.service.pay(text)


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    argv = [sys.executable, "-m", "services.embedded.relay", "--memory"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip().removeprefix(READY_LINE)
    process.kill()
    process.communicate()


@asynccontextmanager
async def speaking(relay: str, folder: Path, **terms: Any) -> AsyncIterator[Peers]:
    """A service on the relay and a back-end that has its connection."""
    clock = Clock()
    late_settle = terms.pop("late_settle", False)
    wallet = SimulatedWallet(folder / "wallet.sqlite", clock=clock, late_settle=late_settle)
    service = NwcService(relay, wallet, MERCHANT, clock, **terms)
    async with service:
        backend = _backend(service, clock, late_settle=late_settle)
        try:
            yield Peers(service, backend, clock)
        finally:
            await backend.close()
            wallet.close()


def _backend(service: NwcService, clock: Clock, *, late_settle: bool = False) -> NwcWallet:
    config = NwcConfig(service.uri, amount_step_msat=1, late_settle=late_settle, is_trusted_relay=everyone)
    return account_from(config, clock=clock, tuning=TUNING, poll_s=30.0, late_s=LATE_S)


@pytest.fixture
async def peers(relay: str, tmp_path: Path) -> AsyncIterator[Peers]:
    async with speaking(relay, tmp_path) as both:
        yield both


class TestAWalletOverNostr(PaymentBackendContract):
    """The contract, with a wallet of today: NIP-44, notifications, metadata kept."""

    @pytest.fixture
    def bench(self, peers: Peers) -> Bench:
        return peers.bench


class TestAnOldWalletOverNostr(PaymentBackendContract):
    """The contract, with a wallet that names no encryption, tells nothing by itself and takes late payments."""

    @pytest.fixture
    async def bench(self, relay: str, tmp_path: Path) -> AsyncIterator[Bench]:
        async with speaking(relay, tmp_path, encryptions=None, notifies=False, late_settle=True, page_max=12) as both:
            both.backend._poll_s = 0.05
            yield both.bench


async def test_a_wallet_that_keeps_no_metadata_carries_the_reference_in_the_description(
    relay: str, tmp_path: Path
) -> None:
    """The first invoice would never be found again, so nobody is shown it; what is shown is found by anyone."""
    async with speaking(relay, tmp_path, keeps_metadata=False) as peers:
        intent = await peers.bench.intent(memo="Two mugs")
        request = await peers.bench.ensure(intent)
        assert decode(request.text).description == f"Two mugs ({intent.reference})"
        assert [entry.text for entry in peers.service.entries][1:] == [request.text]
        await peers.pay(request.text)
        found, _ = await peers.bench.scan_all(FROM_THE_START)
        assert [one.reference for one in found] == [intent.reference]
        other = await peers.bench.request("order-2")
        assert len(peers.service.entries) == 3

        restarted = _backend(peers.service, peers.clock)
        assert await restarted.ensure(intent, timeout_s=TIMEOUT_S) == request
        assert await restarted.ensure(await peers.bench.intent("order-2"), timeout_s=TIMEOUT_S) == other
        assert len(peers.service.entries) == 3
        with pytest.raises(Unsupported, match="metadata"):
            await peers.bench.ensure(await peers.bench.intent("order-3", description_hash="c3" * 32))
        assert not (await peers.bench.capabilities()).description_hash
        await restarted.close()


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


@pytest.mark.req("PAY-17")
async def test_an_invoice_whose_maker_was_killed_is_found_by_the_next_process(peers: Peers) -> None:
    """Nothing but the wallet remembers it."""
    intent = await peers.bench.intent()
    request = await peers.bench.ensure(intent)
    restarted = _backend(peers.service, peers.clock)
    assert await restarted.ensure(intent, timeout_s=TIMEOUT_S) == request
    await peers.clock.pass_time(5_000)
    again = _backend(peers.service, peers.clock)
    assert await again.ensure(intent, timeout_s=TIMEOUT_S) == request
    assert len(peers.service.entries) == 1
    await restarted.close()
    await again.close()


@pytest.mark.req("PAY-17")
async def test_an_error_after_success_makes_no_second_invoice(peers: Peers) -> None:
    """INTERNAL may be said of an invoice that is there."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(Fault.FAILS_AFTER)
    with pytest.raises(Unknown):
        await peers.bench.ensure(intent)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]


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


async def test_a_request_that_was_lost_is_made_again_once_it_must_be_lost(peers: Peers) -> None:
    """A relay dropped it: after its own end and the lag, absence is a proof."""
    intent = await peers.bench.intent()
    peers.service.faults["make_invoice"].append(Fault.UNHEARD)
    with pytest.raises(Unknown):
        await peers.backend.ensure(intent, timeout_s=QUICK_S)
    await asyncio.sleep(LATE_S)
    request = await peers.bench.ensure(intent)
    assert [entry.text for entry in peers.service.entries] == [request.text]


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


@pytest.mark.req("PAY-08")
async def test_an_invoice_cut_to_whole_sats_is_rejected(peers: Peers) -> None:
    """The amount is read off the text, not taken from the wallet's word."""
    peers.service.faults["make_invoice"].append(Fault.CUTS_SATS)
    with pytest.raises(Rejected, match="another amount"):
        await peers.bench.request(amount_msat=5_500)


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


async def test_a_payment_nobody_told_of_is_found_by_a_scan(peers: Peers) -> None:
    """Notifications are ephemeral; the listener asks as well."""
    peers.backend._poll_s = 0.1
    request = await peers.bench.request()
    listening = asyncio.create_task(peers.bench.hints(FROM_THE_START, 1))
    await asyncio.sleep(0.3)
    await peers.service.pay(request.text, is_told=False)
    assert [hint.backend_ref for hint in await listening] == [request.backend_ref]


async def test_a_notification_of_somebody_elses_payment_is_only_a_hint(peers: Peers) -> None:
    """The merchant's wallet is paid for other things too; a scan tells of ours alone."""
    config = NwcConfig(peers.service.uri, amount_step_msat=1, is_trusted_relay=everyone)
    line = account_from(config, clock=peers.clock, tuning=TUNING)._line
    made = await line.ask("make_invoice", {"amount": 7_000, "description": "Lunch"}, timeout_s=TIMEOUT_S)
    listening = asyncio.create_task(peers.bench.hints(FROM_THE_START, 1))
    await asyncio.sleep(0.3)
    await peers.pay(made.result["invoice"])
    assert [hint.backend_ref for hint in await listening] == [made.result["payment_hash"]]
    assert await peers.bench.scan_all(FROM_THE_START) == ([], FROM_THE_START)
    await line.close()


async def test_payments_of_one_second_are_all_given_whatever_the_order(peers: Peers) -> None:
    """A cursor at that second leaves none of them out, and repeats none."""
    requests = [await peers.bench.request(f"order-{number}") for number in range(4)]
    cursor, found = FROM_THE_START, []
    for request in requests:
        await peers.service.pay(request.text)
        scan = await peers.backend.scan(cursor, timeout_s=TIMEOUT_S)
        cursor = scan.cursor
        found += [one.backend_ref for one in scan.observations]
    assert found == [request.backend_ref for request in requests]


async def test_a_long_list_is_read_page_by_page(peers: Peers) -> None:
    """More invoices than a page are looked through, from the newest to the oldest asked for."""
    first = await peers.bench.intent("order-0")
    requests = [await peers.bench.ensure(first)]
    for number in range(1, 45):
        await peers.clock.pass_time(1)
        requests.append(await peers.bench.request(f"order-{number}"))
    await peers.pay(requests[0].text)
    restarted = _backend(peers.service, peers.clock)
    assert await restarted.ensure(first, timeout_s=TIMEOUT_S) == requests[0]
    scan = await restarted.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    assert [one.backend_ref for one in scan.observations] == [requests[0].backend_ref]
    assert len(peers.service.entries) == 45
    await restarted.close()


@pytest.mark.parametrize("cursor", ["-1", "abc", "1 ", "9" * 30, "1,xy"])
async def test_a_foreign_cursor_is_rejected(peers: Peers, cursor: str) -> None:
    """Going on from somewhere else would leave settlements out."""
    with pytest.raises(Rejected):
        await peers.backend.scan(Cursor(cursor), timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("text", ["x" * 700, "\ud800"])
async def test_a_memo_that_no_invoice_can_hold_is_rejected(peers: Peers, text: str) -> None:
    """Too long, or no Unicode text; the wallet is not even asked."""
    with pytest.raises(Rejected):
        await peers.bench.ensure(await peers.bench.intent(memo=text))
    assert "make_invoice" not in peers.service.asked


@pytest.mark.parametrize("lacking", ["make_invoice", "lookup_invoice", "list_transactions"])
async def test_a_connection_that_may_not_do_enough_says_what_it_lacks(relay: str, tmp_path: Path, lacking: str) -> None:
    """Without the list an invoice that was made and not answered for would be lost, so nothing is made."""
    methods = tuple(method for method in METHODS if method != lacking)
    async with speaking(relay, tmp_path, methods=methods) as peers:
        probe = await peers.backend.probe(timeout_s=TIMEOUT_S)
        assert any(lacking in warning for warning in probe.warnings)
        assert probe.capabilities.reference_searchable is (lacking != "list_transactions")
        with pytest.raises(Unsupported, match=lacking):
            await peers.bench.request()
        assert peers.service.entries == []


async def test_a_connection_that_can_spend_is_warned_of(relay: str, tmp_path: Path) -> None:
    """It had better be a receive-only one; the probe also tells network, payee and clock."""
    async with speaking(relay, tmp_path, methods=(*METHODS, "pay_invoice")) as peers:
        probe = await peers.backend.probe(timeout_s=TIMEOUT_S)
        assert [warning for warning in probe.warnings if "can spend" in warning]
        assert probe.payee == peers.service.wallet.payee
        assert abs(probe.clock_offset_s) <= 5
        assert probe.capabilities.push is Push.RELAY


async def test_a_wallet_that_is_away_is_tried_again(tmp_path: Path) -> None:
    """Without a relay nothing was sent, and without an info event nothing is known: both provably nothing."""
    secret = f"?relay=ws://127.0.0.1:1&secret={'11' * 32}"
    uri = f"nostr+walletconnect://{'b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4'}{secret}"
    backend = account_from(NwcConfig(uri, is_trusted_relay=everyone), tuning=TUNING)
    with pytest.raises(Retry):
        await backend.lookup(BackendRef("ab" * 32), timeout_s=0.3)
    with pytest.raises(Retry):
        await backend.probe(timeout_s=0.3)
    await backend.close()


async def test_a_wallets_relay_on_this_machine_is_dialled_only_when_vouched_for() -> None:
    """Whoever pastes a connection must not send us to inner addresses."""
    uri = f"nostr+walletconnect://{'b889ff5b1513b641e2a139f661a661364979c5beee91842f8f0ef42ab558e9d4'}"
    backend = account_from(NwcConfig(f"{uri}?relay=wss://127.0.0.1:1&secret={'11' * 32}"), tuning=TUNING)
    with pytest.raises(Retry, match="public wss"):
        await backend.probe(timeout_s=0.3)
    await backend.close()


def test_a_text_that_is_no_connection_is_refused_without_repeating_it() -> None:
    """One sentence that says what is missing; a configuration does not print either."""
    uri = f"nostr+walletconnect://nobody?secret={'11' * 32}"
    with pytest.raises(Unauthorized, match="public key") as refused:
        account_from(NwcConfig(uri))
    assert "1111" not in str(refused.value)
    assert "1111" not in repr(NwcConfig(uri))


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


async def test_another_implementations_client_is_served_alike(peers: Peers) -> None:
    """nostr-sdk makes and looks up an invoice, so what our own client hears is NIP-47 and no dialect of ours."""
    client = nostr_sdk.Nwc(nostr_sdk.NostrWalletConnectUri.parse(peers.service.uri))
    made = await client.make_invoice(
        nostr_sdk.MakeInvoiceRequest(amount=21_000, description="Mug", description_hash=None, expiry=600)
    )
    found = await client.lookup_invoice(nostr_sdk.LookupInvoiceRequest(payment_hash=None, invoice=made.invoice))
    assert found.payment_hash == made.payment_hash == peers.service.entries[0].payment_hash
