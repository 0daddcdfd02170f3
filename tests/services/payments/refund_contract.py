"""States what every back-end must do that gives money back, as a test class to be run through with each of them.

A back-end's test module makes a subclass with a `refunds` fixture and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from services.payments.port import (
    BackendRef,
    PaymentBackend,
    PaymentRequest,
    Refund,
    Refunded,
    RefundState,
    RefundWay,
    Rejected,
    Retry,
    Unknown,
)
from tests.services.payments.contract import TIMEOUT_S, Bench

TRIES_MAX = 5
FEE_MAX_MSAT = 100_000
ONE, OTHER = "1f" * 32, "2e" * 32
GIVEN = frozenset({RefundState.SENT, RefundState.PENDING, RefundState.CLAIMABLE})


async def no_invoice(_: int) -> None:
    """The destination where the payer claims by a link."""


@dataclass(frozen=True)
class RefundBench:
    """A back-end on the bench that gives money back, how its answers get lost, and what its other side has of it."""

    bench: Bench
    lose_answer: Callable[[], None]
    """Have the next call that gives money back be carried out, and its answer be lost."""
    given: Callable[[], Awaitable[list[int]]]
    """What was given back or promised, in msat, each once, as the other side has it."""
    again: Callable[[], Awaitable[PaymentBackend]]
    """Another back-end on the same wallet: the process after this one."""
    destination: Callable[[int], Awaitable[str | None]] = no_invoice
    """An invoice of the payer's over so many msat; None where there is a link."""

    async def paid(self, order_id: str = "order-1", amount_msat: int = 21_000_000) -> PaymentRequest:
        """A request that was paid in full."""
        request = await self.bench.request(order_id, amount_msat)
        await self.bench.pay(request.text)
        return request

    async def wish(self, request: PaymentRequest, amount_msat: int = 5_000_000, refund_id: str = ONE) -> Refund:
        """A refund of a part of a request."""
        destination = await self.destination(amount_msat)
        return Refund(refund_id, request.backend_ref, amount_msat, destination, FEE_MAX_MSAT)

    async def give(self, wish: Refund) -> Refunded:
        return await self.bench.backend.refund(wish, timeout_s=TIMEOUT_S)

    async def until_given(self, wish: Refund) -> Refunded:
        """Ask again as long as it is not known what became of it."""
        for _ in range(TRIES_MAX):
            try:
                return await self.give(wish)
            except (Unknown, Retry):
                continue
        raise AssertionError("it was never given back")


class RefundContract:
    """What holds for every back-end whose `refund` is not `NONE`; a subclass gives `refunds`."""

    async def test_a_refund_is_given_and_named(self, refunds: RefundBench) -> None:
        """By the id it was asked for by, over its amount, with a text for the payer where there is one to claim."""
        capabilities = await refunds.bench.capabilities()
        assert capabilities.refund is not RefundWay.NONE
        assert refunds.bench.backend.capabilities.refund is capabilities.refund
        told = await refunds.give(await refunds.wish(await refunds.paid()))
        assert (told.refund_id, told.amount_msat, told.state in GIVEN) == (ONE, 5_000_000, True)
        assert bool(told.text) == (told.state is RefundState.CLAIMABLE)
        assert told.fee_msat <= FEE_MAX_MSAT
        assert told.evidence
        assert await refunds.given() == [5_000_000]

    @pytest.mark.case("P32")
    async def test_the_same_refund_is_given_once(self, refunds: RefundBench) -> None:
        """However often it is asked for, one after the other, at once, or by the process after this one."""
        wish = await refunds.wish(await refunds.paid())
        first = await refunds.until_given(wish)
        told = [first, *await asyncio.gather(*(refunds.until_given(wish) for _ in range(10)))]
        told.append(await (await refunds.again()).refund(wish, timeout_s=TIMEOUT_S))
        assert {(one.refund_id, one.amount_msat, one.evidence) for one in told} == {(ONE, 5_000_000, first.evidence)}
        assert await refunds.given() == [5_000_000]

    @pytest.mark.case("P32")
    async def test_a_refund_that_is_asked_for_many_times_at_once_is_given_once(self, refunds: RefundBench) -> None:
        """None of the calls is the first."""
        wish = await refunds.wish(await refunds.paid())
        await asyncio.gather(*(refunds.until_given(wish) for _ in range(10)))
        assert await refunds.given() == [5_000_000]

    @pytest.mark.case("P32")
    async def test_a_refund_whose_answer_was_lost_is_found_and_not_given_again(self, refunds: RefundBench) -> None:
        """Unknown is never failed."""
        wish = await refunds.wish(await refunds.paid())
        refunds.lose_answer()
        told = await refunds.until_given(wish)
        assert (told.state in GIVEN, told.amount_msat) == (True, 5_000_000)
        assert await refunds.given() == [5_000_000]

    @pytest.mark.case("P32")
    async def test_a_refund_whose_answer_was_lost_is_found_by_the_next_process(self, refunds: RefundBench) -> None:
        """It knows no more than what was asked for."""
        wish = await refunds.wish(await refunds.paid())
        refunds.lose_answer()
        with suppress(Unknown, Retry):
            await refunds.give(wish)
        told = await (await refunds.again()).refund(wish, timeout_s=TIMEOUT_S)
        assert told.state in GIVEN
        assert await refunds.given() == [5_000_000]

    @pytest.mark.case("F13")
    @pytest.mark.req("C-01")
    async def test_no_more_is_given_back_than_came(self, refunds: RefundBench) -> None:
        """Neither at once nor in parts; the rest still is."""
        request = await refunds.paid()
        with pytest.raises(Rejected):
            await refunds.give(await refunds.wish(request, 22_000_000))
        assert await refunds.given() == []
        await refunds.until_given(await refunds.wish(request, 15_000_000))
        with pytest.raises(Rejected):
            await refunds.give(await refunds.wish(request, 7_000_000, OTHER))
        await refunds.until_given(await refunds.wish(request, 6_000_000, OTHER))
        assert sorted(await refunds.given()) == [6_000_000, 15_000_000]

    async def test_a_refund_of_a_request_that_nobody_made_is_refused(self, refunds: RefundBench) -> None:
        """Money of somebody else's is not given away for it."""
        wish = await refunds.wish(await refunds.paid())
        with pytest.raises(Rejected):
            await refunds.give(replace(wish, about=BackendRef("a" * 24)))
        assert await refunds.given() == []

    async def test_nothing_is_given_back_for_a_request_that_was_not_paid(self, refunds: RefundBench) -> None:
        """Whatever another request received."""
        await refunds.paid("order-2")
        unpaid = await refunds.bench.request()
        with pytest.raises(Rejected):
            await refunds.give(await refunds.wish(unpaid))
        assert await refunds.given() == []

    @pytest.mark.parametrize("amount_msat", [0, -1_000])
    async def test_nothing_cannot_be_given_back(self, refunds: RefundBench, amount_msat: int) -> None:
        """A refund is of something."""
        wish = await refunds.wish(await refunds.paid())
        with pytest.raises(Rejected):
            await refunds.give(replace(wish, amount_msat=amount_msat))
        assert await refunds.given() == []

    async def test_a_refund_does_not_change_its_amount(self, refunds: RefundBench) -> None:
        """Another amount under a used id is refused, and nothing changed."""
        wish = await refunds.wish(await refunds.paid())
        first = await refunds.until_given(wish)
        with pytest.raises(Rejected):
            await refunds.give(replace(wish, amount_msat=wish.amount_msat + 1_000))
        assert (await refunds.until_given(wish)).evidence == first.evidence
        assert await refunds.given() == [5_000_000]

    @pytest.mark.case("F3")
    async def test_what_the_payer_claims_by_is_printed_nowhere(self, refunds: RefundBench) -> None:
        """Whoever reads a log could take the money."""
        wish = await refunds.wish(await refunds.paid())
        told = await refunds.until_given(wish)
        backend = refunds.bench.backend
        parts = [vars(part) for part in vars(backend).values() if hasattr(part, "__dict__")]
        assert not told.text or told.text not in repr((told, backend, vars(backend), parts))
