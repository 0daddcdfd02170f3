"""What the payment contract says of invoices, said of requests for ecash; and a bench for wallets of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from schemas.cashu.requests import EcashRequest, read_request
from schemas.cashu.tokens import Token
from schemas.payments import Method, intent_id
from schemas.values import OrderKey
from services.payments.cashu import EcashWallet, check_ecash_request
from services.payments.port import Intent, Reference, reference
from tests.services.payments.contract import BUYER, MERCHANT, TIMEOUT_S, Bench

SEED = b"a wallet's seed, for tests only!"
CAP_SATS = 10**9
LOCK_KEY_AMOUNTS_MSAT = [1, 999, 1_000, 5_500, 1_234_567, 21_000_000_001]


@dataclass
class Clock:
    """The wallet's clock, which tests move."""

    now_s: int = 1_795_000_000

    def __call__(self) -> int:
        return self.now_s

    async def pass_time(self, seconds: int) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class EcashBench(Bench):
    """A bench whose intents are paid in ecash."""

    async def intent(
        self,
        order_id: str = "order-1",
        amount_msat: int = 21_000_000,
        memo: str = "Order 1",
        life_s: int | None = None,
        description_hash: str | None = None,
    ) -> Intent:
        made = await super().intent(order_id, amount_msat, memo, life_s, description_hash)
        order = OrderKey(merchant=MERCHANT, buyer=BUYER, order_id=order_id)
        name = intent_id(order, 1, Method.CASHU)
        return replace(made, intent_id=name, reference=reference(name), method=Method.CASHU)


def bench_of(wallet: EcashWallet, mint: Callable[[int, str | None], Awaitable[Token]], clock: Clock) -> EcashBench:
    """A wallet with a payer who mints what a request asks for, and hands it in."""

    async def pay(text: str) -> None:
        request = read_request(text)
        assert request.amount is not None
        token = await mint(request.amount, request.lock_key)
        await wallet.take(Reference(request.id or ""), token, timeout_s=TIMEOUT_S)

    return EcashBench(wallet, pay, clock, clock.pass_time)


class EcashLaws:
    """Laws of the contract in the words of a request for ecash."""

    @pytest.mark.req("PAY-08")
    async def test_a_request_agrees_with_its_intent_in_every_checked_point(self, bench: EcashBench) -> None:
        """Name, amount, unit, mints and lock of the text are what was asked for; another's are refused."""
        intent = await bench.intent()
        request = await bench.ensure(intent)
        probe = await bench.backend.probe(timeout_s=TIMEOUT_S)
        checked = check_ecash_request(intent, request.text, probe.payee)
        assert isinstance(checked, EcashRequest)
        assert (request.reference, request.method, request.amount_msat) == (intent.reference, Method.CASHU, 21_000_000)
        assert request.expires_at == intent.expires_at
        for other in (
            replace(intent, amount_msat=1_000),
            replace(intent, reference=Reference("a" * 24)),
        ):
            assert not isinstance(check_ecash_request(other, request.text, probe.payee), EcashRequest)
        assert not isinstance(check_ecash_request(intent, request.text, "02" + "ab" * 32), EcashRequest)
        assert not isinstance(check_ecash_request(intent, "lnbc1", probe.payee), EcashRequest)

    async def test_two_intents_have_two_requests(self, bench: EcashBench) -> None:
        """Neither text nor name is shared."""
        one, other = await bench.request("order-1"), await bench.request("order-2")
        assert one.text != other.text
        assert one.backend_ref != other.backend_ref

    @pytest.mark.req("PAY-08")
    @pytest.mark.parametrize("amount_msat", LOCK_KEY_AMOUNTS_MSAT)
    async def test_amounts_are_exact_to_the_step(self, bench: EcashBench, amount_msat: int) -> None:
        """What is asked is what the text says and what is settled."""
        wanted_msat = -(-amount_msat // 1_000) * 1_000
        request = await bench.request(amount_msat=wanted_msat)
        assert read_request(request.text).amount == wanted_msat // 1_000
        await bench.pay(request.text)
        assert (await bench.lookup(request)).gross_msat == wanted_msat

    async def test_the_memo_is_shown_to_the_payer(self, bench: EcashBench) -> None:
        """The text carries it."""
        request = await bench.ensure(await bench.intent(memo="Two mugs, blue ☕"))
        assert read_request(request.text).memo == "Two mugs, blue ☕"
