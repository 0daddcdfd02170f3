"""Locks say whom ecash is for, and ours open with our key alone (NUT-10, NUT-11)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.locks import Lock, open_lock, read_lock, write_lock
from schemas.nostr.secp256k1 import SecretKey, verify
from tests.schemas.cashu.vectors import published

VECTORS = published("nut11")
KEY = "0249098aa8b9d2fbec49ff8598feb17b592b986e62319a4fa488a3dc36387157a7"


def p2pk(*tags: Any, data: Any = KEY) -> str:
    return json.dumps(["P2PK", {"nonce": "00", "data": data, "tags": list(tags)}])


def test_published_locks_say_whom_they_are_for() -> None:
    """One key, several of which two have to sign, and those that open to others after a time."""
    several, one, two, refundable, later = (read_lock(secret) for secret in VECTORS["secrets"])
    assert one == Lock((KEY[2:],))
    assert several is not None
    assert (len(several.keys), several.needed, several.opens_at) == (3, 2, 21)
    assert two is not None
    assert (len(two.keys), two.needed, two.opens_at) == (3, 2, None)
    assert refundable is not None
    assert later is not None
    assert (refundable.opens_at, later.opens_at) == (21, 99_999_999_999)


def test_a_published_signature_is_over_the_secret_as_it_stands() -> None:
    """So is ours, and each time the same, so that asking a mint again says the same."""
    signed = VECTORS["signed"]
    (signature,) = json.loads(signed["witness"])["signatures"]
    assert verify(KEY[2:], hashlib.sha256(signed["secret"].encode()).digest(), bytes.fromhex(signature))

    key = SecretKey(b"\x01" * 32)
    secret = write_lock("02" + key.public_key, "ab" * 16)
    witness = open_lock(secret, key)
    (ours,) = json.loads(witness)["signatures"]
    assert read_lock(secret) == Lock((key.public_key,))
    assert verify(key.public_key, hashlib.sha256(secret.encode()).digest(), bytes.fromhex(ours))
    assert open_lock(secret, key) == witness


@pytest.mark.parametrize("secret", ["a" * 64, "", "{}", "[]", "[1]", "7", '"P2PK"', "[" * 900])
def test_a_plain_secret_has_no_lock(secret: str) -> None:
    """Anybody who has it may spend it."""
    assert read_lock(secret) is None


def test_a_key_counts_by_its_x_in_either_case() -> None:
    """02 and 03 of one x are one key."""
    assert read_lock(p2pk(data="03" + KEY[2:].upper())) == Lock((KEY[2:],))


@pytest.mark.case("F9")
@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (json.dumps(["HTLC", {"data": "00"}]), TokenFault.FOREIGN_LOCK),
        (json.dumps(["P2BK", {"data": KEY}]), TokenFault.BAD_LOCK),
        (json.dumps(["P2PK"]), TokenFault.BAD_LOCK),
        (json.dumps(["P2PK", []]), TokenFault.BAD_LOCK),
        (json.dumps(["P2PK", {"data": 5}]), TokenFault.BAD_LOCK),
        (p2pk(data=KEY[2:]), TokenFault.BAD_LOCK),
        (p2pk(["locktime", "x"]), TokenFault.BAD_LOCK),
        (p2pk(["locktime", 5]), TokenFault.BAD_LOCK),
        (p2pk(["locktime", "1", "2"]), TokenFault.BAD_LOCK),
        (p2pk(["locktime", "9" * 5_000]), TokenFault.BAD_LOCK),
        (p2pk(["locktime", "1"], ["locktime", "2"]), TokenFault.BAD_LOCK),
        (p2pk(["n_sigs", "2"]), TokenFault.BAD_LOCK),
        (p2pk(["sigflag", "SIG_SOME"]), TokenFault.BAD_LOCK),
        (p2pk(["pubkeys", "03" + KEY[2:]]), TokenFault.BAD_LOCK),
        (p2pk(["refund", KEY, KEY]), TokenFault.BAD_LOCK),
        (p2pk([]), TokenFault.BAD_LOCK),
        (p2pk("pubkeys"), TokenFault.BAD_LOCK),
    ],
)
def test_a_lock_that_cannot_be_read_is_refused(secret: str, reason: TokenFault) -> None:
    """A mint may read it otherwise, so nothing is guessed."""
    with pytest.raises(TokenRefused) as refused:
        read_lock(secret)
    assert refused.value.reason is reason


def test_tags_that_change_nothing_are_passed_over() -> None:
    """A purpose or a note of the payer's."""
    assert read_lock(p2pk(["purpose", "offline"], ["sigflag", "SIG_ALL"])) == Lock((KEY[2:],), signs_all=True)
