"""Runs a BTCPay store's refunds through their contract, in both ways, and tries what is its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal

import pytest

from services.payments.btcpay import BtcpayStore
from services.payments.btcpay_scope import CREATE, VIEW
from services.payments.btcpay_scope import REFUND as RIGHT
from services.payments.btcpay_ways import CHAIN_WAY, LIGHTNING_WAY, Way
from services.payments.port import PaymentBackend, RefundState, RefundWay, Rejected, Retry, Unauthorized, Unknown
from tests.services.payments.btcpay_bench import address_of, backend_of, bench_of
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.refund_contract import ONE, OTHER, RefundBench, RefundContract
from tests.support.scripted_btcpay import STORE, ScriptedBtcpay
from tests.support.scripted_btcpay_refunds import APPROVED_RIGHT, PAYOUTS, PULLS, REFUND
from tests.support.scripted_nodes import NodeFault

RIGHTS = tuple(f"{one}:{STORE}" for one in (VIEW, CREATE, RIGHT))


@pytest.fixture
async def server() -> ScriptedBtcpay:
    return ScriptedBtcpay(rights=RIGHTS)


@pytest.fixture
async def url(server: ScriptedBtcpay) -> AsyncIterator[str]:
    async with server.serve() as url:
        yield url


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def refunds_of(server: ScriptedBtcpay, url: str, stack: AsyncExitStack, way: Way) -> RefundBench:
    """A store that gives money back, and asks again without waiting."""

    def opened() -> BtcpayStore:
        backend = backend_of(server, url, doubt_s=0.0, way=way, may_refund=True)
        stack.push_async_callback(backend.close)
        return backend

    async def again() -> PaymentBackend:
        return opened()

    async def given() -> list[int]:
        return [int(Decimal(one.said["customAmount"]) * 10**11) for one in server.refunds.pulls]

    def lose() -> None:
        server.ledger.faults[REFUND].append(NodeFault.CUT_AFTER)

    return RefundBench(bench_of(server, opened()), lose, given, again)


@pytest.fixture
def refunds(server: ScriptedBtcpay, url: str, stack: AsyncExitStack) -> RefundBench:
    return refunds_of(server, url, stack, LIGHTNING_WAY)


class TestBtcpayRefunds(RefundContract):
    """Over Lightning."""


class TestBtcpayRefundsOnChain(RefundContract):
    """On the chain."""

    @pytest.fixture
    def refunds(self, server: ScriptedBtcpay, url: str, stack: AsyncExitStack) -> RefundBench:
        return refunds_of(server, url, stack, CHAIN_WAY)


async def test_a_refund_is_a_claim_link_over_whole_sats_paid_the_way_the_order_was(
    server: ScriptedBtcpay, refunds: RefundBench
) -> None:
    """In bitcoin, exactly; its id stands in both the words that BTCPay has for one."""
    request = await refunds.paid()
    told = await refunds.give(await refunds.wish(request, 12_345_000))
    (pull,) = server.refunds.pulls
    assert pull.said == {
        "name": f"Refund {request.reference} {ONE[:16]}",
        "description": f"{request.reference} {ONE}",
        "payoutMethods": ["BTC-LN"],
        "refundVariant": "Custom",
        "customAmount": "0.00012345",
        "customCurrency": "BTC",
    }
    assert (told.state, told.text) == (RefundState.CLAIMABLE, f"https://btcpay.example/pull-payments/{pull.id}")
    assert (told.evidence, pull.id in repr(told)) == (pull.said["name"], False)
    assert len(pull.said["name"]) <= 50


@pytest.mark.parametrize(
    ("state", "part", "told"),
    [
        ("AwaitingApproval", 1, RefundState.PENDING),
        ("AwaitingPayment", 1, RefundState.PENDING),
        ("InProgress", 1, RefundState.PENDING),
        ("Completed", 1, RefundState.SENT),
        ("Cancelled", 1, RefundState.CLAIMABLE),
        ("Completed", Decimal("0.5"), RefundState.CLAIMABLE),
        ("InProgress", Decimal("0.5"), RefundState.CLAIMABLE),
    ],
)
async def test_a_refund_stands_as_its_claims_do(
    server: ScriptedBtcpay, refunds: RefundBench, state: str, part: Decimal, told: RefundState
) -> None:
    """What is left of it can still be claimed, and then there is a link."""
    wish = await refunds.wish(await refunds.paid())
    await refunds.give(wish)
    server.refunds.pulls[0].claim(state, Decimal(part))
    now = await refunds.give(wish)
    assert (now.state, bool(now.text)) == (told, told is RefundState.CLAIMABLE)


@pytest.mark.case("P32")
async def test_a_refund_that_was_archived_is_neither_made_again_nor_called_unpaid(
    server: ScriptedBtcpay, refunds: RefundBench
) -> None:
    """BTCPay lists no claims of it, and a person who tidied up may have paid it before."""
    wish = await refunds.wish(await refunds.paid(), 15_000_000)
    await refunds.give(wish)
    server.refunds.pulls[0].archived = True
    with pytest.raises(Unknown, match="archived"):
        await refunds.give(wish)
    with pytest.raises(Rejected):
        await refunds.give(replace(wish, refund_id=OTHER))
    assert len(server.refunds.pulls) == 1


@pytest.mark.case("P32")
@pytest.mark.parametrize("word", ["name", "description"])
async def test_a_refund_whose_words_were_changed_is_still_known_by_the_other(
    server: ScriptedBtcpay, refunds: RefundBench, word: str
) -> None:
    """The merchant gives it a name of their own; what was given counts all the same."""
    wish = await refunds.wish(await refunds.paid(), 15_000_000)
    first = await refunds.give(wish)
    server.refunds.pulls[0].said[word] = "For Ada, with our regrets"
    assert await refunds.give(wish) == first
    with pytest.raises(Rejected):
        await refunds.give(replace(wish, refund_id=OTHER))
    assert len(server.refunds.pulls) == 1


async def test_an_id_stands_for_one_request_alone(server: ScriptedBtcpay, refunds: RefundBench) -> None:
    """Another request under it is refused."""
    wish = await refunds.wish(await refunds.paid())
    await refunds.give(wish)
    other = await refunds.paid("order-2")
    with pytest.raises(Rejected):
        await refunds.give(replace(wish, about=other.backend_ref))
    assert len(server.refunds.pulls) == 1


@pytest.mark.case("P32")
async def test_no_second_link_is_made_while_a_lost_one_may_still_appear(
    server: ScriptedBtcpay, url: str, refunds: RefundBench
) -> None:
    """The list is behind: until the doubt has passed it is unknown, then the first one is there."""
    wish = await refunds.wish(await refunds.paid())
    backend = backend_of(server, url, doubt_s=0.5, may_refund=True)
    with pytest.raises(Retry) as raised:  # a process before this one may have asked for it a moment ago
        await backend.refund(wish, timeout_s=TIMEOUT_S)
    assert 0 < raised.value.retry_after_s <= 0.5
    backend._refunds._began_s -= 1  # it runs for longer by now
    server.ledger.faults[REFUND].append(NodeFault.FAILS_AFTER)
    server.ledger.faults[PULLS] += [NodeFault.STALE] * 3
    for _ in range(2):
        with pytest.raises(Unknown):
            await backend.refund(wish, timeout_s=TIMEOUT_S)
    assert (await backend.refund(wish, timeout_s=TIMEOUT_S)).state is RefundState.CLAIMABLE
    await backend.close()
    assert len(server.refunds.pulls) == 1


async def test_what_was_given_back_by_hand_counts(server: ScriptedBtcpay, refunds: RefundBench) -> None:
    """In BTCPay's own page, under the name that it gives a refund of the invoice."""
    request = await refunds.paid()
    await refunds.give(await refunds.wish(request, 15_000_000))
    server.refunds.pulls[0].said |= {
        "name": f"Refund Xq7{server.ledger.entries[0].payment_hash[:16]}",
        "description": None,
        "customAmount": "15000",
        "customCurrency": "SATS",
    }
    with pytest.raises(Rejected, match="more than came"):
        await refunds.give(await refunds.wish(request, 7_000_000, OTHER))


async def test_an_invoice_that_can_still_be_paid_gives_nothing_back_yet(
    server: ScriptedBtcpay, url: str, stack: AsyncExitStack
) -> None:
    """BTCPay refuses it until the end, and then gives the part back."""
    refunds = refunds_of(server, url, stack, CHAIN_WAY)
    request = await refunds.bench.request()
    server.send(address_of(request), 10_000, "Settled")
    wish = await refunds.wish(request)
    with pytest.raises(Retry, match="settled or over"):
        await refunds.give(wish)
    await refunds.bench.pass_time(refunds.bench.life_s)
    assert (await refunds.give(wish)).state is RefundState.CLAIMABLE


async def test_a_store_without_a_rate_is_asked_again(server: ScriptedBtcpay, refunds: RefundBench) -> None:
    """It looks up what a bitcoin is in sats, and made nothing."""
    wish = await refunds.wish(await refunds.paid())
    server.refunds.has_rate = False
    with pytest.raises(Retry, match="rate"):
        await refunds.give(wish)
    server.refunds.has_rate = True
    await refunds.give(wish)
    assert len(server.refunds.pulls) == 1


@pytest.mark.parametrize("change", [{"destination": "lnbcrt1"}, {"amount_msat": 1_500}])
async def test_what_a_link_cannot_be_over_is_refused(
    server: ScriptedBtcpay, refunds: RefundBench, change: dict[str, object]
) -> None:
    """An invoice of the payer's, and parts of a sat."""
    wish = await refunds.wish(await refunds.paid())
    with pytest.raises(Rejected):
        await refunds.give(replace(wish, **change))  # type: ignore[arg-type]
    assert server.refunds.pulls == []


@pytest.mark.case("P17")
@pytest.mark.parametrize("call", [PULLS, PAYOUTS])
async def test_a_list_that_cannot_be_read_gives_nothing_away(
    server: ScriptedBtcpay, refunds: RefundBench, call: str
) -> None:
    """It is asked for again, and there is one link."""
    wish = await refunds.wish(await refunds.paid())
    if call == PAYOUTS:
        await refunds.give(wish)  # a link that was just made has no claims to be read
    server.ledger.faults[call].append(NodeFault.OTHER_WORDS)
    with pytest.raises(Retry):
        await refunds.give(wish)
    assert (await refunds.give(wish)).state is RefundState.CLAIMABLE
    assert len(server.refunds.pulls) == 1


@pytest.mark.case("P25")
async def test_a_key_may_refund_only_where_that_is_wanted(
    server: ScriptedBtcpay, url: str, refunds: RefundBench
) -> None:
    """Where it is not it is too much; where it is and the key may not, it is lacking and nothing is offered."""
    plain = backend_of(server, url)
    assert RIGHT in (await plain.probe(timeout_s=TIMEOUT_S)).warnings[0]
    assert plain.capabilities.refund is RefundWay.NONE
    await plain.close()
    backend = refunds.bench.backend
    for rights in (RIGHTS, (*RIGHTS, f"{APPROVED_RIGHT}:{STORE}")):
        server.rights = rights
        probe = await backend.probe(timeout_s=TIMEOUT_S)
        assert (probe.lacks, probe.warnings, probe.capabilities.refund) == ((), (), RefundWay.CLAIM_LINK)
    server.rights = RIGHTS[:2]
    probe = await backend.probe(timeout_s=TIMEOUT_S)
    assert (probe.lacks, probe.capabilities.refund) == ((RIGHT,), RefundWay.NONE)
    wish = await refunds.wish(await refunds.paid())
    with pytest.raises(Unauthorized):
        await refunds.give(wish)


@pytest.mark.parametrize(("more", "approves"), [((), False), ((f"{APPROVED_RIGHT}:{STORE}",), True)])
async def test_claims_wait_for_an_approval_unless_the_key_may_do_without(
    server: ScriptedBtcpay, refunds: RefundBench, more: tuple[str, ...], approves: bool
) -> None:
    """A key that was stolen then pays nothing out by itself."""
    server.rights = (*RIGHTS, *more)
    await refunds.give(await refunds.wish(await refunds.paid()))
    assert server.refunds.pulls[0].approves == approves


@pytest.mark.case("F3")
async def test_no_log_has_a_claim_link(
    server: ScriptedBtcpay, refunds: RefundBench, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor the id that ends it, at the level that a process runs at."""
    wish = await refunds.wish(await refunds.paid())
    with caplog.at_level(logging.WARNING):  # as in `services.logs`
        await refunds.give(wish)
        server.ledger.faults[PAYOUTS].append(NodeFault.FAILS_BEFORE)
        with pytest.raises(Retry) as raised:
            await refunds.give(wish)
    assert [server.refunds.pulls[0].id in said for said in (caplog.text, str(raised.value))] == [False, False]
