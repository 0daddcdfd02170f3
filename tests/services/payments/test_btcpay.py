"""Runs the BTCPay back-end through the payment contract, on a server that keeps to BTCPay's published API."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState
from services.payments.btcpay import BtcpayStore
from services.payments.btcpay_ways import FINAL_AFTER_S
from services.payments.btcpay_words import btcpay_calls
from services.payments.port import (
    FROM_THE_START,
    BackendRef,
    Cursor,
    Hint,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
    Unsupported,
)
from tests.services.payments.btcpay_bench import SECRET, backend_of, bench_of, opened
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.node_faults import NodeFaultsContract, Peer
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_btcpay import CREATE, CREATE_RIGHT, KEY, LIST, STORE, VIEW, ScriptedBtcpay
from tests.support.scripted_nodes import Entry, NodeFault


@pytest.fixture
async def server() -> ScriptedBtcpay:
    return ScriptedBtcpay()


@pytest.fixture
async def url(server: ScriptedBtcpay) -> AsyncIterator[str]:
    async with server.serve() as url:
        yield url


@pytest.fixture
async def backend(server: ScriptedBtcpay, url: str) -> AsyncIterator[BtcpayStore]:
    async with opened(server, url) as backend:
        yield backend


@pytest.fixture
def bench(server: ScriptedBtcpay, backend: BtcpayStore) -> Bench:
    return bench_of(server, backend)


async def entry_of(server: ScriptedBtcpay, bench: Bench, sats: int = 21_000) -> tuple[Entry, BackendRef]:
    """A request's invoice at the server, and what the back-end calls it."""
    request = await bench.request(amount_msat=sats * 1_000)
    return next(one for one in server.ledger.entries if one.text == request.text), request.backend_ref


class TestBtcpay(PaymentBackendContract):
    """The contract, in a store whose invoices are described by what is sold."""

    back_end, peer = "btcpay", SCRIPTED


class TestBtcpayThatFails(NodeFaultsContract):
    """The faults that every node has."""

    @pytest.fixture
    def peer(self, server: ScriptedBtcpay, url: str, bench: Bench) -> Peer:
        def at(other: str) -> BtcpayStore:
            return backend_of(server, other)

        return Peer(server.ledger, bench, lambda: at(url), at, CREATE, LIST, KEY)


async def test_an_invoice_asks_for_our_terms_and_for_no_others(server: ScriptedBtcpay, bench: Bench) -> None:
    """Sats, Lightning at once, whole minutes that end with the offer, no tolerance; the store's own settings do not
    come in."""
    intent = await bench.intent(life_s=719)
    await bench.ensure(intent)
    (body,) = server.bodies.values()
    checkout = body["checkout"]
    assert (body["amount"], body["currency"], body["metadata"]["orderId"]) == ("21000", "SATS", intent.reference)
    assert (checkout["expirationMinutes"], checkout["monitoringMinutes"]) == (11, 60)
    assert (checkout["paymentTolerance"], checkout["paymentMethods"]) == (0, ["BTC-LN"])
    assert not checkout["lazyPaymentMethods"]
    assert not checkout["redirectAutomatically"]


@pytest.mark.case("P1")
async def test_no_second_invoice_is_made_while_a_lost_one_may_still_appear(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """BTCPay would take it: until the doubt has passed the call is unknown, then the first invoice is there."""
    server.ledger.faults[CREATE].append(NodeFault.FAILS_AFTER)
    server.ledger.faults[LIST] += [NodeFault.STALE] * 3
    for _ in range(2):
        with pytest.raises(Unknown):
            await bench.request()
    request = await bench.request()
    assert [entry.text for entry in server.ledger.entries] == [request.text]


@pytest.mark.case("P16")
async def test_a_store_whose_node_is_away_makes_no_invoice_and_is_asked_again(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """BTCPay says so, and nothing is there: the order waits."""
    server.has_node = False
    with pytest.raises(Retry):
        await bench.request()
    server.has_node = True
    await bench.request()
    assert len(server.ledger.entries) == 1


async def test_a_server_that_lists_no_payment_methods_is_asked_for_them(
    server: ScriptedBtcpay, bench: Bench, backend: BtcpayStore
) -> None:
    """Those before 2.4.1."""
    server.lists_methods = False
    request = await bench.request(amount_msat=21_000_000)
    await bench.pay(request.text)
    assert (await bench.lookup(request)).gross_msat == 21_000_000
    found, _ = await bench.scan_all(FROM_THE_START)
    assert [one.gross_msat for one in found] == [21_000_000]


@pytest.mark.case("P20")
async def test_money_that_is_not_final_is_no_money_yet(server: ScriptedBtcpay, bench: Bench) -> None:
    """Processing: it was seen, and may go."""
    entry, ref = await entry_of(server, bench)
    server.more[entry.number] = [(21_000_000, "Processing")]
    seen = await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)
    assert (seen.state, seen.gross_msat, seen.settled_at) == (BackendState.PENDING, 0, None)
    server.more[entry.number] = [(21_000_000, "Invalid")]
    assert (await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)).state is BackendState.OPEN


@pytest.mark.case("P13", "P14")
@pytest.mark.parametrize("is_over", [False, True])
async def test_a_part_is_a_part_to_the_msat_before_the_end_and_after_it(
    server: ScriptedBtcpay, bench: Bench, is_over: bool
) -> None:
    """BTCPay calls the one new and the other expired; the rest makes it whole, and more than that counts too."""
    entry, ref = await entry_of(server, bench)
    server.more[entry.number] = [(20_999_001, "Settled")]
    if is_over:
        await bench.pass_time(bench.life_s)
    seen = await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)
    assert (seen.state, seen.gross_msat) == (BackendState.PARTIAL, 20_999_001)
    server.more[entry.number].append((2_000, "Settled"))
    seen = await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)
    assert (seen.state, seen.gross_msat, seen.is_late) == (BackendState.SETTLED, 21_001_001, is_over)


async def test_what_somebody_marked_by_hand_is_no_money(server: ScriptedBtcpay, bench: Bench) -> None:
    """Settled by hand is unpaid until it ends; invalid by hand is cancelled; money counts whatever they say."""
    entry, ref = await entry_of(server, bench)
    states = []
    for mark in ("Settled", "Invalid"):
        server.marks[entry.number] = mark
        states.append((await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)).state)
    assert states == [BackendState.OPEN, BackendState.CANCELLED]
    await server.ledger.pay(entry.text)
    assert (await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)).state is BackendState.SETTLED


async def test_an_archived_invoice_is_still_looked_up(server: ScriptedBtcpay, bench: Bench) -> None:
    """The merchant tidied the page up; the buyer's invoice is what it was."""
    entry, ref = await entry_of(server, bench)
    server.archived.add(entry.number)
    assert (await bench.backend.lookup(ref, timeout_s=TIMEOUT_S)).state is BackendState.OPEN


@pytest.mark.case("P3")
async def test_of_two_invoices_of_one_reference_the_first_is_shown_and_both_count(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """BTCPay makes as many as it is asked for."""
    request = await bench.request()
    double = server.ledger.add(request.reference, 21_000_000, "x", 600)
    assert await bench.request() == request
    await bench.pay(double.text)
    assert (await bench.lookup(request)).gross_msat == 21_000_000
    await bench.pay(request.text)
    assert (await bench.lookup(request)).gross_msat == 42_000_000


async def test_a_scan_in_portions_leaves_nothing_out(server: ScriptedBtcpay, backend: BtcpayStore) -> None:
    """A thousand invoices over a month, many within one second, others' between them, newest first."""
    made = server.ledger.add("", 1_000, "x", 600)
    server.ledger.entries.clear()
    start_s = server.ledger.now_s
    for number in range(1_000):
        name = "".join("abcdefghij"[int(digit)] for digit in f"{number:04d}")
        at = start_s + (number // 300) * 864_000 + (number % 300) // 100
        label, preimage = "" if number % 3 == 0 else "a" * 20 + name, number.to_bytes(32, "big")
        entry = replace(made, label=label, preimage=preimage, number=number + 1, made_at=at, expires_at=at + 600)
        if number % 2:
            entry.settle_index, entry.paid_msat, entry.paid_ms = number + 1, 1_000, (at + 5) * 1_000
        server.ledger.entries.append(entry)
    await server.ledger.clock.pass_time(4 * 864_000)
    found, cursor = [], FROM_THE_START
    while (scan := await backend.scan(cursor, timeout_s=TIMEOUT_S)).observations:
        found += [one.backend_ref for one in scan.observations]
        cursor = scan.cursor
    assert sorted(found) == sorted(one.label for one in server.ledger.entries if one.label and one.settle_index)


async def test_a_history_that_is_too_long_for_one_call_is_walked_in_several(
    server: ScriptedBtcpay, bench: Bench
) -> None:
    """What a call without an answer had walked through is not walked through again."""
    for day in range(40):
        for _ in range(30):
            server.ledger.add("somebody's", 1_000, "x", 600)
        await bench.pass_time(86_400 * (day % 2))
    request = await bench.request()
    await bench.pay(request.text)
    whole = server.ledger.asked.count(LIST)
    await bench.scan_all(FROM_THE_START)
    whole = server.ledger.asked.count(LIST) - whole
    server.ledger.faults[LIST] += [*[None] * (whole // 2), NodeFault.FAILS_BEFORE]  # type: ignore[list-item]
    with pytest.raises(Retry):
        await bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    calls = server.ledger.asked.count(LIST)
    found = await bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    assert [one.backend_ref for one in found.observations] == [request.backend_ref]
    assert server.ledger.asked.count(LIST) - calls < whole


async def test_an_old_invoice_that_is_paid_now_is_found_after_a_newer_one(server: ScriptedBtcpay, bench: Bench) -> None:
    """A cursor stands where nothing can change any more, and not at the newest payment."""
    old, newer = await bench.request("order-1"), await bench.request("order-2")
    await bench.pay(newer.text)
    _, cursor = await bench.scan_all(FROM_THE_START)
    assert int(cursor.partition(".")[0]) <= server.ledger.now_s - FINAL_AFTER_S
    await bench.pay(old.text)
    found, _ = await bench.scan_all(cursor)
    assert [one.backend_ref for one in found] == [old.backend_ref]


@pytest.mark.case("F11", "P7")
@pytest.mark.req("PAY-16")
async def test_a_webhook_is_a_hint_at_its_invoice_whatever_it_says_of_it(server: ScriptedBtcpay, bench: Bench) -> None:
    """Any event about an invoice of ours; another store's secret, or one changed byte, is nobody's."""
    entry, ref = await entry_of(server, bench)
    backend = bench.backend
    for kind in ("InvoiceReceivedPayment", "InvoiceSettled", "InvoiceExpired", "InvoiceNews"):
        raw, headers = server.notice(entry, kind, SECRET, overPaid=True)
        assert await backend.parse_notice("", headers, raw) == (Hint(ref, at=bench.now()),)
        with pytest.raises(Unauthorized):
            await backend.parse_notice("", headers, raw + b" ")
    raw, headers = server.notice(entry, "InvoiceSettled", "another store's")
    with pytest.raises(Unauthorized):
        await backend.parse_notice("", headers, raw)


@pytest.mark.case("P9")
@pytest.mark.parametrize(
    ("change", "hints"),
    [
        ({"type": "PaymentRequestCompleted"}, []),
        ({"metadata": {"orderId": "point-of-sale-7"}}, []),
        ({"metadata": None}, [None]),
        ({"type": None}, [None]),
    ],
)
async def test_a_webhook_about_something_else_is_a_hint_at_nothing_or_at_everything(
    server: ScriptedBtcpay, bench: Bench, change: dict[str, object], hints: list[None]
) -> None:
    """A store has other invoices; what does not say what it is about may be about any."""
    entry, _ = await entry_of(server, bench)
    raw, _ = server.notice(entry, "InvoiceSettled", SECRET)
    body = json.dumps({**json.loads(raw), **change}).encode()
    assert [hint.backend_ref for hint in await bench.backend.parse_notice("", signed(body), body)] == hints


def signed(body: bytes) -> dict[str, str]:
    """The header of a body."""
    return {"BTCPay-Sig": f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"}


@pytest.mark.case("P24", "P25")
async def test_a_probe_tells_what_a_key_lacks_and_what_it_has_too_much(
    server: ScriptedBtcpay, backend: BtcpayStore
) -> None:
    """Two permissions in this one store are enough; those of another store are none here."""
    fine = await backend.probe(timeout_s=TIMEOUT_S)
    assert (fine.may, fine.lacks, fine.warnings) == ((CREATE_RIGHT, VIEW), (), ())
    server.rights = (f"{VIEW}:{STORE}", f"{CREATE_RIGHT}:another")
    assert (await backend.probe(timeout_s=TIMEOUT_S)).lacks == (CREATE_RIGHT,)
    for rights, word in (
        (("unrestricted",), "unrestricted"),
        ((f"btcpay.store.canmodifystoresettings:{STORE}",), "canmodifystoresettings"),
        ((VIEW, CREATE_RIGHT), "every store"),
    ):
        server.rights = rights
        probe = await backend.probe(timeout_s=TIMEOUT_S)
        assert (probe.lacks, word in probe.warnings[0]) == ((), True)


@pytest.mark.case("P21")
async def test_a_probe_tells_of_a_server_that_is_not_ready(server: ScriptedBtcpay, backend: BtcpayStore) -> None:
    """It is behind the chain, knows no Lightning, or its clock is off."""
    server.is_synched, server.has_node, server.ledger.offset_s = False, False, -600
    said = " ".join((await backend.probe(timeout_s=TIMEOUT_S)).warnings)
    assert ["chain" in said, "BTC-LN" in said, "clock" in said] == [True, True, True]


@pytest.mark.case("P24")
async def test_a_wrong_key_and_another_store_are_unauthorized(server: ScriptedBtcpay, url: str, bench: Bench) -> None:
    """For every call; nothing is said of the payment."""
    request = await bench.request()
    stranger = backend_of(server, url, "n0b0dy")
    server.rights = ("unrestricted",)
    elsewhere = BtcpayStore(btcpay_calls(url, SecretStr(KEY)), "another", Network.REGTEST, server.ledger.clock)
    for other in (stranger, elsewhere):
        for call in (
            other.lookup(request.backend_ref, timeout_s=TIMEOUT_S),
            other.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
            other.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S),
        ):
            with pytest.raises(Unauthorized) as raised:
                await call
            assert "n0b0dy" not in str(raised.value)
        await other.close()


async def test_the_stores_own_template_does_not_change_what_is_paid(server: ScriptedBtcpay, bench: Bench) -> None:
    """The vendor's default names the order; it is still our invoice."""
    server.template = "Paid to Tea (Order ID: {OrderId})"
    request = await bench.request()
    assert request.reference in (decode(request.text).description or "")
    with pytest.raises(Unsupported):
        await bench.ensure(await bench.intent("order-2", description_hash="c3" * 32))


async def test_a_cursor_of_another_kind_of_wallet_is_refused(backend: BtcpayStore) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await backend.scan(Cursor("no place"), timeout_s=TIMEOUT_S)
