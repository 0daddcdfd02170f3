"""What every back-end that pays invoices back is held to; a test module gives `payer_bench`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from schemas.bolt11 import Network
from services.payments.port import PaymentBackend, RefundState, RefundWay, Rejected
from tests.services.payments.contract import TIMEOUT_S
from tests.support.payout_invoices import a_text, wish_of


@dataclass(frozen=True, slots=True)
class PayerBench:
    """A back-end that can pay, where it stands, and invoices to pay."""

    backend: PaymentBackend
    network: Network
    foreign: Callable[[int], Awaitable[str]]
    """An invoice of somebody else over so many msat."""
    own: Callable[[int], Awaitable[str]]
    """One of the shop's own."""
    paid_msat: Callable[[], Awaitable[int]]
    """What has left it so far."""


class PayerLaws:
    """The laws."""

    @pytest.mark.req("C-01")
    async def test_it_says_that_it_pays(self, payer_bench: PayerBench) -> None:
        """Flows ask the flag."""
        assert payer_bench.backend.capabilities.refund is RefundWay.PAY

    @pytest.mark.case("P32")
    @pytest.mark.req("C-01")
    async def test_one_refund_is_paid_once_however_often_it_is_asked_for(self, payer_bench: PayerBench) -> None:
        """The same answer each time, and the money left once."""
        wish = wish_of(await payer_bench.foreign(5_000))
        first = await payer_bench.backend.refund(wish, timeout_s=TIMEOUT_S)
        assert (first.state, first.amount_msat, first.refund_id) == (RefundState.SENT, 5_000, wish.refund_id)
        assert first.evidence.startswith("bolt11:")
        assert await payer_bench.backend.refund(wish, timeout_s=TIMEOUT_S) == first
        assert await payer_bench.paid_msat() == 5_000

    @pytest.mark.case("F13")
    @pytest.mark.req("C-01")
    async def test_one_invoice_is_never_paid_for_two_refunds(self, payer_bench: PayerBench) -> None:
        """The second one was not paid, whatever the wallet has under its payment hash."""
        text = await payer_bench.foreign(5_000)
        await payer_bench.backend.refund(wish_of(text), timeout_s=TIMEOUT_S)
        with pytest.raises(Rejected, match="something else"):
            await payer_bench.backend.refund(wish_of(text, "cd" * 32), timeout_s=TIMEOUT_S)
        assert await payer_bench.paid_msat() == 5_000

    @pytest.mark.case("F13")
    @pytest.mark.req("C-01")
    async def test_the_shops_own_invoice_is_never_paid(self, payer_bench: PayerBench) -> None:
        """It would give the buyer nothing, and look like a refund."""
        with pytest.raises(Rejected, match="very wallet"):
            await payer_bench.backend.refund(wish_of(await payer_bench.own(5_000)), timeout_s=TIMEOUT_S)
        assert await payer_bench.paid_msat() == 0

    @pytest.mark.case("F13")
    @pytest.mark.req("C-01")
    async def test_an_invoice_that_differs_in_one_point_is_refused(self, payer_bench: PayerBench) -> None:
        """Its sum, its network, its end, and whether it is one at all."""
        other = Network.SIGNET
        good = wish_of(await payer_bench.foreign(5_000))
        for wish in (
            replace(good, amount_msat=4_000),
            replace(good, amount_msat=6_000),
            replace(good, destination=a_text(network=other)),
            replace(good, destination=a_text(network=payer_bench.network, life_s=-30)),
            replace(good, destination="lnbc1nothing"),
        ):
            with pytest.raises(Rejected):
                await payer_bench.backend.refund(wish, timeout_s=TIMEOUT_S)
        assert await payer_bench.paid_msat() == 0
