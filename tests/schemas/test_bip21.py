"""Tries BIP-21 texts: exact amounts, what is refused, and one address whichever way it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bip21 import SATS_MAX, ChainRequest, UriRefused, address_in, read, write

ADDRESS = "175tWpb8K1S7NmH4Zx6rewF9WQrcZv245W"
SEGWIT = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"bitcoin:{ADDRESS}", ChainRequest(ADDRESS)),
        (f"bitcoin:{ADDRESS}?label=Luke-Jr", ChainRequest(ADDRESS, None, "Luke-Jr")),
        (f"bitcoin:{ADDRESS}?amount=20.3&label=Luke-Jr", ChainRequest(ADDRESS, 2_030_000_000, "Luke-Jr")),
        (
            f"bitcoin:{ADDRESS}?amount=50&label=Luke-Jr&message=Donation%20for%20project%20xyz",
            ChainRequest(ADDRESS, 5_000_000_000, "Luke-Jr"),
        ),
        (f"bitcoin:{ADDRESS}?somethingyoudontunderstand=50", ChainRequest(ADDRESS)),
        (f"BITCOIN:{SEGWIT.upper()}?amount=0.00012345", ChainRequest(SEGWIT, 12_345)),
        (f"bitcoin:{ADDRESS}?amount=.50", ChainRequest(ADDRESS, 50_000_000)),
    ],
)
def test_the_examples_of_bip_21_are_read(text: str, asked: ChainRequest) -> None:
    """Its own, and the way a QR code is written."""
    assert read(text) == asked


@pytest.mark.parametrize(
    "text",
    [
        "",
        ADDRESS,
        "bitcoin:",
        "lightning:lnbc1",
        f"bitcoin:{ADDRESS}?req-somethingyoudontunderstand=50",
        f"bitcoin:{ADDRESS}?amount=1&amount=2",
        f"bitcoin:{ADDRESS}?amount=",
        f"bitcoin:{ADDRESS}?amount=0",
        f"bitcoin:{ADDRESS}?amount=-1",
        f"bitcoin:{ADDRESS}?amount=1e3",
        f"bitcoin:{ADDRESS}?amount=1,5",
        f"bitcoin:{ADDRESS}?amount=.",
        f"bitcoin:{ADDRESS}?amount=0.000000001",
        f"bitcoin:{ADDRESS}?amount=21000001",
        f"bitcoin:{ADDRESS}?amount=١",
        "bitcoin:häuser?amount=1",
        f"bitcoin:{ADDRESS}?label={'x' * 2_000}",
    ],
)
def test_what_says_something_else_is_refused(text: str) -> None:
    """An amount that would have to be rounded too, and a part that must not be ignored."""
    with pytest.raises(UriRefused):
        read(text)


@given(st.integers(1, SATS_MAX), st.text(max_size=40))
def test_what_is_written_is_read_again_to_the_sat(sats: int, label: str) -> None:
    """Every amount there can be, whatever the words beside it are."""
    if any("\ud800" <= letter <= "\udfff" for letter in label):
        label = ""
    asked = ChainRequest(SEGWIT, sats, label)
    text = write(asked)

    assert read(text) == asked
    assert not text.partition("amount=")[2].partition("&")[0].endswith(".")


@pytest.mark.parametrize("text", [SEGWIT, SEGWIT.upper(), f"bitcoin:{SEGWIT}", f"BITCOIN:{SEGWIT.upper()}?amount=1"])
def test_one_address_is_known_again_in_each_way_to_write_it(text: str) -> None:
    """With and without its amount, in either case."""
    assert address_in(text) == SEGWIT


def test_an_address_whose_letters_matter_keeps_them() -> None:
    """Base58 has both cases."""
    assert address_in(f"bitcoin:{ADDRESS}?amount=1") == ADDRESS
