"""Lightning addresses: how they are written, what services answer, and what is no answer."""

import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.lnurl import (
    AddressRefused,
    AnswerRefused,
    ServiceSaysNo,
    read_address,
    read_made,
    read_terms,
    read_verified,
)
from tests.schemas.nostr.given import STEADY

METADATA = '[["text/plain","A shop"],["text/identifier","shop@wallet.example"]]'
TERMS: dict[str, Any] = {
    "tag": "payRequest",
    "callback": "https://wallet.example/pay?for=shop",
    "minSendable": 1_000,
    "maxSendable": 5_000_000,
    "metadata": METADATA,
    "commentAllowed": 20,
}


def _terms(**changes: Any) -> bytes:
    return json.dumps(TERMS | changes).encode()


@pytest.mark.parametrize("text", ["shop@wallet.example", " Shop@Wallet.Example\n"])
def test_an_address_leads_to_its_place(text: str) -> None:
    """LUD-16: `/.well-known/lnurlp/` and the name, in lower case."""
    address = read_address(text)
    assert str(address) == "shop@wallet.example"
    assert address.url() == "https://wallet.example/.well-known/lnurlp/shop"


@pytest.mark.parametrize("name", ["a", "a.b", "a-b_c", "0", "shop+order1"])
def test_the_names_of_the_lud_are_read(name: str) -> None:
    """Letters, digits, `-`, `_`, `.`, and a tag after `+`."""
    assert read_address(f"{name}@x.example").name == name


@pytest.mark.parametrize("text", ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b/c", "a@b?c", "ä@b", "a@.b", "a@b..c"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """Nothing that could lead to another place than `/.well-known`."""
    with pytest.raises(AddressRefused, match="name@domain"):
        read_address(text)


@pytest.mark.req("PAY-09")
def test_terms_are_read_and_commit_to_the_metadata() -> None:
    """Limits, callback, comment; the hash is that of the text as it was sent (LUD-06)."""
    terms = read_terms(_terms())
    assert (terms.min_msat, terms.max_msat, terms.comment_chars) == (1_000, 5_000_000, 20)
    assert terms.description_hash == hashlib.sha256(METADATA.encode()).hexdigest()


@pytest.mark.req("PAY-09")
def test_a_callback_keeps_its_query_and_gets_amount_and_comment() -> None:
    """Escaped, and cut to the characters the service takes."""
    url = read_terms(_terms()).callback_url(21_000, "Two mugs & a bowl for Ada ☕")
    assert urlsplit(url).path == "/pay"
    assert parse_qs(urlsplit(url).query) == {
        "for": ["shop"],
        "amount": ["21000"],
        "comment": ["Two mugs & a bowl fo"],
    }
    assert "comment" not in read_terms(_terms(commentAllowed=0)).callback_url(21_000, "x")


@pytest.mark.parametrize(
    "change",
    [
        {"tag": "withdrawRequest"},
        {"callback": None},
        {"callback": "ftp://x.example"},
        {"callback": "https://"},
        {"callback": "https://[::1"},
        {"callback": "https://x.example/" + "x" * 3_000},
        {"metadata": None},
        {"metadata": "not JSON"},
        {"metadata": "{}"},
        {"minSendable": "1000"},
        {"minSendable": 0},
        {"minSendable": -5},
        {"minSendable": True},
        {"maxSendable": 999},
        {"maxSendable": None},
    ],
)
def test_terms_that_cannot_be_used_are_refused(change: dict[str, Any]) -> None:
    """No place to ask, no words to commit to, no amounts."""
    with pytest.raises(AnswerRefused):
        read_terms(_terms(**change))


@pytest.mark.parametrize("comment", ["20", -1, None, True, 1.5])
def test_a_comment_length_that_is_none_means_no_comment(comment: object) -> None:
    """A courtesy is not worth a sale."""
    assert read_terms(_terms(commentAllowed=comment)).comment_chars == 0


def test_an_error_is_its_own_refusal_with_the_services_reason() -> None:
    """Cut short, and fit for a line of a log."""
    body = json.dumps({"status": "ERROR", "reason": "no\nliquidity " + "x" * 500}).encode()
    for read in (read_terms, read_made, read_verified):
        with pytest.raises(ServiceSaysNo) as refused:
            read(body)
        assert str(refused.value).startswith("no liquidity xxx")
        assert len(str(refused.value)) == 200


def test_an_invoice_comes_with_the_place_to_ask_about_it_or_without() -> None:
    """LUD-21 is an offer; a place that is no address is none."""
    assert read_made(b'{"pr":"lnbc1","routes":[],"verify":"https://x.example/v/1"}').verify == "https://x.example/v/1"
    for verify in ("null", '"v/1"', "7"):
        made = read_made(f'{{"pr":"lnbc1","verify":{verify}}}'.encode())
        assert (made.text, made.verify) == ("lnbc1", None)
    for body in (b"{}", b'{"pr":""}', b'{"pr":7}'):
        with pytest.raises(AnswerRefused):
            read_made(body)


def test_a_state_is_settled_or_not() -> None:
    """Nothing in between is guessed; text and preimage may be missing or be nothing."""
    full = read_verified(json.dumps({"status": "OK", "settled": True, "preimage": "ab" * 32, "pr": "lnbc1"}).encode())
    assert (full.is_settled, full.preimage, full.text) == (True, "ab" * 32, "lnbc1")
    bare = read_verified(b'{"settled":false,"preimage":"xyz","pr":null}')
    assert (bare.is_settled, bare.preimage, bare.text) == (False, None, None)
    for body in (b"{}", b'{"settled":"yes"}', b'{"settled":1}'):
        with pytest.raises(AnswerRefused):
            read_verified(body)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@STEADY
def test_no_bytes_break_the_reading(body: bytes) -> None:
    """An answer is read or refused."""
    for read in (read_terms, read_made, read_verified):
        with pytest.raises(AnswerRefused):
            read(body)
