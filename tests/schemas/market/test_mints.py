"""Checks how a merchant's mints and lock key are read (NIP-61, market spec §6)."""

import pytest

from schemas import limits
from schemas.market.mints import mint_url, read_mints
from schemas.preferences import Mint, MintList
from tests.support.builders import MERCHANT, NOW_S, Tag, an_event

KEY = "d7" * 32


def read(*tags: Tag) -> MintList:
    """A mint list with these tags."""
    return read_mints(an_event(10019, *tags))


def test_mints_with_units_relays_and_the_key_are_read() -> None:
    """Two spellings of one mint are one, with the units of both."""
    listed = read(
        ("mint", "https://Mint.Example/cashu/", "sat"),
        ("mint", "https://mint.example/cashu", "USD", "sat"),
        ("mint", "https://other.example"),
        ("relay", "wss://relay.example"),
        ("relay", "https://no.example"),
        ("pubkey", f"02{KEY}"),
    )

    assert (listed.coordinate, listed.created_at) == (f"10019:{MERCHANT}:", NOW_S)
    assert listed.mints == (
        Mint(url="https://mint.example/cashu", units=("sat", "usd")),
        Mint(url="https://other.example"),
    )
    assert (listed.relays, listed.key, listed.warnings) == (("wss://relay.example",), KEY, ())


@pytest.mark.parametrize(
    ("text", "key", "warnings"),
    [
        (KEY, KEY, ()),
        (f"02{KEY}".upper(), KEY, ()),
        (f"03{KEY}", KEY, ("odd_pubkey",)),
        (f"04{KEY}", None, ("bad_pubkey",)),
        (KEY[1:], None, ("bad_pubkey",)),
        ("", None, ("no_pubkey",)),
    ],
)
def test_the_lock_key_is_read_with_and_without_its_first_byte(
    text: str, key: str | None, warnings: tuple[str, ...]
) -> None:
    """And written with 02, as NIP-61 wants tokens locked."""
    listed = read(("mint", "https://mint.example"), ("pubkey", text))

    assert (listed.key, listed.warnings) == (key, warnings)
    assert listed.lock_key == (f"02{key}" if key else None)


@pytest.mark.parametrize(
    "text",
    [
        "mint.example",
        "http://mint.example",
        "ftp://mint.example",
        "https://",
        "https://user@mint.example",
        "https://mint.example?x=1",
        "https://mint.example/#x",
        "https://mint example",
        "https://mint.example:port",
        "https://münze.example",
        "https://" + "x" * limits.RELAY_URL.most,
    ],
)
def test_what_is_no_mints_address_is_left_out(text: str) -> None:
    """With a warning; a list of none counts as one without mints."""
    assert mint_url(text) is None
    assert read(("mint", text), ("pubkey", KEY)).warnings == ("bad_mint", "no_mints")


def test_a_hidden_service_needs_no_tls() -> None:
    """Its name is its key."""
    assert mint_url("http://Abc.onion:3338/") == "http://abc.onion:3338"


def test_so_many_mints_are_kept_and_no_more() -> None:
    """The first ones; a repeated one takes no room."""
    tags = [("mint", f"https://m{n}.example") for n in range(limits.PREFERENCE_ITEMS.most + 1)]

    assert len(read(*tags, tags[0]).mints) == limits.PREFERENCE_ITEMS.most
    assert "mints_cut" in read(*tags).warnings
    assert "mints_cut" not in read(*tags[:-1], tags[0]).warnings
