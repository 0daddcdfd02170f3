"""Runs the Stripe back-end through the payment contract, on a server that keeps to Stripe's published API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network
from schemas.currencies import FiatTotal
from schemas.payments import BackendState, ObserveReversal, request_digest
from services.payments.open_requests import reversal_of
from services.payments.port import (
    FROM_THE_START,
    BackendRef,
    Cursor,
    Hint,
    PaymentRequest,
    Rejected,
    Retry,
    Unauthorized,
    Unsupported,
)
from services.payments.stripe import READS, WRITE, StripeAccount, key_words
from services.payments.stripe_history import FINAL_AFTER_S
from services.payments.stripe_words import stripe_calls
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.node_faults import NodeFaultsContract, Peer
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_nodes import Entry, NodeFault
from tests.support.scripted_stripe import CREATE, EVENTS, KEY, SESSION, Charged, ScriptedStripe, name_of, signature
from tests.support.till import until

SECRET = "whsec_what the endpoint's page says"
SUCCESS_URL = "https://shop.example/thanks"
POLL_S = 0.02
LIFE_S = 3_600
DAY_S = 86_400


@pytest.fixture
async def server() -> ScriptedStripe:
    return ScriptedStripe()


@pytest.fixture
async def url(server: ScriptedStripe) -> AsyncIterator[str]:
    async with server.serve() as url:
        yield url


@pytest.fixture
async def backend(server: ScriptedStripe, url: str) -> AsyncIterator[StripeAccount]:
    backend = backend_of(server, url)
    yield backend
    await backend.close()


@pytest.fixture
def bench(server: ScriptedStripe, backend: StripeAccount) -> Bench:
    clock = server.ledger.clock

    async def pay(text: str) -> None:
        await clock.pass_time(1)  # Stripe tells the second, so two in one second have no order
        await server.pay(text)

    def shown(request: PaymentRequest) -> str | None:
        return entry_of(server, request).memo

    return Bench(backend, pay, clock, clock.pass_time, LIFE_S, shown=shown)


def backend_of(server: ScriptedStripe, url: str, key: str = KEY) -> StripeAccount:
    return StripeAccount(
        stripe_calls(SecretStr(key), url),
        SUCCESS_URL,
        Network.BITCOIN,
        server.ledger.clock,
        webhook_secret=SecretStr(SECRET),
        poll_s=POLL_S,
    )


def entry_of(server: ScriptedStripe, request: PaymentRequest) -> Entry:
    """A request's session at the server."""
    return next(one for one in server.ledger.entries if one.text == request.text)


def strangers(server: ScriptedStripe, count: int, at: int) -> None:
    """Add sessions that somebody else made in the account."""
    one = replace(server.ledger.entries[0], label="somebody's", number=99, made_at=at)
    server.made[99] = {**server.made[1], "metadata[ncc_reference]": "somebody's"}
    server.ledger.entries += [replace(one, preimage=number.to_bytes(32, "big")) for number in range(count)]


async def paid(server: ScriptedStripe, bench: Bench, order_id: str = "order-1") -> tuple[PaymentRequest, Entry]:
    """A request that was paid, and its session at the server."""
    request = await bench.request(order_id)
    await bench.pay(request.text)
    return request, entry_of(server, request)


class TestStripe(PaymentBackendContract):
    """The contract, in an account that takes cards."""

    back_end, peer = "stripe", SCRIPTED


class TestStripeThatFails(NodeFaultsContract):
    """The faults that every server has."""

    @pytest.fixture
    def peer(self, server: ScriptedStripe, url: str, bench: Bench) -> Peer:
        def at(other: str) -> StripeAccount:
            return backend_of(server, other)

        return Peer(server.ledger, bench, lambda: at(url), at, CREATE, SESSION, KEY)


async def test_a_page_asks_for_the_total_in_the_shops_own_currency(server: ScriptedStripe, bench: Bench) -> None:
    """One line over all of it, by card, in no other currency of the buyer's; named so that it is found again."""
    intent = replace(await bench.intent(), fiat=FiatTotal(amount=Decimal("30.57"), currency="EUR"))
    request = await bench.ensure(intent)
    (said,) = server.made.values()
    assert said["line_items[0][price_data][unit_amount]"] == "3057"
    assert said["line_items[0][price_data][currency]"] == "eur"
    assert (said["payment_method_types[0]"], said["adaptive_pricing[enabled]"]) == ("card", "false")
    assert (said["client_reference_id"], said["metadata[ncc_reference]"]) == (intent.reference, intent.reference)
    assert (said["success_url"], said["expires_at"]) == (SUCCESS_URL, str(intent.expires_at))
    assert request.text.startswith("https://checkout.stripe.com/c/pay/cs_test_")


async def test_an_order_that_has_no_total_in_a_currency_is_left_to_the_other_wallet(
    server: ScriptedStripe, bench: Bench
) -> None:
    """Prices in bitcoin, or in two currencies: nothing is asked of Stripe."""
    with pytest.raises(Unsupported):
        await bench.ensure(replace(await bench.intent(), fiat=None))
    with pytest.raises(Unsupported):
        await bench.ensure(replace(await bench.intent(), fiat=FiatTotal(amount=Decimal(500), currency="UGX")))
    assert server.ledger.asked.count(CREATE) == 0


@pytest.mark.parametrize(
    ("life_s", "least_s", "most_s"), [(600, 1_800, 2_200), (7_200, 7_200, 7_200), (9 * DAY_S,) * 3]
)
async def test_a_page_ends_with_the_offer_or_as_near_to_it_as_stripe_allows(
    bench: Bench, life_s: int, least_s: int, most_s: int
) -> None:
    """Half an hour at least, a day at most; the request says when its page ends."""
    request = await bench.ensure(await bench.intent(life_s=life_s))
    lives_s = request.expires_at - bench.now()
    if life_s > DAY_S:
        assert DAY_S - 400 < lives_s < DAY_S
    else:
        assert least_s <= lives_s <= most_s


async def test_a_sum_that_stripe_does_not_take_is_refused_for_good(server: ScriptedStripe, bench: Bench) -> None:
    """Less than it takes of a card, or more: the spare wallet may ask for it."""
    server.units_min, server.units_max = 50, 99_999_999
    for amount_msat in (49, 100_000_000):
        with pytest.raises(Rejected, match="amount_too_"):
            await bench.request(amount_msat=amount_msat)
    await bench.request(amount_msat=50)


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_a_second_call_for_one_intent_is_stripes_first_answer(
    server: ScriptedStripe, url: str, bench: Bench
) -> None:
    """Two processes that both found nothing: the key is the same, so there is one page."""
    server.ledger.faults[SESSION] += [NodeFault.STALE] * 2
    intent, other = await bench.intent(), backend_of(server, url)
    first, second = await bench.ensure(intent), await other.ensure(intent, timeout_s=TIMEOUT_S)
    assert first == second
    assert (len(server.ledger.entries), server.ledger.asked.count(CREATE)) == (1, 2)
    await other.close()


@pytest.mark.case("P2")
@pytest.mark.req("PAY-17")
async def test_a_page_is_found_again_once_its_key_is_forgotten(server: ScriptedStripe, url: str, bench: Bench) -> None:
    """Stripe keeps a key for a day; after that the list says that there was a page, and no second one is made."""
    intent = await bench.intent(life_s=3 * DAY_S)
    first = await bench.ensure(intent)
    await bench.pass_time(2 * DAY_S)
    strangers(server, 250, bench.now())
    other = backend_of(server, url)
    again = await other.ensure(intent, timeout_s=TIMEOUT_S)
    assert (again.backend_ref, again.expires_at) == (first.backend_ref, first.expires_at)
    assert request_digest(again.text) == request_digest(first.text)
    assert server.ledger.asked.count(CREATE) == 1
    await other.close()


@pytest.mark.case("P3")
async def test_of_two_pages_of_one_reference_both_count(server: ScriptedStripe, bench: Bench) -> None:
    """Whichever is paid, the money is found."""
    request = await bench.request()
    one = entry_of(server, request)
    double = replace(one, preimage=b"\x05" * 32, number=2, text="https://checkout.stripe.com/c/pay/other")
    server.ledger.entries.append(double)
    server.made[2] = server.made[1]
    assert await bench.request() == request
    await server.pay(double.text)
    assert (await bench.lookup(request)).state is BackendState.SETTLED
    await bench.pay(request.text)
    assert (await bench.lookup(request)).gross_msat == 2 * request.amount_msat


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


async def test_only_what_is_newer_is_asked_for_again(server: ScriptedStripe, bench: Bench) -> None:
    """However many pages were made before: one list and one page for each request."""
    first = await bench.request()
    strangers(server, 350, bench.now() - DAY_S)
    await bench.request("order-2")
    intent = await bench.intent("order-3")
    before = len(server.ledger.asked)
    await bench.ensure(intent)
    assert server.ledger.asked[before:] == [SESSION, CREATE]
    assert (await bench.lookup(first)).state is BackendState.OPEN


@pytest.mark.case("F11", "F12", "P7")
@pytest.mark.req("PAY-16")
async def test_a_webhook_is_a_hint_at_its_request_whatever_it_says_of_it(server: ScriptedStripe, bench: Bench) -> None:
    """Signed with the endpoint's secret at about this moment; one changed byte, or a call kept for later, is none."""
    request, one = await paid(server, bench)
    server.give_back(one)
    for event in server.events:
        raw, headers = server.notice(event, SECRET)
        assert await bench.backend.parse_notice("", headers, raw) == (Hint(request.backend_ref, at=bench.now()),)
        raw, headers = server.notice(event, SECRET, bench.now() - 299)
        assert await bench.backend.parse_notice("", headers, raw)
        for wrong, said in (
            (raw + b" ", headers["Stripe-Signature"]),
            (raw, signature(raw, bench.now() - 301, SECRET)),
            (raw, signature(raw, bench.now() + 301, SECRET)),
            (raw, signature(raw, bench.now(), "another endpoint's")),
            (raw, signature(raw, bench.now(), SECRET).replace("v1=", "v0=")),
            (raw, signature(raw, bench.now(), SECRET).replace("t=", "x=")),
            (raw, ""),
        ):
            with pytest.raises(Unauthorized):
                await bench.backend.parse_notice("", {"Stripe-Signature": said}, wrong)


async def test_a_webhook_may_carry_the_signature_of_an_old_secret_beside_the_new_one(
    server: ScriptedStripe, bench: Bench
) -> None:
    """Stripe signs with both while a secret is being changed."""
    await paid(server, bench)
    raw, _ = server.notice(server.events[0], SECRET)
    headers = {"stripe-signature": signature(raw, bench.now(), "the old one", SECRET)}
    assert len(await bench.backend.parse_notice("", headers, raw)) == 1


@pytest.mark.case("P9")
async def test_a_webhook_about_something_else_is_a_hint_at_nothing_or_at_everything(
    server: ScriptedStripe, bench: Bench
) -> None:
    """An account has other payments; a dispute does not say whose it is."""
    _, one = await paid(server, bench)
    dispute = server.dispute(one, "needs_response")
    for event, hints in (
        ({"type": "customer.created", "data": {"object": {}}}, []),
        ({"type": "checkout.session.completed", "data": {"object": {"metadata": {}}}}, []),
        ({"type": "checkout.session.completed", "data": {}}, [None]),
        ({"type": "charge.dispute.created", "data": {"object": dispute}}, [None]),
        ({"kind": 7}, [None]),
    ):
        raw, headers = server.notice(event, SECRET)
        assert [hint.backend_ref for hint in await bench.backend.parse_notice("", headers, raw)] == hints


@pytest.mark.case("P24", "P25")
async def test_a_probe_tells_what_a_key_lacks_and_what_it_has_too_much(
    server: ScriptedStripe, url: str, backend: StripeAccount
) -> None:
    """A restricted key for pages, and to see their money; nothing is made for it."""
    fine = await backend.probe(timeout_s=TIMEOUT_S)
    assert (set(fine.may), fine.lacks) == ({*READS.values(), WRITE}, ())
    assert ["test key" in word for word in fine.warnings] == [True]
    server.refused = frozenset({f"POST {CREATE}", "GET disputes"})
    weak = await backend.probe(timeout_s=TIMEOUT_S)
    assert set(weak.lacks) == {WRITE, "Disputes: read"}
    assert server.ledger.entries == []


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("rk_live_1", ()),
        ("rk_test_1", ("test key",)),
        ("sk_live_1", ("everything",)),
        ("sk_test_1", ("everything", "test")),
    ],
)
def test_a_key_is_known_by_how_it_begins(key: str, words: tuple[str, ...]) -> None:
    """One that may do everything, and one that takes play money, are warned of."""
    said = key_words(key)
    assert len(said) == len(words)
    assert all(word in one for word, one in zip(words, said, strict=True))


@pytest.mark.case("P21")
async def test_a_probe_tells_of_a_clock_that_is_off(server: ScriptedStripe, backend: StripeAccount) -> None:
    """Pages would end at another time than was said, and signed calls be refused."""
    server.ledger.offset_s = -600
    probe = await backend.probe(timeout_s=TIMEOUT_S)
    assert (probe.clock_offset_s, any("clock" in word for word in probe.warnings)) == (-600, True)


@pytest.mark.case("P24")
async def test_a_wrong_key_is_unauthorized(server: ScriptedStripe, url: str, bench: Bench) -> None:
    """For every call; nothing is said of the payment."""
    request, stranger = await bench.request(), backend_of(server, url, "rk_test_n0b0dy")
    for call in (
        stranger.lookup(request.backend_ref, timeout_s=TIMEOUT_S),
        stranger.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
        stranger.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S),
        stranger.probe(timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Unauthorized) as raised:
            await call
        assert "n0b0dy" not in str(raised.value)
    await stranger.close()


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


async def test_a_reference_of_nobodys_is_not_cancelled(server: ScriptedStripe, backend: StripeAccount) -> None:
    """Nothing is closed for a name that no page has."""
    await backend.cancel(BackendRef("a" * 24), timeout_s=TIMEOUT_S)
    assert server.ledger.asked == []
