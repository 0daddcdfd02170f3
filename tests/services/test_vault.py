"""The vault: personal details sealed under a key of their order, shown to the operator, erased for good."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from schemas.ciphers import CipherRefused
from schemas.dialects.contract import PersonalDetails
from services.vault import Erased, Vault

MERCHANT, REF, RUMOR = "a1" * 32, "b2" * 16, "c3" * 32
DETAILS = PersonalDetails(address="17 Canary Street, Berlin", email="jane@example.com", phone=None, note="ring twice")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault(tmp_path / "vault.db")


def test_the_same_order_is_sealed_to_the_same_box(vault: Vault) -> None:
    """A repeated record gives the same command, so the box must be the same too (D4)."""
    first = vault.seal(MERCHANT, REF, RUMOR, DETAILS)

    assert first == vault.seal(MERCHANT, REF, RUMOR, DETAILS)
    assert first is not None
    assert vault.open(MERCHANT, first) == DETAILS


def test_two_orders_have_two_keys(vault: Vault) -> None:
    """The same address under another order is another box."""
    one, other = vault.seal(MERCHANT, REF, RUMOR, DETAILS), vault.seal(MERCHANT, "d4" * 16, RUMOR, DETAILS)

    assert one is not None
    assert other is not None
    assert one.box != other.box


def test_a_box_shows_nothing_and_a_changed_one_does_not_open(vault: Vault) -> None:
    """It is ciphertext, bound to its merchant and key."""
    sealed = vault.seal(MERCHANT, REF, RUMOR, DETAILS)

    assert sealed is not None
    box = b64decode(sealed.box)
    assert b"Canary" not in box
    with pytest.raises(CipherRefused):
        vault.open(MERCHANT, sealed.model_copy(update={"box": b64encode(box[:-1] + bytes([box[-1] ^ 1])).decode()}))
    with pytest.raises(CipherRefused):
        vault.open("ff" * 32, sealed)


def test_the_operator_reads_an_orders_newest_details(vault: Vault) -> None:
    """An amended order shows what was sent last."""
    vault.seal(MERCHANT, REF, RUMOR, DETAILS)
    newer = PersonalDetails(address="1 New Street")
    vault.seal(MERCHANT, REF, "e5" * 32, newer)

    assert vault.of_order(MERCHANT, REF) == newer
    assert vault.of_order(MERCHANT, "ff" * 16) is None
    assert vault.of_order("ff" * 32, REF) is None


def test_what_is_erased_cannot_be_read_or_sealed_again(vault: Vault, tmp_path: Path) -> None:
    """Neither by its box nor by a replay of the order; and the key is not in the file any more."""
    sealed = vault.seal(MERCHANT, REF, RUMOR, DETAILS)
    assert sealed is not None
    vault.erase(sealed.key_id)

    with pytest.raises(Erased):
        vault.open(MERCHANT, sealed)
    assert vault.seal(MERCHANT, REF, RUMOR, DETAILS) is None
    assert vault.of_order(MERCHANT, REF) is None


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Mode 0600, and details never show in a repr."""
    Vault(tmp_path / "secrets" / "vault.db")

    assert (tmp_path / "secrets" / "vault.db").stat().st_mode & 0o777 == 0o600
    assert "Canary" not in repr(DETAILS)


def test_what_buyers_are_sent_is_sealed_under_a_key_that_says_nothing_of_it(vault: Vault) -> None:
    """Each time another key and another name; a licence key could be guessed from its hash."""
    one, other = (vault.seal_goods(MERCHANT, f"30402:{MERCHANT}:song", "KEY-0001") for _ in range(2))

    assert one is not None
    assert other is not None
    assert one.key_id != other.key_id
    assert vault.text(MERCHANT, one) == vault.text(MERCHANT, other) == "KEY-0001"
    assert vault.of_order(MERCHANT, REF) is None


def test_a_conversation_is_read_and_erased_as_a_whole(vault: Vault) -> None:
    """Every text has a key of its own; what is written after an erasure is readable, what was erased stays so."""
    first = vault.seal(MERCHANT, REF, RUMOR, PersonalDetails(note="hello"))
    other = vault.seal(MERCHANT, "d4" * 16, RUMOR, PersonalDetails(note="another buyer's"))
    assert first is not None
    assert other is not None
    assert vault.of_conversation(MERCHANT, REF) == {RUMOR[:16]: PersonalDetails(note="hello")}
    assert vault.of_conversation("ff" * 32, REF) == {}

    assert vault.erase_conversation(MERCHANT, REF) == 1

    assert vault.of_conversation(MERCHANT, REF) == {}
    with pytest.raises(Erased):
        vault.open(MERCHANT, first)
    assert vault.seal(MERCHANT, REF, RUMOR, PersonalDetails(note="hello")) is None
    assert vault.seal(MERCHANT, REF, "e5" * 32, PersonalDetails(note="again")) is not None
    assert vault.open(MERCHANT, other).note == "another buyer's"
