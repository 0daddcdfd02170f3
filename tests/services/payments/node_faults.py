"""States what a back-end must do when its Lightning node fails, as a test class to be run through with each of them.

Faults after the deed, before it, old answers, broken answers (reference: failure cases 1, 2, 16-18, 23, 24, 26).
A node's test module makes a subclass with a `peer` fixture.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import pytest
from structlog.testing import capture_logs

from schemas.payments import BackendState
from services.payments.port import (
    FROM_THE_START,
    Held,
    Intent,
    PaymentBackend,
    PaymentRequest,
    Rejected,
    Retry,
    Unauthorized,
    Unknown,
)
from tests.services.payments.contract import TIMEOUT_S, Bench
from tests.support.scripted_nodes import Ledger, NodeFault

SHORT_S = 2.0
TRIES_MAX = 5

AFTER = [
    NodeFault.CUT_AFTER,
    NodeFault.FAILS_AFTER,
    NodeFault.NO_JSON,
    NodeFault.OTHER_WORDS,
    NodeFault.TOO_LONG,
]
BROKEN = [
    NodeFault.CUT_AFTER,
    NodeFault.FAILS_BEFORE,
    NodeFault.NO_JSON,
    NodeFault.OTHER_WORDS,
    NodeFault.TOO_LONG,
    NodeFault.TOO_OFTEN,
]


class Closing(PaymentBackend, Protocol):
    """A back-end that holds connections."""

    async def close(self) -> None:
        """Let go of them."""
        ...


@dataclass(frozen=True)
class Peer:
    """A node on the bench: its ledger, another back-end on it, one at another address, and its calls' names."""

    ledger: Ledger
    bench: Bench
    again: Callable[[], Closing]
    at: Callable[[str], Closing]
    create: str
    look: str
    secret: str
    """What opens it, which stands nowhere."""


class NodeFaultsContract:
    """What holds for every node that fails; a subclass gives the `peer`."""

    @pytest.mark.case("P1")
    @pytest.mark.req("PAY-17")
    @pytest.mark.parametrize("fault", AFTER)
    async def test_an_answer_lost_after_the_invoice_was_made_leads_to_that_invoice(
        self, peer: Peer, fault: NodeFault
    ) -> None:
        """Unknown is never failed: it is looked for before anything else, and found."""
        peer.ledger.faults[peer.create].append(fault)
        request = await peer.bench.request()
        assert [entry.text for entry in peer.ledger.entries] == [request.text]
        assert peer.ledger.asked.count(peer.create) == 1

    @pytest.mark.case("P1")
    @pytest.mark.req("PAY-17")
    async def test_a_time_out_after_the_invoice_was_made_leads_to_that_invoice(self, peer: Peer) -> None:
        """The deadline passes after the deed; the next call finds what it did."""
        peer.ledger.faults[peer.create].append(NodeFault.HANGS_AFTER)
        intent = await peer.bench.intent()
        with pytest.raises(Unknown):
            await peer.bench.backend.ensure(intent, timeout_s=SHORT_S)
        request = await _until_made(peer, intent)
        assert [entry.text for entry in peer.ledger.entries] == [request.text]

    @pytest.mark.case("P1")
    @pytest.mark.req("PAY-17")
    async def test_a_lost_answer_and_a_list_that_is_behind_make_no_second_payable_invoice(self, peer: Peer) -> None:
        """Whatever is asked meanwhile: in the end there is one invoice, and it is the first."""
        intent = await peer.bench.intent()
        peer.ledger.faults[peer.create].append(NodeFault.CUT_AFTER)
        peer.ledger.faults[peer.look] += [NodeFault.FAILS_BEFORE] * 2
        request = await _until_made(peer, intent)
        assert [entry.text for entry in peer.ledger.entries] == [request.text]

    @pytest.mark.case("P2")
    @pytest.mark.req("PAY-17")
    async def test_a_second_process_finds_what_the_first_one_made(self, peer: Peer) -> None:
        """After a crash between call and record, the intent leads to the same invoice."""
        intent = await peer.bench.intent()
        first, other = await peer.bench.ensure(intent), peer.again()
        assert await other.ensure(intent, timeout_s=TIMEOUT_S) == first
        assert peer.ledger.asked.count(peer.create) == 1
        await other.close()

    @pytest.mark.case("P21")
    @pytest.mark.parametrize("offset_s", [-301, 301, -86_400])
    async def test_nothing_new_is_made_at_a_node_whose_clock_is_far_off(self, peer: Peer, offset_s: int) -> None:
        """Five minutes: what was made before is looked up all the same; it goes on once the clock is right."""
        before, later = await peer.bench.request("before"), await peer.bench.intent("later")
        peer.ledger.offset_s = offset_s
        with pytest.raises(Held, match="clock"):
            await peer.bench.ensure(later)
        again = peer.again()
        assert (await again.lookup(before.backend_ref, timeout_s=TIMEOUT_S)).state is not BackendState.GONE
        await again.close()
        assert peer.ledger.asked.count(peer.create) == 1
        peer.ledger.offset_s = 0
        await peer.bench.ensure(later)

    @pytest.mark.case("P21")
    async def test_a_node_whose_clock_is_two_minutes_off_is_warned_of_and_used(self, peer: Peer) -> None:
        """It says so in the log with each request that it makes."""
        intent = await peer.bench.intent()
        peer.ledger.offset_s = -120
        with capture_logs() as logs:
            await peer.bench.ensure(intent)
        (warned,) = [one["offset_s"] for one in logs if one["event"] == "a wallet's clock is off"]
        assert abs(warned + 120) <= 1

    @pytest.mark.case("P26")
    async def test_a_call_that_was_one_too_many_did_nothing_and_says_when_to_come_again(self, peer: Peer) -> None:
        """429 is honoured, and the next try makes the invoice."""
        peer.ledger.faults[peer.create].append(NodeFault.TOO_OFTEN)
        intent = await peer.bench.intent()
        with pytest.raises(Retry) as raised:
            await peer.bench.ensure(intent)
        assert (raised.value.retry_after_s, peer.ledger.entries) == (7, [])
        await peer.bench.ensure(intent)
        assert len(peer.ledger.entries) == 1

    @pytest.mark.case("P17")
    @pytest.mark.parametrize("fault", BROKEN)
    async def test_a_look_up_that_fails_says_nothing_of_the_payment(self, peer: Peer, fault: NodeFault) -> None:
        """Neither gone nor open, neither expired nor paid; and nothing is made for want of an answer."""
        request, other = await peer.bench.request(), await peer.bench.intent("order-2")
        peer.ledger.faults[peer.look] += [fault] * 2
        with pytest.raises(Retry):
            await peer.bench.lookup(request)
        with pytest.raises((Retry, Unauthorized)):  # a 404 without words may as well be another server's
            await peer.bench.ensure(other)
        assert len(peer.ledger.entries) == 1
        assert (await peer.bench.lookup(request)).state is BackendState.OPEN

    async def test_a_read_that_is_behind_is_no_payment_and_no_loss(self, peer: Peer) -> None:
        """The stale read says gone, the next one settled; nothing is decided in between."""
        request = await peer.bench.request()
        await peer.bench.pay(request.text)
        peer.ledger.faults[peer.look].append(NodeFault.STALE)
        assert (await peer.bench.lookup(request)).state is BackendState.GONE
        assert (await peer.bench.lookup(request)).state is BackendState.SETTLED

    @pytest.mark.case("P18")
    async def test_an_invoice_that_the_node_forgot_is_gone_and_not_expired(self, peer: Peer) -> None:
        """A node restored from an old copy: the merchant is told, nobody says unpaid."""
        request = await peer.bench.request()
        peer.ledger.entries.clear()
        await peer.bench.pass_time(peer.bench.life_s)
        assert (await peer.bench.lookup(request)).state is BackendState.GONE

    @pytest.mark.case("F5", "P23")
    @pytest.mark.req("PAY-08")
    async def test_an_invoice_over_another_amount_is_not_given_to_anybody(self, peer: Peer) -> None:
        """The node makes less of it than it was asked for."""
        peer.ledger.says_msat = lambda amount_msat: amount_msat - 1_000
        intent = await peer.bench.intent()
        for _ in range(2):
            with pytest.raises(Rejected):
                await peer.bench.ensure(intent)
        assert len(peer.ledger.entries) == 1

    @pytest.mark.case("P16")
    async def test_a_node_that_is_not_reached_did_nothing(self, peer: Peer) -> None:
        """A refused connection is proof: the call may be made again."""
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            nobody = peer.at(f"http://127.0.0.1:{held.getsockname()[1]}")
            with pytest.raises(Retry):
                await nobody.ensure(await peer.bench.intent(), timeout_s=TIMEOUT_S)
            await nobody.close()

    @pytest.mark.case("F3")
    async def test_neither_the_preimage_nor_the_credential_is_in_anything_that_prints(self, peer: Peer) -> None:
        """The node gives the one away with every answer; the other opens a wallet."""
        request = await peer.bench.request()
        await peer.bench.pay(request.text)
        seen = await peer.bench.lookup(request)
        scan = await peer.bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
        backend = peer.bench.backend
        said = repr((request, seen, scan, backend, vars(backend), [vars(one) for one in _parts(backend)]))
        (entry,) = peer.ledger.entries
        assert [entry.preimage.hex() in said, peer.secret in said] == [False, False]

    async def test_an_intent_that_comes_too_late_is_not_taken_to_the_node(self, peer: Peer) -> None:
        """Only a look-up is made, which may find the invoice of an earlier call."""
        intent = replace(await peer.bench.intent(), expires_at=peer.bench.now())
        with pytest.raises(Rejected):
            await peer.bench.ensure(intent)
        assert peer.create not in peer.ledger.asked


def _parts(backend: PaymentBackend) -> list[object]:
    return [part for part in vars(backend).values() if hasattr(part, "__dict__")]


async def _until_made(peer: Peer, intent: Intent) -> PaymentRequest:
    for _ in range(TRIES_MAX):
        try:
            return await peer.bench.ensure(intent)
        except (Unknown, Retry):
            continue
    raise AssertionError("it was never made")
