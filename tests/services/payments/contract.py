"""States what every payment back-end must do, as a test class to be run through with each of them.

A back-end's test module makes a subclass with a `bench` fixture and nothing else; what a back-end says it
cannot do (`Capabilities`) is then checked to be refused instead.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

import pytest

from schemas.bolt11 import Invoice, decode
from schemas.currencies import FiatTotal
from schemas.payments import BackendState, Method, intent_id
from schemas.values import OrderKey
from services.payments.open_requests import faults_of
from services.payments.port import (
    FROM_THE_START,
    BackendRef,
    Capabilities,
    Cursor,
    Hint,
    Intent,
    Observation,
    PaymentBackend,
    PaymentRequest,
    RefundWay,
    Rejected,
    Unauthorized,
    Unsupported,
    reference,
)
from services.payments.preimages import preimage_for
from tests.services.payments.request_texts import A_REFUND, amount_in, forged, held_against, memo_in
from tests.support.contract_table import WORDS

MERCHANT = "a1" * 32
BUYER = "b2" * 32
DEPLOYMENT_SECRET = b"a deployment secret for tests only"
TIMEOUT_S = 20.0
LIFE_S = 600


@dataclass(frozen=True)
class Bench:
    """A back-end on the bench: itself, its payer and what that is `shown`, its clock, and a way to let time pass."""

    backend: PaymentBackend
    pay: Callable[[str], Awaitable[object]]
    """Pay a request's text in full; raise any exception when the payer is refused."""
    now: Callable[[], int]
    pass_time: Callable[[int], Awaitable[None]]
    """Let that many seconds go by, for real or by moving the back-end's clock."""
    life_s: int = LIFE_S
    """How long a request lives: short where time has to be waited for."""
    later_s: int = 60
    """How much later a retry comes."""
    shown: Callable[[PaymentRequest], str | None] = memo_in

    async def capabilities(self) -> Capabilities:
        return (await self.backend.probe(timeout_s=TIMEOUT_S)).capabilities

    async def intent(
        self,
        order_id: str = "order-1",
        amount_msat: int = 21_000_000,
        memo: str = "Order 1",
        life_s: int | None = None,
        description_hash: str | None = None,
    ) -> Intent:
        """Give a valid intent, with a preset preimage where the back-end takes one."""
        name = intent_id(OrderKey(merchant=MERCHANT, buyer=BUYER, order_id=order_id), 1, Method.BOLT11)
        capabilities = await self.capabilities()
        method = min(capabilities.methods)
        fiat = FiatTotal(amount=Decimal(amount_msat).scaleb(-2), currency="EUR") if method is Method.FIAT else None
        return Intent(
            intent_id=name,
            reference=reference(name),
            amount_msat=amount_msat,
            memo=memo,
            expires_at=self.now() + (self.life_s if life_s is None else life_s),
            method=method,
            description_hash=description_hash,
            preimage=preimage_for(DEPLOYMENT_SECRET, name) if capabilities.preset_preimage else None,
            fiat=fiat,
        )

    async def ensure(self, intent: Intent) -> PaymentRequest:
        return await self.backend.ensure(intent, timeout_s=TIMEOUT_S)

    async def request(self, order_id: str = "order-1", amount_msat: int = 21_000_000) -> PaymentRequest:
        return await self.ensure(await self.intent(order_id, amount_msat, f"Order {order_id}"))

    async def lookup(self, request: PaymentRequest) -> Observation:
        return await self.backend.lookup(request.backend_ref, timeout_s=TIMEOUT_S)

    async def scan_all(self, cursor: Cursor) -> tuple[list[Observation], Cursor]:
        found: list[Observation] = []
        while (scan := await self.backend.scan(cursor, timeout_s=TIMEOUT_S)).observations:
            found.extend(scan.observations)
            cursor = scan.cursor
        return found, scan.cursor

    async def hints(self, cursor: Cursor, count: int) -> list[Hint]:
        hints: list[Hint] = []
        async with asyncio.timeout(TIMEOUT_S), aclosing(self.backend.listen(cursor)) as stream:
            async for hint in stream:
                hints.append(hint)
                if len(hints) == count:
                    break
        return hints


class PaymentBackendContract:
    """What holds for every back-end; a subclass gives the `bench`, and says what is tried against whom."""

    back_end: ClassVar[str]
    """Its kind, as in `ncc wallet add`."""
    peer: ClassVar[str]
    """`real` where the other side is somebody's server or client, `scripted` where it is ours."""

    @pytest.fixture(autouse=True)
    def _in_the_table(self, request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
        for word, said in zip(WORDS, (self.back_end, self.peer, request.function.__name__), strict=True):
            record_property(word, said)

    @pytest.mark.case("F5")
    @pytest.mark.req("PAY-08")
    async def test_a_request_agrees_with_its_intent_in_every_checked_point(self, bench: Bench) -> None:
        """Network, amount, expiry, hash and payee of the text are what was asked for."""
        intent = await bench.intent()
        request = await bench.ensure(intent)
        assert (request.reference, request.method) == (intent.reference, intent.method)
        assert faults_of(intent, request, bench.backend, bench.now()) is None
        if request.method is not Method.BOLT11:
            assert request.amount_msat == intent.amount_msat
            return
        probe = await bench.backend.probe(timeout_s=TIMEOUT_S)
        checked = held_against(intent, request, probe, bench.now())
        assert isinstance(checked, Invoice)
        assert (checked.amount_msat, checked.expires_at) == (request.amount_msat, request.expires_at)

    @pytest.mark.case("P3")
    @pytest.mark.req("PAY-17")
    async def test_a_hundred_concurrent_calls_for_one_intent_give_one_request(self, bench: Bench) -> None:
        """However often it is asked, there is one invoice to be paid."""
        intent = await bench.intent()
        requests = await asyncio.gather(*(bench.ensure(intent) for _ in range(100)))
        assert set(requests) == {requests[0]}

    @pytest.mark.req("PAY-17")
    async def test_asking_again_later_gives_the_same_request(self, bench: Bench) -> None:
        """A retry some time later, with another memo even, is the same invoice to the letter."""
        intent = await bench.intent()
        first = await bench.ensure(intent)
        await bench.pass_time(bench.later_s)
        assert await bench.ensure(replace(intent, memo="Said otherwise")) == first

    async def test_two_intents_have_two_requests(self, bench: Bench) -> None:
        """Neither text nor hash nor reference is shared."""
        one, other = await bench.request("order-1"), await bench.request("order-2")
        assert one.text != other.text
        assert one.backend_ref != other.backend_ref
        assert None in {one.payment_hash, other.payment_hash} or one.payment_hash != other.payment_hash

    async def test_a_reference_does_not_change_its_amount(self, bench: Bench) -> None:
        """Asking for another amount under a used reference is refused, and nothing changed."""
        intent = await bench.intent()
        request = await bench.ensure(intent)
        with pytest.raises(Rejected):
            await bench.ensure(replace(intent, amount_msat=intent.amount_msat + 1000))
        assert await bench.ensure(intent) == request

    async def test_a_reference_does_not_change_its_intent(self, bench: Bench) -> None:
        """Two intents whose references collide are told apart."""
        intent = await bench.intent()
        await bench.ensure(intent)
        stranger = intent_id(OrderKey(merchant=MERCHANT, buyer=BUYER, order_id="order-2"), 1, Method.BOLT11)
        with pytest.raises(Rejected):
            await bench.ensure(replace(intent, intent_id=stranger))

    @pytest.mark.case("F5", "P23")
    @pytest.mark.req("PAY-08")
    @pytest.mark.parametrize("amount_msat", [1, 999, 1_000, 5_500, 1_234_567, 21_000_000_001])
    async def test_amounts_are_exact_to_the_step(self, bench: Bench, amount_msat: int) -> None:
        """What is asked is what the text says and what is settled."""
        step_msat = (await bench.capabilities()).amount_step_msat
        least_msat = (await bench.backend.probe(timeout_s=TIMEOUT_S)).amount_min_msat
        wanted_msat = max(-(-amount_msat // step_msat) * step_msat, least_msat)
        request = await bench.request(amount_msat=wanted_msat)
        assert amount_in(request) == wanted_msat
        await bench.pay(request.text)
        assert (await bench.lookup(request)).gross_msat == wanted_msat

    @pytest.mark.case("F3")
    async def test_a_preset_preimage_is_used_and_never_given_back(self, bench: Bench) -> None:
        """The hash is the preimage's; the preimage itself stands nowhere in what comes back."""
        intent = await bench.intent()
        request = await bench.ensure(intent)
        await bench.pay(request.text)
        observed = await bench.lookup(request)
        if intent.preimage is not None:
            assert request.payment_hash == intent.preimage.payment_hash
            said = repr((intent, request, observed, await bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)))
            assert all(text not in said for text in (intent.preimage.reveal().hex(), repr(intent.preimage.reveal())))

    async def test_the_memo_is_shown_to_the_payer(self, bench: Bench) -> None:
        """The text carries it as the description, or the page that it is the address of."""
        request = await bench.ensure(await bench.intent(memo="Two mugs, blue ☕"))
        assert bench.shown(request) == "Two mugs, blue ☕"

    async def test_a_description_hash_stands_for_the_memo(self, bench: Bench) -> None:
        """Where the back-end can, the text commits to the hash instead."""
        intent = await bench.intent(description_hash="c3" * 32)
        if (await bench.capabilities()).description_hash:
            invoice = decode((await bench.ensure(intent)).text)
            assert (invoice.description, invoice.description_hash) == (None, "c3" * 32)
        else:
            with pytest.raises(Unsupported):
                await bench.ensure(intent)

    @pytest.mark.case("F5")
    @pytest.mark.parametrize("amount_msat", [0, -1])
    async def test_nothing_cannot_be_asked_for(self, bench: Bench, amount_msat: int) -> None:
        """An amountless invoice would be paid with anything."""
        with pytest.raises(Rejected):
            await bench.request(amount_msat=amount_msat)

    async def test_a_new_request_that_is_over_already_is_rejected(self, bench: Bench) -> None:
        """An intent that comes too late makes no invoice."""
        with pytest.raises(Rejected):
            await bench.ensure(await bench.intent(life_s=0))

    async def test_another_rail_is_unsupported(self, bench: Bench) -> None:
        """A back-end does only the methods it names."""
        intent = await bench.intent()
        for method in set(Method) - (await bench.capabilities()).methods:
            with pytest.raises(Unsupported):
                await bench.ensure(replace(intent, method=method))

    async def test_an_unpaid_request_is_open(self, bench: Bench) -> None:
        """Nothing has been received, and nothing proves anything."""
        request = await bench.request()
        observed = await bench.lookup(request)
        assert observed.state is BackendState.OPEN
        assert (observed.gross_msat, observed.settled_at, observed.evidence) == (0, None, "")
        assert observed.expires_at == request.expires_at

    async def test_a_paid_request_is_settled_in_full(self, bench: Bench) -> None:
        """The look-up tells amount, time and evidence."""
        request = await bench.request(amount_msat=5_501_000)
        before_s = bench.now()
        await bench.pay(request.text)
        observed = await bench.lookup(request)
        assert observed.state is BackendState.SETTLED
        assert observed.gross_msat == 5_501_000
        assert observed.settled_at is not None
        assert before_s <= observed.settled_at <= bench.now()
        can = bench.backend.capabilities
        is_named = not can.preset_preimage or can.reference_unique or can.reference_searchable
        assert observed.reference == (request.reference if is_named else None)
        assert observed.evidence
        assert not observed.is_late

    async def test_a_look_up_says_the_same_twice_and_something_else_after_a_change(self, bench: Bench) -> None:
        """The digest of the back-end's own words changes with them and only then."""
        request = await bench.request()
        before = await bench.lookup(request)
        assert await bench.lookup(request) == before
        await bench.pay(request.text)
        assert (await bench.lookup(request)).raw_digest != before.raw_digest

    @pytest.mark.case("P18")
    async def test_a_request_nobody_made_is_gone(self, bench: Bench) -> None:
        """A back-end that forgot an invoice says so, and does not say expired."""
        observed = await bench.backend.lookup(BackendRef("00" * 32), timeout_s=TIMEOUT_S)
        assert observed.state is BackendState.GONE

    @pytest.mark.case("P15")
    async def test_of_many_payers_one_wins(self, bench: Bench) -> None:
        """The money is taken once; or, where nobody can be turned away, all of it is told."""
        request = await bench.request()
        results = await asyncio.gather(*(bench.pay(request.text) for _ in range(5)), return_exceptions=True)
        paid = sum(not isinstance(result, BaseException) for result in results)
        assert paid == (5 if (await bench.capabilities()).payable_late_s else 1)
        assert (await bench.lookup(request)).gross_msat == paid * request.amount_msat

    async def test_an_unpaid_request_expires(self, bench: Bench) -> None:
        """From its expiry on it is expired, and asking again revives nothing."""
        intent = await bench.intent()
        request = await bench.ensure(intent)
        await bench.pass_time(bench.life_s)
        assert (await bench.lookup(request)).state is BackendState.EXPIRED
        assert await bench.ensure(intent) == request

    @pytest.mark.case("P10")
    async def test_paying_after_expiry_settles_late_or_not_at_all(self, bench: Bench) -> None:
        """A back-end says beforehand which of the two it does."""
        request = await bench.request()
        await bench.pass_time(bench.life_s)
        if (await bench.capabilities()).late_settle:
            await bench.pay(request.text)
            observed = await bench.lookup(request)
            assert observed.state is BackendState.SETTLED
            assert observed.is_late
        else:
            with pytest.raises(Exception):  # noqa: B017, PT011 - the payer's refusals are its own
                await bench.pay(request.text)
            assert (await bench.lookup(request)).state is BackendState.EXPIRED

    @pytest.mark.case("P5")
    async def test_a_scan_gives_every_settlement_once_and_in_order(self, bench: Bench) -> None:
        """From the start, all of them; from a cursor, the later ones; unpaid requests never."""
        requests = [await bench.request(f"order-{number}") for number in range(6)]
        for request in (requests[3], requests[0], requests[5]):
            await bench.pay(request.text)
        found, cursor = await bench.scan_all(FROM_THE_START)
        assert [one.backend_ref for one in found] == [requests[place].backend_ref for place in (3, 0, 5)]
        assert {one.state for one in found} == {BackendState.SETTLED}
        await bench.pay(requests[1].text)
        later, _ = await bench.scan_all(cursor)
        assert [one.backend_ref for one in later] == [requests[1].backend_ref]

    async def test_a_scan_finds_what_a_look_up_finds(self, bench: Bench) -> None:
        """Reconciliation and look-up are the same words."""
        request = await bench.request()
        await bench.pay(request.text)
        found, _ = await bench.scan_all(FROM_THE_START)
        assert found == [await bench.lookup(request)]

    async def test_a_scan_of_nothing_stays_where_it_is(self, bench: Bench) -> None:
        """An idle back-end gives nothing, and its cursor goes on working."""
        _, cursor = await bench.scan_all(FROM_THE_START)
        request = await bench.request()
        await bench.pay(request.text)
        found, _ = await bench.scan_all(cursor)
        assert [one.backend_ref for one in found] == [request.backend_ref]

    @pytest.mark.case("P5")
    async def test_a_listener_hears_of_settlements_before_and_after_it_came(self, bench: Bench) -> None:
        """From the start: what was missed and what happens now."""
        missed, coming = await bench.request("order-1"), await bench.request("order-2")
        await bench.pay(missed.text)
        listening = asyncio.create_task(bench.hints(FROM_THE_START, 2))
        await asyncio.sleep(0.1)
        await bench.pay(coming.text)
        assert {hint.backend_ref for hint in await listening} >= {missed.backend_ref, coming.backend_ref}

    async def test_a_listener_at_a_cursor_hears_of_later_settlements(self, bench: Bench) -> None:
        """What was scanned need not be hinted at again."""
        known, coming = await bench.request("order-1"), await bench.request("order-2")
        await bench.pay(known.text)
        _, cursor = await bench.scan_all(FROM_THE_START)
        listening = asyncio.create_task(bench.hints(cursor, 1))
        await asyncio.sleep(0.1)
        await bench.pay(coming.text)
        assert [hint.backend_ref for hint in await listening] == [coming.backend_ref]

    async def test_a_cancelled_request_cannot_be_paid(self, bench: Bench) -> None:
        """Where the back-end cancels, the payer is refused and the look-up says why; twice is once."""
        request = await bench.request()
        if not (await bench.capabilities()).can_cancel:
            with pytest.raises(Unsupported):
                await bench.backend.cancel(request.backend_ref, timeout_s=TIMEOUT_S)
            return
        await bench.backend.cancel(request.backend_ref, timeout_s=TIMEOUT_S)
        await bench.backend.cancel(request.backend_ref, timeout_s=TIMEOUT_S)
        with pytest.raises(Exception):  # noqa: B017, PT011 - the payer's refusals are its own
            await bench.pay(request.text)
        assert (await bench.lookup(request)).state is BackendState.CANCELLED

    async def test_cancelling_does_not_undo_a_payment(self, bench: Bench) -> None:
        """Money that came stays reported."""
        request = await bench.request()
        await bench.pay(request.text)
        if (await bench.capabilities()).can_cancel:
            await bench.backend.cancel(request.backend_ref, timeout_s=TIMEOUT_S)
        assert (await bench.lookup(request)).state is BackendState.SETTLED

    @pytest.mark.case("P32")
    async def test_what_a_back_end_does_not_do_is_refused_by_name(self, bench: Bench) -> None:
        """Refunds and notices are `Unsupported` where the capabilities say so."""
        capabilities = await bench.capabilities()
        if capabilities.refund is RefundWay.NONE:
            with pytest.raises(Unsupported):
                await bench.backend.refund(A_REFUND, timeout_s=TIMEOUT_S)
        if not capabilities.takes_notices:
            with pytest.raises(Unsupported):
                await bench.backend.parse_notice("token", {}, b"{}")

    @pytest.mark.req("PAY-16")
    async def test_a_notice_that_proves_nothing_is_refused(self, bench: Bench) -> None:
        """Neither an address that somebody made up nor a signature of nobody's leads to a look-up."""
        if (await bench.capabilities()).takes_notices:
            with pytest.raises(Unauthorized):
                await bench.backend.parse_notice("token", forged(bench.now()), b"{}")
