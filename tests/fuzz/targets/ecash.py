"""What payers send for ecash: tokens, locks, requests and what is posted for one."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress

from schemas.cashu import cbor
from schemas.cashu.faults import TokenRefused
from schemas.cashu.keysets import KeysetRefused, read_keyset
from schemas.cashu.locks import read_lock, write_lock
from schemas.cashu.requests import EcashRequest, RequestRefused, read_payload, read_request, write_request
from schemas.cashu.tokens import PROOFS_MAX, Token, read_token, token_of, write_token
from schemas.dialects.payment_tags import named
from schemas.dialects.shown_tokens import token_in_nutzap, token_in_text, tokens_in_tags
from tests.fuzz.target import MARK, Tape, Target, with_choices

_POINT = "02bc9097997d81afb2cc7346b5e4345a9346bd2a506eb7958598a72f0cf85163ea"
_SCALAR = "11" * 32


def read_any_ecash(data: bytes) -> None:
    """A text, or the JSON or CBOR of one, is a token that is written as it is read, or refused."""
    tape = Tape(data)
    match tape.choice(6):
        case 0:
            _hold(read_token(tape.text()))
        case 1:
            _hold(read_token("cashuB" + b64encode(tape.rest()).decode()))
        case 2:
            _hold(read_payload(tape.rest()).token)
        case 3:
            read_lock(tape.text())
        case 4:
            request = read_request(tape.text())
            assert read_request(write_request(request)) == request
        case _:
            said = _json(tape)
            if isinstance(said, dict):
                read_keyset(said, said.get("keys"))


def read_any_packed(data: bytes) -> None:
    """Bytes are a value of a few kinds, or refused; a token or a request made of them is held to the same."""
    said = cbor.read(data)
    if isinstance(said, dict):
        _hold(token_of(said.get("m"), said.get("u"), said.get("p")))


def show_any_ecash(data: bytes) -> None:
    """A message and a `payment` tag of three texts show a token, show none, or show one that is to be refused.

    A nutzap, a tag in each line, is one token or is refused.
    """
    tape, found = Tape(data), ()
    way = tape.choice(3)
    if way == 1:
        shown = token_in_text(tape.text())
        found = () if shown is None else (shown,)
    elif way == 2:
        with suppress(TokenRefused):
            found = (token_in_nutzap(tuple(line.split("\t", 1)) for line in tape.text().split("\n")),)
    else:
        tag = ("payment", *tape.text().split("\n", 2))
        found = tokens_in_tags([tag])
        named(tag if len(tag) > 1 else (*tag, ""))
    for one in found:
        assert MARK not in repr(one)
        assert (one.text is None) is (one.fault is not None)
        if one.text is not None:
            assert read_token(one.text).digest == one.token_id


def _hold(token: Token) -> None:
    assert 0 < len(token.proofs) <= PROOFS_MAX
    assert token.amount > 0
    again = read_token(write_token(token))  # V4 has the proofs of one keyset together
    assert (again.mint, again.unit, set(again.proofs)) == (token.mint, token.unit, set(token.proofs))
    assert again.digest == token.digest
    assert MARK not in repr(token.proofs)
    for proof in token.proofs[:4]:
        assert len(proof.y) == 66


def _json(tape: Tape) -> object:
    try:
        return json.loads(tape.rest())
    except (ValueError, RecursionError):
        return None


def _seeds() -> Iterator[bytes]:
    proof = {"amount": 8, "id": "00ad268c4d1f5826", "secret": MARK, "C": _POINT}
    proven = {**proof, "dleq": {"e": _SCALAR, "s": _SCALAR, "r": _SCALAR}, "witness": '{"signatures":[]}', "amount": 1}
    locked = {**proof, "secret": write_lock(_POINT, "ab" * 16)}
    for proofs in ([proof], [{**proven, "secret": "x"}, locked]):
        payload = {"id": "a", "mint": "https://m.example", "unit": "sat", "proofs": proofs}
        yield with_choices(json.dumps(payload), 2)
        yield with_choices(write_token(token_of("https://m.example", "sat", proofs)), 0)
    yield with_choices(locked["secret"], 3)
    yield with_choices(json.dumps(["P2PK", {"data": _POINT, "tags": [["locktime", "21"], ["refund", _POINT]]}]), 3)
    whole = EcashRequest("i", 10, "sat", ("https://m.example",), MARK, "https://s.example/e", _POINT, True)
    yield with_choices(write_request(whole), 4)
    keyset = {"id": "00ad268c4d1f5826", "unit": "sat", "active": True, "input_fee_ppk": 100, "keys": {"1": _POINT}}
    yield with_choices(json.dumps(keyset), 5)


def _shown() -> Iterator[bytes]:
    proof = {"amount": 8, "id": "00ad268c4d1f5826", "secret": MARK, "C": _POINT}
    text = write_token(token_of("https://m.example", "sat", [proof]))
    payload = {"id": "a" * 24, "mint": "https://m.example", "unit": "sat", "proofs": [proof]}
    yield with_choices(text, 1)
    yield with_choices(json.dumps(payload), 1)
    yield with_choices(f"ecash\nhttps://m.example\n{text}", 0)
    yield with_choices(f"ecash\nhttps://m.example\n{json.dumps([proof])}", 0)
    yield with_choices(json.dumps({**payload, "unit": "\ud800"}), 1)
    yield with_choices(json.dumps({**payload, "proofs": [{**proof, "witness": "\udfff"}]}), 1)
    yield with_choices(f"cashu:{text}", 1)
    zap = ("p\tx", "u\thttps://m.example/", "unit\tsat", f"proof\t{json.dumps(proof)}")
    yield with_choices("\n".join(zap), 2)
    yield with_choices("\n".join((*zap, "u\thttps://n.example", "proof\t[", "proof")), 2)


def _packed() -> Iterator[bytes]:
    proof = {"amount": 8, "id": "00ad268c4d1f5826", "secret": "x", "C": _POINT}
    yield cbor.write({"m": "https://m.example", "u": "sat", "p": [proof]})
    yield cbor.write({"a": [1, -1, 2.5, None, True, b"x", "y", {}]})
    for tagged in (
        "c249ffffffffffffffffff",
        "d81c81d81d00",
        "d823622861",
        "9bffffffffffffffff",
        "9f01ff",
        "fb7ff0000000000000",
    ):
        yield bytes.fromhex(tagged)
    yield b"\x81" * 40


_WORDS = (
    "cashuA",
    "cashuB",
    "creqA",
    '"secret":',
    '"dleq":',
    '["P2PK",',
    '"locktime"',
    '"proofs":',
    "\x9f",
    "\xd8\x1c",
)

TARGETS = (
    Target("ecash", read_any_ecash, _seeds, (TokenRefused, RequestRefused, KeysetRefused), _WORDS),
    Target("shown", show_any_ecash, _shown, (), _WORDS),
    Target("packed", read_any_packed, _packed, (TokenRefused, cbor.CborRefused), ("\xa1", "\x81", "\xc2", "\xd8\x1c")),
)
