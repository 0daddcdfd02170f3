"""What a wallet says of one invoice: the NIP's fields, what may be missing, and what is no transaction."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bolt11 import Network
from schemas.nostr.nip47_wallet import TransactionRefused, TransactionState, read_network, read_transaction
from tests.schemas.nostr.given import STEADY

FIELDS: dict[str, Any] = {
    "type": "incoming",
    "state": "settled",
    "invoice": "lnbc50n1",
    "description": "string",
    "description_hash": "string",
    "preimage": "0123456789abcdef" * 4,
    "payment_hash": "31afdf1" + "0" * 57,
    "amount": 123,
    "fees_paid": 1,
    "created_at": 1_693_876_973,
    "expires_at": 1_693_877_973,
    "settled_at": 1_693_876_999,
    "metadata": {"a": 1},
}
"""A lookup_invoice result with every field of the NIP."""


def test_every_field_is_read_but_the_preimage() -> None:
    """Whoever holds a preimage could claim to have paid, so it goes no further."""
    found = read_transaction(FIELDS)
    assert (found.payment_hash, found.is_incoming, found.state) == (
        FIELDS["payment_hash"],
        True,
        TransactionState.SETTLED,
    )
    assert (found.amount_msat, found.fees_msat) == (123, 1)
    assert (found.created_at, found.expires_at, found.settled_at) == (1_693_876_973, 1_693_877_973, 1_693_876_999)
    assert (found.invoice, found.description, found.metadata) == ("lnbc50n1", "string", {"a": 1})
    assert FIELDS["preimage"] not in repr(found)


def test_only_the_payment_hash_is_needed() -> None:
    """All else may be left out, be null, or be zero where there is none."""
    bare = read_transaction({"payment_hash": "AB" * 32})
    nulls = read_transaction({**dict.fromkeys(FIELDS), "payment_hash": "ab" * 32, "type": "incoming"})
    assert (bare.payment_hash, bare.state, bare.expires_at, bare.metadata) == ("ab" * 32, None, None, {})
    assert nulls.settled_at is None
    assert read_transaction({**FIELDS, "settled_at": 0}).settled_at is None


def test_a_number_may_be_written_with_a_point() -> None:
    """JSON has one kind of number."""
    assert read_transaction({**FIELDS, "amount": 123.0}).amount_msat == 123


@pytest.mark.parametrize("state", ["paid", 7, ""])
def test_an_unknown_state_is_none(state: object) -> None:
    """Then the times decide."""
    assert read_transaction({**FIELDS, "state": state}).state is None


def test_the_digest_changes_with_the_words_and_not_with_their_order_or_the_preimage() -> None:
    """So an audit can tell two answers apart."""
    digest = read_transaction(FIELDS).digest
    assert read_transaction(dict(reversed(FIELDS.items()))).digest == digest
    assert read_transaction({**FIELDS, "preimage": None}).digest == digest
    assert read_transaction({**FIELDS, "amount": 124}).digest != digest


@pytest.mark.parametrize(
    "change",
    [
        {"payment_hash": None},
        {"payment_hash": "xy" * 32},
        {"payment_hash": 7},
        {"amount": -1},
        {"amount": 1.5},
        {"amount": True},
        {"amount": "123"},
        {"amount": 10**30},
        {"settled_at": "yesterday"},
        {"created_at": -5},
    ],
)
def test_a_transaction_that_says_nonsense_is_refused(change: dict[str, Any]) -> None:
    """Neither a hash nor a figure is guessed."""
    with pytest.raises(TransactionRefused):
        read_transaction({**FIELDS, **change})


def test_metadata_of_any_depth_is_refused_and_breaks_nothing() -> None:
    """The digest cannot be written for it."""
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"a": deep}
    with pytest.raises(TransactionRefused):
        read_transaction({**FIELDS, "metadata": deep})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), JSON))
@STEADY
def test_no_words_break_the_reading(changes: dict[str, Any]) -> None:
    """It is a transaction or is refused."""
    try:
        found = read_transaction({**FIELDS, **changes})
    except TransactionRefused:
        return
    assert found.amount_msat >= 0


@pytest.mark.parametrize(
    ("said", "network"),
    [
        ("mainnet", Network.BITCOIN),
        ("Regtest", Network.REGTEST),
        ("testnet", Network.TESTNET),
        ("signet", Network.SIGNET),
        ("liquid", None),
        (None, None),
        (7, None),
    ],
)
def test_the_network_is_read_by_its_name(said: object, network: Network | None) -> None:
    """A name nobody knows is none."""
    assert read_network({"network": said}) is network
