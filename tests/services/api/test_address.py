"""Checks the doors of shops' lightning addresses: terms, invoices, their state, and who is turned away with what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from schemas import limits
from schemas.addresses import AddressRefusal, AskInvoice, AskRequest, InvoiceMade, InvoiceRefused, RequestShown
from schemas.bolt11 import decode, encode
from schemas.lnurl import read_made, read_terms, read_verified
from schemas.lnurl_served import description_hash
from schemas.merchants import Merchant
from schemas.messages import Command, JournalRecord
from schemas.messages import Event as Fact
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.shops import ShopSettings
from schemas.values import Origin
from services.api import address
from services.api.address import Addresses, add_routes
from services.api.shown_invoices import ShownInvoices
from services.metrics.port import StoreUnavailable
from services.payments.simulated import NETWORK
from tests.schemas.nostr.given import MERCHANT as RECIPIENT
from tests.schemas.nostr.given import an_event
from tests.support.builders import MERCHANT, NOW_MS, a_key

ADDRESS = "shop@127.0.0.1:8090"
REF = a_key().ref
NAMES = "/.well-known/lnurlp"


def a_shop(public_key: str = MERCHANT, lightning_address: str = ADDRESS) -> Merchant:
    """A shop with an address."""
    settings = ShopSettings(lightning_address=lightning_address)
    return Merchant(public_key=public_key, name="Tea", settings=settings, added_ms=NOW_MS)


class Town:
    """Everything behind the doors: shops, a decider and a wallet that answer at once, and ClickHouse."""

    def __init__(self, folder: Path, wait_s: float = 5.0) -> None:
        self.shops = [a_shop()]
        self.asked: list[Command] = []
        self.is_away = False
        self.refuses: AddressRefusal | None = None
        self.description_hash: str | None = None
        self.order: dict[str, Any] | None = {"status": "pending", "due": 20_000}
        self.came: dict[str, Any] = {"settled": 0, "paid_msat": 0}
        self.is_down = False
        self._queues: list[asyncio.Queue[JournalRecord]] = []
        self.shown = ShownInvoices(folder / "addresses.db")
        app = FastAPI()
        add_routes(app, Addresses(lambda: self.shops, self.send, self.records, self.rows, self.shown, wait_s))
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door")

    async def send(self, command: Command) -> None:
        """Decide, and let the wallet make what is wanted."""
        self.asked.append(command)
        for event in () if self.is_away else self.made(command):
            record = JournalRecord(
                seq=1, covers=1, merchant=MERCHANT, at_ms=NOW_MS, cause=command.source, events=(event,)
            )
            for queue in self._queues:
                queue.put_nowait(record)

    def made(self, command: Command) -> list[Fact]:
        """Somebody else's invoice, and then the caller's."""
        other = InvoiceMade(intent_id="ee" * 32, text="lnbc1other", payment_hash="ee" * 32, amount_msat=1, expires_at=1)
        if self.refuses is not None:
            return [other, InvoiceRefused(intent_id=command.source, reason=self.refuses)]
        match command.body:
            case AskInvoice() as ask:
                text = self.invoice(ask.amount_msat, ask.description_hash)
                fact: Fact = other.model_copy(update={"intent_id": ask.intent_id, "text": text})
            case AskRequest() as ask:
                fact = RequestShown(
                    call_id=ask.call_id,
                    order=a_key(),
                    intent_id="aa" * 32,
                    text=self.invoice(ask.amount_msat, self.description_hash or ""),
                    amount_msat=ask.amount_msat,
                    expires_at=1,
                )
            case body:
                raise AssertionError(body)
        return [other, fact]

    def invoice(self, amount_msat: int, description_hash: str) -> str:
        """A signed one."""
        return encode(
            network=NETWORK,
            amount_msat=amount_msat,
            timestamp=NOW_MS // 1_000,
            payment_hash="cd" * 32,
            payment_secret="ab" * 32,
            secret=b"\x01" * 32,
            description=None,
            description_hash=description_hash,
            expiry_s=600,
            min_final_cltv=18,
        )

    @asynccontextmanager
    async def records(self, merchant: str) -> AsyncIterator[AsyncIterator[JournalRecord]]:
        """The journal from now on."""
        queue: asyncio.Queue[JournalRecord] = asyncio.Queue()
        self._queues.append(queue)

        async def all_of_it() -> AsyncIterator[JournalRecord]:
            while True:
                yield await queue.get()

        yield all_of_it()

    async def rows(self, sql: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        """ClickHouse."""
        if self.is_down:
            raise StoreUnavailable("down")
        if sql == address.CAME:
            return [self.came]
        return [] if self.order is None else [self.order]

    async def get(self, path: str) -> httpx.Response:
        """Call."""
        return await self.http.get(path)

    async def reason(self, path: str) -> tuple[int, str]:
        """Call for a refusal."""
        answer = await self.get(path)
        assert answer.json()["status"] == "ERROR"
        return answer.status_code, answer.json()["reason"]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """One shop with an address."""
    made = Town(tmp_path)
    yield made
    made.shown.close()


async def test_a_shops_address_gives_each_caller_an_invoice_of_its_own(town: Town) -> None:
    """Terms, then an invoice that commits to them, asked for as nobody's order; any web page may read it."""
    told = await town.get(f"{NAMES}/shop")
    terms = read_terms(told.content)
    assert (terms.min_msat, terms.max_msat) == (1_000, limits.ORDER_SATS.most * 1_000)
    assert told.headers["Access-Control-Allow-Origin"] == "*"

    path = terms.callback.removeprefix("http://127.0.0.1:8090")
    for _ in range(2):
        assert read_made((await town.get(f"{path}?amount=21000")).content).text.startswith("lnbcrt")
    first, second = (command.body for command in town.asked)
    assert isinstance(first, AskInvoice)
    assert isinstance(second, AskInvoice)
    assert first.intent_id != second.intent_id
    assert (first.amount_msat, first.description_hash) == (21_000, terms.description_hash)
    assert {command.origin for command in town.asked} == {Origin.ADDRESS}


async def test_an_orders_own_address_takes_what_is_due_and_leads_to_its_request(town: Town) -> None:
    """Least and most are one; the invoice is the order's, and no other is made."""
    terms = read_terms((await town.get(f"{NAMES}/shop.{REF}")).content)
    assert (terms.min_msat, terms.max_msat) == (20_000, 20_000)

    town.description_hash = terms.description_hash
    assert read_made((await town.get(f"/lnurlp/shop.{REF}?amount=20000")).content)
    assert isinstance(town.asked[0].body, AskRequest)
    assert town.asked[0].body.order_ref == REF


async def test_a_request_that_commits_to_another_address_is_shown_to_nobody(town: Town) -> None:
    """The shop's address was another when it was made, and the wallet would refuse it."""
    town.description_hash = "00" * 32
    assert await town.reason(f"/lnurlp/shop.{REF}?amount=20000") == (200, "not_served")


async def test_how_an_invoice_stands_is_what_the_journal_knows(town: Town) -> None:
    """Not settled, then settled, an order's and the shop's own; a part is not all, and there is no preimage."""
    verify = read_made((await town.get("/lnurlp/shop?amount=21000")).content).verify
    assert verify is not None
    path = verify.removeprefix("http://127.0.0.1:8090")
    for settled, paid_msat, expected in ((0, 0, False), (0, 20_999, False), (0, 21_000, True), (1, 0, True)):
        town.came = {"settled": settled, "paid_msat": paid_msat}
        state = read_verified((await town.get(path)).content)
        assert (state.is_settled, state.preimage) == (expected, None)
    assert await town.reason("/lnurlp/verify/" + "00" * 32) == (404, "no_address")


@pytest.mark.parametrize("name", ["other", "Shop", f"other.{REF}", "shop.1", "x" * 200])
async def test_a_name_that_nobody_has_leads_nowhere(town: Town, name: str) -> None:
    """Neither terms nor an invoice, and nothing is decided."""
    assert await town.reason(f"{NAMES}/{name}") == (404, "no_address")
    assert await town.reason(f"/lnurlp/{name}?amount=21000") == (404, "no_address")
    assert town.asked == []


async def test_a_name_that_two_shops_have_leads_to_neither(town: Town) -> None:
    """Money must not go to the wrong one."""
    town.shops.append(a_shop("bb" * 32, "shop@shop.example"))
    assert await town.reason(f"{NAMES}/shop") == (404, "no_address")


@pytest.mark.parametrize("amount", ["", "0", "-1", "1e3", "²", "1" * 19])
async def test_an_amount_that_is_none_is_refused(town: Town, amount: str) -> None:
    """Before anything is decided."""
    assert await town.reason(f"/lnurlp/shop?amount={amount}") == (200, "bad_amount")
    assert town.asked == []


async def test_a_refusal_of_the_shops_is_told_with_its_reason(town: Town) -> None:
    """As wallets read errors."""
    for reason in (AddressRefusal.TOO_MANY_OPEN, AddressRefusal.WALLET_REFUSES):
        town.refuses = reason
        assert await town.reason("/lnurlp/shop?amount=21000") == (200, reason.value)


async def test_an_order_that_is_over_or_that_nobody_knows_is_not_payable(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ClickHouse does not have yet is waited for a moment."""
    monkeypatch.setattr(address, "ORDER_WAIT_S", 0.3)
    for order in (None, {"status": "confirmed", "due": 20_000}, {"status": "pending", "due": None}):
        town.order = order
        assert await town.reason(f"{NAMES}/shop.{REF}") == (200, "not_payable")


async def test_a_caller_whom_nobody_answers_reads_so(tmp_path: Path) -> None:
    """The decider or the wallet is away, or ClickHouse: none of it is a no, so that a wallet asks again."""
    town = Town(tmp_path, wait_s=0.05)
    town.is_away = True
    assert await town.reason("/lnurlp/shop?amount=21000") == (503, "no_answer")
    town.is_down = True
    assert await town.reason(f"{NAMES}/shop.{REF}") == (503, "no_answer")
    town.shown.close()


async def test_so_many_calls_a_minute_go_to_one_shops_addresses(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told to wait, whoever calls."""
    monkeypatch.setattr(limits, "ADDRESS_CALLS", limits.Limit("x", 2, "x", "x", "x"))
    for _ in range(2):
        assert (await town.get(f"{NAMES}/shop")).status_code == 200
    assert await town.reason(f"{NAMES}/shop") == (429, "too_many_calls")
    assert "Retry-After" in (await town.get(f"{NAMES}/shop")).headers


@pytest.mark.case("F16")
async def test_so_many_calls_a_minute_come_from_one_network_address(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that nobody has count too: guessing is bounded."""
    monkeypatch.setattr(limits, "ADDRESS_CALLER", limits.Limit("x", 2, "x", "x", "x"))
    for _ in range(2):
        assert await town.reason(f"{NAMES}/other") == (404, "no_address")
    assert await town.reason(f"{NAMES}/shop") == (429, "too_many_calls")


async def test_what_was_given_out_is_known_after_a_restart(town: Town, tmp_path: Path) -> None:
    """Whoever paid may still ask."""
    verify = read_made((await town.get("/lnurlp/shop?amount=21000")).content).verify or ""
    again = Town(tmp_path)
    assert not read_verified((await again.get(verify.removeprefix("http://127.0.0.1:8090"))).content).is_settled
    again.shown.close()


async def test_a_zap_request_that_keeps_to_the_rules_is_what_the_invoice_commits_to(town: Town) -> None:
    """The terms say who signs receipts; a request that breaks a rule gets no invoice, and says so."""
    shop = a_shop(RECIPIENT.public_key)
    town.shops = [shop]
    terms = (await town.http.get(f"{NAMES}/shop")).json()
    assert (terms["allowsNostr"], terms["nostrPubkey"]) == (True, RECIPIENT.public_key)
    assert "allowsNostr" not in (await town.http.get(f"{NAMES}/shop.{REF}")).json()

    tags = (("p", RECIPIENT.public_key), ("relays", "wss://r.example"), ("amount", "21000"))
    zap = to_json(an_event(kind=Kind.ZAP_REQUEST, tags=tags, content=""))
    given = (await town.http.get("/lnurlp/shop", params={"amount": "21000", "nostr": zap})).json()
    assert decode(given["pr"]).description_hash == description_hash(zap)
    ask = town.asked[-1].body
    assert isinstance(ask, AskInvoice)
    assert ask.zap == zap
    for amount, text in (("22000", zap), ("21000", zap.replace("wss://r", "wss://s")), ("21000", "{}")):
        refused = (await town.http.get("/lnurlp/shop", params={"amount": amount, "nostr": text})).json()
        assert refused == {"status": "ERROR", "reason": "bad_zap"}
