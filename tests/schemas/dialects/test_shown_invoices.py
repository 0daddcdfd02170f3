"""The invoice that a buyer's words show: one, whole, signed, and over a sum."""

from __future__ import annotations

import pytest

from schemas.bolt11 import Network, encode
from schemas.dialects.contract import Said
from schemas.dialects.human import read_letter
from schemas.dialects.shown_invoices import invoice_in_text
from schemas.nostr.kinds import Kind
from tests.support.builders import BUYER, MERCHANT, an_id


def a_text(name: str = "refund", amount_msat: int | None = 21_000) -> str:
    """A signed invoice."""
    return encode(
        network=Network.BITCOIN,
        amount_msat=amount_msat,
        timestamp=1_700_000_000,
        payment_hash=an_id(name),
        payment_secret="11" * 32,
        secret=b"\x0b" * 32,
        description="back",
        expiry_s=600,
        min_final_cltv=18,
    )


def said(content: str, kind: int = Kind.CHAT_MESSAGE, author: str = BUYER) -> Said:
    """A message to the shop."""
    other = MERCHANT if author == BUYER else BUYER
    return Said(an_id("letter"), author, MERCHANT, kind, (("p", other),), content)


@pytest.mark.case("F13")
@pytest.mark.parametrize("form", ["{}", "Here: {}.", "lightning:{}", "LIGHTNING:{}\nthanks", "{0} again {0}"])
def test_an_invoice_is_found_wherever_it_stands_in_a_message(form: str) -> None:
    """As wallets share it, in either case of its letters; the message stays the letter it is."""
    for text in (a_text(), a_text().upper()):
        letter = read_letter(said(form.format(text)))
        assert letter.invoice is not None
        assert (letter.invoice.amount_msat, letter.invoice.payment_hash) == (21_000, an_id("refund"))
        assert letter.invoice.expires_at == 1_700_000_600
        assert letter.text == form.format(text)


@pytest.mark.case("F13")
@pytest.mark.parametrize(
    "content",
    [
        "where is my money?",
        f"{a_text()} or {a_text('other')}",
        a_text(amount_msat=None),
        a_text()[:-1] + ("q" if a_text()[-1] != "q" else "p"),
        a_text() + "q" * 2_000,
        "lnbc" + "1" * 5_000,
    ],
    ids=["none", "two", "any amount", "a wrong signature", "too long", "no invoice"],
)
def test_what_is_not_one_whole_invoice_over_a_sum_is_only_words(content: str) -> None:
    """Nothing is guessed where money is sent by it."""
    assert invoice_in_text(content) is None


@pytest.mark.case("F13")
def test_only_a_buyers_chat_message_shows_an_invoice() -> None:
    """Not a kind 4, whose author others can see, and not what the merchant wrote."""
    assert read_letter(said(a_text(), author=MERCHANT)).invoice is None
    assert read_letter(said(a_text(), kind=Kind.ENCRYPTED_DIRECT_MESSAGE)).invoice is None
