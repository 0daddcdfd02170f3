"""Nutzaps become tokens that are handed in, sealed before they leave intake, or go to the quarantine (NIP-61)."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import limits
from schemas.cashu.tokens import read_token
from schemas.codec import encode
from schemas.inbox import ReceiveMessage
from schemas.nostr.kinds import Kind
from schemas.nostr.nip01 import UnsignedEvent, sign_event, to_json
from schemas.nostr.secp256k1 import SecretKey
from schemas.quarantine import Quarantined
from services.vault import Vault
from streams.raw import Commands, Known, Raw, Reading
from streams.reading import Reader
from tests.schemas.dialects.test_nutzaps import MINT, PROOFS, TOKEN
from tests.schemas.nostr import given as people
from tests.streams.test_reading import Keeper
from tests.support.builders import NOW_S, Tag

SHOP = people.MERCHANT.public_key
TO_SHOP: Tag = ("p", SHOP)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault(tmp_path / "vault.db")


def read(
    vault: Vault, *tags: Tag, author: SecretKey = people.BUYER, at_s: int = NOW_S, since_s: int = 0, content: str = ""
) -> Reading:
    """What a nutzap leads to."""
    unsigned = UnsignedEvent(pubkey=author.public_key, created_at=at_s, kind=Kind.NUTZAP, tags=tags, content=content)
    text = to_json(sign_event(unsigned, author)).encode()
    reader = Reader(lambda key: since_s if key == SHOP else None, Keeper(), vault)
    return reader.read(Raw(text, "wss://relay.example", NOW_S * 1_000))


@pytest.mark.req("PAY-11")
def test_a_nutzap_is_a_token_that_its_author_hands_in(vault: Vault) -> None:
    """Who signed it is its buyer; nothing of its proofs stands outside the box, and a replay says the same."""
    reading = read(vault, TO_SHOP, MINT, *PROOFS, content="Thanks!")
    assert isinstance(reading, Commands)
    assert reading == read(vault, TO_SHOP, MINT, *PROOFS, content="Thanks!")
    (command,) = reading.commands
    body = command.body
    assert isinstance(body, ReceiveMessage)
    assert (body.buyer, body.rumor_id, body.is_direct) == (people.BUYER.public_key, command.source, False)
    (token,) = body.tokens
    assert token.sealed is not None
    assert token.token_id == TOKEN.digest
    assert read_token(vault.text(SHOP, token.sealed)) == TOKEN
    said = encode(command).decode() + repr(reading)
    assert not any(text in said for text in (TOKEN.proofs[0].secret, TOKEN.proofs[0].signature, "Thanks!"))


@pytest.mark.parametrize(
    ("tags", "reason", "detail"),
    [
        ((TO_SHOP, MINT), "bad_nutzap", "no_token"),
        ((TO_SHOP, *PROOFS), "bad_nutzap", "bad_shape"),
        ((MINT, *PROOFS), "wrong_recipient", "no single merchant here is named"),
        ((("p", "ab" * 32), MINT, *PROOFS), "wrong_recipient", "no single merchant here is named"),
    ],
)
def test_a_nutzap_that_is_none_is_quarantined(vault: Vault, tags: tuple[Tag, ...], reason: str, detail: str) -> None:
    """Under a stable reason."""
    reading = read(vault, *tags)
    assert isinstance(reading, Quarantined)
    assert (reading.reason, reading.detail) == (reason, detail)


def test_nutzaps_of_another_time_or_of_the_shop_itself_hand_nothing_in(vault: Vault) -> None:
    """One that is too old is set aside; one from long before the shop came here was read elsewhere."""
    old = read(vault, TO_SHOP, MINT, *PROOFS, at_s=NOW_S - limits.RUMOR_AGE.most - 1)
    assert isinstance(old, Quarantined)
    assert old.reason == "too_old"
    assert read(vault, TO_SHOP, MINT, *PROOFS, at_s=NOW_S - 9 * 86_400, since_s=NOW_S) == Known("past_letter")
    assert read(vault, TO_SHOP, MINT, *PROOFS, author=people.MERCHANT) == Known("own_public_message")
