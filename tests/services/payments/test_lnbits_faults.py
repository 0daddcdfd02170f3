"""Tries the LNbits back-end where the server fails: after the deed, before it, and by telling old things."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState, Method, RecordPaymentRequest, intent_id
from schemas.values import OrderKey
from services.payments.asking import MEMO_BYTES_MAX
from services.payments.http_calls import ANSWER_BYTES_MAX, BadWalletUrl, wallet_url
from services.payments.invoice_request import check_request
from services.payments.lnbits_calls import lnbits_calls
from services.payments.lnbits_words import read_invoice
from services.payments.making_requests import REFUSALS_MAX
from services.payments.port import (
    FROM_THE_START,
    BackendError,
    BackendRef,
    Cursor,
    Intent,
    Rejected,
    RequestFault,
    RequestRefused,
    Retry,
    Unauthorized,
    Unknown,
    reference,
)
from services.payments.simulated import SimulatedWallet
from tests.services.payments.contract import BUYER, MERCHANT
from tests.services.payments.scripted_lnbits import (
    KEY,
    PREIMAGE,
    Fault,
    ScriptedLnbits,
    hang_up,
    server_error,
    time_out,
)
from tests.support.till import Till

TIMEOUT_S = 5.0


def _ahead(by_s: int) -> float:
    return time.time() + by_s


def an_intent(amount_msat: int = 21_000, memo: str = "Two mugs", order_id: str = "order-1") -> Intent:
    name = intent_id(OrderKey(merchant=MERCHANT, buyer=BUYER, order_id=order_id), 1, Method.BOLT11)
    return Intent(name, reference(name), amount_msat, memo, int(time.time()) + 600, Method.BOLT11)


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
@pytest.mark.parametrize("fault", [hang_up, time_out, server_error])
async def test_an_answer_lost_after_the_invoice_was_made_leads_to_that_invoice(fault: Fault) -> None:
    """A time-out is unknown, never failed: it is looked for before anything else, and found."""
    server = ScriptedLnbits(after_create=fault)
    request = await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    assert request.text == server.payments[0]["bolt11"]
    assert len(server.payments) == 1


@pytest.mark.case("P1")
@pytest.mark.req("PAY-17")
async def test_no_second_invoice_is_made_while_a_lost_one_may_still_appear() -> None:
    """The list is behind: until the doubt has passed the call is unknown, then the first invoice is there."""
    server = ScriptedLnbits(after_create=hang_up, hidden_lists=3)
    account = server.account()
    for _ in range(2):
        with pytest.raises(Unknown):
            await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    request = await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    assert (request.text, len(server.payments)) == (server.payments[0]["bolt11"], 1)


async def test_after_the_doubt_an_invoice_that_never_was_is_made() -> None:
    """A server that broke before the deed does not hold the order for ever."""
    server = ScriptedLnbits(instead_of_create=httpx.Response(503))
    account = server.account(doubt_s=0.0)
    with pytest.raises(Unknown):
        await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    server.instead_of_create = None
    await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    assert len(server.payments) == 1


@pytest.mark.case("P2")
@pytest.mark.req("PAY-17")
async def test_a_second_process_finds_what_the_first_one_made() -> None:
    """After a crash between call and record, the reference leads to the same invoice."""
    server = ScriptedLnbits()
    first = await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    assert await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S) == first
    assert server.calls.count("POST /api/v1/payments") == 1


@pytest.mark.case("P3")
async def test_whichever_of_two_invoices_is_paid_the_money_is_found() -> None:
    """Two processes were too quick for each other: the first invoice is shown, and all that is paid counts."""
    server = ScriptedLnbits()
    request = await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    server.add(amount=21, expiry=600, memo="", external_id=request.reference, extra=server.payments[0]["extra"])
    assert await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S) == request
    server.settle(1)
    seen = await server.account().lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    assert (seen.state, seen.gross_msat) == (BackendState.SETTLED, 21_000)
    server.settle(0)
    assert (await server.account().lookup(request.backend_ref, timeout_s=TIMEOUT_S)).gross_msat == 42_000


@pytest.mark.case("P18")
async def test_an_invoice_that_the_node_forgot_is_gone_and_not_expired() -> None:
    """LNbits calls it failed before its time; the merchant is told, nobody says unpaid."""
    server = ScriptedLnbits()
    account = server.account()
    request = await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    server.payments[0]["status"] = "failed"
    assert (await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.GONE
    assert await account.ensure(an_intent(), timeout_s=TIMEOUT_S) == request


async def test_a_failed_invoice_past_its_time_is_expired() -> None:
    """That is how LNbits says so."""
    server = ScriptedLnbits()
    request = await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    server.payments[0]["status"] = "failed"
    later = server.account(clock=lambda: time.time() + 700)
    assert (await later.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.EXPIRED


async def test_a_late_look_up_does_not_have_lnbits_bury_the_invoice() -> None:
    """From a minute before its end on nothing is checked again: LNbits would mark it failed without asking its node."""
    server = ScriptedLnbits()
    request = await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    for late_s, lists in ((0, 2), (550, 1), (700, 1)):
        server.calls.clear()
        account = server.account(clock=partial(_ahead, late_s))
        await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)
        assert len(server.calls) == lists


async def test_a_list_that_is_behind_is_no_payment_and_no_loss() -> None:
    """The stale read says open or gone, the next one settled; nothing is decided in between."""
    server = ScriptedLnbits()
    account = server.account()
    request = await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    server.settle()
    server.hidden_lists = 1
    assert (await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.GONE
    assert (await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)).state is BackendState.SETTLED


@pytest.mark.case("P24", "P26")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401), Unauthorized),
        (httpx.Response(403), Unauthorized),
        (httpx.Response(404, json={"detail": "Wallet not found."}), Unauthorized),
        (httpx.Response(429, headers={"retry-after": "7"}), Retry),
        (httpx.Response(307, headers={"location": "/first_install"}), Retry),
        (httpx.Response(400, json={"detail": "no"}), Rejected),
        (httpx.Response(422, json={"detail": "no"}), Rejected),
        (httpx.Response(520, json={"detail": "Invoice amount is too high.", "status": "failed"}), Rejected),
        (httpx.Response(520, json={"detail": "unexpected backend error.", "status": "pending"}), Unknown),
        (httpx.Response(500, text="Internal Server Error"), Unknown),
        (httpx.Response(201, text="not JSON"), Unknown),
        (httpx.Response(201, json={"payment_hash": "not one"}), Unknown),
        (httpx.Response(201, json=[1]), Unknown),
        (httpx.Response(201, content=b'"' + b"x" * ANSWER_BYTES_MAX + b'"'), Unknown),
    ],
)
async def test_an_answer_to_a_new_invoice_means_what_it_means(
    answer: httpx.Response, error: type[BackendError]
) -> None:
    """Nothing that may have happened is said to have failed, and nobody's key is in the words."""
    server = ScriptedLnbits(instead_of_create=answer)
    with pytest.raises(error) as raised:
        await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    assert type(raised.value) is error
    assert KEY not in str(raised.value)
    if isinstance(raised.value, Retry) and answer.status_code == 429:
        assert raised.value.retry_after_s == 7


@pytest.mark.case("P17")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500), Retry),
        (httpx.Response(200, text="{"), Retry),
        (httpx.Response(200, json={"data": 7}), Retry),
        (httpx.Response(200, json={"data": [{"payment_hash": "x"}], "total": 1}), Retry),
        (httpx.Response(404, json={"detail": "Wallet not found."}), Unauthorized),
    ],
)
async def test_a_look_up_that_fails_says_nothing_of_the_payment(
    answer: httpx.Response, error: type[BackendError]
) -> None:
    """Neither gone nor open: it is asked again."""
    server = ScriptedLnbits(instead_of_list=answer)
    with pytest.raises(error):
        await server.account().lookup(BackendRef("a" * 24), timeout_s=TIMEOUT_S)
    with pytest.raises(error):
        await server.account().ensure(an_intent(), timeout_s=TIMEOUT_S)
    assert server.payments == []


async def test_a_server_that_is_not_reached_did_nothing() -> None:
    """A refused connection is proof: the call may be made again."""
    calls = lnbits_calls("http://127.0.0.1:9", SecretStr(KEY))
    with pytest.raises(Retry):
        await calls.post("/api/v1/payments", {}, timeout_s=TIMEOUT_S)
    await calls.close()


@pytest.mark.case("P23")
@pytest.mark.parametrize("amount_msat", [500, 5_500, 1_234_900])
async def test_part_of_a_sat_is_refused_before_lnbits_cuts_it(amount_msat: int) -> None:
    """It would make 5,000 of 5,500 msat, and of 500 an invoice that anything pays."""
    server = ScriptedLnbits()
    with pytest.raises(Rejected):
        await server.account().ensure(an_intent(amount_msat), timeout_s=TIMEOUT_S)
    assert server.calls == []


@pytest.mark.case("F5", "P23")
@pytest.mark.req("PAY-08")
async def test_an_invoice_over_another_amount_is_not_sent_but_tried_again_and_told() -> None:
    """The server makes less of it than it was asked for: the buyer never sees it, the order fails with the reason."""
    server = ScriptedLnbits(says_sats=lambda sats: sats - 1)
    account = server.account()
    till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: account)))
    with capture_logs() as told:
        await till.role.take(0, 0, till.wanted(0, MERCHANT))
        await till.role.caught_up(0)
        async with asyncio.timeout(30):
            while not till.said:  # noqa: ASYNC110  the role tells nobody else
                await asyncio.sleep(0.05)
    await till.role.close()
    assert [(one.body.type, getattr(one.body, "reason", "")) for one in till.said] == [
        ("RecordPaymentFailure", RequestFault.AMOUNT)
    ]
    assert [one["reason"] for one in told if one["log_level"] == "error"] == ["amount"] * REFUSALS_MAX
    assert len(server.payments) == 1


async def test_without_a_preset_preimage_the_role_asks_lnbits_for_none() -> None:
    """LNbits chooses the hash itself, and the role sends its invoice as it is."""
    server = ScriptedLnbits()
    account = server.account()
    till = Till(cast(SimulatedWallet, SimpleNamespace(account=lambda _: account)))
    await till.role.take(0, 0, till.wanted(0, MERCHANT))
    await till.role.caught_up(0)
    async with asyncio.timeout(30):
        while not till.said:  # noqa: ASYNC110  the role tells nobody else
            await asyncio.sleep(0.05)
    await till.role.close()
    (said,) = till.said
    assert isinstance(said.body, RecordPaymentRequest)
    assert said.body.payment_hash == server.payments[0]["payment_hash"]


async def test_an_invoice_of_another_network_is_refused_by_the_check() -> None:
    """A test network's invoice would be paid with nothing."""
    server = ScriptedLnbits(network=Network.TESTNET)
    account, intent = server.account(), an_intent()
    request = await account.ensure(intent, timeout_s=TIMEOUT_S)
    checked = check_request(intent, request.text, int(time.time()), account.network, None, request.payment_hash)
    assert isinstance(checked, RequestRefused)
    assert checked.reason is RequestFault.NETWORK


async def test_a_memo_as_long_as_a_book_is_cut_between_two_characters() -> None:
    """BOLT-11 has no room for more, and half a character is none."""
    server = ScriptedLnbits()
    await server.account().ensure(an_intent(memo="☕" * 1_000), timeout_s=TIMEOUT_S)
    assert decode(server.payments[0]["bolt11"]).description == "☕" * (MEMO_BYTES_MAX // 3)


@pytest.mark.case("F3")
async def test_the_preimage_that_lnbits_gives_away_is_nowhere() -> None:
    """Neither in what is read nor in what is told."""
    server = ScriptedLnbits()
    account = server.account()
    request = await account.ensure(an_intent(), timeout_s=TIMEOUT_S)
    server.settle()
    scan = await account.scan(FROM_THE_START, timeout_s=TIMEOUT_S)
    seen = await account.lookup(request.backend_ref, timeout_s=TIMEOUT_S)
    read = read_invoice(server.payments[0])
    assert PREIMAGE not in repr((request, scan, seen, read, read.model_dump()))


async def test_one_call_for_many_who_ask_at_once() -> None:
    """They share it, and one who asks for another amount is told so."""
    server = ScriptedLnbits()
    account = server.account()
    asked = [account.ensure(an_intent(), timeout_s=TIMEOUT_S) for _ in range(20)]
    other = account.ensure(replace(an_intent(), amount_msat=22_000), timeout_s=TIMEOUT_S)
    *requests, refused = await asyncio.gather(*asked, other, return_exceptions=True)
    assert set(requests) == {requests[0]}
    assert isinstance(refused, Rejected)
    assert server.calls.count("POST /api/v1/payments") == 1


async def test_a_scan_in_portions_leaves_nothing_out_and_says_nothing_twice() -> None:
    """Over a thousand settlements, many within one second, and others' payments between them."""
    server, start = ScriptedLnbits(), datetime(2026, 1, 1, tzinfo=UTC)
    made = server.add(amount=1, expiry=600, memo="", external_id="a" * 24, extra={})
    server.payments.clear()
    for number in range(1_200):
        row = {**made, "payment_hash": f"{number:016x}".rjust(16, "0") + "0" * 48}
        row["external_id"] = (
            None
            if number % 3 == 0
            else "abcdefghijklmnopqrst" + "".join("abcdefghij"[int(digit)] for digit in f"{number:04d}")
        )
        row |= {"status": "success", "updated_at": (start + timedelta(milliseconds=number * 7)).isoformat()}
        server.payments.append(row)
    found, cursor = [], FROM_THE_START
    account = server.account()
    while (scan := await account.scan(cursor, timeout_s=TIMEOUT_S)).observations:
        found += [one.backend_ref for one in scan.observations]
        cursor = scan.cursor
    assert found == [row["external_id"] for row in server.payments if row["external_id"]]


async def test_a_cursor_of_another_kind_of_wallet_is_refused() -> None:
    """It is a mistake of the caller, and not a place in this history."""
    with pytest.raises(Rejected):
        await ScriptedLnbits().account().scan(Cursor("no place"), timeout_s=TIMEOUT_S)


@pytest.mark.case("P21", "P25")
async def test_a_probe_warns_of_a_key_that_may_spend_and_of_a_clock_that_is_off() -> None:
    """LNbits tells a wallet's id to its admin key only."""
    server = ScriptedLnbits(wallet={"name": "shop", "balance": 0, "id": "w"})
    server.date = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    probe = await server.account().probe(timeout_s=TIMEOUT_S)
    assert -610 <= probe.clock_offset_s <= -590
    assert ["admin key" in probe.warnings[0], "clock" in probe.warnings[1]] == [True, True]
    fine = await ScriptedLnbits().account().probe(timeout_s=TIMEOUT_S)
    assert (fine.warnings, fine.network) == ((), Network.BITCOIN)


async def test_no_key_in_anything_that_prints() -> None:
    """Neither the back-end nor its calls say it."""
    account = ScriptedLnbits().account()
    assert KEY not in repr((account, vars(account), vars(vars(account)["_calls"])))
    assert KEY not in json.dumps(vars(account), default=repr)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://lnbits.example/", "https://lnbits.example"),
        ("https://example.com/lnbits", "https://example.com/lnbits"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://lnbits:5000", "http://lnbits:5000"),
        ("http://10.0.0.7", "http://10.0.0.7"),
        ("http://abc.onion", "http://abc.onion"),
    ],
)
def test_an_address_a_key_may_be_sent_to(text: str, url: str) -> None:
    """Over https anywhere, without it only where nobody listens in between."""
    assert wallet_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "http://lnbits.example",
        "http://8.8.8.8",
        "lnbits.example",
        "ftp://x",
        "https://",
        "https://a:b@x",
        "https://x?k=1",
    ],
)
def test_an_address_that_would_give_the_key_away_is_refused(text: str) -> None:
    """With a sentence for the operator."""
    with pytest.raises(BadWalletUrl, match=r"https"):
        wallet_url(text)
