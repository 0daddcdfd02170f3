"""Keys and pointers as people paste them: the NIP's examples, nostr-sdk's forms, and typing errors."""

import nostr_sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr import bech32, nip19
from schemas.nostr.coordinates import Coordinate
from schemas.nostr.nip19 import Nip19Refused
from tests.schemas.nostr.given import BUYER, CURVE_ORDER, MERCHANT, OFF_CURVE, STEADY

M = MERCHANT.public_key
NPROFILE = (
    "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nz"
    "v9ejuumpv34kytnrdaksjlyr9p"
)


def test_the_examples_of_the_nip_are_read() -> None:
    """An npub, an nsec and an nprofile give the hex printed beside them."""
    npub = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
    pubkey = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
    assert nip19.decode_npub(npub) == pubkey
    assert nip19.encode_npub(pubkey) == npub
    nsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
    secret = nip19.read_secret_key(nsec)
    assert secret.reveal().hex() == "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
    assert nip19.encode_nsec(secret) == nsec
    profile = nip19.decode_nprofile(NPROFILE)
    assert profile.pubkey == "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    assert profile.relays == ("wss://r.x.com", "wss://djbas.sadkb.com")


def test_an_nprofile_is_written_as_it_is_read() -> None:
    """The NIP's own, and one without relays; a relay that does not fit is refused."""
    profile = nip19.decode_nprofile(NPROFILE)
    assert nip19.encode_nprofile(profile) == NPROFILE
    assert nip19.decode_nprofile(nip19.encode_nprofile(nip19.Profile(M))) == nip19.Profile(M)
    with pytest.raises(Nip19Refused):
        nip19.encode_nprofile(nip19.Profile(M, ("wss://" + "r" * 250,)))


@pytest.mark.req("ID-10")
def test_configuration_takes_keys_in_every_form_and_gives_hex() -> None:
    """Hex, npub, nprofile, nsec and naddr, with spaces around them or in capitals, mean the same."""
    theirs = nostr_sdk.Keys.parse(MERCHANT.reveal().hex())
    npub, nsec = theirs.public_key().to_bech32(), theirs.secret_key().to_bech32()
    nprofile = nostr_sdk.Nip19Profile(theirs.public_key(), []).to_bech32()
    for text in (M, npub, f" {npub}\n", npub.upper(), nprofile):
        assert nip19.read_public_key(text) == M
    for text in (MERCHANT.reveal().hex(), nsec, f"{nsec} ", nsec.upper()):
        assert nip19.read_secret_key(text) == MERCHANT
    coordinate = Coordinate(30_402, M, "tea:green")
    for text in (str(coordinate), nip19.encode_naddr(coordinate)):
        assert nip19.read_coordinate(text) == coordinate


@pytest.mark.parametrize("d", ["tea", "", "茶", "a:b", "x" * 255])
def test_an_naddr_crosses_to_nostr_sdk_and_back(d: str) -> None:
    """Kind, author, identifier and relay are the same in both directions."""
    coordinate = Coordinate(30_402, M, d)
    ours = nip19.encode_naddr(coordinate, ("wss://r1.example",))
    theirs = nostr_sdk.Nip19Coordinate.from_bech32(ours)
    assert theirs.coordinate().identifier() == d
    assert theirs.coordinate().public_key().to_hex() == M
    back = nip19.decode_naddr(theirs.to_bech32())
    assert back.coordinate == coordinate
    assert [relay.rstrip("/") for relay in back.relays] == ["wss://r1.example"]


def test_an_nevent_of_nostr_sdk_is_read() -> None:
    """Author and kind come along when they are there."""
    event_id = nostr_sdk.EventId.parse("ab" * 32)
    author = nostr_sdk.PublicKey.parse(M)
    full = nostr_sdk.Nip19Event(event_id, author=author, kind=nostr_sdk.Kind(30_402)).to_bech32()
    assert nip19.decode_nevent(full) == nip19.EventPointer("ab" * 32, (), M, 30_402)
    bare = nostr_sdk.Nip19Event(event_id).to_bech32()
    assert nip19.decode_nevent(bare) == nip19.EventPointer("ab" * 32)
    assert nip19.decode_note(event_id.to_bech32()) == "ab" * 32


@pytest.mark.parametrize(
    "text",
    [
        "",
        "npub1",
        "npub",
        "1",
        M[:-1],
        M.upper(),
        nip19.encode_npub(M)[:-1] + "q",
        nip19.encode_npub(M).replace("npub1", "Npub1"),
        nip19.encode_nsec(BUYER),
        bech32.encode("npub", bytes.fromhex(OFF_CURVE)),
        bech32.encode("npub", bytes(31)),
        OFF_CURVE,
        "npub1é",
        "npub1" + "q" * 5_000,
        bech32.encode("nprofile", b""),
        bech32.encode("nprofile", b"\x00\x20"),
        bech32.encode("nprofile", b"\x00"),
        bech32.encode("nprofile", b"\x00\x01a"),
        bech32.encode("nprofile", (b"\x00\x20" + bytes.fromhex(M)) * 2),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    """A wrong letter, a secret key, a point off the curve and broken parts raise Nip19Refused."""
    with pytest.raises(Nip19Refused):
        nip19.read_public_key(text)


@pytest.mark.parametrize(
    "text",
    ["", "tea", nip19.encode_npub(M), nip19.encode_nsec(BUYER)[:-1], "00" * 32, CURVE_ORDER, "0G" * 32],
    ids=["empty", "tea", "npub", "cut", "zero", "order", "not hex"],
)
def test_what_is_no_secret_key_is_refused_without_quoting_it(text: str) -> None:
    """A mistyped secret must not end up in a log."""
    with pytest.raises(Nip19Refused) as refused:
        nip19.read_secret_key(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x03tea\x02\x20" + bytes.fromhex(M),
        b"\x00\x03tea\x03\x04\x00\x00\x76\xc2",
        b"\x02\x20" + bytes.fromhex(M) + b"\x03\x04\x00\x00\x76\xc2",
        b"\x00\x03tea\x02\x20" + bytes.fromhex(M) + b"\x03\x02\x76\xc2",
        b"\x00\x03tea\x02\x20" + bytes.fromhex(M) + b"\x03\x04\x00\x01\x76\xc2",
        b"\x00\x01\xff\x02\x20" + bytes.fromhex(M) + b"\x03\x04\x00\x00\x76\xc2",
    ],
    ids=["no kind", "no author", "no identifier", "short kind", "large kind", "not UTF-8"],
)
def test_an_naddr_that_lacks_a_part_is_refused(data: bytes) -> None:
    """Identifier, author and kind must all be there."""
    with pytest.raises(Nip19Refused):
        nip19.decode_naddr(bech32.encode("naddr", data))


def test_unknown_parts_of_a_pointer_are_ignored() -> None:
    """As the NIP says, for what may come later."""
    data = b"\x09\x02hi" + b"\x00\x20" + bytes.fromhex(M)
    assert nip19.decode_nprofile(bech32.encode("nprofile", data)) == nip19.Profile(M)


def test_an_identifier_too_long_for_a_pointer_is_refused() -> None:
    """A length is one byte."""
    with pytest.raises(Nip19Refused, match="255 bytes"):
        nip19.encode_naddr(Coordinate(30_402, M, "x" * 256))


@STEADY
@given(st.binary(max_size=300))
def test_any_bytes_come_back_from_bech32(data: bytes) -> None:
    """Encoding and decoding is a round trip at any length."""
    assert bech32.decode(bech32.encode("ncryptsec", data), 5_000) == ("ncryptsec", data)


@STEADY
@given(st.integers(0, 62), st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l"))
def test_one_wrong_letter_is_always_noticed(place: int, letter: str) -> None:
    """The checksum finds any single mistyped letter behind the prefix."""
    npub = nip19.encode_npub(M)
    mistyped = npub[:place] + letter + npub[place + 1 :]
    if mistyped != npub:
        with pytest.raises(Nip19Refused):
            nip19.decode_npub(mistyped)


def test_bech32_padding_is_zero_and_short() -> None:
    """Bits left over are zero and fewer than five, so one value has one spelling."""
    with pytest.raises(bech32.Bech32Refused, match="padding"):
        bech32.decode(respelt([31, 31]), 90)
    with pytest.raises(bech32.Bech32Refused, match="padding"):
        bech32.decode(respelt([0, 0, 0]), 90)


def respelt(words: list[int]) -> str:
    """Write raw five-bit words with a valid checksum, which no encoder of bytes would."""
    import bech32 as package

    text: str = package.bech32_encode("npub", words)
    return text
