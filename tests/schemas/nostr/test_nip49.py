"""Secret keys under a password: the NIP's example, nostr-sdk both ways, and everything that must not open."""

import nostr_sdk
import pytest

from schemas.nostr import bech32, nip49
from schemas.nostr.nip49 import Nip49Refused
from tests.schemas.nostr.given import MERCHANT

SALT, NONCE = bytes(range(16)), bytes(range(24))
EXAMPLE = (
    "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm"
    "3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p"
)


def an_ncryptsec(password: str = "two tins", log_n: int = 4) -> str:
    """Encrypt the merchant's key, quickly."""
    return nip49.encrypt_key(MERCHANT, password, log_n, SALT, NONCE)


def test_the_example_of_the_nip_opens() -> None:
    """The text, password and key printed in NIP-49."""
    secret = nip49.decrypt_key(EXAMPLE, "nostr")
    assert secret.reveal().hex() == "3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683"


def test_an_encrypted_key_opens_with_its_password() -> None:
    """It is the same text for the same salt and nonce, and holds nothing readable."""
    text = an_ncryptsec()
    assert text == an_ncryptsec()
    assert nip49.decrypt_key(f" {text}\n", "two tins") == MERCHANT
    assert len(bech32.decode(text, 200)[1]) == 91


def test_a_password_is_the_same_however_it_is_typed() -> None:
    """The NIP's Ångström, in composed and in other code points, normalises to one password."""
    text = an_ncryptsec("\u212b\u2126\u1e9b\u0323")
    assert nip49.decrypt_key(text, "\u00c5\u03a9\u1e69") == MERCHANT


def test_encrypted_keys_cross_to_nostr_sdk_and_back() -> None:
    """Each implementation opens what the other wrote."""
    theirs = nostr_sdk.EncryptedSecretKey.from_bech32(an_ncryptsec()).decrypt("two tins")
    assert theirs.to_hex() == MERCHANT.reveal().hex()
    text = nostr_sdk.EncryptedSecretKey(theirs, "two tins", 4, nostr_sdk.KeySecurity.MEDIUM).to_bech32()
    assert nip49.decrypt_key(text, "two tins") == MERCHANT


def test_a_wrong_password_opens_nothing_and_is_not_quoted() -> None:
    """Neither the password nor the text is in the error."""
    with pytest.raises(Nip49Refused) as refused:
        nip49.decrypt_key(an_ncryptsec(), "three tins")
    assert "three" not in str(refused.value)
    assert "ncryptsec1" not in str(refused.value)


def test_any_changed_byte_opens_nothing() -> None:
    """Version, salt, nonce, security byte, key and tag all count."""
    data = bech32.decode(an_ncryptsec(), 200)[1]
    for place in (0, *range(2, 91)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(Nip49Refused):
            nip49.decrypt_key(bech32.encode("ncryptsec", changed), "two tins")


@pytest.mark.parametrize("log_n", [0, 23, 64, 255])
def test_a_text_that_asks_for_too_much_memory_is_refused_at_once(log_n: int) -> None:
    """Above 22 no work is done: 2**255 blocks would never end."""
    data = bech32.decode(an_ncryptsec(), 200)[1]
    text = bech32.encode("ncryptsec", data[:1] + bytes([log_n]) + data[2:])
    with pytest.raises(Nip49Refused, match="log n"):
        nip49.decrypt_key(text, "two tins")
    with pytest.raises(Nip49Refused, match="log n"):
        an_ncryptsec(log_n=log_n)


@pytest.mark.parametrize("text", ["", "tea", bech32.encode("nsec", bytes(91)), bech32.encode("ncryptsec", bytes(90))])
def test_what_is_no_ncryptsec_is_refused(text: str) -> None:
    """Another prefix, size or version raises."""
    with pytest.raises(Nip49Refused, match="not an ncryptsec"):
        nip49.decrypt_key(text, "two tins")


def test_bytes_that_are_no_key_are_refused_even_when_they_open() -> None:
    """Zero under a valid tag is still no secret key."""
    from schemas.ciphers import scrypt, xchacha20poly1305_encrypt

    box = xchacha20poly1305_encrypt(scrypt(b"two tins", SALT, 4), NONCE, bytes(32), b"\x02")
    text = bech32.encode("ncryptsec", bytes((2, 4)) + SALT + NONCE + b"\x02" + box)
    with pytest.raises(Nip49Refused, match="curve"):
        nip49.decrypt_key(text, "two tins")


@pytest.mark.parametrize(("salt", "nonce", "security"), [(b"", NONCE, 2), (SALT, b"", 2), (SALT, NONCE, 3)])
def test_values_out_of_range_are_not_written(salt: bytes, nonce: bytes, security: int) -> None:
    """Salt, nonce and security byte are what the NIP says."""
    with pytest.raises(ValueError, match="NIP-49 wants"):
        nip49.encrypt_key(MERCHANT, "two tins", 4, salt, nonce, security)
