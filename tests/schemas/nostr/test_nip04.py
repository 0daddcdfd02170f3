"""Old encrypted messages: read as another library writes them, written as it reads them, refused with a reason."""

from __future__ import annotations

import base64

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import check_id, check_sig
from schemas.nostr.nip04 import (
    CONTENT_MAX,
    TEXT_OUT_MAX,
    ContentFault,
    ContentRefused,
    decrypt,
    encrypt,
    make_message,
    open_message,
)
from schemas.nostr.nip17 import make_rumor
from schemas.nostr.nip59 import Rumor
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


def a_message(text: str = TEXT, kind: int = Kind.ENCRYPTED_DIRECT_MESSAGE, author: SecretKey = SHOP) -> Rumor:
    """What the shop says to the buyer, before it is encrypted."""
    return make_rumor(author.public_key, 1_700_000_000, kind, (("p", BUYER.public_key),), text)


def test_a_message_is_signed_by_its_author_and_opens_at_its_recipient() -> None:
    """Another library decrypts it, and its one visible tag is the recipient's."""
    made = make_message(a_message(), SHOP, BUYER.public_key, "reply:1")

    check_id(made)
    check_sig(made)
    assert (made.kind, made.pubkey, made.tags) == (4, SHOP.public_key, (("p", BUYER.public_key),))
    assert open_message(made, BUYER) == TEXT
    opened = nostr_sdk.nip04_decrypt(
        nostr_sdk.SecretKey.parse(BUYER.reveal().hex()), nostr_sdk.PublicKey.parse(SHOP.public_key), made.content
    )
    assert opened == TEXT


@pytest.mark.req("MSG-09")
def test_the_same_effect_is_the_same_event_and_no_two_share_a_vector() -> None:
    """A retry after a crash is dropped by relays; another effect, or another text, has a vector of its own."""
    made = [make_message(a_message(), SHOP, BUYER.public_key, effect) for effect in ("reply:1", "reply:1", "reply:2")]
    other = make_message(a_message("Paid."), SHOP, BUYER.public_key, "reply:1")

    assert made[0] == made[1]
    vectors = [message.content.partition("?iv=")[2] for message in (made[0], made[2], other)]
    assert len(set(vectors)) == 3


def test_nothing_but_the_authors_own_message_to_one_recipient_is_made() -> None:
    """Another kind, another author, another recipient, or a text that no relay would take."""
    for said, recipient in (
        (a_message(kind=14), BUYER.public_key),
        (a_message(author=BUYER), BUYER.public_key),
        (a_message(), SHOP.public_key),
        (a_message("a" * (TEXT_OUT_MAX + 1)), BUYER.public_key),
    ):
        with pytest.raises(ValueError, match="message"):
            make_message(said, SHOP, recipient, "reply:1")


def test_only_a_message_to_us_is_opened() -> None:
    """The key is not used for what names somebody else, nor for another kind."""
    made = make_message(a_message(), SHOP, BUYER.public_key, "reply:1")
    for event in (made.model_copy(update={"kind": 14}), made.model_copy(update={"tags": ()})):
        with pytest.raises(ValueError, match="kind 4"):
            open_message(event, BUYER)
