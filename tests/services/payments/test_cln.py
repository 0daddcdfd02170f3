"""Runs the Core Lightning back-end through the payment contract, on a node that keeps to clnrest's published calls."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState
from services.payments import cln as cln_module
from services.payments.cln import ClnNode
from services.payments.cln_words import cln_calls
from services.payments.port import FROM_THE_START, Cursor, Rejected, Retry, Unauthorized
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.node_faults import NodeFaultsContract, Peer
from tests.support.certificates import self_signed
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_cln import INVOICE, LIST, MASTER, RUNE, ScriptedCln, a_rune
from tests.support.scripted_nodes import NodeFault


@pytest.fixture
async def node() -> ScriptedCln:
    return ScriptedCln()


@pytest.fixture
async def url(node: ScriptedCln) -> AsyncIterator[str]:
    async with node.serve() as url:
        yield url


@pytest.fixture
async def backend(node: ScriptedCln, url: str) -> AsyncIterator[ClnNode]:
    backend = backend_of(node, url)
    yield backend
    await backend.close()


@pytest.fixture
def bench(node: ScriptedCln, backend: ClnNode) -> Bench:
    clock = node.ledger.clock
    return Bench(backend, node.ledger.pay, clock, clock.pass_time)


def backend_of(node: ScriptedCln, url: str, rune: str = RUNE, certificate: str | None = None) -> ClnNode:
    return ClnNode(cln_calls(url, SecretStr(rune), certificate), Network.REGTEST, node.ledger.clock)


class TestCoreLightning(PaymentBackendContract):
    """The contract, with a rune for three calls."""

    back_end, peer = "cln", SCRIPTED


class TestCoreLightningThatFails(NodeFaultsContract):
    """The faults that every node has."""

    @pytest.fixture
    def peer(self, node: ScriptedCln, url: str, bench: Bench) -> Peer:
        def at(other: str) -> ClnNode:
            return backend_of(node, other)

        return Peer(node.ledger, bench, lambda: at(url), at, INVOICE, LIST, RUNE)


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_an_invoice_that_a_copy_that_is_behind_did_not_show_is_not_made_twice(
    node: ScriptedCln, bench: Bench
) -> None:
    """lightningd refuses the label, and the next look finds the invoice: no second one can be paid."""
    intent = await bench.intent()
    request = await bench.ensure(intent)
    node.ledger.faults[LIST].append(NodeFault.STALE)
    assert await bench.ensure(intent) == request
    assert (node.ledger.asked.count(INVOICE), len(node.ledger.entries)) == (2, 1)


async def test_an_intent_without_a_preimage_is_refused(bench: Bench) -> None:
    """One made again after it was deleted would have another hash."""
    with pytest.raises(Rejected):
        await bench.ensure(replace(await bench.intent(), preimage=None))


async def test_amounts_of_an_older_version_are_read(node: ScriptedCln, bench: Bench) -> None:
    """It writes `1000msat`."""
    node.says_msat_as_text = True
    request = await bench.request(amount_msat=21_000)
    await node.ledger.pay(request.text, 22_000)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (BackendState.SETTLED, 22_000)


@pytest.mark.parametrize(("memo", "shown"), [("a\x00b\nc", "a b c"), ("", "Payment"), ("☕" * 1_000, "☕" * 200)])
async def test_a_memo_is_written_so_that_lightningd_takes_it(bench: Bench, memo: str, shown: str) -> None:
    """Without what JSON has to escape, and not longer than an invoice has room for."""
    assert decode((await bench.ensure(await bench.intent(memo=memo))).text).description == shown


async def test_an_invoice_over_too_much_is_rejected(bench: Bench) -> None:
    """The order fails with a reason; nothing is tried for ever."""
    with pytest.raises(Rejected):
        await bench.request(amount_msat=3 * 10**18)


async def test_a_scan_in_portions_leaves_nothing_out_and_passes_over_others_payments(
    node: ScriptedCln, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small they are, and whoever else is paid into the node."""
    monkeypatch.setattr(cln_module, "SCAN_ROWS", 2)
    requests = [await bench.request(f"order-{number}") for number in range(5)]
    for number, request in enumerate(requests):
        await bench.pay(node.ledger.add(f"coffee {number}", 1_000, "x", 600).text)
        await bench.pay(request.text)
    found, _ = await bench.scan_all(FROM_THE_START)
    assert [one.backend_ref for one in found] == [request.backend_ref for request in requests]


@pytest.mark.case("P25")
async def test_a_probe_tells_what_a_rune_allows(node: ScriptedCln, url: str, backend: ClnNode) -> None:
    """Three calls are all that is needed, a rune for everything is warned of, one for less is not tried."""
    fine = await backend.probe(timeout_s=TIMEOUT_S)
    assert (fine.may, fine.warnings, fine.lacks) == (("invoice", "listinvoices", "waitanyinvoice"), (), ())
    master, weak = backend_of(node, url, MASTER), backend_of(node, url, a_rune("method=invoice"))
    assert "may spend" in (await master.probe(timeout_s=TIMEOUT_S)).warnings[0]
    assert (await weak.probe(timeout_s=TIMEOUT_S)).lacks == ("listinvoices", "waitanyinvoice")
    for one in (master, weak):
        await one.close()


@pytest.mark.case("P21")
async def test_a_probe_tells_of_a_clock_that_is_off(node: ScriptedCln, backend: ClnNode) -> None:
    """Ten minutes are enough to have invoices expire too early."""
    node.ledger.offset_s = -600
    probe = await backend.probe(timeout_s=TIMEOUT_S)
    assert (probe.clock_offset_s, "clock" in probe.warnings[0]) == (-600, True)


@pytest.mark.case("P24")
async def test_a_rune_that_the_node_does_not_know_is_unauthorized(node: ScriptedCln, url: str, bench: Bench) -> None:
    """For every call; nothing is said of the payment."""
    request = await bench.request()
    stranger = backend_of(node, url, a_rune("time<1"))
    for call in (
        stranger.lookup(request.backend_ref, timeout_s=TIMEOUT_S),
        stranger.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
        stranger.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S),
        stranger.probe(timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Unauthorized):
            await call
    await stranger.close()


async def test_only_the_nodes_own_certificate_is_trusted(node: ScriptedCln, tmp_path: Path) -> None:
    """With it the node is spoken to; with none nothing is sent."""
    own = self_signed(tmp_path / "own")
    async with node.serve(own) as url:
        good, bad = backend_of(node, url, certificate=own[0].read_text()), backend_of(node, url)
        assert (await good.probe(timeout_s=TIMEOUT_S)).lacks == ()
        with pytest.raises(Retry, match="certificate"):
            await bad.probe(timeout_s=TIMEOUT_S)
        await good.close()
        await bad.close()


async def test_a_cursor_of_another_kind_of_wallet_is_refused(backend: ClnNode) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await backend.scan(Cursor("no place"), timeout_s=TIMEOUT_S)
