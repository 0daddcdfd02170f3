"""Blinding, signing, unblinding and the proof of it agree with the NUTs' own vectors (NUT-00, NUT-12)."""

from __future__ import annotations

import pytest

from schemas.cashu.blinding import (
    ORDER,
    blind,
    hash_points,
    hash_to_curve,
    is_proven,
    is_proven_to_another,
    is_signed_by,
    prove,
    scalar_of,
    sign_blinded,
    unblind,
)
from schemas.nostr.secp256k1 import KeyRefused, base_point

ONE, TWO = (1).to_bytes(32), (2).to_bytes(32)
BLINDED = bytes.fromhex("02a9acc1e48c25eeeb9289b5031cc57da9fe72f3fe2861d264bdc074209b107ba2")
G = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


@pytest.mark.parametrize(
    ("message", "point"),
    [
        ("00" * 32, "024cce997d3b518f739663b757deaec95bcd9473c30a14ac2fd04023a739d1a725"),
        ("00" * 31 + "01", "022e7158e11c9506f1aa4248bf531298daa7febd6194f003edcd9b93ade6253acf"),
        ("00" * 31 + "02", "026cdbe15362df59cd1dd3c9c11de8aedac2106eca69236ecd9fbe117af897be4f"),
    ],
)
def test_a_message_is_hashed_to_the_published_point(message: str, point: str) -> None:
    """The third takes a few tries."""
    assert hash_to_curve(bytes.fromhex(message)).hex() == point


@pytest.mark.parametrize(
    ("secret", "r", "blinded"),
    [
        (
            "d341ee4871f1f889041e63cf0d3823c713eea6aff01e80f1719f08f9e5be98f6",
            "99fce58439fc37412ab3468b73db0569322588f62fb3a49182d67e23d877824a",
            "033b1a9737a40cc3fd9b6af4b723632b76a67a36782596304612a6c2bfb5197e6d",
        ),
        (
            "f1aaf16c2239746f369572c0784d9dd3d032d952c2d992175873fb58fae31a60",
            "f78476ea7cc9ade20f9e05e58a804cf19533f03ea805ece5fee88c8e2874ba50",
            "029bdf2d716ee366eddf599ba252786c1033f47e230248a4612a5670ab931f1763",
        ),
    ],
)
def test_a_secret_is_blinded_to_the_published_point(secret: str, r: str, blinded: str) -> None:
    """The same secret and factor give the same output, which is what makes asking again safe."""
    assert blind(bytes.fromhex(secret), bytes.fromhex(r)).hex() == blinded


@pytest.mark.parametrize(
    ("k", "signed"),
    [
        ("00" * 31 + "01", "02a9acc1e48c25eeeb9289b5031cc57da9fe72f3fe2861d264bdc074209b107ba2"),
        ("7f" * 32, "0398bc70ce8184d27ba89834d19f5199c84443c31131e48d3c1214db24247d005d"),
    ],
)
def test_a_mint_signs_the_published_point(k: str, signed: str) -> None:
    """With its key for the amount."""
    assert sign_blinded(BLINDED, bytes.fromhex(k)).hex() == signed


def test_what_was_unblinded_is_the_mints_signature_on_the_secret() -> None:
    """Whoever blinded it may take the blinding off, and the mint knows its own again."""
    k, r, secret = b"\x11" * 32, b"\x22" * 32, b"a secret"
    signature = unblind(sign_blinded(blind(secret, r), k), r, base_point(k))
    assert is_signed_by(secret, signature, k)
    assert not is_signed_by(b"another", signature, k)


def test_points_are_hashed_as_published() -> None:
    """Over their uncompressed form, in hex."""
    one = bytes.fromhex("020000000000000000000000000000000000000000000000000000000000000001")
    digest = "a4dc034b74338c28c6bc3ea49731f2a24440fc7c4affc08b31a93fc9fbe6401e"
    assert hash_points(one, one, one, BLINDED).hex() == digest


def test_a_published_proof_of_a_blind_signature_holds_and_no_other_does() -> None:
    """One digit of it changed, or another key, proves nothing."""
    e = bytes.fromhex("9818e061ee51d5c8edc3342369a554998ff7b4381c8652d724cdf46429be73d9")
    s = bytes.fromhex("9818e061ee51d5c8edc3342369a554998ff7b4381c8652d724cdf46429be73da")
    assert is_proven(G, BLINDED, BLINDED, e, s)
    assert not is_proven(G, BLINDED, BLINDED, s, e)
    assert not is_proven(base_point(TWO), BLINDED, BLINDED, e, s)
    assert not is_proven(G, BLINDED, BLINDED, bytes(32), s)
    assert not is_proven(G, BLINDED, BLINDED, e, b"\xff" * 32)


def test_a_published_proof_of_ecash_holds_for_whoever_was_given_it() -> None:
    """With the payer's blinding factor; with another factor, or for another secret, it does not."""
    secret = b"daf4dd00a2b68a0858a80450f52c8a7d2ccf87d375e43e216e0c571f089f63e9"
    signature = bytes.fromhex("024369d2d22a80ecf78f3937da9d5f30c1b9f74f0c32684d583cca0fa6a61cdcfc")
    e = bytes.fromhex("b31e58ac6527f34975ffab13e70a48b6d2b0d35abc4b03f0151f09ee1a9763d4")
    s = bytes.fromhex("8fbae004c59e754d71df67e392b6ae4e29293113ddc2ec86592a0431d16306d8")
    r = bytes.fromhex("a6d13fcd7a18442e6076f5e1e7c887ad5de40a019824bdfa9fe740d302e8d861")
    assert is_proven_to_another(secret, signature, G, e, s, r)
    assert not is_proven_to_another(secret, signature, G, e, s, ONE)
    assert not is_proven_to_another(secret[:-1], signature, G, e, s, r)


def test_what_a_mint_proves_can_be_checked() -> None:
    """Of the scripted mint that the tests have."""
    k = b"\x33" * 32
    blinded = blind(b"a secret", b"\x44" * 32)
    signed = sign_blinded(blinded, k)
    assert is_proven(base_point(k), blinded, signed, *prove(blinded, signed, k, b"\x55" * 32))


def test_a_digest_past_the_order_gives_a_scalar_all_the_same() -> None:
    """By what is left of it; one that leaves nothing is refused."""
    assert scalar_of((ORDER + 5).to_bytes(32)) == (5).to_bytes(32)
    with pytest.raises(KeyRefused):
        scalar_of(ORDER.to_bytes(32))
