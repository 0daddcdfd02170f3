"""Ecash that messages bring is sealed before it leaves intake, whichever message it is in (PAY-11, D9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.cashu.faults import TokenFault
from schemas.cashu.tokens import read_token, write_token
from schemas.codec import encode
from schemas.dialects.contract import MessageFault
from schemas.ecash import SealedToken
from schemas.hearing import HearMessage
from schemas.inbox import ReceiveMessage
from schemas.payments import AnnouncePayment, ReportPayment, ReportUnnamedPayment
from schemas.quarantine import Quarantined
from services.demo.wallets.ecash_purse import payload
from services.payments.port import reference
from services.vault import Vault
from streams.raw import Commands, Reading
from tests.schemas.nostr import given as people
from tests.streams.test_reading_messages import SHOP, body_of, read
from tests.support.builders import an_id
from tests.support.scripted_mint import URL, ScriptedMint

TOKEN = ScriptedMint().token(21)
TEXT = write_token(TOKEN)
ECASH = ("payment", "ecash", URL, TEXT)
NAME = reference(an_id("an intent"))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault(tmp_path / "vault.db")


def opened(vault: Vault, reading: Reading) -> tuple[SealedToken, str]:
    """The one token of what was read, and what its box says; nothing that could be spent stands anywhere else."""
    assert isinstance(reading, Commands)
    said = encode(reading.commands[0]).decode() + repr(reading)
    assert not any(text in said for text in (TEXT[:24], TOKEN.proofs[0].secret, TOKEN.proofs[0].signature))
    body = body_of(reading)
    tokens = body.receipt.tokens if isinstance(body, ReportUnnamedPayment) else body.tokens  # type: ignore[attr-defined]
    (token,) = tokens
    assert token.sealed is not None
    return token, vault.text(SHOP, token.sealed)


@pytest.mark.parametrize(
    ("kind", "tags", "content", "becomes"),
    [
        (17, (("order", "o-1"), ECASH), "", ReportPayment),
        (17, (ECASH,), "", ReportUnnamedPayment),
        (16, (("type", "2"), ("order", "o-1"), ("amount", "21"), ECASH), "", AnnouncePayment),
        (15, (("subject", "order-receipt"), ("order", "o-1"), ECASH), "", ReportPayment),
        (14, (), TEXT, ReceiveMessage),
        (14, (), payload(NAME, TOKEN), ReceiveMessage),
    ],
)
def test_a_token_in_a_message_is_sealed_and_named(
    vault: Vault, kind: int, tags: tuple[tuple[str, ...], ...], content: str, becomes: type
) -> None:
    """A receipt, the buyer's own request, a former draft's receipt, a bare message, what a wallet sends (NUT-18)."""
    reading = read(vault, kind, *tags, content=content)
    assert isinstance(body_of(reading), becomes)
    token, text = opened(vault, reading)
    assert (token.token_id, token.fault) == (TOKEN.digest, None)
    assert read_token(text) == TOKEN
    assert token.request_id == (NAME if content.startswith("{") else None)
    again, _ = opened(vault, read(vault, kind, *tags, content=content))
    assert again == token


def test_a_bare_token_is_a_letter_too_as_its_order_may_be_nobodys(vault: Vault) -> None:
    """Then the merchant reads the token, however it was sent."""
    body = body_of(read(vault, 14, content=payload(NAME, TOKEN)))
    assert isinstance(body, ReceiveMessage)
    assert body.text is not None
    assert read_token(vault.text(SHOP, body.text)) == TOKEN


def test_a_token_whose_box_was_erased_or_that_is_none_is_to_be_refused(vault: Vault) -> None:
    """With a reason that its buyer is told."""
    first, _ = opened(vault, read(vault, 17, ("order", "o-1"), ECASH))
    assert first.sealed is not None
    vault.erase(first.sealed.key_id)
    for tag, fault in ((ECASH, TokenFault.ALREADY_USED), ((*ECASH[:3], TEXT[:-9]), TokenFault.BAD_ENCODING)):
        body = body_of(read(vault, 17, ("order", "o-1"), tag))
        assert isinstance(body, ReportPayment)
        assert [(one.sealed, one.fault) for one in body.tokens] == [(None, fault)]


def test_a_merchants_own_token_and_a_dialect_as_words_hand_in_none(vault: Vault) -> None:
    """What the merchant sends is not paid to them, and a letter's words do not say how it was paid."""
    own = body_of(read(vault, 14, content=TEXT, author=people.MERCHANT, to=people.BUYER.public_key))
    assert isinstance(own, ReceiveMessage)
    assert own.tokens == ()
    reading = read(vault, 15, ("subject", "order-receipt"), ("order", "o-1"), ECASH)
    assert isinstance(reading, Commands)
    heard = reading.commands[0].body
    assert isinstance(heard, HearMessage)
    assert heard.words is not None
    assert heard.words.tokens == ()


def test_a_token_among_a_checkouts_tags_is_another_clients_message(vault: Vault) -> None:
    """It is set aside with nothing of it in the record: the original is the wrap."""
    reading = read(vault, 14, ("item", f"30402:{SHOP}:tea", "1"), content=payload(NAME, TOKEN))
    assert isinstance(reading, Quarantined)
    assert reading.reason == MessageFault.KNOWN_FOREIGN_DIALECT
    assert TOKEN.proofs[0].secret not in encode(reading).decode()
