"""Runs a lightning address through the payment contract against a server on loopback, and lets it go wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState
from services.payments.lud16 import LightningAddress, Lud16Config, account_from
from services.payments.port import (
    FROM_THE_START,
    BackendError,
    Cursor,
    Proof,
    Rejected,
    Retry,
    Unknown,
    Unsupported,
)
from services.payments.simulated import SimulatedWallet
from tests.services.payments.contract import MERCHANT, TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.test_simulated import Clock
from tests.support.contract_table import SCRIPTED
from tests.support.lnurl_service import Fault, LnurlService


@dataclass
class Peers:
    """A server with an address, and the back-end that pays into it."""

    service: LnurlService
    backend: LightningAddress
    clock: Clock
    folder: Path

    @property
    def bench(self) -> Bench:
        return Bench(self.backend, self.service.pay, self.clock, self.clock.pass_time)


@asynccontextmanager
async def asking(folder: Path, **terms: Any) -> AsyncIterator[Peers]:
    """A server and a back-end that has its address."""
    clock = Clock()
    wallet = SimulatedWallet(folder / "wallet.sqlite", clock=clock)
    async with LnurlService(wallet, MERCHANT, clock, **terms) as service:
        backend = _backend(service, clock, folder)
        try:
            yield Peers(service, backend, clock, folder)
        finally:
            await backend.close()
            wallet.close()


def _backend(service: LnurlService, clock: Clock, folder: Path, **changes: Any) -> LightningAddress:
    config = Lud16Config(
        address=service.address,
        book=folder / "book.sqlite",
        network=Network.REGTEST,
        is_trusted=lambda netloc: netloc == service.netloc,
    )
    return account_from(replace(config, **changes), clock=clock, poll_s=0.05)


@pytest.fixture
async def peers(tmp_path: Path) -> AsyncIterator[Peers]:
    async with asking(tmp_path) as both:
        yield both


class TestALightningAddress(PaymentBackendContract):
    """The contract, with a service that tells of payments (LUD-21)."""

    back_end, peer = "lud16", SCRIPTED

    @pytest.fixture
    def bench(self, peers: Peers) -> Bench:
        return peers.bench

    async def test_the_memo_is_shown_to_the_payer(self, bench: Bench) -> None:
        """An address has a description of its own, and the invoice commits to it; the memo goes as a comment."""
        invoice = decode((await bench.ensure(await bench.intent(memo="Two mugs, blue ☕"))).text)
        assert invoice.description is None
        assert invoice.description_hash is not None

    async def test_a_scan_gives_every_settlement_once_and_in_order(self, bench: Bench) -> None:
        """A service tells no times, so the order is that of our being told."""
        requests = [await bench.request(f"order-{number}") for number in range(6)]
        for place in (3, 0, 5):
            await bench.pay(requests[place].text)
            await bench.lookup(requests[place])
        found, cursor = await bench.scan_all(FROM_THE_START)
        assert [one.backend_ref for one in found] == [requests[place].backend_ref for place in (3, 0, 5)]
        await bench.pay(requests[1].text)
        later, _ = await bench.scan_all(cursor)
        assert [one.backend_ref for one in later] == [requests[1].backend_ref]


@pytest.mark.req("PAY-09")
async def test_an_address_gives_an_invoice_of_exactly_this_amount_with_the_memo_as_comment(peers: Peers) -> None:
    """Resolved, asked within its limits, and what came back commits to what the address says of itself."""
    request = await peers.bench.ensure(await peers.bench.intent(memo="Order 1 ☕", amount_msat=21_000_000))
    assert decode(request.text).amount_msat == 21_000_000
    assert peers.service.asked == ["terms", "callback"]
    assert peers.service.comments == ["Order 1 ☕"]


@pytest.mark.req("PAY-09")
@pytest.mark.parametrize(("chars", "comment"), [(0, ""), (7, "Order 1"), (200, "Order 1, two mugs")])
async def test_a_comment_is_no_longer_than_the_address_takes(tmp_path: Path, chars: int, comment: str) -> None:
    """LUD-12; none where it takes none."""
    async with asking(tmp_path, comment_chars=chars) as peers:
        await peers.bench.ensure(await peers.bench.intent(memo="Order 1, two mugs"))
        assert peers.service.comments == [comment]


@pytest.mark.case("F5", "F7", "P23")
@pytest.mark.req("PAY-09")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.OTHER_AMOUNT, "21001000 msat instead of 21000000"),
        (Fault.OTHER_METADATA, "another description"),
    ],
)
async def test_an_invoice_that_is_not_what_was_asked_for_is_refused(peers: Peers, fault: Fault, words: str) -> None:
    """Another amount, or a commitment to other words: nothing is recorded, and nobody is shown it."""
    peers.service.faults["callback"].append(fault)
    with pytest.raises(Rejected, match=words):
        await peers.bench.request()
    good = await peers.bench.request()
    assert good.text == peers.service.made[-1][1] != peers.service.made[0][1]


@pytest.mark.req("PAY-09")
@pytest.mark.parametrize("amount_msat", [999_000, 5_001_000])
async def test_an_amount_outside_the_address_limits_is_not_asked_for(tmp_path: Path, amount_msat: int) -> None:
    """The service would refuse it, or worse."""
    async with asking(tmp_path, min_msat=1_000_000, max_msat=5_000_000) as peers:
        with pytest.raises(Rejected, match="from 1000000 to 5000000 msat"):
            await peers.bench.request(amount_msat=amount_msat)
        assert "callback" not in peers.service.asked
        for edge_msat in (1_000_000, 5_000_000):
            await peers.bench.request(f"order-{edge_msat}", edge_msat)


async def test_an_invoice_of_another_network_is_refused(peers: Peers) -> None:
    """A test wallet's invoice pays nobody."""
    backend = _backend(peers.service, peers.clock, peers.folder, network=Network.BITCOIN)
    with pytest.raises(Rejected, match="not bc"):
        await backend.ensure(await peers.bench.intent(), timeout_s=TIMEOUT_S)
    await backend.close()


@pytest.mark.case("F1")
async def test_one_invoice_never_serves_two_orders(peers: Peers) -> None:
    """One payment would confirm both."""
    await peers.bench.request("order-1")
    peers.service.faults["callback"].append(Fault.SAME_AGAIN)
    with pytest.raises(Rejected, match="given before"):
        await peers.bench.request("order-2")


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
@pytest.mark.parametrize("fault", [Fault.UNANSWERED, Fault.FAILS_AFTER])
async def test_an_invoice_that_was_made_and_never_answered_for_is_shown_to_nobody(peers: Peers, fault: Fault) -> None:
    """It is unknown; the next call has another made, and only that one is ever given, also after a restart."""
    peers.service.faults["callback"].append(fault)
    intent = await peers.bench.intent()
    with pytest.raises(Unknown):
        await peers.bench.ensure(intent)
    request = await peers.bench.ensure(intent)
    assert [text for _, text in peers.service.made][1:] == [request.text]
    restarted = _backend(peers.service, peers.clock, peers.folder)
    assert await restarted.ensure(intent, timeout_s=TIMEOUT_S) == request
    assert len(peers.service.made) == 2
    await restarted.close()


async def test_a_request_is_looked_up_by_the_next_process(peers: Peers) -> None:
    """Where to ask stands in the book."""
    request = await peers.bench.request()
    await peers.service.pay(request.text)
    restarted = _backend(peers.service, peers.clock, peers.folder)
    assert (await restarted.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.SETTLED
    assert (await peers.bench.lookup(request)).state is BackendState.SETTLED
    assert peers.service.asked.count("verify") == 1
    await restarted.close()


@pytest.mark.case("P18")
async def test_a_forgotten_invoice_is_gone_and_not_expired(peers: Peers) -> None:
    """The service answers with an error, or that there is nothing."""
    request = await peers.bench.request()
    peers.service.faults["verify"].append(Fault.NOT_FOUND)
    assert (await peers.bench.lookup(request)).state is BackendState.GONE
    peers.service.forget(request.backend_ref)
    assert (await peers.bench.lookup(request)).state is BackendState.GONE


async def test_a_stale_look_up_is_mended_by_the_next(peers: Peers) -> None:
    """Open is what the service said; nothing is concluded from it but that."""
    request = await peers.bench.request()
    await peers.service.pay(request.text)
    peers.service.faults["verify"].append(Fault.STALE)
    assert (await peers.bench.lookup(request)).state is BackendState.OPEN
    assert (await peers.bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.case("P7")
@pytest.mark.parametrize("fault", [Fault.OTHER_INVOICE, Fault.WRONG_PREIMAGE, Fault.NONSENSE, Fault.FAILS_AFTER])
async def test_an_answer_that_contradicts_itself_settles_nothing(peers: Peers, fault: Fault) -> None:
    """The state of another invoice, a preimage of nothing, a page for people, an error: asked again later."""
    other = await peers.bench.request("order-1")
    request = await peers.bench.request("order-2")
    await peers.service.pay(other.text)
    peers.service.faults["verify"].append(fault)
    with pytest.raises(Retry):
        await peers.bench.lookup(request)
    assert (await peers.bench.lookup(request)).state is BackendState.OPEN


async def test_an_address_that_does_not_tell_of_payments_says_so(tmp_path: Path) -> None:
    """Without LUD-21 a look-up is unsupported, and the probe says that each payment is to be confirmed by hand."""
    async with asking(tmp_path, tells_state=False) as peers:
        request = await peers.bench.request()
        await peers.service.pay(request.text)
        with pytest.raises(Unsupported, match="by hand"):
            await peers.bench.lookup(request)
        assert await peers.bench.scan_all(FROM_THE_START) == ([], FROM_THE_START)
        probe = await peers.backend.probe(timeout_s=TIMEOUT_S)
        assert probe.capabilities.proof is Proof.NONE
        assert any("by hand" in warning for warning in probe.warnings)


async def test_a_probe_tells_what_is_known_of_an_address(tmp_path: Path) -> None:
    """Before the first invoice nobody knows whether it tells of payments; afterwards it is known."""
    async with asking(tmp_path, comment_chars=0) as peers:
        before = await peers.backend.probe(timeout_s=TIMEOUT_S)
        await peers.bench.request()
        after = await peers.backend.probe(timeout_s=TIMEOUT_S)
        assert (before.capabilities.proof, after.capabilities.proof) == (Proof.NONE, Proof.PREIMAGE)
        assert len(before.warnings) == 2
        assert len(after.warnings) == 1


@pytest.mark.parametrize(
    ("step", "fault", "error"),
    [
        ("terms", Fault.SAYS_NO, Rejected),
        ("terms", Fault.NOT_FOUND, Rejected),
        ("terms", Fault.TOO_OFTEN, Retry),
        ("terms", Fault.NONSENSE, Retry),
        ("terms", Fault.UNANSWERED, Retry),
        ("terms", Fault.FAILS_AFTER, Retry),
        ("callback", Fault.SAYS_NO, Rejected),
        ("callback", Fault.TOO_OFTEN, Retry),
        ("callback", Fault.NONSENSE, Unknown),
        ("callback", Fault.UNANSWERED, Unknown),
        ("callback", Fault.FAILS_AFTER, Unknown),
    ],
)
async def test_every_failure_of_a_service_is_one_of_the_ports(
    peers: Peers, step: str, fault: Fault, error: type[BackendError]
) -> None:
    """When an invoice is asked for, what may have happened is unknown; else nothing can have happened."""
    intent = await _intent(peers)
    peers.service.faults[step].append(fault)
    with pytest.raises(error) as failed:
        await peers.bench.ensure(intent)
    assert type(failed.value) is error
    assert await peers.bench.ensure(intent)


@pytest.mark.case("P26")
async def test_a_server_that_asks_for_patience_is_given_it(peers: Peers) -> None:
    """429 with Retry-After."""
    intent = await _intent(peers)
    peers.service.faults["terms"].append(Fault.TOO_OFTEN)
    with pytest.raises(Retry) as limited:
        await peers.bench.ensure(intent)
    assert limited.value.retry_after_s == 7.0


async def test_a_server_that_is_away_is_tried_again(peers: Peers) -> None:
    """Nobody was asked, so nothing happened."""
    intent = await _intent(peers)
    backend = _backend(peers.service, peers.clock, peers.folder / "other", address="shop@127.0.0.1:1")
    with pytest.raises(Rejected, match="public"):
        await backend.ensure(intent, timeout_s=TIMEOUT_S)
    vouched = _backend(
        peers.service, peers.clock, peers.folder / "third", address="shop@127.0.0.1:1", is_trusted=lambda _: True
    )
    with pytest.raises(Retry, match="reached"):
        await vouched.ensure(intent, timeout_s=TIMEOUT_S)
    await backend.close()
    await vouched.close()


async def test_a_listener_goes_on_past_a_server_that_fails(peers: Peers) -> None:
    """One look-up that fails is made again."""
    request = await peers.bench.request()
    listening = asyncio.create_task(peers.bench.hints(FROM_THE_START, 1))
    peers.service.faults["verify"].extend([Fault.FAILS_AFTER, Fault.NONSENSE])
    await asyncio.sleep(0.1)
    await peers.service.pay(request.text)
    assert [hint.backend_ref for hint in await listening] == [request.backend_ref]


@pytest.mark.parametrize("address", ["", "shop", "shop@", "@x.example", "a b@x.example", "shop@x/../y", "x@..example"])
def test_a_text_that_is_no_address_is_rejected(tmp_path: Path, address: str) -> None:
    """With how one is written, and before anything is opened."""
    with pytest.raises(Rejected, match="name@domain"):
        account_from(Lud16Config(address, tmp_path / "book.sqlite"))
    assert not (tmp_path / "book.sqlite").exists()


@pytest.mark.parametrize("cursor", ["-1", "abc", "1 ", "9" * 30])
async def test_a_foreign_cursor_is_rejected(peers: Peers, cursor: str) -> None:
    """Going on from somewhere else would leave settlements out."""
    with pytest.raises(Rejected):
        await peers.backend.scan(Cursor(cursor), timeout_s=TIMEOUT_S)


async def test_the_book_is_the_owners_alone(peers: Peers) -> None:
    """It tells what was sold for how much."""
    await peers.bench.request()
    assert (peers.folder / "book.sqlite").stat().st_mode & 0o777 == 0o600


async def _intent(peers: Peers) -> Any:
    """An intent, without the probe that would have read the terms already."""
    other = peers.folder / "apart"
    backend = _backend(peers.service, peers.clock, other)
    intent = await Bench(backend, peers.service.pay, peers.clock, peers.clock.pass_time).intent()
    await backend.close()
    return intent
