"""Nutzaps are read as the tokens that they are, or are refused for a stable reason (NIP-61)."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import limits
from schemas.cashu.faults import TokenFault, TokenRefused
from schemas.cashu.tokens import PROOFS_MAX, TOKEN_CHARS_MAX, read_token
from schemas.dialects.contract import MessageFault, MessageRefused, Said
from schemas.dialects.human import read_letter
from schemas.dialects.shown_tokens import token_in_nutzap
from schemas.nostr.kinds import Kind
from services.demo.wallets.ecash_purse import said
from tests.support.builders import BUYER, MERCHANT, Tag, a_key, a_rumor
from tests.support.scripted_mint import URL, ScriptedMint

TOKEN = ScriptedMint().token(21)
PROOFS: tuple[Tag, ...] = tuple(("proof", json.dumps(said(proof))) for proof in TOKEN.proofs)
MINT: Tag = ("u", URL)


def a_nutzap(*tags: Tag, content: str = "", author: str = BUYER) -> Said:
    """A nutzap to the shop, of 21 sats."""
    return a_rumor(Kind.NUTZAP, ("p", MERCHANT), MINT, *PROOFS, *tags, author=author, content=content)


def fault(*tags: Tag) -> TokenFault:
    """Why tags make no nutzap."""
    with pytest.raises(TokenRefused) as caught:
        token_in_nutzap(tags)
    return caught.value.reason


@pytest.mark.parametrize("more", [(), (("unit", "sat"),), (("u", f"{URL.upper().replace('HTTPS', 'https')}/"),)])
def test_a_nutzaps_proofs_are_one_token(more: tuple[Tag, ...]) -> None:
    """Of one mint, however its address is written, in sats where no unit is named; nothing of it prints."""
    shown = token_in_nutzap([MINT, *more, *PROOFS])
    assert (shown.token_id, shown.fault, shown.request_id) == (TOKEN.digest, None, None)
    assert read_token(shown.text or "") == TOKEN
    assert TOKEN.proofs[0].secret not in repr(shown)
    assert read_token(token_in_nutzap([MINT, ("unit", "usd"), *PROOFS]).text or "").unit == "usd"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ((MINT,), TokenFault.NO_TOKEN),
        ((MINT, ("proof",)), TokenFault.NO_TOKEN),
        (PROOFS, TokenFault.BAD_SHAPE),
        ((MINT, ("u", "https://other.example"), *PROOFS), TokenFault.SEVERAL_MINTS),
        ((MINT, ("unit", "sat"), ("unit", "usd"), *PROOFS), TokenFault.BAD_SHAPE),
        ((MINT, *PROOFS, ("proof", "{")), TokenFault.BAD_ENCODING),
        ((MINT, *PROOFS, ("proof", "[1]")), TokenFault.BAD_PROOF),
        ((MINT, *PROOFS, PROOFS[0]), TokenFault.SAME_PROOF_TWICE),
        ((MINT, *PROOFS * PROOFS_MAX), TokenFault.TOO_MANY_PROOFS),
        ((MINT, *PROOFS, ("proof", "x" * TOKEN_CHARS_MAX)), TokenFault.TOO_LONG),
    ],
)
def test_what_is_no_nutzap_is_refused_for_a_stable_reason(tags: tuple[Tag, ...], reason: TokenFault) -> None:
    """The reason is the record's detail; it quotes nothing."""
    assert fault(*tags) is reason
    with pytest.raises(MessageRefused) as caught:
        read_letter(a_rumor(Kind.NUTZAP, ("p", MERCHANT), *tags))
    assert (caught.value.reason, caught.value.detail) == (MessageFault.BAD_NUTZAP, reason.value)


@given(st.lists(st.tuples(st.sampled_from(["u", "unit", "proof", "e"]), st.text() | st.sampled_from([URL, "sat"]))))
def test_whatever_the_tags_say_there_is_a_token_or_a_reason(tags: list[tuple[str, str]]) -> None:
    """Nothing else is ever raised, whatever stands beside good proofs."""
    for all_tags in (tags, [MINT, *PROOFS, *tags]):
        with suppress(TokenRefused):
            assert token_in_nutzap(all_tags).text


def test_a_nutzap_is_a_letter_of_the_token_and_what_is_said_of_it() -> None:
    """It answers the event that it zaps."""
    letter = read_letter(a_nutzap(("e", "ab" * 32, "wss://relay.example"), content="Thanks!"))
    assert letter.token is not None
    assert letter.text == f"{letter.token.text}\nThanks!"
    assert (letter.buyer, letter.answers) == (BUYER, "ab" * 32)


@pytest.mark.parametrize("content", ["order-1", "  order-1\n", "For (order-1)!", "That is #order-1, my tea."])
def test_a_nutzap_names_an_order_in_its_words(content: str) -> None:
    """The words that are longest are looked at, as references that only its own author's orders have."""
    assert a_key().ref in read_letter(a_nutzap(content=content)).order_refs
    assert a_key().ref not in read_letter(a_nutzap(content=content, author="ee" * 32)).order_refs
    words = " ".join(f"word-number-{number}" for number in range(99))
    assert len(read_letter(a_nutzap(content=words)).order_refs) == limits.MENTIONS.most


def test_a_nutzap_names_an_order_in_a_tag_before_its_words() -> None:
    """A tag is meant."""
    letter = read_letter(a_nutzap(("order", "order-1"), content="order-2"))
    assert letter.order_refs == (a_key().ref, a_key("order-2").ref)


def test_a_nutzap_of_the_shops_own_is_none() -> None:
    """What the merchant sends is not paid to them."""
    with pytest.raises(MessageRefused) as caught:
        read_letter(a_nutzap(author=MERCHANT))
    assert caught.value.reason is MessageFault.NOT_ALLOWED
