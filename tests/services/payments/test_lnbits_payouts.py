"""Pays refunds out of LNbits: a real one by the laws, and one made of a list that fails as it is told to."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network, decode
from services.demo.wallets.lnbits_server import Keys, LnbitsServer, lnbits_server
from services.payments.credentials import LnbitsCredential, is_same_wallet
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import lnbits_calls
from services.payments.lnbits_payouts import MARK
from services.payments.port import (
    BackendError,
    Refund,
    RefundState,
    RefundWay,
    Rejected,
    Unauthorized,
    Unknown,
    Unsupported,
)
from tests.services.payments.contract import TIMEOUT_S
from tests.services.payments.payout_laws import PayerBench, PayerLaws
from tests.services.payments.scripted_lnbits import hang_up, server_error, time_out
from tests.support.payout_invoices import a_text, wish_of

INVOICE_KEY, ADMIN_KEY = "1" * 32, "a" * 32
FUNDS_SATS = 1_000

type Fault = Callable[[], httpx.Response | None]


@dataclass
class ScriptedPayer(httpx.AsyncBaseTransport):
    """One wallet of an LNbits that pays: every call it gets, and what left it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    posts: int = 0
    status: str = "success"
    after_pay: Fault | None = None
    instead: httpx.Response | None = None
    """The answer to a payment that is not made."""
    reserve: int = 2_000
    is_other_wallet: bool = False
    hidden_lists: int = 0

    def account(self, *, spends: bool = True) -> LnbitsAccount:
        """A back-end with both keys, or with the invoice key alone."""
        calls = lnbits_calls("https://lnbits.example", SecretStr(INVOICE_KEY), self)
        spender = lnbits_calls("https://lnbits.example", SecretStr(ADMIN_KEY), self) if spends else None
        return LnbitsAccount(calls, Network.BITCOIN, spender=spender)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_admin = request.headers["x-api-key"] == ADMIN_KEY
        assert not any(key in str(request.url) for key in (ADMIN_KEY, INVOICE_KEY))
        if request.url.path == "/api/v1/wallet":
            return httpx.Response(200, json={"name": "shop", "balance": 0} | ({"id": "w"} if is_admin else {}))
        if request.url.path.endswith("/fee-reserve"):
            return httpx.Response(200, json={"fee_reserve": self.reserve})
        if request.method == "POST":
            assert is_admin, "the invoice key pays nothing"
            return self._pay(json.loads(await request.aread()))
        return self._list(request.url.params, is_admin=is_admin)

    def _pay(self, body: dict[str, Any]) -> httpx.Response:
        self.posts += 1
        assert body["out"] is True
        if self.instead is not None:
            return self.instead
        invoice = decode(body["bolt11"])
        if any(row["payment_hash"] == invoice.payment_hash for row in self.rows):
            return httpx.Response(520, json={"detail": "Payment already paid.", "status": "success"})
        assert invoice.amount_msat is not None
        self.add(invoice.payment_hash, -invoice.amount_msat, body["extra"], body["bolt11"])
        instead = self.after_pay() if self.after_pay else None
        return instead or httpx.Response(201, json=self.rows[-1])

    def add(self, payment_hash: str, amount: int, extra: dict[str, Any], text: str = "lnbc1") -> None:
        """A payment in this wallet."""
        now = datetime.now(UTC).isoformat()
        row = {"payment_hash": payment_hash, "bolt11": text, "amount": amount, "fee": -1_500, "status": self.status}
        self.rows.append({**row, "extra": extra, "created_at": now, "updated_at": now, "preimage": "ee" * 32})

    def _list(self, wanted: httpx.QueryParams, *, is_admin: bool) -> httpx.Response:
        if self.hidden_lists > 0 and "payment_hash" in wanted and not is_admin:
            self.hidden_lists -= 1
            return httpx.Response(200, json={"data": [], "total": 0})
        shown = [] if is_admin and self.is_other_wallet else self.rows
        rows = [row for row in shown if wanted.get("payment_hash") in (None, row["payment_hash"])]
        return httpx.Response(200, json={"data": rows[: int(wanted["limit"])], "total": len(rows)})


def a_wish(name: str = "refund") -> Refund:
    """Five sats to the buyer."""
    return wish_of(a_text(5_000, name, Network.BITCOIN))


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
@pytest.mark.parametrize("fault", [hang_up, time_out, server_error])
async def test_an_answer_that_was_lost_after_the_payment_leads_to_that_payment(fault: Fault) -> None:
    """A time-out is unknown, never failed: it is looked up, and again by the next call; one payment, with its fee."""
    server = ScriptedPayer(after_pay=fault)
    account = server.account()
    for _ in range(2):
        done = await account.refund(a_wish(), timeout_s=TIMEOUT_S)
        assert (done.state, done.fee_msat) == (RefundState.SENT, 1_500)
    assert (server.posts, len(server.rows)) == (1, 1)


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
async def test_an_answer_that_was_lost_while_nothing_can_be_looked_up_is_a_doubt() -> None:
    """Neither refused nor to be made again blindly: the next call looks first."""
    server = ScriptedPayer()

    def vanish() -> httpx.Response | None:
        server.hidden_lists = 1
        return hang_up()

    server.after_pay = vanish
    with pytest.raises(Unknown):
        await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)
    assert (await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)).state is RefundState.SENT
    assert server.posts == 1


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
async def test_a_new_process_finds_what_the_one_before_paid() -> None:
    """Even where only the invoice key is left."""
    server = ScriptedPayer()
    await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)
    for spends in (True, False):
        done = await server.account(spends=spends).refund(a_wish(), timeout_s=TIMEOUT_S)
        assert done.state is RefundState.SENT
    assert server.posts == 1


@pytest.mark.case("P32")
async def test_a_list_that_is_behind_leads_to_one_payment_all_the_same() -> None:
    """LNbits itself refuses a payment hash that it has paid, and the look-up after it says what is so."""
    server = ScriptedPayer()
    await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)
    server.hidden_lists = 1
    assert (await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)).state is RefundState.SENT
    assert (server.posts, len(server.rows)) == (2, 1)


@pytest.mark.case("P32")
@pytest.mark.parametrize(("status", "state"), [("pending", RefundState.PENDING), ("failed", RefundState.FAILED)])
async def test_a_payment_under_way_or_failed_is_told_and_not_made_again(status: str, state: RefundState) -> None:
    """A node may take hours over a route."""
    server = ScriptedPayer(status=status)
    for _ in range(2):
        assert (await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)).state is state
    assert server.posts == 1


@pytest.mark.case("P32")
@pytest.mark.req("C-01")
async def test_without_the_admin_key_nothing_is_paid() -> None:
    """The invoice key goes on doing everything else."""
    server = ScriptedPayer()
    account = server.account(spends=False)
    assert account.capabilities.refund is RefundWay.NONE
    with pytest.raises(Unsupported, match="spend-key-file"):
        await account.refund(a_wish(), timeout_s=TIMEOUT_S)
    assert server.posts == 0


@pytest.mark.case("F13", "P32")
async def test_an_invoice_that_was_paid_by_hand_is_not_taken_for_the_refund() -> None:
    """Only a payment that carries the refund's id is it."""
    server, wish = ScriptedPayer(), a_wish()
    server.add(decode(wish.destination or "").payment_hash, -5_000, {})
    with pytest.raises(Rejected, match="something else"):
        await server.account().refund(wish, timeout_s=TIMEOUT_S)
    assert server.posts == 0


@pytest.mark.case("P32")
async def test_a_key_of_another_wallet_pays_nothing() -> None:
    """What it paid would never be seen here; the trial says so as well."""
    server = ScriptedPayer(is_other_wallet=True)
    server.add("55" * 32, 21_000, {})
    account = server.account()
    assert "another wallet" in (await account.probe(timeout_s=TIMEOUT_S)).lacks[0]
    with pytest.raises(Unauthorized, match="another wallet"):
        await account.refund(a_wish(), timeout_s=TIMEOUT_S)
    assert server.posts == 0


@pytest.mark.req("C-01")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(520, json={"detail": "Insufficient balance.", "status": "failed"}), Rejected),
        (httpx.Response(500, json={}), Unknown),
    ],
)
async def test_a_refusal_is_permanent_only_where_lnbits_says_that_nothing_was_paid(
    answer: httpx.Response, error: type[BackendError]
) -> None:
    """Whatever else it answers may have been a payment."""
    with pytest.raises(error):
        await ScriptedPayer(instead=answer).account().refund(a_wish(), timeout_s=TIMEOUT_S)


@pytest.mark.req("C-01")
async def test_more_than_the_fee_allowed_is_not_spent() -> None:
    """LNbits says beforehand what it keeps back for sending."""
    server = ScriptedPayer(reserve=10_001)
    with pytest.raises(Rejected, match="10001 msat"):
        await server.account().refund(a_wish(), timeout_s=TIMEOUT_S)
    assert server.posts == 0


@pytest.mark.req("C-01")
def test_a_key_that_pays_out_may_be_added_while_buyers_hold_invoices() -> None:
    """It is the same wallet; neither key is shown."""
    receives = LnbitsCredential(url="https://lnbits.example", key=SecretStr(INVOICE_KEY))
    spends = receives.model_copy(update={"spend_key": SecretStr(ADMIN_KEY), "network": Network.BITCOIN})
    assert is_same_wallet(receives, spends)
    assert not is_same_wallet(receives, receives.model_copy(update={"key": SecretStr(ADMIN_KEY)}))
    assert ADMIN_KEY not in f"{spends!r} {spends}"


# The real one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LnbitsServer]:
    with lnbits_server(tmp_path_factory.mktemp("lnbits")) as server:
        yield server


@pytest.fixture
def keys(server: LnbitsServer) -> Keys:
    return server.new_wallet(FUNDS_SATS)


@pytest.fixture
async def payer_bench(server: LnbitsServer, keys: Keys) -> AsyncIterator[PayerBench]:
    account = account_of(server, keys.invoice, keys.admin)
    buyer = server.new_wallet()

    def invoice_of(wallet: Keys, amount_msat: int) -> str:
        body = {"out": False, "amount": amount_msat // 1_000, "memo": "my money", "expiry": 600}
        headers = {"X-Api-Key": wallet.invoice}
        return str(server.call("POST", "/api/v1/payments", body, headers)["bolt11"])

    async def foreign(amount_msat: int) -> str:
        return invoice_of(buyer, amount_msat)

    async def own(amount_msat: int) -> str:
        return invoice_of(keys, amount_msat)

    async def paid_msat() -> int:
        rows = server.call("GET", "/api/v1/payments?limit=100", headers={"X-Api-Key": keys.invoice})
        return -sum(row["amount"] for row in rows if row["amount"] < 0)

    yield PayerBench(account, Network.BITCOIN, foreign, own, paid_msat)
    await account.close()


def account_of(server: LnbitsServer, invoice_key: str, admin_key: str) -> LnbitsAccount:
    """A back-end with both keys."""
    calls, spender = (lnbits_calls(server.url, SecretStr(key)) for key in (invoice_key, admin_key))
    return LnbitsAccount(calls, Network.BITCOIN, spender=spender)


@pytest.mark.real
class TestLnbitsPayer(PayerLaws):
    """The laws, with a real LNbits whose second wallet is the buyer's."""


@pytest.mark.real
@pytest.mark.case("P32")
@pytest.mark.req("C-01")
async def test_a_real_lnbits_keeps_the_refunds_id_with_the_payment(
    server: LnbitsServer, payer_bench: PayerBench
) -> None:
    """That is how the payment is known again; a wallet with the invoice key alone finds it too."""
    wish = wish_of(await payer_bench.foreign(7_000), amount_msat=7_000)
    await payer_bench.backend.refund(wish, timeout_s=TIMEOUT_S)
    assert isinstance(payer_bench.backend, LnbitsAccount)
    probe = await payer_bench.backend.probe(timeout_s=TIMEOUT_S)
    assert (probe.lacks, probe.warnings, probe.may) == ((), (), ("receive", "pay refunds out"))
    assert MARK == "ncc_refund"


@pytest.mark.real
@pytest.mark.case("P32")
async def test_a_real_lnbits_tells_another_wallets_key_and_one_that_may_not_spend(
    server: LnbitsServer, keys: Keys
) -> None:
    """Neither is used."""
    other = server.new_wallet(FUNDS_SATS)
    wish = wish_of(a_text(5_000, f"real {time.time()}", Network.BITCOIN))
    for admin_key, why in ((other.admin, "another wallet"), (keys.invoice, "may not spend")):
        account = account_of(server, keys.invoice, admin_key)
        with pytest.raises(Unauthorized, match=why):
            await account.refund(wish, timeout_s=TIMEOUT_S)
        await account.close()


@pytest.mark.real
@pytest.mark.req("C-01")
async def test_a_real_lnbits_without_enough_money_refuses_for_good(
    server: LnbitsServer, payer_bench: PayerBench
) -> None:
    """Nothing was sent, and LNbits says so."""
    too_much = (FUNDS_SATS + 1) * 1_000
    wish = wish_of(await payer_bench.foreign(too_much), amount_msat=too_much, max_fee_msat=100_000)
    with pytest.raises(Rejected):
        await payer_bench.backend.refund(wish, timeout_s=TIMEOUT_S)
    assert await payer_bench.paid_msat() == 0
