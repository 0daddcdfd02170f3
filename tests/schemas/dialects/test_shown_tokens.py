"""Ecash that messages show is found, named and read; nothing of it prints, and no other text is taken for it."""

from __future__ import annotations

import json

import pytest

from schemas import limits
from schemas.cashu.faults import TokenFault
from schemas.cashu.tokens import read_token, write_token
from schemas.dialects.payment_tags import named
from schemas.dialects.shown_tokens import token_in_text, tokens_in_tags
from services.demo.wallets.ecash_purse import payload, said
from tests.support.scripted_mint import URL, ScriptedMint

TOKEN = ScriptedMint().token(21)
TEXT = write_token(TOKEN)
PROOFS = json.dumps([said(proof) for proof in TOKEN.proofs])
REFERENCE = "abcdefghijklmnopqrstuv23"


@pytest.mark.parametrize(
    "tag",
    [
        ("payment", "ecash", URL, TEXT),
        ("payment", "ecash", TEXT),
        ("payment", "cashu", URL, f"cashu:{TEXT}"),
        ("payment", TEXT),
        ("payment", "ecash", URL, PROOFS),
    ],
)
def test_a_payment_tag_shows_its_token(tag: tuple[str, ...]) -> None:
    """As the spec has it, mint and token, and as clients may write it; it is the same token each time."""
    (shown,) = tokens_in_tags([tag, ("amount", "21")])
    assert (shown.token_id, shown.fault) == (TOKEN.digest, None)
    assert read_token(shown.text or "") == TOKEN
    assert TEXT[:20] not in repr(shown)
    assert TOKEN.proofs[0].secret not in repr(shown)


def test_one_proof_alone_is_a_token_too() -> None:
    """The spec's word for it is a proof."""
    (shown,) = tokens_in_tags([("payment", "ecash", URL, json.dumps(said(TOKEN.proofs[0])))])
    assert read_token(shown.text or "").proofs == TOKEN.proofs[:1]


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        (("payment", "ecash", URL, TEXT[:-9]), TokenFault.BAD_ENCODING),
        (("payment", "ecash", URL, TEXT.upper()), TokenFault.NO_TOKEN),
        (("payment", "ecash", URL, "[1]"), TokenFault.BAD_PROOF),
        (("payment", "ecash", URL, "[}"), TokenFault.BAD_ENCODING),
    ],
)
def test_what_is_meant_to_be_a_token_and_is_none_has_a_name_and_a_reason(
    tag: tuple[str, ...], fault: TokenFault
) -> None:
    """So that its buyer is told why, once."""
    (shown,) = tokens_in_tags([tag, tag])
    assert (shown.text, shown.fault, len(shown.token_id)) == (None, fault, 64)


def test_only_so_many_payments_are_looked_at_and_others_show_none() -> None:
    """An invoice, a request of ours and a mint with the key to lock to are no money."""
    tags = [("payment", "lightning", "lnbc1", "ab" * 32), ("payment", "ecash", "creqAexample"), ("payment", "ecash")]
    tags += [("payment", "ecash", URL, "02" + "ab" * 32), ("note", "ecash", URL, TEXT)]
    assert tokens_in_tags(tags) == ()
    many = [("payment", "lightning", "x")] * limits.PROOFS_SAID.most
    assert tokens_in_tags([*many, ("payment", "ecash", URL, TEXT)]) == ()


def test_a_payment_is_named_without_its_token() -> None:
    """Where a key to lock to may stand, a token may stand too, and nothing of that is kept."""
    for text in (TEXT, TEXT.upper(), PROOFS):
        assert named(("payment", "ecash", URL, text)).lock_key is None


@pytest.mark.parametrize("text", [TEXT, f"  cashu:{TEXT}\n", payload("x", TOKEN), f"\n{payload('x', TOKEN)}"])
def test_a_message_may_be_nothing_but_a_token(text: str) -> None:
    """By itself, or as a wallet sends it for a payment request (NUT-18)."""
    shown = token_in_text(text)
    assert shown is not None
    assert (shown.token_id, shown.request_id) == (TOKEN.digest, None)
    assert read_token(shown.text or "") == TOKEN


def test_what_a_wallet_sends_names_the_request_in_our_own_words_alone() -> None:
    """A stranger's name for it would stand in the journal."""
    named_, foreign = token_in_text(payload(REFERENCE, TOKEN)), token_in_text(payload("lives at 17 Canary St", TOKEN))
    assert named_ is not None
    assert foreign is not None
    assert (named_.request_id, foreign.request_id) == (REFERENCE, None)


@pytest.mark.parametrize("text", ["", "hello", f"{TEXT} thanks!", TEXT[:40], "{}", '{"type":0}', "[1]", "{" * 2_000])
def test_words_and_other_clients_messages_are_no_token(text: str) -> None:
    """They stay what they are."""
    assert token_in_text(text) is None
