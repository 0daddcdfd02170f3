"""Old encrypted messages: read as another library writes them, written as it reads them, refused with a reason."""

from __future__ import annotations

import base64

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.nip04 import CONTENT_MAX, ContentFault, ContentRefused, decrypt, encrypt
from schemas.nostr.secp256k1 import KeyRefused, SecretKey

SHOP, BUYER = (SecretKey.from_bytes(bytes([number]) * 32) for number in (7, 9))
TEXT = '{"type": 0, "id": "order-1", "items": [{"product_id": "p", "quantity": 2}]}'


def content_of(ciphertext: bytes, iv16: bytes = bytes(16)) -> str:
    return f"{base64.b64encode(ciphertext).decode()}?iv={base64.b64encode(iv16).decode()}"


@pytest.mark.req("ID-04")
def test_another_library_and_we_read_each_other() -> None:
    """What nostr-sdk encrypts opens here from both sides, and it opens ours."""
    theirs = nostr_sdk.nip04_encrypt(
        nostr_sdk.SecretKey.parse(BUYER.reveal().hex()), nostr_sdk.PublicKey.parse(SHOP.public_key), TEXT
    )
    ours = encrypt(TEXT, SHOP, BUYER.public_key, bytes(range(16)))

    assert decrypt(theirs, SHOP, BUYER.public_key) == decrypt(theirs, BUYER, SHOP.public_key) == TEXT
    opened = nostr_sdk.nip04_decrypt(
        nostr_sdk.SecretKey.parse(BUYER.reveal().hex()), nostr_sdk.PublicKey.parse(SHOP.public_key), ours
    )
    assert opened == TEXT


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300), st.binary(min_size=16, max_size=16))
def test_any_text_comes_back(text: str, iv16: bytes) -> None:
    """A round trip gives every text, an empty one too."""
    assert decrypt(encrypt(text, SHOP, BUYER.public_key, iv16), BUYER, SHOP.public_key) == text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "AAAA",
        "?iv=",
        content_of(b""),
        content_of(bytes(15)),
        content_of(bytes(16), bytes(15)),
        "****?iv=" + base64.b64encode(bytes(16)).decode(),
        content_of(bytes(16)) + "?iv=AAAA",
        content_of(bytes(CONTENT_MAX)),
    ],
)
def test_what_has_not_the_form_is_refused_before_any_key_is_used(content: str) -> None:
    """Two base64 texts around the mark, whole blocks, sixteen bytes of vector, and not longer than we read."""
    with pytest.raises(ContentRefused) as refused:
        decrypt(content, SHOP, BUYER.public_key)
    assert refused.value.reason is ContentFault.FORM


def test_a_changed_or_foreign_content_is_refused_without_being_quoted() -> None:
    """Another key or a changed block leaves padding or text that is none; the error holds no word of it."""
    stranger = SecretKey.from_bytes(bytes([11]) * 32)
    said = set()
    for number in range(64):
        content = encrypt(TEXT, stranger, BUYER.public_key, bytes([number]) * 16)
        try:
            decrypt(content, SHOP, BUYER.public_key)
        except ContentRefused as refused:
            said.add(str(refused))
    assert "nip04_padding" in said
    assert said <= {"nip04_padding", "nip04_utf8"}


def test_a_key_that_is_none_is_refused() -> None:
    """The other side's key must lie on the curve."""
    with pytest.raises(KeyRefused):
        decrypt(content_of(bytes(16)), SHOP, "f" * 64)
