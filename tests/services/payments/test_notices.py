"""Reads vendors' webhooks: what proves one, what it is a reason to look up, and how little it takes to be read."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from pydantic import SecretStr

from schemas.bolt11 import Network
from services.payments.lnbits import LnbitsAccount
from services.payments.lnbits_calls import lnbits_calls
from services.payments.notices import hook_token, hook_url, json_in
from services.payments.phoenixd import PhoenixdNode, phoenixd_calls
from services.payments.port import BackendRef, Hint, Unauthorized
from tests.support.builders import MERCHANT, OTHER_MERCHANT
from tests.support.scripted_nodes import START_S

HOME = b"\x05" * 32
REF = "abcdefghijklmnopqrstuvwx"
TOKEN = hook_token(HOME, MERCHANT, "lnbits")
SECRET = "what phoenix.conf says"
OURS = (Hint(BackendRef(REF), at=START_S),)
EVERYTHING = (Hint(None, at=START_S),)
LNBITS = {"checking_id": "c", "payment_hash": "ab" * 32, "amount": 21_000, "status": "success", "external_id": REF}
PHOENIXD = {"type": "payment_received", "amountSat": 21, "paymentHash": "ab" * 32, "externalId": REF}
GARBAGE = [b"", b"\xff\xfe", b"{", b"[]", b"null", b"7", b'"text"', b"ref=1&status=paid", b"[" * 100_000]


def an_lnbits(token: str = TOKEN) -> LnbitsAccount:
    """A wallet that is never called."""
    calls = lnbits_calls("http://127.0.0.1:1", SecretStr("key"))
    return LnbitsAccount(calls, Network.REGTEST, lambda: START_S, token=token)


def a_phoenixd(secret: str | None = SECRET) -> PhoenixdNode:
    """A node that is never called."""
    known = None if secret is None else SecretStr(secret)
    calls = phoenixd_calls("http://127.0.0.1:1", SecretStr("password"))
    return PhoenixdNode(calls, Network.REGTEST, lambda: START_S, webhook_secret=known)


def signed(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    """The header that phoenixd sends."""
    return {"x-phoenix-signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


def test_an_address_is_one_wallets_and_follows_from_the_home_alone() -> None:
    """Another merchant, another kind of wallet and another home have another one."""
    others = [(HOME, OTHER_MERCHANT, "lnbits"), (HOME, MERCHANT, "phoenixd"), (b"\x06" * 32, MERCHANT, "lnbits")]

    assert hook_token(HOME, MERCHANT, "lnbits") == TOKEN
    assert len({TOKEN, *(hook_token(*other) for other in others)}) == 4
    assert len(TOKEN) == 32
    assert hook_url("https://shop.example/", TOKEN) == f"https://shop.example/hooks/{TOKEN}"


@pytest.mark.case("P9")
@pytest.mark.parametrize("body", [LNBITS, json.dumps(LNBITS)])
async def test_what_lnbits_sends_is_a_hint_at_its_invoice(body: Any) -> None:
    """As an object, or as 1.6 sends it: a JSON string that holds JSON."""
    assert await an_lnbits().parse_notice(TOKEN, {}, json.dumps(body).encode()) == OURS


@pytest.mark.case("F11", "P7")
@pytest.mark.parametrize("token", ["", "x" * 32, TOKEN.upper(), hook_token(HOME, MERCHANT, "phoenixd"), "ä"])
async def test_lnbits_is_known_by_the_address_it_calls(token: str) -> None:
    """It signs nothing, so another address is somebody else."""
    with pytest.raises(Unauthorized):
        await an_lnbits().parse_notice(token, {}, json.dumps(LNBITS).encode())


async def test_a_wallet_without_an_address_is_called_by_nobody() -> None:
    """Neither an empty token nor any other fits one that is not there."""
    for token in ("", TOKEN):
        with pytest.raises(Unauthorized):
            await an_lnbits(token="").parse_notice(token, {}, b"{}")


async def test_what_phoenixd_sends_is_a_hint_at_its_invoice() -> None:
    """Whoever writes the header's name in whichever case."""
    raw = json.dumps(PHOENIXD).encode()
    (said,) = signed(raw).values()
    for headers in ({"X-Phoenix-Signature": said}, {"x-phoenix-signature": said.upper()}):
        assert await a_phoenixd().parse_notice("", headers, raw) == OURS


@pytest.mark.case("F11", "P7")
@pytest.mark.req("PAY-16")
async def test_a_signature_that_is_not_the_bodys_is_refused() -> None:
    """None at all, another secret's, another body's, no hex; and any where the secret is not known here."""
    raw = json.dumps(PHOENIXD).encode()
    forged = [{}, signed(raw, "guessed"), signed(raw, ""), signed(raw + b" "), {"X-Phoenix-Signature": "ä"}]
    for headers in forged:
        with pytest.raises(Unauthorized):
            await a_phoenixd().parse_notice("", headers, raw)
    for unknown in (None, ""):
        with pytest.raises(Unauthorized):
            await a_phoenixd(unknown).parse_notice("", signed(raw, unknown or ""), raw)


@pytest.mark.case("P9")
@pytest.mark.parametrize("raw", GARBAGE)
async def test_a_body_that_nobody_reads_is_a_hint_at_everything(raw: bytes) -> None:
    """The vendor called; what about is for the look-ups to find."""
    assert await an_lnbits().parse_notice(TOKEN, {}, raw) == EVERYTHING
    assert await a_phoenixd().parse_notice("", signed(raw), raw) == EVERYTHING


async def test_what_is_no_payment_of_ours_is_a_hint_at_nothing() -> None:
    """The wallet has other payments, and the node tells of its channels."""
    for name in (None, 7, "invoice-7", REF.upper()):
        body = json.dumps({**LNBITS, "external_id": name}).encode()
        assert await an_lnbits().parse_notice(TOKEN, {}, body) == ()
    for said in ({**PHOENIXD, "type": "channel_opened"}, {**PHOENIXD, "externalId": None}, {"type": ["x"]}):
        raw = json.dumps(said).encode()
        assert await a_phoenixd().parse_notice("", signed(raw), raw) == ()


def test_json_is_taken_out_of_one_string_and_not_of_two() -> None:
    """What is wrapped deeper is not what any vendor sends."""
    assert json_in(b'{"a": 1}') == json_in(json.dumps('{"a": 1}').encode()) == {"a": 1}
    assert json_in(json.dumps(json.dumps('{"a": 1}')).encode()) == '{"a": 1}'
