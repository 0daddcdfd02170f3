"""Requests for ecash are read as the NUT writes them, and ours are the same each time (NUT-18)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.requests import EcashRequest, RequestRefused, read_payload, read_request, write_request
from schemas.nostr.nip19 import decode_nprofile
from tests.schemas.cashu.test_tokens import ONE
from tests.schemas.cashu.vectors import published

PUBLISHED = published("nut18")["requests"]
KEY = "02c3b5bb27e361457c92d93d78dd73d3d53732110b2cfe8b50fbc0abc615e9c331"


def test_published_requests_are_read() -> None:
    """Amounts, mints, where to post or write to, and whom to lock to; other transports are somebody else's."""
    basic, whole, posted, nostr, least, locked = (read_request(text) for text in PUBLISHED)
    assert (basic.id, basic.amount, basic.unit, basic.post_to) == ("b7a90176", 10, "sat", None)
    assert basic.mints == ("https://nofees.testnut.cashu.space",)
    assert (whole.amount, whole.memo, whole.is_single_use) == (1000, "Product purchase", True)
    assert whole.post_to == "https://api.example.com/pay"
    assert whole.lock_key == "03baf0c3ac220366c2c397bf930579c4163435584f573b10910987c544c59e61f1"
    assert posted.post_to == "https://api.example.com/receive"
    assert decode_nprofile(basic.nostr_to or "").relays[0].startswith("wss://")
    assert nostr.mints == ("https://mint1.example.com", "https://mint2.example.com")
    assert least == EcashRequest(id="7f4a2b39", unit="sat", mints=("https://mint.example.com",))
    assert locked.lock_key == KEY


def test_a_request_is_written_as_it_is_read_and_twice_the_same() -> None:
    """With everything, and with nothing but a unit."""
    whole = EcashRequest("i", 10_000, "sat", ("https://m.example",), "Two mugs ☕", "https://s.example/e", KEY, True)
    private = replace(whole, nostr_to="nprofile1example")
    for request in (whole, private, replace(private, post_to=None), EcashRequest(unit="sat")):
        assert read_request(write_request(request)) == request
        assert write_request(request) == write_request(request)


@pytest.mark.parametrize("text", ["", "creqB1QQ", "creqA", "creqA!", "creqAAA", "creqAo2Fh", "creqA" + "A" * 9_000])
def test_what_is_no_request_is_refused(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(RequestRefused):
        read_request(text)


@pytest.mark.parametrize(
    "other",
    [{"a": -1}, {"a": True}, {"i": 5}, {"m": 5}, {"t": [5]}, {"t": [{}]}, {"nut10": 5}, {"nut10": {"k": "P2PK"}}],
)
def test_a_request_of_another_shape_is_refused(other: dict[str, Any]) -> None:
    """A field of another kind is no field."""
    from base64 import urlsafe_b64encode

    import cbor2

    text = "creqA" + urlsafe_b64encode(cbor2.dumps({"u": "sat", **other})).decode()
    with pytest.raises(RequestRefused):
        read_request(text)


def test_what_a_wallet_posts_is_a_token_for_a_request() -> None:
    """Its id, mint, unit and proofs; unknown fields are nothing."""
    said = {"id": "abc", "memo": "hi", "mint": "https://m.example/", "unit": "sat", "proofs": [ONE], "x": 1}
    payload = read_payload(json.dumps(said))
    assert (payload.id, payload.token.mint, payload.token.amount) == ("abc", "https://m.example", 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", TokenFault.BAD_ENCODING),
        ("[" * 50_000, TokenFault.BAD_ENCODING),
        ("[]", TokenFault.BAD_SHAPE),
        ("{}", TokenFault.BAD_SHAPE),
        ('{"id": 5, "mint": "m", "unit": "sat", "proofs": []}', TokenFault.BAD_SHAPE),
        ('{"mint": "https://m.example", "unit": "sat", "proofs": []}', TokenFault.BAD_SHAPE),
        (" " * 100_001, TokenFault.TOO_LONG),
    ],
)
def test_what_is_no_payload_is_refused_with_a_reason(text: str, reason: TokenFault) -> None:
    """Anybody may post anything."""
    with pytest.raises(TokenRefused) as refused:
        read_payload(text)
    assert refused.value.reason is reason
