"""What comes into a Stripe account and what is taken back: refunds, chargebacks, and a history of years."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from schemas.currencies import FiatTotal
from schemas.payments import BackendState, ObserveReversal, request_digest
from services.payments.open_requests import reversal_of
from services.payments.port import (
    FROM_THE_START,
    Cursor,
    Rejected,
    Retry,
)
from services.payments.stripe import StripeAccount
from services.payments.stripe_history import FINAL_AFTER_S
from tests.services.payments.contract import TIMEOUT_S, Bench
from tests.services.payments.stripe_bench import (
    DAY_S,
    backend,
    backend_of,
    bench,
    paid,
    server,
    url,
)
from tests.support.scripted_nodes import NodeFault
from tests.support.scripted_stripe import EVENTS, SESSION, Charged, ScriptedStripe, name_of
from tests.support.till import until

__all__ = ["backend", "bench", "server", "url"]


@pytest.mark.case("F14", "P19")
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("warning_needs_response", BackendState.SETTLED),
        ("warning_closed", BackendState.SETTLED),
        ("needs_response", BackendState.REVERSED),
        ("under_review", BackendState.REVERSED),
        ("lost", BackendState.REVERSED),
        ("won", BackendState.SETTLED),
        ("a word of tomorrow", BackendState.REVERSED),
    ],
)
async def test_money_that_a_bank_took_is_taken_back_and_a_question_alone_takes_nothing(
    server: ScriptedStripe, bench: Bench, status: str, state: BackendState
) -> None:
    """An inquiry leaves the money where it is, a chargeback does not until it is won."""
    request, one = await paid(server, bench)
    server.dispute(one, status)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (state, request.amount_msat)


async def test_what_was_given_back_as_a_whole_is_taken_back_and_a_part_is_the_merchants_own(
    server: ScriptedStripe, bench: Bench
) -> None:
    """The merchant enters a refund of a part; the payer paid all of it."""
    request, one = await paid(server, bench)
    server.give_back(one, 7)
    assert (await bench.lookup(request)).state is BackendState.SETTLED
    server.give_back(one, one.paid_msat - 7)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (BackendState.REVERSED, request.amount_msat)


@pytest.mark.case("F14", "P19")
@pytest.mark.parametrize("is_down", [False, True])
async def test_a_chargeback_weeks_later_is_heard_of_and_names_its_request(
    server: ScriptedStripe, url: str, bench: Bench, is_down: bool
) -> None:
    """While somebody listens, and after; the request is named by its page, though that is gone by now."""
    request, one = await paid(server, bench)
    await paid(server, bench, "order-2")
    _, cursor = await bench.scan_all(FROM_THE_START)
    await bench.pass_time(60 * DAY_S)
    newer = await bench.request("order-3")
    await bench.pay(newer.text)
    _, cursor = await bench.scan_all(cursor)
    later = backend_of(server, url)  # a process that never saw the session open
    other = replace(bench, backend=later)
    if is_down:
        server.dispute(one, "needs_response")
        (seen,), _ = await other.scan_all(cursor)
    else:
        before, listening = len(server.ledger.asked), other.backend.listen(cursor)
        hearing = asyncio.ensure_future(anext(listening))
        await until(lambda: EVENTS in server.ledger.asked[before:])
        server.dispute(one, "needs_response")
        hint = await asyncio.wait_for(hearing, TIMEOUT_S)
        await listening.aclose()
        assert hint.backend_ref is not None
        seen = await later.lookup(hint.backend_ref, timeout_s=TIMEOUT_S)
    assert (seen.backend_ref, seen.state) == (request.backend_ref, BackendState.REVERSED)
    assert reversal_of(seen) == ObserveReversal(payment_hash=request_digest(request.text))
    await later.close()


@pytest.mark.case("P20")
async def test_a_payment_under_way_is_no_money_yet(server: ScriptedStripe, bench: Bench) -> None:
    """A bank may still say no."""
    request = await bench.request()
    server.processing.add(1)
    await bench.pay(request.text)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat, seen.settled_at) == (BackendState.PENDING, 0, None)
    server.processing.clear()
    assert (await bench.lookup(request)).state is BackendState.SETTLED


@pytest.mark.case("P23")
async def test_money_counts_as_its_part_of_what_was_asked_and_only_in_that_currency(
    server: ScriptedStripe, bench: Bench
) -> None:
    """All of it is the order's amount to the msat; another currency is no rate to reckon with but a reason to wait."""
    fiat = FiatTotal(amount=Decimal("0.03"), currency="EUR")
    intent = replace(await bench.intent(amount_msat=10_000_000), fiat=fiat)
    request = await bench.ensure(intent)
    await server.pay(request.text, 2)
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (BackendState.PARTIAL, 6_666_666)
    server.charged[1].units = 3
    assert (await bench.lookup(request)).gross_msat == 10_000_000
    server.currency = lambda _: "usd"
    with pytest.raises(Retry):
        await bench.lookup(request)


async def test_a_scan_in_portions_leaves_nothing_out(
    server: ScriptedStripe, backend: StripeAccount, bench: Bench
) -> None:
    """Five hundred sessions over a month, many within one second, others' and unpaid ones between them."""
    request = await bench.request()
    first, said = server.ledger.entries.pop(), server.made.pop(1)
    start_s = server.ledger.now_s
    for number in range(1, 501):
        name = "a" * 21 + "".join("abcdefghij"[int(digit)] for digit in f"{number:03d}")
        at = start_s + (number // 150) * 864_000 + (number % 150) // 100
        one = replace(first, label=name, preimage=number.to_bytes(32, "big"), number=number, made_at=at)
        one.text, one.expires_at = f"https://checkout.stripe.com/c/pay/{name_of(one)}", at + 3_600
        server.ledger.entries.append(one)
        server.made[number] = {**said, "metadata[ncc_reference]": name if number % 3 else "somebody's"}
        if number % 2:
            one.settle_index, one.paid_msat = number, one.amount_msat
            server.charged[number] = Charged(at + 5, one.paid_msat)
    await server.ledger.clock.pass_time(4 * 864_000)
    found, cursor = [], FROM_THE_START
    while (scan := await backend.scan(cursor, timeout_s=TIMEOUT_S)).observations:
        found += [one.backend_ref for one in scan.observations]
        cursor = scan.cursor
    wanted = [one.label for one in server.ledger.entries if one.settle_index and one.number % 3]
    assert sorted(found) == sorted(wanted)
    assert int(cursor.partition(".")[0]) <= server.ledger.now_s - FINAL_AFTER_S
    assert request.backend_ref not in found


async def test_a_long_history_is_walked_in_several_calls(server: ScriptedStripe, bench: Bench) -> None:
    """What a call without an answer had walked through is not walked through again."""
    request, _ = await paid(server, bench)
    before = server.ledger.asked.count(SESSION)
    await bench.scan_all(FROM_THE_START)
    whole = server.ledger.asked.count(SESSION) - before
    assert whole < 10
    server.ledger.faults[SESSION].append(NodeFault.FAILS_BEFORE)
    with pytest.raises(Retry):
        await bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    (seen,) = (await bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)).observations
    assert seen.backend_ref == request.backend_ref


async def test_a_buyers_name_and_mail_stay_where_they_are(server: ScriptedStripe, bench: Bench) -> None:
    """Stripe tells them with each session; nothing here keeps them."""
    request, _ = await paid(server, bench)
    seen, scan = await bench.lookup(request), await bench.backend.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    parts = [vars(part) for part in vars(bench.backend).values() if hasattr(part, "__dict__")]
    assert "buyer@example.com" not in repr((request, seen, scan, parts))


async def test_a_cursor_of_another_kind_of_wallet_is_refused(backend: StripeAccount) -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await backend.scan(Cursor("no place"), timeout_s=TIMEOUT_S)
