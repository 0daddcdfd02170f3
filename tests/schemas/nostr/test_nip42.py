"""Authentication: the answer to a relay's challenge."""

import nostr_sdk
import pytest

from schemas.nostr import nip01, nip42
from tests.schemas.nostr.given import MERCHANT, PLACED_AT


def test_the_answer_holds_the_dialled_url_and_the_challenge() -> None:
    """Kind 22242, now, signed by the one who authenticates, and valid elsewhere."""
    event = nip42.auth_event(MERCHANT, "wss://r1.example", "x7", PLACED_AT)
    assert event.kind == 22_242
    assert event.created_at == PLACED_AT
    assert event.tags == (("relay", "wss://r1.example"), ("challenge", "x7"))
    assert event.content == ""
    assert event.pubkey == MERCHANT.public_key
    assert nostr_sdk.Event.from_json(nip01.to_json(event)).verify()


@pytest.mark.parametrize("challenge", ["", "x" * (nip42.CHALLENGE_SIZE_MAX + 1), "a\x00b"])
def test_a_challenge_that_is_none_is_not_signed(challenge: str) -> None:
    """Empty, endless or binary text raises ValueError."""
    with pytest.raises(ValueError, match=r"challenge|control byte"):
        nip42.auth_event(MERCHANT, "wss://r1.example", challenge, PLACED_AT)


def test_the_longest_challenge_is_signed() -> None:
    """The limit itself is allowed."""
    challenge = "x" * nip42.CHALLENGE_SIZE_MAX
    event = nip42.auth_event(MERCHANT, "wss://r1.example", challenge, PLACED_AT)
    assert nip01.read_event(nip01.to_json(event)) == event
