"""Runs the LND back-end through the payment contract, on a node that keeps to LND's published REST API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network
from schemas.payments import BackendState
from services.payments import lnd as lnd_module
from services.payments.http_calls import BadCertificate
from services.payments.lnd import LndNode
from services.payments.lnd_words import lnd_calls
from services.payments.port import FROM_THE_START, BackendRef, Cursor, Rejected, Retry, Unauthorized
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.node_faults import NodeFaultsContract, Peer
from tests.support.certificates import self_signed
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_lnd import ADD, ADMIN, INVOICE_RIGHTS, LIST, LOOK, MACAROON, ScriptedLnd, a_macaroon
from tests.support.scripted_nodes import NodeFault

IDLE_S = 0.3


@pytest.fixture
async def node() -> ScriptedLnd:
    return ScriptedLnd()


@pytest.fixture
async def url(node: ScriptedLnd) -> AsyncIterator[str]:
    async with node.serve() as url:
        yield url


@pytest.fixture
async def backend(node: ScriptedLnd, url: str) -> AsyncIterator[LndNode]:
    backend = backend_of(node, url)
    yield backend
    await backend.close()


@pytest.fixture
def bench(node: ScriptedLnd, backend: LndNode) -> Bench:
    clock = node.ledger.clock
    return Bench(backend, node.ledger.pay, clock, clock.pass_time)


def backend_of(node: ScriptedLnd, url: str, macaroon: bytes = MACAROON, certificate: str | None = None) -> LndNode:
    calls = lnd_calls(url, SecretStr(macaroon.hex()), certificate)
    return LndNode(calls, Network.REGTEST, node.ledger.clock, IDLE_S)


class TestLnd(PaymentBackendContract):
    """The contract, with an invoice macaroon."""

    back_end, peer = "lnd", SCRIPTED


class TestLndThatFails(NodeFaultsContract):
    """The faults that every node has."""

    @pytest.fixture
    def peer(self, node: ScriptedLnd, url: str, bench: Bench) -> Peer:
        def at(other: str) -> LndNode:
            return backend_of(node, other)

        return Peer(node.ledger, bench, lambda: at(url), at, ADD, LOOK, MACAROON.hex())


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_an_invoice_that_a_copy_that_is_behind_did_not_show_is_not_made_twice(
    node: ScriptedLnd, bench: Bench
) -> None:
    """LND refuses the hash, and the next look finds the invoice: no waiting is needed, no second one can be paid."""
    request = await bench.request()
    node.ledger.faults[LOOK].append(NodeFault.STALE)
    assert await bench.request() == request
    assert (node.ledger.asked.count(ADD), len(node.ledger.entries)) == (2, 1)


async def test_an_intent_without_a_preimage_is_refused(bench: Bench) -> None:
    """It could not be found again after a crash."""
    with pytest.raises(Rejected):
        await bench.ensure(replace(await bench.intent(), preimage=None))


async def test_an_invoice_over_too_much_is_rejected_and_not_tried_for_ever(bench: Bench) -> None:
    """LND says so in words only, under the code of everything else."""
    with pytest.raises(Rejected):
        await bench.request(amount_msat=20_000_000 * 10**11)


async def test_what_a_wallet_before_called_a_request_is_gone_here(node: ScriptedLnd, bench: Bench) -> None:
    """A shop's wallet was changed: its old names are no payment hashes, and LND is not asked about them."""
    seen = await bench.backend.lookup(BackendRef("a" * 24), timeout_s=TIMEOUT_S)
    await bench.backend.cancel(BackendRef("a" * 24), timeout_s=TIMEOUT_S)
    assert (seen.state, node.ledger.asked) == (BackendState.GONE, [])


@pytest.mark.parametrize("rows", [2, 3, 7])
async def test_a_scan_finds_the_very_first_settlement_wherever_its_invoice_stands(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """No stream gives it; it is looked for page by page, and nothing is said twice after it."""
    monkeypatch.setattr(lnd_module, "LIST_ROWS", rows)
    requests = [await bench.request(f"order-{number}") for number in range(6)]
    for place in (4, 1):
        await bench.pay(requests[place].text)
    found, cursor = await bench.scan_all(FROM_THE_START)
    assert [one.backend_ref for one in found] == [requests[place].backend_ref for place in (4, 1)]
    assert cursor == Cursor("2")


async def test_a_scan_in_portions_leaves_nothing_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small they are."""
    monkeypatch.setattr(lnd_module, "SCAN_ROWS", 2)
    requests = [await bench.request(f"order-{number}") for number in range(7)]
    for request in requests:
        await bench.pay(request.text)
    found, _ = await bench.scan_all(FROM_THE_START)
    assert [one.backend_ref for one in found] == [request.backend_ref for request in requests]


async def test_a_silent_stream_is_opened_anew(backend: LndNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead connection looks the same; the role listens again."""
    monkeypatch.setattr(lnd_module, "LISTEN_IDLE_S", 0.2)
    async with asyncio.timeout(TIMEOUT_S), aclosing(backend.listen(Cursor("3"))) as hints:
        assert [hint async for hint in hints] == []


async def test_a_list_that_cannot_be_read_is_asked_for_again(node: ScriptedLnd, backend: LndNode) -> None:
    """Nothing is said of any payment."""
    node.ledger.faults[LIST].append(NodeFault.OTHER_WORDS)
    with pytest.raises(Retry):
        await backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)


@pytest.mark.case("P25")
async def test_a_probe_tells_what_a_macaroon_allows(node: ScriptedLnd, url: str, backend: LndNode) -> None:
    """An invoice macaroon is all that is needed, an admin's is warned of, and one that may not read is not tried."""
    fine = await backend.probe(timeout_s=TIMEOUT_S)
    assert (fine.may, fine.warnings, fine.lacks) == (INVOICE_RIGHTS, (), ())
    admin, blind = backend_of(node, url, ADMIN), backend_of(node, url, a_macaroon("invoices:write"))
    warned, weak = await admin.probe(timeout_s=TIMEOUT_S), await blind.probe(timeout_s=TIMEOUT_S)
    assert "may spend" in warned.warnings[0]
    assert weak.lacks == ("invoices:read",)
    for one in (admin, blind):
        await one.close()


@pytest.mark.case("P21")
async def test_a_probe_tells_of_a_clock_that_is_off(node: ScriptedLnd, backend: LndNode) -> None:
    """Ten minutes are enough to have invoices expire too early."""
    node.ledger.offset_s = 600
    probe = await backend.probe(timeout_s=TIMEOUT_S)
    assert (probe.clock_offset_s, "clock" in probe.warnings[0]) == (600, True)


@pytest.mark.case("P24")
async def test_a_macaroon_that_lnd_does_not_know_is_unauthorized(node: ScriptedLnd, url: str, bench: Bench) -> None:
    """LND says so in words only, under the code of everything else; nothing is said of the payment."""
    request = await bench.request()
    stranger = backend_of(node, url, a_macaroon(*INVOICE_RIGHTS, caveat="time-before 2020-01-01T00:00:00Z"))
    for call in (
        stranger.lookup(request.backend_ref, timeout_s=TIMEOUT_S),
        stranger.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
        stranger.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S),
        stranger.probe(timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Unauthorized):
            await call
    await stranger.close()


async def test_a_locked_node_is_asked_again_later(node: ScriptedLnd, bench: Bench) -> None:
    """After a restart somebody has to unlock it; nothing happened, and no order fails for it."""
    node.is_locked = True
    with pytest.raises(Retry):
        await bench.request()
    node.is_locked = False
    await bench.request()
    assert len(node.ledger.entries) == 1


async def test_only_the_nodes_own_certificate_is_trusted(node: ScriptedLnd, tmp_path: Path) -> None:
    """With it the node is spoken to; with none, or another one, nothing is sent."""
    own, other = self_signed(tmp_path / "own"), self_signed(tmp_path / "other")
    async with node.serve(own) as url:
        good = backend_of(node, url, certificate=own[0].read_text())
        assert (await good.probe(timeout_s=TIMEOUT_S)).lacks == ()
        await good.close()
        for certificate in (None, other[0].read_text()):
            bad = backend_of(node, url, certificate=certificate)
            with pytest.raises(Retry, match="certificate"):
                await bad.probe(timeout_s=TIMEOUT_S)
            await bad.close()
    with pytest.raises(BadCertificate):
        lnd_calls("https://127.0.0.1", SecretStr("00"), "no certificate")


async def test_a_cursor_of_another_kind_of_wallet_is_refused(backend: LndNode) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await backend.scan(Cursor("no place"), timeout_s=TIMEOUT_S)
