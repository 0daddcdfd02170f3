"""Runs a real LNbits through the payment contract, and tries what is its own: amounts, doubles, keys, restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from schemas.payments import BackendState
from services.demo.wallets.lnbits_server import Keys, LnbitsServer, lnbits_server
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import lnbits_calls
from services.payments.port import FROM_THE_START, Rejected, Unauthorized
from tests.services.payments.contract import TIMEOUT_S, Bench, PaymentBackendContract
from tests.support.contract_table import REAL

pytestmark = pytest.mark.real

LIFE_S = 20
FUNDS_SATS = 90_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LnbitsServer]:
    with lnbits_server(tmp_path_factory.mktemp("lnbits")) as server:
        yield server


@pytest.fixture(scope="module")
def payer(server: LnbitsServer) -> Keys:
    return server.new_wallet(FUNDS_SATS)


@pytest.fixture
def keys(server: LnbitsServer) -> Keys:
    return server.new_wallet()


@pytest.fixture
async def account(server: LnbitsServer, keys: Keys) -> AsyncIterator[LnbitsAccount]:
    account = account_of(server.url, keys.invoice)
    yield account
    await account.close()


@pytest.fixture
def bench(server: LnbitsServer, payer: Keys, account: LnbitsAccount) -> Bench:
    async def pay(text: str) -> None:
        await server.pay(payer, text)

    return Bench(account, pay, lambda: int(time.time()), asyncio.sleep, life_s=LIFE_S, later_s=2)


def account_of(url: str, key: str) -> LnbitsAccount:
    return LnbitsAccount(lnbits_calls(url, SecretStr(key)), Network.BITCOIN)


@pytest.mark.req("PAY-22")
class TestLnbits(PaymentBackendContract):
    """The contract, with a real server and an invoice key."""

    back_end, peer = "lnbits", REAL


async def test_lnbits_cuts_part_of_a_sat_so_it_is_never_asked_for_it(server: LnbitsServer, keys: Keys) -> None:
    """What would happen without the refusal: 1,234.9 sats become 1,234, with a friendly 201."""
    body = {"out": False, "amount": 1234.9, "memo": "x"}
    made = server.call("POST", "/api/v1/payments", body, {"X-Api-Key": keys.invoice})
    assert decode(made["bolt11"]).amount_msat == 1_234_000


@pytest.mark.case("P3")
async def test_two_invoices_of_one_reference_are_one_request(
    server: LnbitsServer, keys: Keys, account: LnbitsAccount, bench: Bench
) -> None:
    """LNbits makes as many as it is asked for; the first is shown, and whichever is paid counts."""
    request = await bench.request()
    double = server.call(
        "POST",
        "/api/v1/payments",
        {"out": False, "amount": 21_000, "memo": "x", "external_id": request.reference},
        {"X-Api-Key": keys.invoice},
    )
    assert await bench.request() == request
    await bench.pay(double["bolt11"])
    seen = await bench.lookup(request)
    assert (seen.state, seen.gross_msat) == (BackendState.SETTLED, 21_000_000)


@pytest.mark.case("P24")
async def test_a_key_that_lnbits_does_not_know_is_unauthorized(server: LnbitsServer, bench: Bench) -> None:
    """LNbits answers 404 to it, which is not the absence of a payment."""
    request = await bench.request()
    stranger = account_of(server.url, "00" * 16)
    for call in (
        stranger.lookup(request.backend_ref, timeout_s=TIMEOUT_S),
        stranger.scan(FROM_THE_START, timeout_s=TIMEOUT_S),
        stranger.ensure(await bench.intent("order-2"), timeout_s=TIMEOUT_S),
        stranger.probe(timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Unauthorized):
            await call
    await stranger.close()


@pytest.mark.case("P25")
async def test_a_probe_tells_an_admin_key_from_an_invoice_key(
    server: LnbitsServer, keys: Keys, account: LnbitsAccount
) -> None:
    """The first is warned of, the second is all that is needed."""
    admin = account_of(server.url, keys.admin)
    assert (await account.probe(timeout_s=TIMEOUT_S)).warnings == ()
    (warning,) = (await admin.probe(timeout_s=TIMEOUT_S)).warnings
    assert "admin key" in warning
    await admin.close()


@pytest.mark.case("P18")
async def test_an_invoice_that_a_restart_forgot_is_gone(server: LnbitsServer, bench: Bench) -> None:
    """The simulated node loses what nobody paid: it is told apart from unpaid, and what was paid stays paid."""
    longer = replace(bench, life_s=3_600)
    forgotten, paid = await longer.request("order-1"), await longer.request("order-2")
    await bench.pay(paid.text)
    server.restart()
    assert (await bench.lookup(forgotten)).state is BackendState.GONE
    assert (await bench.lookup(paid)).state is BackendState.SETTLED
    with pytest.raises(httpx.HTTPStatusError):
        await bench.pay(forgotten.text)


async def test_an_amount_over_the_wallets_limit_is_rejected(bench: Bench) -> None:
    """The order fails with a reason; nothing is tried for ever."""
    with pytest.raises(Rejected):
        await bench.request(amount_msat=200_000_000_000_000)
