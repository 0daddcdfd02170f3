"""A wallet's words in the port's: how invoices stand, what a cursor remembers, which intents are refused unasked."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.nostr.nip47 import ErrorCode
from schemas.nostr.nip47_wallet import read_transaction
from schemas.payments import BackendState, Method
from services.payments.nwc_marks import INTENT_KEY
from services.payments.nwc_words import (
    is_definite,
    node_key,
    observation,
    read_cursor,
    refuse_impossible,
    request_of,
    state_of,
    transaction_of,
    write_cursor,
)
from services.payments.port import Cursor, Intent, Rejected, Retry, Unknown, Unsupported, reference

NAME = "ab" * 32
NOW = 1_760_000_000
INTENT = Intent(NAME, reference(NAME), 21_000, "Mug", NOW + 600, Method.BOLT11)


def _said(**fields: Any) -> Any:
    return read_transaction({"payment_hash": "cd" * 32, "amount": 21_000, "expires_at": NOW + 600, **fields})


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"state": "pending"}, BackendState.OPEN),
        ({"state": "pending", "expires_at": NOW}, BackendState.EXPIRED),
        ({"state": "pending", "settled_at": NOW}, BackendState.OPEN),
        ({"state": "settled"}, BackendState.SETTLED),
        ({"state": "settled", "expires_at": NOW - 9}, BackendState.SETTLED),
        ({"state": "accepted"}, BackendState.HELD),
        ({"state": "expired"}, BackendState.EXPIRED),
        ({"state": "failed"}, BackendState.CANCELLED),
        ({"settled_at": NOW}, BackendState.SETTLED),
        ({}, BackendState.OPEN),
        ({"expires_at": None}, BackendState.OPEN),
        ({"expires_at": NOW - 1}, BackendState.EXPIRED),
        ({"preimage": "ef" * 32}, BackendState.OPEN),
        ({"state": "settled", "type": "outgoing"}, BackendState.UNKNOWN),
    ],
)
def test_an_invoice_stands_as_the_wallet_says_or_as_its_times_do(fields: dict[str, Any], state: BackendState) -> None:
    """A preimage proves nothing, and what we paid ourselves is no income."""
    assert state_of(_said(**fields), NOW) is state


def test_only_a_settled_invoice_has_money_and_evidence() -> None:
    """Gross, what the wallet kept, and when."""
    paid = observation(_said(state="settled", settled_at=NOW, fees_paid=5), NOW)
    assert (paid.gross_msat, paid.fee_msat, paid.settled_at, paid.evidence) == (21_000, 5, NOW, "bolt11:" + "cd" * 32)
    unpaid = observation(_said(state="pending", settled_at=NOW, fees_paid=5), NOW)
    assert (unpaid.gross_msat, unpaid.fee_msat, unpaid.settled_at, unpaid.evidence) == (0, 0, None, "")


def test_what_is_not_this_intents_invoice_is_not_shown() -> None:
    """Another intent's, one without a text, and one whose text is no invoice."""
    with pytest.raises(Rejected, match="another intent"):
        request_of(INTENT, _said(metadata={INTENT_KEY: "ba" * 32}))
    with pytest.raises(Unknown, match="its text"):
        request_of(INTENT, _said())
    with pytest.raises(Rejected, match="cannot be used"):
        request_of(INTENT, _said(invoice="lnbc1hello"))


def test_a_cursor_remembers_its_second_and_what_was_given() -> None:
    """Read as it was written; the start is before everything."""
    given = ["ab" * 6, "cd" * 6]
    assert read_cursor(write_cursor(NOW, given)) == (NOW, frozenset(given))
    assert read_cursor(write_cursor(NOW, [])) == (NOW, frozenset())
    assert read_cursor(Cursor("")) == (0, frozenset())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"method": Method.CASHU}, Unsupported),
        ({"amount_msat": 0}, Rejected),
        ({"reference": reference("ba" * 32)}, Rejected),
        ({"memo": "\ud800"}, Rejected),
        ({"memo": "☕" * 214}, Rejected),
    ],
)
def test_an_intent_that_no_wallet_can_serve_is_refused_unasked(change: dict[str, Any], error: type[Exception]) -> None:
    """And any other is not."""
    refuse_impossible(INTENT)
    with pytest.raises(error):
        refuse_impossible(replace(INTENT, **change))


def test_a_failure_inside_the_wallet_proves_nothing() -> None:
    """All other errors say that nothing was made."""
    assert {code for code in ErrorCode if not is_definite(code)} == {ErrorCode.INTERNAL, ErrorCode.OTHER}


@pytest.mark.parametrize("said", [None, [], "x", {}, {"payment_hash": 7}])
def test_an_answer_that_is_no_transaction_is_asked_for_again(said: object) -> None:
    """Nothing is concluded from it."""
    with pytest.raises(Retry):
        transaction_of(said)


@pytest.mark.parametrize(("said", "key"), [("02" + "ab" * 32, "02" + "ab" * 32), ("ab" * 32, None), (7, None)])
def test_a_node_is_named_by_its_whole_key(said: object, key: str | None) -> None:
    """Some wallets say something else there."""
    assert node_key({"pubkey": said}) == key
