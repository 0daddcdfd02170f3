"""Runs wallets behind NIP-47 through the payment contract, over a real relay, and tries what is their own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import nostr_sdk
import pytest

from schemas.bolt11 import decode
from services.demo.wallets.nwc_service import METHODS
from services.payments.nwc import NwcConfig, account_from
from services.payments.port import (
    FROM_THE_START,
    BackendRef,
    Cursor,
    Push,
    Rejected,
    Retry,
    Unauthorized,
    Unsupported,
)
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.nwc_peers import TUNING, Peers, a_backend, speaking
from tests.services.relays.support import everyone
from tests.support.contract_table import SCRIPTED

pytestmark = pytest.mark.real


@pytest.fixture
async def peers(relay: str, tmp_path: Path) -> AsyncIterator[Peers]:
    async with speaking(relay, tmp_path) as both:
        yield both


class TestAWalletOverNostr(PaymentBackendContract):
    """The contract, with a wallet of today: NIP-44, notifications, metadata kept."""

    back_end, peer = "nwc", SCRIPTED

    @pytest.fixture
    def bench(self, peers: Peers) -> Bench:
        return peers.bench


class TestAnOldWalletOverNostr(PaymentBackendContract):
    """The contract, with a wallet that names no encryption, tells nothing by itself and takes late payments."""

    back_end, peer = "nwc", SCRIPTED

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

        restarted = a_backend(peers.service, peers.clock)
        assert await restarted.ensure(intent, timeout_s=TIMEOUT_S) == request
        assert await restarted.ensure(await peers.bench.intent("order-2"), timeout_s=TIMEOUT_S) == other
        assert len(peers.service.entries) == 3
        with pytest.raises(Unsupported, match="metadata"):
            await peers.bench.ensure(await peers.bench.intent("order-3", description_hash="c3" * 32))
        assert not (await peers.bench.capabilities()).description_hash
        await restarted.close()


@pytest.mark.case("P7")
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
    restarted = a_backend(peers.service, peers.clock)
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


@pytest.mark.case("P24")
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


@pytest.mark.case("P25")
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


async def test_another_implementations_client_is_served_alike(peers: Peers) -> None:
    """nostr-sdk makes and looks up an invoice, so what our own client hears is NIP-47 and no dialect of ours."""
    client = nostr_sdk.Nwc(nostr_sdk.NostrWalletConnectUri.parse(peers.service.uri))
    made = await client.make_invoice(
        nostr_sdk.MakeInvoiceRequest(amount=21_000, description="Mug", description_hash=None, expiry=600)
    )
    found = await client.lookup_invoice(nostr_sdk.LookupInvoiceRequest(payment_hash=None, invoice=made.invoice))
    assert found.payment_hash == made.payment_hash == peers.service.entries[0].payment_hash
