"""Encrypted payloads: the published vectors where they lie beside the project, else nostr-sdk's."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr import nip44
from schemas.nostr.nip44 import PayloadFault, PayloadRefused
from schemas.nostr.secp256k1 import KeyRefused, SecretKey
from tests.schemas.nostr.given import BUYER, MERCHANT, STEADY, payload_around

PUBLISHED: Final = Path(__file__).parents[4] / "shared" / "vectors" / "nip44.vectors.json"
PUBLISHED_SHA256: Final = "269ed0f69e4c192512cc779e78c555090cebc7c785b609e338a62afc3ce25040"
OWN: Final = Path(__file__).parent / "vectors" / "nip44.json"

VECTORS: dict[str, Any] = json.loads((PUBLISHED if PUBLISHED.exists() else OWN).read_bytes())["v2"]
VALID, INVALID = VECTORS["valid"], VECTORS["invalid"]

NIP_KEY: Final = bytes.fromhex("c41c775356fd92eadc63ff5a0dc1da211b268cbea22316767095b2871ea1412d")
NIP_NONCE: Final = (1).to_bytes(32)
KEY: Final = nip44.conversation_key(BUYER, MERCHANT.public_key)
NONCE: Final = bytes(range(32))


def refusal(payload: str, key: bytes = KEY) -> PayloadFault:
    """Decrypt a payload that must be refused, and give the reason."""
    with pytest.raises(PayloadRefused) as refused:
        nip44.decrypt(payload, key)
    return refused.value.reason


def extended(length: int, padded_length: int) -> bytes:
    """Give a text of so many letters with the six-byte length."""
    return bytes(2) + length.to_bytes(4) + (b"a" * length).ljust(padded_length, b"\0")


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("row", VALID["get_conversation_key"], ids=lambda row: row["sec1"][:8])
def test_two_keys_share_the_conversation_key_of_the_vectors(row: dict[str, str]) -> None:
    """ECDH and extraction give the listed key."""
    key = nip44.conversation_key(SecretKey.from_hex(row["sec1"]), row["pub2"])
    assert key.hex() == row["conversation_key"]


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("row", INVALID["get_conversation_key"], ids=lambda row: row["note"])
def test_keys_that_the_vectors_call_invalid_are_refused(row: dict[str, str]) -> None:
    """A scalar out of range or a point off the curve makes no conversation."""
    with pytest.raises(KeyRefused):
        nip44.conversation_key(SecretKey.from_hex(row["sec1"]), row["pub2"])


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("row", VALID["get_message_keys"]["keys"], ids=lambda row: row["nonce"][:8])
def test_a_nonce_gives_the_message_keys_of_the_vectors(row: dict[str, str]) -> None:
    """Expansion splits into the three listed keys."""
    key = bytes.fromhex(VALID["get_message_keys"]["conversation_key"])
    keys = nip44.message_keys(key, bytes.fromhex(row["nonce"]))
    assert [part.hex() for part in keys] == [row["chacha_key"], row["chacha_nonce"], row["hmac_key"]]


@pytest.mark.req("ID-03")
@pytest.mark.parametrize(("length", "padded"), VALID["calc_padded_len"])
def test_a_text_is_padded_as_the_vectors_say(length: int, padded: int) -> None:
    """Padded sizes are the listed ones."""
    assert nip44.padded_length(length) == padded


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("row", VALID["encrypt_decrypt"], ids=lambda row: row["nonce"][-8:])
def test_a_message_of_the_vectors_is_written_and_read(row: dict[str, str]) -> None:
    """Both sides get the listed key; the payload is the listed one and opens to the listed text."""
    one, other = SecretKey.from_hex(row["sec1"]), SecretKey.from_hex(row["sec2"])
    key = nip44.conversation_key(one, other.public_key)
    assert key.hex() == row["conversation_key"]
    assert key == nip44.conversation_key(other, one.public_key)
    assert nip44.encrypt(row["plaintext"], key, bytes.fromhex(row["nonce"])) == row["payload"]
    assert nip44.decrypt(row["payload"], key) == row["plaintext"]


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("row", VALID["encrypt_decrypt_long_msg"], ids=lambda row: str(row["repeat"]))
def test_a_long_message_of_the_vectors_has_its_checksums(row: dict[str, Any]) -> None:
    """The longest texts give the listed checksums and are read back."""
    text = row["pattern"] * row["repeat"]
    assert sha256(text.encode()).hexdigest() == row["plaintext_sha256"]
    key, nonce = bytes.fromhex(row["conversation_key"]), bytes.fromhex(row["nonce"])
    payload = nip44.encrypt(text, key, nonce)
    assert sha256(payload.encode()).hexdigest() == row["payload_sha256"]
    assert nip44.decrypt(payload, key) == text


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("length", INVALID["encrypt_msg_lengths"])
def test_a_text_of_a_length_the_vectors_refuse_is_not_written(length: int) -> None:
    """Three of these lengths are legal since June 2026 (A-51), but older clients cannot read them."""
    with pytest.raises(PayloadRefused) as refused:
        nip44.encrypt("x" * length, KEY, NONCE)
    assert refused.value.reason is PayloadFault.SIZE


@pytest.mark.req("ID-03")
@pytest.mark.parametrize("row", INVALID["decrypt"], ids=lambda row: row["note"])
def test_a_payload_that_the_vectors_call_invalid_is_refused_for_its_reason(row: dict[str, str]) -> None:
    """Version, base64, MAC, padding and length each have a code of their own."""
    codes = {
        "unknown": PayloadFault.VERSION,
        "invalid base64": PayloadFault.BASE64,
        "invalid MAC": PayloadFault.MAC,
        "invalid padding": PayloadFault.PADDING,
        "invalid payload length": PayloadFault.SIZE,
    }
    expected = next(code for start, code in codes.items() if row["note"].startswith(start))
    assert refusal(row["payload"], bytes.fromhex(row["conversation_key"])) is expected


@pytest.mark.req("ID-03")
def test_a_published_file_beside_the_project_is_the_published_one() -> None:
    """Where there is such a file, it has the checksum that NIP-44 prints."""
    found = [PUBLISHED] if PUBLISHED.exists() else []
    assert all(sha256(path.read_bytes()).hexdigest() == PUBLISHED_SHA256 for path in found)


@pytest.mark.req("ID-03")
@pytest.mark.parametrize(
    ("length", "padded", "checksum"),
    [
        (65_536, 65_536, "b7b4edb36ba92e267d322d56d9aebc22e7fa96ff52e3c12adc07f07a43cbc616"),
        (65_537, 81_920, "eeb7c7c5373894ea2c1547cfd3ccb15d5a0b2d619da852e5c79df792dcc9e435"),
    ],
)
def test_the_six_byte_length_is_read_as_the_nip_prints_it(length: int, padded: int, checksum: str) -> None:
    """The NIP's two extended rows, built here because we never write them, open to their text."""
    payload = payload_around(extended(length, padded), NIP_KEY, NIP_NONCE)
    assert sha256(payload.encode()).hexdigest() == checksum
    assert nip44.decrypt(payload, NIP_KEY) == "a" * length


@pytest.mark.req("ID-03")
def test_the_longest_two_byte_length_is_written_as_the_nip_prints_it() -> None:
    """The NIP's third row, 65,535 letters."""
    payload = nip44.encrypt("a" * 65_535, NIP_KEY, NIP_NONCE)
    checksum = "6d8c2810d1e870fbaa1f0a0937126cca837a15f9260e27060c331d70a3c0bc84"
    assert sha256(payload.encode()).hexdigest() == checksum


@pytest.mark.req("ID-03")
def test_a_text_is_read_up_to_our_cap_and_not_beyond() -> None:
    """At the cap it opens; above it the payload is refused before base64 is looked at."""
    cap = nip44.PLAINTEXT_READ_MAX
    payload = payload_around(extended(cap, cap), KEY, NONCE)
    assert len(nip44.decrypt(payload, KEY)) == cap
    above = payload_around(extended(cap + 1, nip44.padded_length(cap + 1)), KEY, NONCE)
    assert refusal(above) is PayloadFault.SIZE
    assert refusal("!" * (len(payload) + 1)) is PayloadFault.SIZE
    assert refusal("!" * len(payload)) is PayloadFault.BASE64


@pytest.mark.req("ID-03")
def test_every_truncation_of_a_payload_is_refused() -> None:
    """Whether characters or bytes are cut off, from nothing to one less than all, none opens."""
    payload = nip44.encrypt("two tins", KEY, NONCE)
    data = base64.b64decode(payload)
    assert len(data) == 99
    for length in range(len(payload)):
        assert refusal(payload[:length]) in (PayloadFault.SIZE, PayloadFault.BASE64)
    for length in range(100):
        cut = base64.b64encode(data[:length]).decode()
        if length < 99:
            assert refusal(cut) in (PayloadFault.SIZE, PayloadFault.MAC)
    assert nip44.decrypt(payload, KEY) == "two tins"


def test_a_payload_with_any_byte_changed_is_refused() -> None:
    """The first byte is the version; all others are under the MAC."""
    data = base64.b64decode(nip44.encrypt("two tins", KEY, NONCE))
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]
        expected = PayloadFault.MAC if place else PayloadFault.VERSION
        assert refusal(base64.b64encode(changed).decode()) is expected


@pytest.mark.parametrize("dirt", [" ", "\n", "-", "_", "é", "=", "\0"])
def test_dirty_base64_is_refused(dirt: str) -> None:
    """Spaces, the URL alphabet and padding in the middle are not skipped."""
    payload = nip44.encrypt("two tins, and two more", KEY, NONCE)
    for place in (0, 50, len(payload)):
        assert refusal(payload[:place] + dirt + payload[place:]) is PayloadFault.BASE64


def test_a_payload_has_one_spelling() -> None:
    """Stray bits behind the last byte, which the decoder ignores, are refused."""
    payload = nip44.encrypt("x" * 33, KEY, NONCE)  # 131 bytes leave two bits over, and one padding sign
    assert payload.endswith("=")
    assert not payload.endswith("==")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    respelt = payload[:-2] + alphabet[alphabet.index(payload[-2]) | 1] + "="
    assert respelt != payload
    assert base64.b64decode(respelt, validate=True) == base64.b64decode(payload)
    assert refusal(respelt) is PayloadFault.BASE64


@pytest.mark.parametrize(
    "padded",
    [
        bytes(34),
        (33).to_bytes(2) + b"a" * 32,
        (1).to_bytes(2) + b"a" + bytes(32),
        (1).to_bytes(2) + b"a" + bytes(63),
        (65_535).to_bytes(2) + b"a" * 32,
        bytes(2) + (1).to_bytes(4) + b"a" * 32,
        bytes(2) + (65_535).to_bytes(4) + (b"a" * 65_535).ljust(65_536, b"\0"),
        extended(65_536, 65_536) + bytes(32),
        extended(65_536, 65_536)[:-1],
        bytes(2) + b"\xff" * 4 + b"a" * 32,
    ],
    ids=["zeros", "beyond", "odd", "too much", "far beyond", "small", "below", "longer", "shorter", "4 GiB"],
)
def test_padding_that_does_not_match_its_length_is_refused(padded: bytes) -> None:
    """A valid MAC does not excuse a length that the padding contradicts."""
    assert refusal(payload_around(padded, KEY, NONCE)) is PayloadFault.PADDING


def test_a_text_that_is_not_utf8_is_refused() -> None:
    """Neither bytes that are no text nor a text that has no bytes passes."""
    payload = payload_around((1).to_bytes(2) + b"\xff".ljust(32, b"\0"), KEY, NONCE)
    assert refusal(payload) is PayloadFault.UTF8
    with pytest.raises(PayloadRefused, match="nip44_utf8"):
        nip44.encrypt("\ud800", KEY, NONCE)


def test_keys_and_nonces_have_32_bytes() -> None:
    """Anything else is a mistake of ours, and raises."""
    with pytest.raises(ValueError, match="32 bytes"):
        nip44.encrypt("tea", KEY[:31], NONCE)
    with pytest.raises(ValueError, match="32 bytes"):
        nip44.encrypt("tea", KEY, NONCE[:24])


def test_the_nonce_is_read_off_a_payload_without_its_key() -> None:
    """It stands in the first 44 characters; nonsense has none."""
    assert nip44.payload_nonce(nip44.encrypt("tea", KEY, NONCE)) == NONCE
    for payload in ("", "#", "A" * 200, "é" * 200, "AgAA"):
        assert nip44.payload_nonce(payload) is None


@STEADY
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300),
    st.binary(min_size=32, max_size=32),
)
def test_any_text_comes_back(text: str, nonce: bytes) -> None:
    """Encrypting and decrypting is a round trip from either side."""
    other_side = nip44.conversation_key(MERCHANT, BUYER.public_key)
    assert nip44.decrypt(nip44.encrypt(text, KEY, nonce), other_side) == text


@pytest.mark.parametrize("text", ["a", "🍵" * 50, "x" * 1_000, "x" * 65_408, "\0\x01\n"])
def test_payloads_cross_to_nostr_sdk_and_back(text: str) -> None:
    """Each implementation opens what the other wrote."""
    buyer, merchant = (nostr_sdk.Keys.parse(key.reveal().hex()) for key in (BUYER, MERCHANT))
    ours = nip44.encrypt(text, KEY, NONCE)
    assert nostr_sdk.nip44_decrypt(merchant.secret_key(), buyer.public_key(), ours) == text
    theirs = nostr_sdk.nip44_encrypt(buyer.secret_key(), merchant.public_key(), text, nostr_sdk.Nip44Version.V2)
    assert nip44.decrypt(theirs, KEY) == text


def test_nostr_sdk_opens_the_longest_text_we_write() -> None:
    """It writes 65,408 bytes at most itself, and reads all 65,535."""
    buyer, merchant = (nostr_sdk.Keys.parse(key.reveal().hex()) for key in (BUYER, MERCHANT))
    ours = nip44.encrypt("x" * nip44.PLAINTEXT_WRITE_MAX, KEY, NONCE)
    assert len(nostr_sdk.nip44_decrypt(merchant.secret_key(), buyer.public_key(), ours)) == 65_535
