"""Holds every call of the Stripe back-end, and what it reads, against Stripe's published API (stripe-mock)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from schemas.bolt11 import Network
from schemas.currencies import FiatTotal
from schemas.payments import BackendState
from services.payments.asking import monotonic_s
from services.payments.http_calls import HttpCalls
from services.payments.port import FROM_THE_START, BackendRef, Cursor, Intent, Rejected
from services.payments.stripe import READS, WRITE, StripeAccount
from services.payments.stripe_events import EVENTS, TYPES, Events
from services.payments.stripe_history import DISPUTES, REFUNDS, History
from services.payments.stripe_index import SESSIONS, SessionIndex
from services.payments.stripe_lists import Row, Wanted, first_page
from services.payments.stripe_words import PAYMENT, Charge, Dispute, Payment, Session, Sight, stripe_calls
from tests.services.payments.contract import TIMEOUT_S, Bench
from tests.services.payments.stripe_bench import SUCCESS_URL
from tests.support.stripe_mock import Recorded, stripe_mock

pytestmark = pytest.mark.real

KEY = SecretStr("rk_test_123")
LIFE_S = 3_600


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with stripe_mock(Path(tmp_path_factory.mktemp("stripe-mock"))) as url:
        yield url


@pytest.fixture
async def way() -> AsyncIterator[Recorded]:
    way = Recorded()
    yield way
    await way.aclose()


@pytest.fixture
def account(url: str, way: Recorded) -> StripeAccount:
    return StripeAccount(stripe_calls(KEY, url, way), SUCCESS_URL, Network.BITCOIN)


@pytest.fixture
async def intent(account: StripeAccount) -> Intent:
    async def pay(text: str) -> None:
        raise AssertionError(text)

    bench = Bench(account, pay, lambda: int(time.time()), asyncio.sleep, LIFE_S)
    one = await bench.intent(memo="Order 1, two mugs ☕")
    return replace(one, fiat=FiatTotal(amount=Decimal("30.57"), currency="EUR"))


async def test_a_page_is_made_found_and_closed_in_words_that_stripe_publishes(
    account: StripeAccount, way: Recorded, intent: Intent
) -> None:
    """Made with every field, looked up with its money, listed, and closed: none of it is found wrong."""
    way.calls.clear()
    request = await account.ensure(intent, timeout_s=TIMEOUT_S)
    seen = await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    await account.cancel(request.backend_ref, timeout_s=TIMEOUT_S)
    assert way.refused == []
    assert (seen.reference, seen.state) == (intent.reference, BackendState.OPEN)
    (made,) = way.named(SESSIONS, "POST")[:1]
    assert made.asked["line_items[0][price_data][unit_amount]"] == "3057"
    (closed,) = way.named(SESSIONS, "POST")[1:]
    assert closed.path.endswith("/expire")
    assert any(call.asked.get("expand[0]") == PAYMENT for call in way.named(SESSIONS))


async def test_a_field_that_stripe_does_not_publish_would_be_found_wrong(
    account: StripeAccount, url: str, way: Recorded
) -> None:
    """What the tests here are worth: one letter more, or a word where a number belongs, is refused."""
    calls = stripe_calls(KEY, url, way)
    for wrong in ({"adaptive_pricings[enabled]": "false"}, {"expires_at": "soon"}, {"mode": "pay"}):
        with pytest.raises(Rejected):
            await calls.post_form(SESSIONS, {"success_url": SUCCESS_URL, **wrong}, timeout_s=TIMEOUT_S)
    with pytest.raises(Rejected):
        await calls.get(SESSIONS, {"creatd[gte]": 1}, timeout_s=TIMEOUT_S)
    await calls.close()


async def test_everything_that_is_read_is_asked_for_in_words_that_stripe_publishes(url: str, way: Recorded) -> None:
    """Lists with their bounds and pages, events of our kinds, disputes and sessions of one payment."""
    calls, now_s = stripe_calls(KEY, url, way), int(time.time())
    index = SessionIndex(calls)
    history = History(calls, index)
    await index.read(now_s - LIFE_S, TIMEOUT_S)
    await index.read(now_s - 2 * LIFE_S, TIMEOUT_S)
    await history.scan(FROM_THE_START, now_s, TIMEOUT_S)
    await history.scan(Cursor(f"{now_s - 86_400}"), now_s, TIMEOUT_S)
    await history.of_payment("pi_1", TIMEOUT_S)
    charged = Payment(id="pi_1", status="succeeded", currency="eur", latest_charge=Charge(created=1, disputed=True))
    session = Session.model_validate({**_told(), "metadata": {}}).model_copy(update={"payment_intent": charged})
    assert isinstance(await history.sight(session, TIMEOUT_S), Sight)
    await Events(calls, now_s).news(TIMEOUT_S)
    await _page(calls, SESSIONS, {"status": "complete", "created[gte]": 0, "created[lt]": now_s})
    await _page(calls, SESSIONS, {"starting_after": "cs_test_1"})
    await calls.close()
    assert way.refused == []
    assert {DISPUTES, REFUNDS, EVENTS, SESSIONS} <= {call.path for call in way.calls}
    assert {f"types[{place}]" for place in range(len(TYPES))} <= set(way.named(EVENTS)[0].asked)


async def test_a_trial_makes_no_call_that_stripe_finds_wrong(account: StripeAccount, way: Recorded) -> None:
    """Each list is read, and a page is asked for with nothing on it, as only who may make one can ask."""
    probe = await account.probe(timeout_s=TIMEOUT_S)
    assert set(probe.may) == {WRITE, *READS.values()}
    assert probe.lacks == ()
    assert way.refused == []
    assert {call.path for call in way.named("/v1/")} == set(READS)


async def test_what_is_read_of_an_answer_is_what_stripe_publishes(url: str, way: Recorded) -> None:
    """Every field that a reader wants stands in Stripe's own example, and what it says there can be read."""
    calls = stripe_calls(KEY, url, way)
    for path, reader in (
        (f"{SESSIONS}/cs_test_1", Session),
        ("/v1/payment_intents/pi_1", Payment),
        ("/v1/charges/ch_1", Charge),
        (f"{DISPUTES}/du_1", Dispute),
    ):
        said = (await calls.get(path, timeout_s=TIMEOUT_S)).body
        assert set(reader.model_fields) <= set(said), path
        _read(reader, said)
    for path in (SESSIONS, DISPUTES, REFUNDS, EVENTS, "/v1/payment_intents"):
        rows, is_more = await _page(calls, path)
        assert (len(rows), is_more) == (1, False), path
    refund = (await _page(calls, REFUNDS))[0][0]
    dispute = (await _page(calls, DISPUTES))[0][0]
    assert "payment_intent" in refund
    assert "payment_intent" in dispute
    await calls.close()


async def test_a_lookup_of_a_page_that_nobody_made_is_gone(account: StripeAccount, way: Recorded) -> None:
    """Sessions of others in the account are passed over."""
    seen = await account.lookup(BackendRef("ab" * 16), timeout_s=TIMEOUT_S)
    assert seen.state is BackendState.GONE
    assert way.refused == []


async def _page(calls: HttpCalls, path: str, wanted: Wanted | None = None) -> tuple[list[Row], bool]:
    return await first_page(calls, path, wanted or {}, monotonic_s() + TIMEOUT_S)


def _read(reader: type[BaseModel], said: dict[str, Any]) -> None:
    """Read an example; what Stripe leaves empty in it (a session of no kind) is not told of a session of ours."""
    filled = {"amount_total": 1, "currency": "eur"} if reader is Session else {}
    reader.model_validate({**said, **{name: value for name, value in filled.items() if said[name] is None}})


def _told() -> dict[str, Any]:
    return {
        "id": "cs_test_1",
        "created": 1,
        "expires_at": 2,
        "status": "complete",
        "payment_status": "paid",
        "amount_total": 1,
        "currency": "eur",
    }
