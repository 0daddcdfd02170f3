"""Zap requests keep to the rules or get no invoice; a receipt says what was asked for and paid."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import to_json
from schemas.nostr.nip57 import ZAP_CHARS_MAX, ZapFault, ZapRefused, read_zap, receipt_tags
from tests.schemas.nostr.given import BUYER, MERCHANT, STRANGER, an_event, as_fields

M = MERCHANT.public_key
EVENT, RELAY = "ab" * 32, "wss://relay.example"
TAGS = (("p", M), ("relays", RELAY, "wss://other.example"), ("amount", "21000"))


def a_zap(*tags: tuple[str, ...], **changes: Any) -> str:
    """A zap request's text, valid by default."""
    return to_json(an_event(BUYER, kind=Kind.ZAP_REQUEST, tags=tags or TAGS, content="", **changes))


def fault(text: str, amount_msat: int = 21_000) -> ZapFault:
    """Why it is refused."""
    with pytest.raises(ZapRefused) as refused:
        read_zap(text, M, amount_msat)
    return refused.value.fault


def test_a_request_that_keeps_to_the_rules_says_who_pays_about_what_and_where_the_receipt_goes() -> None:
    """An amount and a target are optional."""
    zap = read_zap(a_zap(*TAGS, ("e", EVENT), ("a", f"30402:{M}:tea", RELAY), ("k", "30402"), ("P", M)), M, 21_000)
    assert zap.sender == BUYER.public_key
    assert zap.about == (("e", EVENT), ("a", f"30402:{M}:tea"), ("k", "30402"))
    assert zap.relays == (RELAY, "wss://other.example")
    assert read_zap(a_zap(*TAGS[:2]), M, 5_000).about == ()


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        (TAGS[1:], ZapFault.RECIPIENT),
        ((*TAGS, ("p", STRANGER.public_key)), ZapFault.RECIPIENT),
        ((("p", STRANGER.public_key), *TAGS[1:]), ZapFault.RECIPIENT),
        ((*TAGS, ("e", EVENT), ("e", EVENT)), ZapFault.EVENT),
        ((TAGS[0], TAGS[2]), ZapFault.RELAYS),
        ((TAGS[0], ("relays", "https://relay.example")), ZapFault.RELAYS),
        ((*TAGS[:2], ("amount", "21001")), ZapFault.AMOUNT),
        ((*TAGS, ("a", "tea")), ZapFault.COORDINATE),
        ((*TAGS, ("P", STRANGER.public_key)), ZapFault.SENDER),
        ((*TAGS, ("P", M), ("P", M)), ZapFault.SENDER),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_for_it(tags: tuple[tuple[str, ...], ...], reason: ZapFault) -> None:
    """Each with a stable reason."""
    assert fault(a_zap(*tags)) is reason


def test_a_request_that_nobody_signed_or_that_is_none_is_refused() -> None:
    """Another's signature, no JSON, another kind, or a text that is too long."""
    forged = as_fields(an_event(BUYER, kind=Kind.ZAP_REQUEST, tags=TAGS)) | {"pubkey": STRANGER.public_key}
    assert fault(json.dumps(forged)) is ZapFault.UNREADABLE
    assert fault("zap") is ZapFault.UNREADABLE
    assert fault(to_json(an_event(BUYER, kind=1, tags=TAGS))) is ZapFault.KIND
    assert fault(a_zap(*TAGS, ("t", "x" * ZAP_CHARS_MAX))) is ZapFault.TOO_LONG


def test_a_receipt_has_the_request_whole_and_the_invoice() -> None:
    """Who was paid, by whom, for what; and it goes where the request says."""
    text = a_zap(*TAGS, ("e", EVENT))
    tags, relays = receipt_tags(text, M, "lnbc1")
    assert tags == (("p", M), ("P", BUYER.public_key), ("e", EVENT), ("bolt11", "lnbc1"), ("description", text))
    assert relays == (RELAY, "wss://other.example")
