"""Runs the phoenixd back-end through the payment contract, on a node that keeps to phoenixd's published API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState
from services.payments.phoenixd import PhoenixdNode, phoenixd_calls
from services.payments.port import FROM_THE_START, Cursor, Rejected, Unauthorized, Unknown
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.node_faults import NodeFaultsContract, Peer
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_nodes import NodeFault
from tests.support.scripted_phoenixd import CREATE, FULL, LIMITED, LIST, ScriptedPhoenixd


@pytest.fixture
async def node() -> ScriptedPhoenixd:
    return ScriptedPhoenixd()


@pytest.fixture
async def url(node: ScriptedPhoenixd) -> AsyncIterator[str]:
    async with node.serve() as url:
        yield url


@pytest.fixture
async def backend(node: ScriptedPhoenixd, url: str) -> AsyncIterator[PhoenixdNode]:
    backend = backend_of(node, url)
    yield backend
    await backend.close()


@pytest.fixture
def bench(node: ScriptedPhoenixd, backend: PhoenixdNode) -> Bench:
    clock = node.ledger.clock
    return Bench(backend, node.ledger.pay, clock, clock.pass_time)


def backend_of(node: ScriptedPhoenixd, url: str, password: str = LIMITED, doubt_s: float = 30.0) -> PhoenixdNode:
    return PhoenixdNode(phoenixd_calls(url, SecretStr(password)), Network.REGTEST, node.ledger.clock, doubt_s)


class TestPhoenixd(PaymentBackendContract):
    """The contract, with the limited password."""

    back_end, peer = "phoenixd", SCRIPTED


class TestPhoenixdThatFails(NodeFaultsContract):
    """The faults that every node has."""

    @pytest.fixture
    def peer(self, node: ScriptedPhoenixd, url: str, bench: Bench) -> Peer:
        def at(other: str) -> PhoenixdNode:
            return backend_of(node, other)

        return Peer(node.ledger, bench, lambda: at(url), at, CREATE, LIST, LIMITED)


@pytest.mark.case("P1")
async def test_no_second_invoice_is_made_while_a_lost_one_may_still_appear(
    node: ScriptedPhoenixd, bench: Bench
) -> None:
    """phoenixd would take it: until the doubt has passed the call is unknown, then the first invoice is there."""
    node.ledger.faults[CREATE].append(NodeFault.FAILS_AFTER)
    node.ledger.faults[LIST] += [NodeFault.STALE] * 3
    for _ in range(2):
        with pytest.raises(Unknown):
            await bench.request()
    request = await bench.request()
    assert [entry.text for entry in node.ledger.entries] == [request.text]


async def test_after_the_doubt_an_invoice_that_never_was_is_made(
    node: ScriptedPhoenixd, url: str, bench: Bench
) -> None:
    """A node that broke before the deed does not hold the order for ever."""
    node.ledger.faults[CREATE].append(NodeFault.FAILS_BEFORE)
    hasty, intent = backend_of(node, url, doubt_s=0.0), await bench.intent()
    with pytest.raises(Unknown):
        await hasty.ensure(intent, timeout_s=TIMEOUT_S)
    await hasty.ensure(intent, timeout_s=TIMEOUT_S)
    assert len(node.ledger.entries) == 1
    await hasty.close()


async def test_what_the_buyer_paid_counts_and_not_what_the_node_kept(node: ScriptedPhoenixd, bench: Bench) -> None:
    """A fee of part of a sat leaves part of a sat, which phoenixd does not show: it is paid in full all the same."""
    node.fee_msat = 123_456
    request = await bench.request(amount_msat=21_000_000)
    await bench.pay(request.text)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat, seen.fee_msat) == (BackendState.SETTLED, 21_000_000, 123_456)


@pytest.mark.case("P14")
async def test_what_was_paid_too_much_is_told_to_the_sat(node: ScriptedPhoenixd, bench: Bench) -> None:
    """A payer may send more than was asked for."""
    request = await bench.request(amount_msat=21_000_000)
    await node.ledger.pay(request.text, 22_000_000)
    assert (await bench.lookup(request)).gross_msat == 22_000_000


@pytest.mark.case("P3")
async def test_of_two_invoices_of_one_reference_the_first_is_shown_and_both_count(
    node: ScriptedPhoenixd, bench: Bench
) -> None:
    """phoenixd makes as many as it is asked for."""
    request = await bench.request()
    double = node.ledger.add(request.reference, 21_000_000, "x", 600)
    assert await bench.request() == request
    await bench.pay(double.text)
    assert (await bench.lookup(request)).gross_msat == 21_000_000
    await bench.pay(request.text)
    assert (await bench.lookup(request)).gross_msat == 42_000_000


@pytest.mark.parametrize("memo", ["☕" * 1_000, "🫖" * 1_000, ""])
async def test_a_memo_is_cut_to_what_phoenixd_takes(bench: Bench, memo: str) -> None:
    """It counts in UTF-16 units and refuses a longer one; half a character is none."""
    shown = decode((await bench.ensure(await bench.intent(memo=memo))).text).description
    assert shown in {"☕" * 128, "🫖" * 64, "Payment"}


async def test_a_scan_in_portions_leaves_nothing_out_and_says_nothing_twice(
    node: ScriptedPhoenixd, backend: PhoenixdNode
) -> None:
    """Over a thousand settlements, many within one second, and others' payments between them; newest first."""
    made = node.ledger.add("", 1_000, "x", 600)
    node.ledger.entries.clear()
    for number in range(1_200):
        name = "".join("abcdefghij"[int(digit)] for digit in f"{number:04d}")
        label, preimage = "" if number % 3 == 0 else "a" * 20 + name, number.to_bytes(32, "big")
        entry = replace(made, label=label, preimage=preimage, settle_index=number + 1, paid_msat=1_000)
        entry.paid_ms = 1_760_000_000_000 + number * 7
        node.ledger.entries.append(entry)
    found, cursor = [], FROM_THE_START
    while (scan := await backend.scan(cursor, timeout_s=TIMEOUT_S)).observations:
        found += [one.backend_ref for one in scan.observations]
        cursor = scan.cursor
    assert found == [entry.label for entry in node.ledger.entries if entry.label]


@pytest.mark.case("P25")
async def test_a_probe_tells_the_full_password_from_the_limited_one(
    node: ScriptedPhoenixd, url: str, backend: PhoenixdNode
) -> None:
    """The first is warned of, the second is all that is needed; neither pays anything to find out."""
    full = backend_of(node, url, FULL)
    fine, warned = await backend.probe(timeout_s=TIMEOUT_S), await full.probe(timeout_s=TIMEOUT_S)
    assert (fine.may, fine.warnings) == (("receive",), ())
    assert (warned.may, "limited-access" in warned.warnings[0]) == (("receive", "spend"), True)
    assert fine.network is Network.REGTEST
    await full.close()


@pytest.mark.case("P21")
async def test_a_probe_tells_of_a_clock_that_is_off(node: ScriptedPhoenixd, backend: PhoenixdNode) -> None:
    """Ten minutes are enough to have invoices expire too early."""
    node.ledger.offset_s = -600
    probe = await backend.probe(timeout_s=TIMEOUT_S)
    assert (probe.clock_offset_s, "clock" in probe.warnings[0]) == (-600, True)


@pytest.mark.case("P24")
async def test_a_wrong_password_is_unauthorized(node: ScriptedPhoenixd, url: str, bench: Bench) -> None:
    """For every call; nothing is said of the payment."""
    request = await bench.request()
    stranger = backend_of(node, url, "n0b0dy")
    for call in (
        stranger.lookup(request.backend_ref, timeout_s=TIMEOUT_S),
        stranger.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
        stranger.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S),
        stranger.probe(timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Unauthorized) as raised:
            await call
        assert "n0b0dy" not in str(raised.value)
    await stranger.close()


async def test_a_cursor_of_another_kind_of_wallet_is_refused(backend: PhoenixdNode) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await backend.scan(Cursor("no place"), timeout_s=TIMEOUT_S)
