"""Ciphers: published figures of their specifications, and what a wrong key or byte does."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import ciphers
from schemas.ciphers import CipherRefused

KEY = bytes(range(32))
NONCE = bytes(range(12))


def test_chacha20_gives_the_stream_of_rfc_8439() -> None:
    """Key, nonce and counter of §2.4.2 give the first bytes printed there."""
    nonce = bytes.fromhex("000000000000004a00000000")
    text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future"
    assert ciphers.chacha20(KEY, nonce, text, counter=1)[:16].hex() == "6e2e359a2568f98041ba0728dd0d6981"


def test_chacha20_undoes_itself() -> None:
    """The same call decrypts."""
    assert ciphers.chacha20(KEY, NONCE, ciphers.chacha20(KEY, NONCE, b"tea")) == b"tea"


def test_a_nonce_of_another_length_is_refused() -> None:
    """A longer nonce would silently become part of the counter."""
    with pytest.raises(ValueError, match="12 bytes"):
        ciphers.chacha20(KEY, bytes(16), b"tea")
    with pytest.raises(ValueError, match="24 bytes"):
        ciphers.xchacha20poly1305_encrypt(KEY, bytes(12), b"tea", b"")
    with pytest.raises(ValueError, match="nonce of 16"):
        ciphers.hchacha20(KEY, bytes(12))


def test_hkdf_gives_the_figures_of_rfc_5869() -> None:
    """Test case 1 of appendix A, both steps."""
    extracted = ciphers.hkdf_extract(bytes(range(13)), b"\x0b" * 22)
    assert extracted.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    expanded = ciphers.hkdf_expand(extracted, bytes(range(0xF0, 0xFA)), 42)
    assert expanded.hex().startswith("3cb25f25faacd57a90434f64d0362f2a")
    assert expanded.hex().endswith("34007208d5b887185865")


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1])
def test_hkdf_refuses_a_length_it_cannot_give(length: int) -> None:
    """Between 1 and 8160 bytes, as RFC 5869 says."""
    with pytest.raises(ValueError, match="8160"):
        ciphers.hkdf_expand(KEY, b"", length)


def test_hchacha20_gives_the_subkey_of_its_draft() -> None:
    """The figures of draft-irtf-cfrg-xchacha-03 §2.2.1."""
    subkey = ciphers.hchacha20(KEY, bytes.fromhex("000000090000004a0000000031415927"))
    assert subkey.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


def test_xchacha20poly1305_gives_the_box_of_its_draft() -> None:
    """The tag of draft-irtf-cfrg-xchacha-03 appendix A.3.1."""
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    key, nonce = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58))
    aad = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    box = ciphers.xchacha20poly1305_encrypt(key, nonce, text, aad)
    assert box[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    assert ciphers.xchacha20poly1305_decrypt(key, nonce, box, aad) == text


def test_a_box_opens_only_with_everything_the_same() -> None:
    """Another key, nonce, associated text or any changed byte is refused."""
    box = ciphers.seal_box(KEY, NONCE, b"Jane, Tea Street 1", b"order-1")
    assert ciphers.open_box(KEY, NONCE, box, b"order-1") == b"Jane, Tea Street 1"
    wrong = [
        (bytes(32), NONCE, box, b"order-1"),
        (KEY, bytes(12), box, b"order-1"),
        (KEY, NONCE, box, b"order-2"),
    ]
    wrong += [
        (KEY, NONCE, box[:place] + bytes([box[place] ^ 1]) + box[place + 1 :], b"order-1") for place in range(len(box))
    ]
    for key, nonce, spoiled, aad in wrong:
        with pytest.raises(CipherRefused):
            ciphers.open_box(key, nonce, spoiled, aad)


def test_a_box_too_short_to_hold_a_tag_is_refused_alike() -> None:
    """No length makes another error."""
    for length in range(17):
        with pytest.raises(CipherRefused):
            ciphers.open_box(KEY, NONCE, bytes(length), b"")


def test_derived_bytes_are_the_same_for_the_same_labels() -> None:
    """Repeating a derivation gives the same bytes, another secret or label others."""
    first = ciphers.derive(b"secret", "nip59", "effect-1")
    assert first == ciphers.derive(b"secret", "nip59", b"effect-1")
    assert len({first, ciphers.derive(b"Secret", "nip59", "effect-1"), ciphers.derive(b"secret", "nip59")}) == 3
    assert len(ciphers.derive(b"secret", "nip59", length=176)) == 176


@settings(derandomize=True, deadline=None, database=None)
@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_two_lists_of_labels_never_run_together(one: list[str], other: list[str]) -> None:
    """Only equal lists derive equal bytes, however their texts join."""
    assert (ciphers.derive(b"secret", *one) == ciphers.derive(b"secret", *other)) == (one == other)


def test_scrypt_gives_the_figures_of_rfc_7914() -> None:
    """The vector for N 1024, r 8 needs p 16; with p 1 the empty one of N 16, r 1 starts the same way."""
    assert ciphers.scrypt(b"", b"", 4, block_size=1).hex().startswith("77d6576238657b203b19ca42c18a0497")
