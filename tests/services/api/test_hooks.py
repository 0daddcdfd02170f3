"""Checks the door for vendors' webhooks: who is let in, what goes on to whoever looks up, and what is counted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from structlog.testing import capture_logs

from schemas import limits
from schemas.bolt11 import Network
from schemas.hints import PaymentHint
from schemas.merchants import Merchant
from services.api import hooks
from services.api.hooks import Hooks, add_routes, add_told
from services.payments.credentials import spare_of
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import lnbits_calls
from services.payments.notices import hook_token
from services.payments.phoenixd import PhoenixdNode, phoenixd_calls
from services.payments.port import PaymentBackend
from services.payments.stripe import StripeAccount
from services.payments.stripe_words import stripe_calls
from services.payments.wallets import NoWallet
from tests.support.builders import MERCHANT, NOW_MS, OTHER_MERCHANT, STRANGER
from tests.support.scripted_stripe import signature as stripe_signature

SECRET = "what phoenix.conf says"
TOKEN_OF = partial(hook_token, b"\x05" * 32)
LNBITS, PHOENIXD = TOKEN_OF(MERCHANT, "lnbits"), TOKEN_OF(OTHER_MERCHANT, "phoenixd")
REF = "abcdefghijklmnopqrstuvwx"
PAID = {"payment_hash": "ab" * 32, "status": "success", "amount": 21_000, "external_id": REF}
RECEIVED = json.dumps({"type": "payment_received", "externalId": REF}).encode()
SIGNATURE = hmac.new(SECRET.encode(), RECEIVED, hashlib.sha256).hexdigest()


class Town:
    """Two shops with wallets that are called, one without, and whoever looks up."""

    def __init__(self) -> None:
        kinds = {MERCHANT: "lnbits", OTHER_MERCHANT: "phoenixd", STRANGER: "simulated"}
        self.shops = [Merchant(public_key=key, name="s", wallet=kind, added_ms=NOW_MS) for key, kind in kinds.items()]
        self.hints: list[PaymentHint] = []
        self.is_down = False
        self.opened: list[str] = []
        lnbits, phoenixd = SecretStr("k"), SecretStr("p")
        self._wallets: dict[str, PaymentBackend] = {
            MERCHANT: LnbitsAccount(lnbits_calls("http://127.0.0.1:1", lnbits), Network.REGTEST, token=LNBITS),
            OTHER_MERCHANT: PhoenixdNode(
                phoenixd_calls("http://127.0.0.1:1", phoenixd), Network.REGTEST, webhook_secret=SecretStr(SECRET)
            ),
        }
        self.hooks = Hooks(lambda: self.shops, TOKEN_OF, self.wallet, self.put, lambda: 1.0, self.spare)
        app = FastAPI()
        add_routes(app, self.hooks)
        add_told(app, [], self.hooks.told)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, client=("192.0.2.7", 1)), base_url="http://door"
        )

    def open(self, merchant: str, wallet: PaymentBackend) -> None:
        """Give a shop another wallet."""
        self._wallets[merchant] = wallet

    def wallet(self, merchant: str) -> PaymentBackend:
        """What the api role has open."""
        return self._wallets.get(merchant) or NoWallet("play money")

    def spare(self, merchant: str) -> PaymentBackend | None:
        """Another shop's node, which the third one has as its spare."""
        return self._wallets[OTHER_MERCHANT] if merchant == STRANGER else None

    async def put(self, hint: PaymentHint) -> None:
        """Kafka."""
        if self.is_down:
            await asyncio.Event().wait()
        self.hints.append(hint)

    async def call(self, token: str, body: bytes, **headers: str) -> httpx.Response:
        """A vendor."""
        return await self.http.post(f"/hooks/{token}", content=body, headers=headers)

    async def lnbits(self, body: object = PAID) -> httpx.Response:
        """LNbits, which wraps its body twice."""
        return await self.call(LNBITS, json.dumps(json.dumps(body)).encode())


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    made = Town()
    yield made
    await made.http.aclose()


async def test_a_vendors_call_becomes_a_hint_with_the_merchant_and_the_reference(town: Town) -> None:
    """And nothing else of what it said; the answer is empty."""
    for answer in (await town.lnbits(), await town.call(PHOENIXD, RECEIVED, **{"X-Phoenix-Signature": SIGNATURE})):
        assert (answer.status_code, answer.content) == (202, b"")

    assert [(hint.merchant, hint.backend_ref) for hint in town.hints] == [(MERCHANT, REF), (OTHER_MERCHANT, REF)]


@pytest.mark.case("P21")
async def test_a_signed_call_of_another_time_is_refused_and_the_operator_reads_by_how_much(town: Town) -> None:
    """A vendor whose clock is ten minutes off, or ours; a forged one of another time fills no log."""
    calls = stripe_calls(SecretStr("rk_test_1"), "http://127.0.0.1:1")
    town.open(OTHER_MERCHANT, StripeAccount(calls, "https://s", webhook_secret=SecretStr(SECRET)))
    raw, at_s = b'{"type": "checkout.session.completed"}', int(time.time()) - 600
    with capture_logs() as logs:
        for secret in (SECRET, "guessed"):
            answer = await town.call(PHOENIXD, raw, **{"Stripe-Signature": stripe_signature(raw, at_s, secret)})
            assert (answer.status_code, answer.content) == (401, b"")

    assert [one["reason"][:27] for one in logs if one["log_level"] == "error"] == ["the notice was signed -600 "]
    assert town.hints == []


@pytest.mark.case("F11", "P7")
@pytest.mark.req("PAY-16")
async def test_a_call_with_a_signature_of_nobodys_is_401_without_a_word_and_is_counted(town: Town) -> None:
    """Whatever it says; no hint goes on."""
    for signature in ("", "00" * 32, SIGNATURE[:-1] + ("0" if SIGNATURE[-1] != "0" else "1")):
        answer = await town.call(PHOENIXD, RECEIVED, **{"X-Phoenix-Signature": signature})
        assert (answer.status_code, answer.content) == (401, b"")

    assert town.hints == []
    assert (await town.http.get("/webhooks")).json() == [
        {"public_key": OTHER_MERCHANT, "outcome": "forged", "calls": 3}
    ]


@pytest.mark.case("F11")
async def test_an_address_of_nobodys_is_404(town: Town) -> None:
    """Made up, of a shop without such a wallet, or of the wallet that a shop had before."""
    former = TOKEN_OF(MERCHANT, "phoenixd")
    for token in ("x" * 32, TOKEN_OF(STRANGER, "simulated"), former, "%F0%9F%8D%B5"):
        assert (await town.call(token, RECEIVED)).status_code == 404
    assert (await town.lnbits()).status_code == 202
    town.shops[0] = town.shops[0].model_copy(update={"wallet": "phoenixd"})
    assert (await town.lnbits()).status_code == 404
    assert town.hooks.told()[0] == {"public_key": "", "outcome": "no_hook", "calls": 5}


async def test_a_spare_wallet_has_an_address_of_its_own(town: Town) -> None:
    """It is known by its own secret, and the hint is its merchant's."""
    town.shops[2] = town.shops[2].model_copy(update={"spare_wallet": "phoenixd"})
    spare = TOKEN_OF(spare_of(STRANGER), "phoenixd")
    assert (await town.call(spare, RECEIVED, **{"X-Phoenix-Signature": SIGNATURE})).status_code == 202
    assert (await town.call(TOKEN_OF(STRANGER, "phoenixd"), RECEIVED)).status_code == 404
    assert [(hint.merchant, hint.backend_ref) for hint in town.hints] == [(STRANGER, REF)]


@pytest.mark.case("P9")
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"status=paid&ref=7", b"\xff" * 100, b'"text"', b"[" * 60_000])
@pytest.mark.req("PAY-16")
async def test_no_body_gets_a_5xx(town: Town, body: bytes) -> None:
    """What cannot be read is a reason to look at everything of that shop."""
    assert (await town.call(LNBITS, body)).status_code == 202
    assert [hint.backend_ref for hint in town.hints] == [None]


@pytest.mark.case("F11")
@pytest.mark.req("PAY-16")
async def test_an_invoice_that_is_not_ours_is_2xx_and_leads_to_nothing(town: Town) -> None:
    """The wallet's owner takes other payments with it; they are counted and no more."""
    assert (await town.lnbits({**PAID, "external_id": "somebody's"})).status_code == 202
    assert town.hints == []
    assert town.hooks.told() == [{"public_key": MERCHANT, "outcome": "nothing", "calls": 1}]


@pytest.mark.case("P5")
async def test_a_vendor_is_told_to_come_again_while_nothing_can_be_kept(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who send again then do; for the others there is the poll."""
    monkeypatch.setattr(hooks, "PUT_TIMEOUT_S", 0.05)
    town.is_down = True
    answer = await town.lnbits()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_a_body_at_the_limit_is_read_and_a_longer_one_is_not(town: Town) -> None:
    """No further than that is anything read."""
    most = limits.HOOK_BODY.most
    assert (await town.call(LNBITS, b"x" * most)).status_code == 202
    assert (await town.call(LNBITS, b"x" * (most + 1))).status_code == 413
    assert len(town.hints) == 1


async def test_so_many_calls_a_minute_are_taken_for_one_shop(town: Town) -> None:
    """The next is told when to come again, and other shops are not held up."""
    for _ in range(limits.HOOK_CALLS.most):
        assert (await town.call(LNBITS, b"{}")).status_code == 202
    answer = await town.call(LNBITS, b"{}")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert (await town.call(PHOENIXD, RECEIVED, **{"X-Phoenix-Signature": SIGNATURE})).status_code == 202


@pytest.mark.case("P7")
async def test_so_many_refused_calls_a_minute_come_from_one_address(town: Town) -> None:
    """Then they are told to wait; a vendor at the same address is heard all the same."""
    for _ in range(limits.HOOK_REFUSED.most):
        assert (await town.call("x", b"")).status_code == 404
    assert (await town.call("x", b"")).status_code == 429
    assert (await town.lnbits()).status_code == 202


async def test_no_more_callers_are_counted_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten."""
    monkeypatch.setattr(hooks, "CALLERS_MAX", 2)
    town = Town()
    for number in range(limits.HOOK_REFUSED.most + 1):
        town.hooks.is_pestered_by("192.0.2.1")
        assert not town.hooks.is_pestered_by(f"198.51.100.{number}")
    assert town.hooks.is_pestered_by("192.0.2.1")
    for number in range(2):
        town.hooks.is_pestered_by(f"203.0.113.{number}")
    assert not town.hooks.is_pestered_by("192.0.2.1")
