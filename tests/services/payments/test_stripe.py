"""Runs the Stripe back-end through the payment contract, on a server that keeps to Stripe's published API."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from schemas.currencies import FiatTotal
from schemas.payments import BackendState, request_digest
from services.payments.port import (
    FROM_THE_START,
    BackendRef,
    Hint,
    Rejected,
    Unauthorized,
    Unsupported,
)
from services.payments.stripe import READS, WRITE, StripeAccount, key_words
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.services.payments.node_faults import NodeFaultsContract, Peer
from tests.services.payments.stripe_bench import (
    DAY_S,
    SECRET,
    SUCCESS_URL,
    backend,
    backend_of,
    bench,
    entry_of,
    paid,
    server,
    strangers,
    url,
)
from tests.support.contract_table import SCRIPTED
from tests.support.scripted_nodes import NodeFault
from tests.support.scripted_stripe import CREATE, KEY, SESSION, ScriptedStripe, signature

__all__ = ["backend", "bench", "server", "url"]


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
    intent, other = await bench.intent(), backend_of(server, url)
    server.ledger.faults[SESSION] += [NodeFault.STALE] * 2
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


async def test_a_reference_of_nobodys_is_not_cancelled(server: ScriptedStripe, backend: StripeAccount) -> None:
    """Nothing is closed for a name that no page has."""
    await backend.cancel(BackendRef("a" * 24), timeout_s=TIMEOUT_S)
    assert server.ledger.asked == []
