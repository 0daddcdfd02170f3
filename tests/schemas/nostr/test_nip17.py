"""Rumors and inbox relays: what is made has an id, what is read has a limit."""

import json
from typing import Any

import nostr_sdk
import pytest

from schemas.nostr import nip17
from tests.schemas.nostr.given import BUYER, MERCHANT, PLACED_AT, an_event, an_order


def test_a_rumor_has_the_id_that_nostr_sdk_computes() -> None:
    """Made from lists or tuples, it is the same rumor with the same id."""
    rumor = nip17.make_rumor(BUYER.public_key, PLACED_AT, 14, [["p", MERCHANT.public_key]], "🍵 \n / é")
    fields = json.dumps(rumor.model_dump(mode="json") | {"id": None})
    # It computes an id where it signs, and only there.
    theirs = nostr_sdk.UnsignedEvent.from_json(fields).sign_with_keys(nostr_sdk.Keys.parse(BUYER.reveal().hex()))
    assert rumor.id == theirs.id().to_hex()
    assert rumor == nip17.make_rumor(BUYER.public_key, PLACED_AT, 14, (("p", MERCHANT.public_key),), "🍵 \n / é")


@pytest.mark.parametrize(
    "changes",
    [{"content": "a\x00"}, {"tags": [["t", "\x1b"]]}, {"kind": 70_000}, {"tags": [[]]}, {"created_at": -1}],
)
def test_a_rumor_that_others_could_not_read_is_not_made(changes: dict[str, Any]) -> None:
    """Control bytes without an agreed hash and wrong shapes raise ValueError."""
    with pytest.raises(ValueError, match=r"control byte|validation error"):
        an_order(**changes)


def test_the_inbox_relays_of_a_person_are_the_first_five() -> None:
    """Only ws and wss URLs in `relay` tags of kind 10050 count."""
    urls = ["https://no.example", *(f"wss://r{number}.example" for number in range(8))]
    tags = (("relay",), ("r", "wss://other.example"), *nip17.inbox_relay_tags(urls))
    expected = tuple(f"wss://r{number}.example" for number in range(5))
    assert nip17.read_inbox_relays(an_event(kind=10_050, tags=tags)) == expected
    assert nip17.read_inbox_relays(an_event(kind=10_050, tags=tags), keep=1) == expected[:1]


def test_another_kind_lists_no_inbox_relays() -> None:
    """Relay tags elsewhere mean something else."""
    assert nip17.read_inbox_relays(an_event(kind=10_002, tags=(("relay", "wss://r1.example"),))) == ()
