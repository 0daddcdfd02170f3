"""Tokens are read as the NUTs write them, and everything else is refused with a reason (NUT-00)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import cbor2
import pytest

from schemas.cashu import tokens
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import Dleq, Proof, Token, mint_name, read_token, write_token
from tests.schemas.cashu.vectors import published

READABLE = published("nut00")["readable"]
POINT = "02bc9097997d81afb2cc7346b5e4345a9346bd2a506eb7958598a72f0cf85163ea"
ONE = {"amount": 2, "id": "009a1f293253e41e", "secret": "s", "C": POINT}


@pytest.mark.parametrize("text", READABLE, ids=range(len(READABLE)))
def test_a_published_token_is_read(text: str) -> None:
    """In both versions, with padding and without, as a link as well; written again it says the same."""
    token = read_token(text)
    assert token.unit == "sat"
    assert token.amount in {1, 4, 10}
    assert read_token(f" cashu:{text}\n") == read_token(f"cashu://{text}") == token
    assert read_token(write_token(token)) == token


def test_the_published_second_version_has_its_keysets_apart() -> None:
    """Each proof knows its own."""
    token = next(
        token for token in map(read_token, READABLE) if token.mint == "http://localhost:3338" and token.amount == 4
    )
    assert [proof.keyset for proof in token.proofs] == ["00ffd48b8f5ecf80", "00ad268c4d1f5826", "00ad268c4d1f5826"]


def test_everything_of_a_proof_survives_being_written() -> None:
    """Its mint's proof, a witness, a keyset in full."""
    proof = Proof(8, "01" + "ab" * 32, "a ☕ secret", POINT, Dleq("11" * 32, "22" * 32, "33" * 32), '{"signatures":[]}')
    token = Token("https://mint.example", "sat", (proof,))
    assert read_token(write_token(token)) == token


def v3(said: Any) -> str:
    return "cashuA" + urlsafe_b64encode(json.dumps(said).encode()).decode()


def v4(said: Any) -> str:
    return "cashuB" + urlsafe_b64encode(cbor2.dumps(said)).decode()


def one_of(*proofs: Any, mint: Any = "https://mint.example", unit: Any = "sat") -> str:
    return v3({"token": [{"mint": mint, "proofs": list(proofs)}], "unit": unit})


MANY = [{**ONE, "secret": str(number)} for number in range(tokens.PROOFS_MAX + 1)]
GROUP = {"i": bytes(8), "p": [{"a": 1, "s": "x", "c": bytes.fromhex(POINT)}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", TokenFault.NO_TOKEN),
        ("casshuAeyJ0b2tlbiI6W119", TokenFault.NO_TOKEN),
        ("eyJ0b2tlbiI6W119", TokenFault.NO_TOKEN),
        ("cashuC" + "A" * 8, TokenFault.NO_TOKEN),
        ("cashuA" + "A" * tokens.TOKEN_CHARS_MAX, TokenFault.TOO_LONG),
        ("cashuA!", TokenFault.BAD_ENCODING),
        ("cashuAé", TokenFault.BAD_ENCODING),
        ("cashuA" + urlsafe_b64encode(b"[" * 20_000).decode(), TokenFault.BAD_ENCODING),
        ("cashuA" + urlsafe_b64encode(b"9" * 5_000).decode(), TokenFault.BAD_ENCODING),
        ("cashuB" + urlsafe_b64encode(b"\xff").decode(), TokenFault.BAD_ENCODING),
        ("cashuB" + urlsafe_b64encode(b"\x81" * 900).decode(), TokenFault.BAD_ENCODING),
        ("cashuB" + urlsafe_b64encode(b"\x5b" + b"\xff" * 8).decode(), TokenFault.BAD_ENCODING),
        (v4({"m": "https://m.example", "u": "sat", "t": cbor2.CBORTag(35, "(a+)+")}), TokenFault.BAD_ENCODING),
        (v4({"m": "https://m.example", "u": "sat", "t": [{**GROUP, "p": 2**70}]}), TokenFault.BAD_ENCODING),
        (v3([]), TokenFault.BAD_SHAPE),
        (v3({"token": []}), TokenFault.BAD_SHAPE),
        (v3({"token": [1]}), TokenFault.BAD_SHAPE),
        (v3({"token": [{"mint": "https://m.example", "proofs": 1}]}), TokenFault.BAD_SHAPE),
        (v3({"token": [{}, {}]}), TokenFault.SEVERAL_MINTS),
        (v4([]), TokenFault.BAD_SHAPE),
        (v4({"m": "https://m.example", "u": "sat", "t": [1]}), TokenFault.BAD_SHAPE),
        (v4({"m": "https://m.example", "u": "sat", "t": [{"i": bytes(8), "p": [1]}]}), TokenFault.BAD_SHAPE),
        (v4({"m": "https://m.example", "u": "sat", "t": [{**GROUP, "i": "00" * 8}]}), TokenFault.BAD_SHAPE),
        (v4({"m": "https://m.example", "u": 7, "t": [GROUP]}), TokenFault.BAD_SHAPE),
        (v4({"m": "https://m.example", "u": "sat", "t": [{**GROUP, "i": bytes(9)}]}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "witness": "\ud800"}), TokenFault.BAD_PROOF),
        (v3({"token": [{"mint": "https://m.example", "proofs": [ONE]}], "unit": "\ud800"}), TokenFault.BAD_SHAPE),
        (one_of(), TokenFault.BAD_SHAPE),
        (one_of(*MANY), TokenFault.TOO_MANY_PROOFS),
        (one_of(ONE, ONE), TokenFault.SAME_PROOF_TWICE),
        (one_of(1), TokenFault.BAD_PROOF),
        (one_of({**ONE, "amount": 0}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "amount": True}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "amount": 2.0}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "amount": 2**64}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "id": "00"}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "secret": ""}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "secret": "\ud800"}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "secret": "x" * 2_000}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "secret": ["x"]}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "C": "02" + "00" * 32}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "C": "zz"}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "dleq": {"e": "1"}}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "dleq": {"e": "1", "s": "2", "r": "3"}}), TokenFault.BAD_PROOF),
        (one_of({**ONE, "witness": "x" * 2_000}), TokenFault.BAD_PROOF),
        (one_of(ONE, mint=""), TokenFault.FOREIGN_MINT),
        (one_of(ONE, mint="https://m.example/\n"), TokenFault.FOREIGN_MINT),
        (one_of(ONE, unit="x" * 20), TokenFault.BAD_SHAPE),
    ],
)
def test_what_is_no_token_is_refused_with_a_reason(text: str, reason: TokenFault) -> None:
    """Each malformation by name, and none of them quotes the token."""
    with pytest.raises(TokenRefused) as refused:
        read_token(text)
    assert refused.value.reason is reason
    assert str(refused.value) == reason.value


def test_a_token_prints_neither_its_secrets_nor_its_signatures() -> None:
    """It may end in a log by mistake."""
    token = read_token(one_of({**ONE, "secret": "very secret"}))
    assert "very secret" not in f"{token!r} {token.proofs!r} {token}"
    assert POINT not in repr(token.proofs)


def test_two_ways_of_writing_a_mint_are_one_mint() -> None:
    """A slash at the end and the letters' case are nothing; another path is another mint."""
    assert mint_name("HTTPS://Mint.Example/Bitcoin/") == "https://mint.example/Bitcoin"
    assert mint_name("https://mint.example/a") != mint_name("https://mint.example/b")
    assert mint_name("https://[") == "https://["
