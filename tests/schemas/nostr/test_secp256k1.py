"""The curve: keys that keep to themselves, signatures and shared points, against nostr-sdk."""

import copy
import hashlib
import pickle

import nostr_sdk
import pytest
from coincurve import PrivateKey, PublicKey

from schemas.nostr import secp256k1
from schemas.nostr.secp256k1 import KeyRefused, SecretKey
from tests.schemas.nostr.given import BUYER, CURVE_ORDER, MERCHANT, OFF_CURVE, a_key

DIGEST = hashlib.sha256(b"an order").digest()


def test_a_public_key_is_the_one_that_nostr_sdk_derives() -> None:
    """Twenty keys have the same public half in both implementations."""
    for number in range(20):
        secret = a_key(f"someone {number}")
        theirs = nostr_sdk.Keys.parse(secret.reveal().hex()).public_key().to_hex()
        assert secret.public_key == theirs


def test_a_secret_key_shows_nothing_of_itself() -> None:
    """Neither printing nor formatting a key contains its bytes."""
    for text in (repr(MERCHANT), str(MERCHANT), f"{MERCHANT}", f"{[MERCHANT]}"):
        assert MERCHANT.reveal().hex() not in text
        assert str(MERCHANT.reveal()) not in text


@pytest.mark.parametrize("leak", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_key_is_neither_pickled_nor_copied(leak: object) -> None:
    """Every way of carrying the object elsewhere raises."""
    assert callable(leak)
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        leak(MERCHANT)


@pytest.mark.parametrize(
    "text",
    ["00" * 32, CURVE_ORDER, "ff" * 32, "07" * 31, "07" * 33, "0A" * 32, " " + "07" * 32, "０7" * 32, ""],
    ids=["zero", "order", "past order", "short", "long", "upper case", "space", "full width", "empty"],
)
def test_what_is_no_secret_key_is_refused_without_quoting_it(text: str) -> None:
    """Zero, the order and above, and anything but 64 lower-case digits raise KeyRefused."""
    with pytest.raises(KeyRefused) as refusal:
        SecretKey.from_hex(text)
    assert not text or text not in str(refusal.value)


def test_the_same_key_is_equal_and_hashes_alike() -> None:
    """Keys compare by their public halves, so they serve as dictionary keys."""
    again = SecretKey.from_bytes(MERCHANT.reveal())
    assert {MERCHANT: "shop"}[again] == "shop"
    assert again != BUYER


def test_a_signature_made_here_verifies_in_nostr_sdk_and_the_other_way_round() -> None:
    """BIP-340 signatures cross both ways over twenty digests."""
    keys = nostr_sdk.Keys.parse(BUYER.reveal().hex())
    for number in range(20):
        digest = hashlib.sha256(bytes([number])).digest()
        theirs = bytes.fromhex(keys.sign_schnorr(digest))
        assert secp256k1.verify(BUYER.public_key, digest, theirs)
        ours = secp256k1.sign(BUYER, digest, aux32=digest)
        assert PrivateKey(BUYER.reveal()).public_key_xonly.verify(ours, digest)


def test_a_signature_depends_on_its_auxiliary_bytes_only() -> None:
    """The same key, digest and auxiliary bytes give the same signature."""
    first = secp256k1.sign(BUYER, DIGEST, aux32=b"a" * 32)
    assert first == secp256k1.sign(BUYER, DIGEST, aux32=b"a" * 32)
    assert first != secp256k1.sign(BUYER, DIGEST, aux32=b"b" * 32)


def test_a_signature_with_any_byte_changed_does_not_verify() -> None:
    """Each of the 64 bytes counts."""
    good = secp256k1.sign(BUYER, DIGEST)
    assert secp256k1.verify(BUYER.public_key, DIGEST, good)
    for place in range(64):
        bad = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert not secp256k1.verify(BUYER.public_key, DIGEST, bad)


@pytest.mark.parametrize(
    ("pubkey", "digest", "signature"),
    [
        (OFF_CURVE, DIGEST, bytes(64)),
        ("nonsense", DIGEST, bytes(64)),
        (BUYER.public_key.upper(), DIGEST, secp256k1.sign(BUYER, DIGEST)),
        (BUYER.public_key, DIGEST, secp256k1.sign(BUYER, DIGEST)[:63]),
        (BUYER.public_key, DIGEST[:31], secp256k1.sign(BUYER, DIGEST)),
        (MERCHANT.public_key, DIGEST, secp256k1.sign(BUYER, DIGEST)),
    ],
    ids=["off curve", "no hex", "upper case", "short signature", "short digest", "another key"],
)
def test_verifying_nonsense_is_false_and_no_crash(pubkey: str, digest: bytes, signature: bytes) -> None:
    """Whatever a stranger sends, the answer is no."""
    assert not secp256k1.verify(pubkey, digest, signature)


@pytest.mark.parametrize("text", [OFF_CURVE, "00" * 32, "ff" * 32, "AB" * 32, "ab" * 31, " " * 64, "x" * 10**6])
def test_text_that_is_no_point_of_the_curve_is_no_public_key(text: str) -> None:
    """A key is exactly 64 lower-case hex digits, and the x of a point."""
    assert not secp256k1.is_public_key(text)


def test_two_parties_share_one_unhashed_point() -> None:
    """Either side computes the x that a plain multiplication gives."""
    shared = secp256k1.ecdh_x(BUYER, MERCHANT.public_key)
    assert shared == secp256k1.ecdh_x(MERCHANT, BUYER.public_key)
    even_point = PublicKey(b"\x02" + bytes.fromhex(MERCHANT.public_key))
    assert shared == even_point.multiply(BUYER.reveal()).format()[1:]


def test_no_point_is_shared_with_a_key_off_the_curve() -> None:
    """A stranger's invalid key is refused before any multiplication."""
    with pytest.raises(KeyRefused):
        secp256k1.ecdh_x(BUYER, OFF_CURVE)


def test_a_recoverable_signature_gives_back_its_key() -> None:
    """The recovered compressed key is the signer's."""
    signature = secp256k1.sign_recoverable(MERCHANT.reveal(), DIGEST)
    assert len(signature) == 65
    assert secp256k1.recover(DIGEST, signature) == PrivateKey(MERCHANT.reveal()).public_key.format()


@pytest.mark.parametrize("signature", [bytes(65), bytes(64), b"\xff" * 65, bytes(64) + b"\x04"])
def test_recovering_from_nonsense_is_refused(signature: bytes) -> None:
    """No key comes out of bytes that no key made."""
    with pytest.raises(KeyRefused):
        secp256k1.recover(DIGEST, signature)


def test_digests_and_keys_of_another_length_never_reach_the_curve() -> None:
    """The library below reads 32 bytes whatever it is given, so lengths are checked first."""
    with pytest.raises(ValueError, match="expected 32 bytes"):
        secp256k1.sign(BUYER, b"short")
    with pytest.raises(ValueError, match="expected 32 bytes"):
        secp256k1.sign(BUYER, DIGEST, aux32=b"")
    with pytest.raises(ValueError, match="expected 32 bytes"):
        secp256k1.sign_recoverable(b"short", DIGEST)
    with pytest.raises(KeyRefused):
        secp256k1.sign_recoverable(bytes(32), DIGEST)
    with pytest.raises(ValueError, match="expected 32 bytes"):
        secp256k1.recover(b"short", bytes(65))
